# The front door: `make help` lists what there is. CI runs the same targets.

CARGO ?= cargo
# Cargo runs it, which knows where its builds are.
WITH_POSTGRES = $(CARGO) run --locked --package taskhold-testkit --bin with-postgres --

# Many tests wait for something, and leave a processor to others meanwhile.
export RUST_TEST_THREADS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

.DEFAULT_GOAL := help
.PHONY: help serve migrate token test test-shell soak bench bench-import login-storm drill openapi api-fuzz client-check lint deny format build clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: ## Start the service: http://127.0.0.1:8080 on an embedded database, nothing to configure
	$(CARGO) run --release --locked --bin taskhold -- serve

migrate: ## Apply pending migrations to the configured database
	$(CARGO) run --release --locked --bin taskhold -- migrate up

token: ## Print a token for trying the API: make token USER_ID=anna
	@$(CARGO) run --quiet --release --locked --bin taskhold -- token $(or $(USER_ID),anna)

# Parts of the names of those tests of the store that use PostgreSQL. One with many rows asks nothing else than others.
ON_POSTGRES = postgres --skip sqlite --skip ten_thousand

test: test-programs ## Run every test, on SQLite and on PostgreSQL, and those of the store on PostgreSQL 18 too
	$(WITH_POSTGRES) $(CARGO) test --locked --workspace
	$(CARGO) test --locked --package taskhold-domain --all-features
	scripts/with-postgres-18 $(WITH_POSTGRES) "$$(scripts/test-program store)" $(ON_POSTGRES)

