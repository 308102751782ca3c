#!/usr/bin/env bash
# Brings the programs of PostgreSQL and Redis, of which the tests start private servers: also where
# they are told of servers that run already, since those are neither stopped nor frozen. Does nothing
# where the programs are there. What apt brings is not started, and no cluster is made.
set -euo pipefail

found() {
    command -v "$1" >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null
}

missing() {
    { found initdb && found postgres && found psql; } || echo postgresql
    command -v redis-server >/dev/null || echo redis-server
}

packages="$(missing | tr '\n' ' ')"
if [[ -n "${packages// /}" ]]; then
    if [[ "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "test-servers: missing: $packages; install them, in Debian: apt-get install $packages" >&2
        exit 1
    fi
    # Debian starts a service where its package is installed, unless this script forbids it. One that
    # is there already says what its owner wants.
    policy=/usr/sbin/policy-rc.d
    clusters=/etc/postgresql-common/createcluster.conf
    scratch="$(mktemp -d)"
    restore() { # Also where apt fails half-way.
        [[ ! -e "$scratch/policy" ]] || rm -f "$policy"
        [[ ! -e "$scratch/createcluster.conf" ]] ||
            cp --preserve "$scratch/createcluster.conf" "$clusters"
        rm -rf "$scratch"
    }
    trap restore EXIT
    if [[ ! -e "$policy" ]]; then
        touch "$scratch/policy"
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    apt-get update -qq
    install() {
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    }
    if [[ " $packages" == *" postgresql "* && ! -e "$clusters" ]]; then
        # What makes clusters comes first, to be told that none is wanted.
        install postgresql-common
        cp --preserve "$clusters" "$scratch/createcluster.conf"
        sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' "$clusters"
    fi
    # shellcheck disable=SC2086 # names of packages, each a word
    install $packages
fi

version() { # The major version that is found first, by the program's own word.
    local program
    program="$(command -v "$1" || compgen -G "/usr/lib/postgresql/*/bin/$1" | sort -V | tail -n 1)"
    "$program" --version
}
echo "test-servers: $(version postgres), $(version redis-server)"
