#!/usr/bin/env bash
# Installs what stands for S3 in the tests (PyPI moto, in a virtual environment of its own below the
# target folder). Does nothing when it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted="scripts/test-s3.txt"
folder="${CARGO_TARGET_DIR:-target}/tools/moto"
stamp="$folder/installed.txt"

if cmp --silent "$wanted" "$stamp"; then
    exit 0
fi
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
python3 -m venv "$folder" || {
    echo "the tests of S3 need python3 with its module venv" >&2
    exit 1
}
"$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
cp "$wanted" "$stamp"
