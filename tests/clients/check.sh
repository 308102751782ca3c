#!/usr/bin/env bash
# Holds the testkit's AssemblyAI server to the official clients, in pinned versions. They are
# installed once, below the target folder; after that nothing needs the network.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
cd "$root"
target="${CARGO_TARGET_DIR:-$root/target}"
tools="$target/tools/clients"
speech="$root/crates/testkit/fixtures/speech"
mkdir -p "$tools"
tools="$(cd "$tools" && pwd)"

missing=()
command -v python3 >/dev/null && python3 -c 'import ensurepip, venv' 2>/dev/null \
    || missing+=(python3 python3-venv)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
if ((${#missing[@]})); then
    if [[ "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "missing: ${missing[*]} (apt-get install ${missing[*]})" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

# The marks are written last: what was left half installed is installed anew.
if ! cmp -s "$here/requirements.txt" "$tools/python/installed.txt"; then
    rm -rf "$tools/python"
    python3 -m venv "$tools/python"
    "$tools/python/bin/pip" install --quiet --disable-pip-version-check --no-deps \
        --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$tools/python/installed.txt"
fi
if ! cmp -s "$here/package-lock.json" "$tools/js/installed.json"; then
    rm -rf "$tools/js"
    mkdir "$tools/js"
    cp "$here/package.json" "$here/package-lock.json" "$tools/js"
    (cd "$tools/js" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    cp "$here/package-lock.json" "$tools/js/installed.json"
fi

"${CARGO:-cargo}" build --locked --quiet --package testkit --bin fake-assemblyai

export FAKE_KEY=a-key-of-nobody
server=
stop() {
    [[ -z "$server" ]] || kill "$server" 2>/dev/null || true
}
trap stop EXIT
# A server for each client: what one left in the list is none of the other's business.
serve() {
    stop
    : >"$tools/server.log"
    "$target/debug/fake-assemblyai" --port 0 --api-key "$FAKE_KEY" --processing-ms 300 \
        >"$tools/server.log" &
    server=$!
    for _ in $(seq 100); do
        FAKE_URL="$(sed -n 's/^listening on //p' "$tools/server.log")"
        [[ -z "$FAKE_URL" ]] || break
        kill -0 "$server"
        sleep 0.1
    done
    [[ -n "$FAKE_URL" ]] || { echo "the server did not start" >&2; exit 1; }
    export FAKE_URL NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
}

serve
"$tools/python/bin/python" "$here/check.py" "$speech/jfk.wav" "$speech/jfk.txt"
serve
CLIENT_DIR="$tools/js" node "$here/check.mjs" "$speech/jfk.wav" "$speech/jfk.txt"
