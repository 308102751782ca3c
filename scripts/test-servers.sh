#!/usr/bin/env bash
# Brings the programs of PostgreSQL and Redis, of which the tests start private servers. Does nothing
# where they are there, or where the tests are told to use servers that run already. What apt brings
# is not started, and no cluster is made.
set -euo pipefail

found() {
    command -v "$1" >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null
}

missing() {
    if [[ -n "${TEST_DATABASE_URL:-}" ]]; then
        found psql || echo postgresql-client
    else
        { found initdb && found postgres && found psql; } || echo postgresql
    fi
    [[ -n "${TEST_REDIS_URL:-}" ]] || command -v redis-server >/dev/null || echo redis-server
}

packages="$(missing | tr '\n' ' ')"
if [[ -n "${packages// /}" ]]; then
    if [[ "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "test-servers: missing: $packages; install them, in Debian: apt-get install $packages" >&2
        exit 1
    fi
    scratch="$(mktemp -d)"
    trap 'rm -rf "$scratch"' EXIT
    # Debian starts a service where its package is installed, unless this script forbids it. One that
    # is there already says what its owner wants.
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e "$policy" ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -rf "$policy" "$scratch"' EXIT
    fi
    apt-get update -qq
    install() {
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    }
    if [[ " $packages" == *" postgresql "* && ! -e /etc/postgresql-common/createcluster.conf ]]; then
        # What makes clusters comes first, to be told that none is wanted.
        install postgresql-common
        cp /etc/postgresql-common/createcluster.conf "$scratch/createcluster.conf"
        sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' \
            /etc/postgresql-common/createcluster.conf
        # shellcheck disable=SC2086 # names of packages, each a word
        install $packages
        cp "$scratch/createcluster.conf" /etc/postgresql-common/createcluster.conf
    else
        # shellcheck disable=SC2086 # names of packages, each a word
        install $packages
    fi
fi

version() { # The major version that is found first, by the program's own word.
    local program
    program="$(command -v "$1" || compgen -G "/usr/lib/postgresql/*/bin/$1" | sort -V | tail -n 1)"
    "$program" --version
}
postgres="${TEST_DATABASE_URL:+a PostgreSQL that runs already}"
redis="${TEST_REDIS_URL:+a Redis that runs already}"
echo "test-servers: ${postgres:-$(version postgres)}, ${redis:-$(version redis-server)}"
