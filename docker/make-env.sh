#!/usr/bin/env bash
# Writes docker/.env with fresh secrets, for compose.yaml. Never replaces one that is there: with
# its SECRET_KEY go all sessions, and its passwords are those of the databases that were made with
# it.
set -euo pipefail
cd "$(dirname "$0")"

if [[ -e .env ]]; then
    echo "docker/.env is there already; it is left as it is" >&2
    exit 1
fi

secret() {
    head --bytes 32 /dev/urandom | od --address-radix=n --format=x1 | tr -d ' \n'
}

umask 077
# Written whole or not at all.
trap 'rm -f .env.new' EXIT
cat >.env.new <<TEXT
# Read by compose.yaml. Every setting of docs/operations.md can stand here.
# A value with a dollar sign stands between single quotes.

SECRET_KEY=$(secret)
# These stand in URLs: nothing but letters and digits. The first three are of the service, of who
# changes the schema, and of the superuser.
POSTGRES_PASSWORD=$(secret)
POSTGRES_OWNER_PASSWORD=$(secret)
POSTGRES_ADMIN_PASSWORD=$(secret)
REDIS_PASSWORD=$(secret)

# Simulated transcripts. For real ones put the key of AssemblyAI below, and take this line away.
ENGINE=mock
#ASSEMBLYAI_API_KEY=

# The sites whose scripts may call the API.
#CORS_ORIGINS=https://app.example.com
# Where AssemblyAI reaches the service.
#PUBLIC_URL=https://transcripts.example.com

# Behind a proxy on this machine that speaks TLS, its address comes first: all connections of this
# machine come to the containers from 172.30.84.1.
#TRUSTED_PROXIES=172.30.84.1,172.30.84.2
# Without such a proxy, to be reached from elsewhere (plain HTTP).
#BIND=0.0.0.0
TEXT
ln .env.new .env
echo "docker/.env is written"
