#!/usr/bin/env bash
# The schema of the database, by the verbs of the original service:
#   generate NAME       write the file of a new step, and register it
#   upgrade             take every pending step
#   downgrade [STEPS]   take the last steps back, one if not said
#   history             show every step, taken or pending
#   current             show the last step that was taken
#   reset               take every step back, WITH ALL DATA, and take them anew
# The binary that SAAS_IA_BIN names does it, else the one that cargo builds. The database is that of
# the settings: DATABASE_URL, .env, config/.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cargo="${CARGO:-cargo}"
# .env and config/ are those of the repository, wherever this is called from.
[[ "${SAAS_IA_BIN:-}" != */* ]] || SAAS_IA_BIN="$(realpath "$SAAS_IA_BIN")"
cd "$root"

usage() {
    sed -n '2,10s/^# \{0,1\}//p' "$root/scripts/db-migrate.sh" >&2
    exit 2
}

migrate() {
    if [[ -n "${SAAS_IA_BIN:-}" ]]; then
        "$SAAS_IA_BIN" migrate "$@"
    else
        "$cargo" run --quiet --manifest-path "$root/Cargo.toml" --package server --bin saas-ia -- \
            migrate "$@"
    fi
}

case "${1:-}" in
generate)
    [[ $# == 2 ]] || usage
    "$cargo" run --quiet --manifest-path "$root/Cargo.toml" --package migration \
        --example new_step -- "$2"
    ;;
upgrade)
    [[ $# == 1 ]] || usage
    migrate up
    ;;
downgrade)
    [[ $# -le 2 ]] || usage
    # The original counted backwards: -1 is one step back.
    steps="${2:-1}"
    migrate down --steps "${steps#-}"
    ;;
history)
    [[ $# == 1 ]] || usage
    migrate status
    ;;
current)
    [[ $# == 1 ]] || usage
    status="$(migrate status)"
    sed -n 's/^applied //p' <<<"$status" | tail -n 1
    ;;
reset)
    [[ $# == 1 ]] || usage
    # It asks by itself where data would go, and names the database.
    migrate fresh
    ;;
*)
    usage
    ;;
esac
