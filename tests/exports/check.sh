#!/usr/bin/env bash
# Reads exports of transcripts that are hard to write down with parsers written by others: captions
# must come back with the same number, times, voices and text, and Markdown without markup of the
# speaker's making. The parsers are installed once, below the target folder; nothing else changes.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=tests/exports
target=${CARGO_TARGET_DIR:-target}
tools=$target/tools/exports
files=$target/tmp/exports

for program in node npm python3; do
    command -v "$program" >/dev/null || { echo "check-exports needs $program" >&2; exit 1; }
done

# What was installed is written down last, so that an aborted installation is begun again.
pins=$(cat "$here/requirements.txt" "$here/package.json" | cksum)
if [[ "$(cat "$tools/installed" 2>/dev/null)" != "$pins" ]]; then
    rm -rf "$tools"
    mkdir -p "$tools"
    python3 -m venv "$tools/python"
    "$tools/python/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$here/requirements.txt"
    cp "$here/package.json" "$tools/"
    npm install --prefix "$tools" --ignore-scripts --no-audit --no-fund --no-package-lock \
        --loglevel=error
    echo "$pins" >"$tools/installed"
fi

rm -rf "$files"
"${CARGO:-cargo}" run --quiet --locked --package domain --example exports -- "$files"

NODE_PATH=$tools/node_modules node "$here/check.js" "$files"
"$tools/python/bin/python" -I "$here/check.py" "$files"