# All test targets but those whose tests start openssl or PostgreSQL, and parts of the names of the other tests that
# start a program beside the service. A new test that starts one fails here until it is named.
FAST = $(filter-out issuer issuer_keys standby,e2e $(basename $(notdir $(wildcard crates/*/tests/*))))
NOT_FAST = another_database_kind another_instance batched:: batching:: clients:: compose_settings concurrent_guesses \
	connecting:: copy:: database_urls:: direct_url:: disk_full docs_page doctor::server engines:: fail2ban failover:: \
	fault_1_ history::moved import::faults jwks key_in_flight leases:: locked_rows:: lost_commit lost_reply lost_store \
	migrate_names migration_locks:: migration_sql:: other_database_kind other_store paused:: pooler postgres power_cut \
	promtool proxies:: read_only:: recovery:: replica:: roles:: rolling:: rotation:: runbook_examples schemas:: \
	slow_clients the_command_line todo:: two_instances user_move users_lines_are_found web_page::

.PHONY: test-fast
test-fast: ## Run the tests that need no other program: rules, use cases, API, and the service on SQLite
	$(CARGO) test --locked --workspace --lib --bins $(addprefix --test ,$(FAST)) -- $(addprefix --skip ,$(NOT_FAST))

test-shell: test-programs ## Start a shell with a PostgreSQL server for `cargo test`
	$(WITH_POSTGRES) $${SHELL:-sh}

# Whole modules of tests/e2e, one test after the other.
SOAKED = crash:: power_cut:: history:: rolling:: feed_replays

soak: test-programs ## Run the tests that kill, restart and compare for much longer; they print what they counted
	TASKHOLD_TEST_SOAK=1 $(WITH_POSTGRES) $(CARGO) test --locked --package taskhold-server \
		--test e2e -- --nocapture --test-threads=1 $(SOAKED)

.PHONY: test-programs
test-programs: # Make sure that the programs are there which the tests start
	@scripts/ensure postgres pgbouncer haproxy nginx caddy fail2ban openssl sqlite3 chromium chromedriver promtool venv keyring dbus
	@scripts/ensure-pgbouncer
	@scripts/ensure-axe
	@scripts/with-postgres-18

bench: programs ## Measure the service against the database, on both stores (docs/performance.md)
	scripts/bench

.PHONY: bench-smoke
bench-smoke: ## Try every measurement for a moment; fails if a request does, never for being slow
	scripts/bench --smoke

.PHONY: bench-growth load

bench-growth: programs ## Measure requests as tasks become more, and draw the curves (docs/performance.md)
	scripts/bench-growth

load: programs ## Put the load of 100 users on the service for 5 minutes, on both stores (docs/performance.md)
	scripts/load

bench-import: programs ## Measure imports beside what the stores' own tools take (docs/performance.md)
	scripts/bench-import

.PHONY: bench-replica
bench-replica: programs ## Measure what a replica for reads takes off the primary (docs/operations/replica.md)
	scripts/bench-replica

login-storm: programs ## Measure reads during a storm of logins, and what a refused login's time tells (docs/performance.md)
	scripts/login-storm

.PHONY: streams
streams: programs ## Measure the memory of idle streams of changes (docs/performance.md)
	scripts/streams

.PHONY: fairness
fairness: programs ## Measure how long one user waits while another asks for everything at once (docs/performance.md)
	scripts/fairness

.PHONY: bench-criterion
bench-criterion: ## Measure the parts by themselves: rules, tokens, answers (docs/performance.md)
	$(CARGO) bench --locked --package taskhold-domain --package taskhold-security --package taskhold-api \
		--bench rules --bench tokens --bench answers

drill: programs ## Lose stores of a million tasks and restore them; prints RPO and RTO (docs/operations/backup.md)
	scripts/drill

.PHONY: cluster
cluster: ## Lose the primary of a cluster of Patroni in several ways under load; needs root (docs/operations/failover.md)
	scripts/cluster

openapi: ## Renew docs/openapi.json, the committed copy of the OpenAPI document
	document=$$($(CARGO) run --quiet --locked --bin taskhold -- openapi) && printf '%s\n' "$$document" > docs/openapi.json

api-fuzz: ## Hold the running service against its OpenAPI document with Schemathesis, on both stores
	scripts/api-fuzz

client-check: ## Lint the OpenAPI document, and do every operation with clients generated from it, on both stores
	scripts/client-check

.PHONY: mcp-check
mcp-check: ## Hold the tools for agents against the protocol's conformance suite and its Inspector
	scripts/mcp-check

.PHONY: page-check
page-check: ## Check the types of the page's scripts with TypeScript
	scripts/page-check

# Modules of tests/e2e whose tests read the documents or run what stands there.
DOCUMENTED = documents:: requirements:: guide:: runbook:: roles:: doctor::documented

.PHONY: docs
docs: test-programs ## Build the documentation, check its links and run its examples
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items
	$(WITH_POSTGRES) $(CARGO) test --locked --package taskhold-server --test e2e -- $(DOCUMENTED)

lint: ## Check formatting, clippy, rustdoc and the SQL of migrations; every warning is an error
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --package taskhold-domain --all-features --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items
	scripts/lint-migrations

deny: ## Check licences, sources and known weaknesses of the dependencies (needs cargo-deny)
	$(CARGO) deny check

format: ## Format the code
	$(CARGO) fmt --all

build: ## Build the programs: target/release/taskhold and todo, unless cargo is told to build elsewhere
	$(CARGO) build --release --locked --bin taskhold --bin todo

# `--version` tells it.
COMMIT = $(shell git rev-parse --short=12 HEAD 2>/dev/null)

.PHONY: dist programs
programs: # Build the programs to install, which are faster and take longer to build: target/dist/taskhold and todo
	TASKHOLD_COMMIT=$(COMMIT) $(CARGO) build --profile dist --locked --bin taskhold --bin todo

dist: programs ## Build the programs to install, and packages of them in dist/: .deb, .tar.gz, SHA256SUMS
	scripts/package dist dist

.PHONY: package-check
package-check: programs ## Install the packages on a copy of this machine, use, upgrade and purge them; needs root and Debian
	scripts/package-check

clean: ## Delete everything that was built
	$(CARGO) clean
