# What a developer and CI run. `make test` is the whole promise; the rest are its parts.

CARGO ?= cargo
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
BIN := $(TARGET)/release/banter
SABOTAGED := $(TARGET)/sabotage/banter

# Rounds of the races and of the crashes: few at every change, many before a release.
RACES ?= 50
CRASHES ?= 10

# Where the tests find what was built for them. BANTER_TEST_ALL turns "cannot be had" into a failure.
export BANTER_BIN = $(abspath $(BIN))
export BANTER_SABOTAGED_BIN = $(abspath $(SABOTAGED))

.PHONY: help test lint binaries tests torture bench deny
help: ## Says what can be made.
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

test: lint deny binaries ## Everything: format, lints, all tests over both stores, races, crashes.
	scripts/with-clients scripts/with-postgres $(MAKE) --no-print-directory tests

lint: ## Format and lints alone.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

deny: ## Licences, sources and what is not to be linked, where cargo-deny is installed.
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --locked check licenses bans sources; \
	else echo "cargo-deny is not installed: licences and sources are not checked here"; fi

# The release binary, and the same with locks that can be taken away. Both come from one target
# folder, so only the workspace itself is built twice.
binaries:
	$(CARGO) build --release --locked -p banter-server --features banter-store/sabotage
	@mkdir -p $(dir $(SABOTAGED)) && cp -f $(BIN) $(SABOTAGED)
	$(CARGO) build --release --locked -p banter-server

# Inside scripts/with-clients and scripts/with-postgres: BANTER_TEST_CLIENTS names the clients' folder,
# BANTER_TEST_POSTGRES the server.
tests:
	BANTER_TEST_ALL=1 BANTER_RACES=$(RACES) BANTER_CRASHES=$(CRASHES) $(CARGO) test --workspace --locked --no-fail-fast

torture: binaries ## A thousand rounds of every race, two hundred crashes, over both stores.
	BANTER_TEST_ALL=1 BANTER_RACES=1000 BANTER_CRASHES=200 scripts/with-postgres \
		$(CARGO) test --locked -p banter-server --test binary -- --nocapture --test-threads=1 races crash powercut

bench: ## The performance claims, measured here: a table, JSON and a chart under target/bench/.
	$(CARGO) build --release --locked -p banter-server -p banter-bench
	scripts/with-postgres $(TARGET)/release/banter-bench
