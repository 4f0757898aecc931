# One command each; every recipe installs what it needs and says so. Works as root or with sudo, from any folder.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
CARGO := cargo
export CARGO_TERM_COLOR ?= auto
# Tests wait more than they reckon: for a PostgreSQL, for a truck to stand still.
export RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(nproc))))

.PHONY: deb check-package help run day test lint fmt build bench clean audit test-fast test-faults torture mutants fuzz

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(ROOT)Makefile | sed -E 's/:.*## /\t/' | column -t -s $$'\t'

run: build ## a whole yard: server, edge, indicators on ptys, trucks; Ctrl-C stops it
	@cd $(ROOT)
	exec target/release/weighbridge-sim run

day: build ## a whole working day in minutes, from check-in to the ERP, and whether everything agrees; SEED=n for another day
	@cd $(ROOT)
	exec target/release/weighbridge-sim day --seed $${SEED:-1}

build: ## the release binaries, in target/release
	@cd $(ROOT)
	scripts/need postgresql
	$(CARGO) build --release --locked --workspace --bins
	scripts/check-release

test: lint test-fast test-faults ## everything that CI runs

test-fast: ## unit and integration tests
	@cd $(ROOT)
	scripts/need postgresql strace
	$(CARGO) build --locked --workspace --bins --tests
	$(CARGO) test --locked --workspace

# Built beside the others: target/debug/weighbridge can be broken from here on, until the next build without the feature.
test-faults: ## the supervision suite, against a server that can be broken on purpose
	@cd $(ROOT)
	scripts/need postgresql
	$(CARGO) test --locked -p weighbridge -p weighbridge-supervision \
	  --features weighbridge/chaos,weighbridge-supervision/chaos --test suite -- breaking

torture: ## every fault case at full size, in two to three hours; prints the scorecard (CASES=name for some)
	@cd $(ROOT)
	scripts/need postgresql strace network
	scripts/torture $(CASES)

mutants: ## breaks the product on purpose, and expects tests to notice (IDS="M1 M7" for some)
	@cd $(ROOT)
	scripts/need postgresql strace
	scripts/mutants $(IDS)

lint: ## format, clippy, licences, sources, known vulnerabilities
	@cd $(ROOT)
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	scripts/need cargo-deny
	scripts/deny check bans licenses sources
	$(MAKE) --no-print-directory audit

audit: ## known vulnerabilities, by a folder of RustSec advisories that ADVISORY_DB names
	@cd $(ROOT)
	if [ -z "$${ADVISORY_DB:-}" ]; then
	  echo "audit: left out: set ADVISORY_DB to a folder of RustSec advisories (a clone of github.com/rustsec/advisory-db)"
	else
	  scripts/need cargo-audit
	  scripts/audit "$$ADVISORY_DB"
	fi

fmt: ## formats all code
	@cd $(ROOT)
	$(CARGO) fmt --all

fuzz: ## ten minutes of damaged streams for each of the nine framing families; SECONDS_EACH=20 for less
	@cd $(ROOT)
	WEIGHBRIDGE_FUZZ_SECONDS=$${SECONDS_EACH:-600} $(CARGO) test --release --locked -p weighbridge-protocol --test decoding -- fuzzed --nocapture

bench: build ## latency and cost of a weighing; prints a table
	@cd $(ROOT)
	target/release/weighbridge-bench all

deb: ## the edge as a Debian package, in target/debian
	@cd $(ROOT)
	$(CARGO) build --release --locked -p weighbridge-edge
	scripts/deb

check-package: deb ## tries that package in a clean Debian root (needs root and a mirror)
	@cd $(ROOT)
	$(CARGO) build --release --locked -p weighbridge-sim
	scripts/check-package

clean: ## removes what was built; a yard's data stay where `make run` says
	@cd $(ROOT)
	rm -rf target
