#!/usr/bin/env bash
# Writes docker/yt-dlp.txt, which names yt-dlp in the version of scripts/test-tools.sh, all that it
# uses and Deno, each with the digests of its files on PyPI. Run it when that version has changed.
set -euo pipefail
cd "$(dirname "$0")/.."

version="$(sed -n 's/^YTDLP_VERSION=//p' scripts/test-tools.sh)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet --disable-pip-version-check pip-tools==7.6.2
printf 'yt-dlp[default,deno]==%s\n' "$version" >"$work/yt-dlp.in"
CUSTOM_COMPILE_COMMAND=docker/pin-yt-dlp.sh "$work/tools/bin/pip-compile" --quiet \
    --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --annotation-style=line \
    --output-file "$work/yt-dlp.txt" "$work/yt-dlp.in"
# The path of the input is of no use to anybody.
sed 's| *# via -r .*||' "$work/yt-dlp.txt" >docker/yt-dlp.txt
echo "docker/yt-dlp.txt: yt-dlp $version"
