# The words a newcomer types. Everything here is a plain cargo command; nothing but Rust is needed,
# except for `test` and the checks, which bring what they need (from apt, PyPI and npm) and say what
# they miss, and for `deny` and `audit`, which say what they miss.

CARGO ?= cargo
KILLS ?= 200
RACES ?= 100000
DATABASE ?= sqlite
CHAOS_SECONDS ?= 1800

.DEFAULT_GOAL := help
.PHONY: help run test test-tools lint fmt ci chaos chaos-binary check-clients check-exports check-docker bench bench-engine bench-login bench-exports pipeline-kills race-claims deny audit

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1|/' \
		| awk -F'|' '{ printf "  make %-15s %s\n", $$1, $$2 }'

run: ## Run the service on http://127.0.0.1:8004
	$(CARGO) run

test: test-tools ## Run every test (the first time also builds the binary that the kill tests kill)
	$(CARGO) test --workspace

test-tools: ## Bring what tests run: ffmpeg, yt-dlp, a stand-in for S3, PostgreSQL, Redis (from apt and PyPI)
	scripts/test-tools.sh
	scripts/test-s3.sh
	scripts/test-servers.sh

lint: ## Formatting, clippy with and without default features, documentation; warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --package server --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items

fmt: ## Format the sources
	$(CARGO) fmt --all

# Snapshots are compared, never written.
ci: export INSTA_UPDATE = no
ci: lint chaos-binary test ## What continuous integration runs

# The black-box suites build it themselves when it is missing; here its errors are shown as they are.
chaos-binary:
	$(CARGO) build --locked --profile chaos --package server --bin saas-ia

check-clients: ## Hold the fake AssemblyAI to its official clients (needs python3, node and npm)
	tests/clients/check.sh

# Only what is measured is optimised, not what measures.
bench: ## Measure start-up time and memory of the release binary
	$(CARGO) bench --profile dev --package black-box-tests --bench start_up

# 2,000 samples at the default cost of the service take about half an hour:
# make bench-login SAMPLES=2000 COST=12
bench-login: export LOGIN_SAMPLES = $(SAMPLES)
bench-login: export LOGIN_COST = $(COST)
bench-login: ## Compare how long refused sign-ins take, by their cause (SAMPLES=100, COST=10)
	$(CARGO) bench --profile dev --package black-box-tests --bench sign_in

bench-engine: ## Measure how many jobs a second the engine moves, on SQLite and PostgreSQL, beside pgbench
	$(CARGO) bench --package infrastructure --bench engine

bench-exports: ## Measure how long it takes to write an hour of speech in each format
	$(CARGO) bench --package domain --bench exports
	$(CARGO) bench --package api --bench exports

# Parsers from npm and PyPI: needs node, npm and python3, and the registries the first time.
check-exports: export CARGO := $(CARGO)
check-exports: ## Read exports with parsers written by others
	tests/exports/check.sh

check-docker: export CARGO := $(CARGO)
check-docker: ## Check the image, the compose files and the proxy, without Docker
	scripts/check-docker.sh

pipeline-kills: export PIPELINE_KILLS = $(KILLS)
pipeline-kills: export PIPELINE_DATABASE = $(DATABASE)
pipeline-kills: ## Kill the release binary in the middle of every kind of job (KILLS=200, DATABASE=sqlite or postgres; about 20 minutes)
	$(CARGO) build --locked --release --package server --bin saas-ia
	SAAS_IA_BIN="$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/saas-ia" \
		$(CARGO) test --package black-box-tests --test suite pipeline -- --nocapture

# To repeat a run: make chaos CHAOS_SEED=...
chaos: export CHAOS_SECONDS := $(CHAOS_SECONDS)
chaos: export CHAOS_SEED := $(CHAOS_SEED)
chaos: ## Kill, freeze and cut off everything in turn, under load (CHAOS_SECONDS=1800, CHAOS_SEED)
	$(CARGO) build --locked --release --package server --bin saas-ia
	SAAS_IA_BIN="$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/saas-ia" \
		$(CARGO) test --package black-box-tests --test suite chaos -- --nocapture --test-threads=1

race-claims: export CLAIMS = $(RACES)
race-claims: ## Let eight processes claim 100,000 jobs on PostgreSQL within limits (RACES=100000; minutes)
	$(CARGO) test --package infrastructure --test suite persistence::caps -- --nocapture

deny: ## Check licences, bans and sources with cargo-deny
	@$(CARGO) deny --version >/dev/null 2>&1 \
		|| { echo "cargo-deny is missing: cargo install cargo-deny --locked"; exit 1; }
	$(CARGO) deny --locked check bans licenses sources

audit: ## Check for known vulnerabilities with cargo-audit (fetches the advisory database)
	@$(CARGO) audit --version >/dev/null 2>&1 \
		|| { echo "cargo-audit is missing: cargo install cargo-audit --locked"; exit 1; }
	$(CARGO) audit
