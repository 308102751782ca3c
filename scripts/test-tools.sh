#!/usr/bin/env bash
# Brings what some tests need beside Rust: ffmpeg, and yt-dlp of the version that they are written
# for. Does nothing where all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

YTDLP_VERSION=2026.10.26
tools="${CARGO_TARGET_DIR:-target}/tools"
venv="$tools/yt-dlp"

missing() {
    command -v ffmpeg >/dev/null || echo ffmpeg
    command -v ffprobe >/dev/null || echo ffmpeg
    command -v python3 >/dev/null || echo python3
    python3 -c 'import venv, ensurepip' 2>/dev/null || echo python3-venv
}

packages="$(missing | sort -u | tr '\n' ' ')"
if [[ -n "${packages// /}" ]]; then
    if [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
        apt-get update -qq
        # shellcheck disable=SC2086 # names of packages, each a word
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
    else
        echo "test-tools: missing: $packages; install them, in Debian: apt-get install $packages" >&2
        exit 1
    fi
fi

if [[ "$("$venv/bin/yt-dlp" --ignore-config --version 2>/dev/null || true)" != "$YTDLP_VERSION" ]]; then
    rm -rf "$venv"
    mkdir -p "$tools"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "yt-dlp==$YTDLP_VERSION"
fi
echo "test-tools: $(ffmpeg -version | head -n 1 | cut -d ' ' -f 1-3), yt-dlp $YTDLP_VERSION"
