# `make` alone lists what there is to make; the text comes from the comments after `##`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: up down setup build images test check fmt crds sqlx faults mutations bench install clean help

PREFIX ?= /usr/local
IMAGE ?= chorus-agent:dev
RELEASE := $(or $(CARGO_TARGET_DIR),target)/release
WHOOSH := $(RELEASE)/whoosh
EXAMPLES := manifests/examples
# The tests start Docker Engines of their own, which takes root.
AS_ROOT := $(if $(filter-out 0,$(shell id -u)),--config "target.'cfg(unix)'.runner = 'sudo -E'")

up: setup images ## Run a team and a council of agents on this machine, and show them
	@$(WHOOSH) up
	@$(WHOOSH) apply -f $(EXAMPLES)/template.yaml -f $(EXAMPLES)/team.yaml -f $(EXAMPLES)/council.yaml \
		--wait --timeout 5m
	@$(WHOOSH) get teams,councils,agents

down: ## Remove all that `make up` made, agents included
	@if [[ -x $(WHOOSH) ]]; then $(WHOOSH) down; else echo "Nothing was built here, so nothing runs."; fi

setup: ## Install what is missing, start Docker, make this node a Swarm
	@scripts/setup

build: ## Build both programs for release
	@cargo build --release --bins

images: build ## Build the agent's image
	@scripts/agent-image $(RELEASE)/chorus-agent $(IMAGE) 20

test: ## Run all tests
	@scripts/setup tests
	@cargo test $(AS_ROOT)

check: ## Check formatting, lints and the saved query data
	@cargo fmt --check
	@cargo clippy --all-targets -- -D warnings
	@scripts/sqlx-prepare --check

fmt: ## Format the sources
	@cargo fmt

crds: ## Write the CustomResourceDefinitions to crds/
	@cargo run --quiet --bin whoosh -- crds --dir crds

sqlx: ## Write what Postgres says about each query to .sqlx/
	@scripts/sqlx-prepare

faults: setup ## Play every fault plan, or the one that PLAN names, and say what came of them
	@WHOOSH_FAULTS='$(or $(PLAN),all)' scripts/faults $(AS_ROOT) --test it \
		faults::$(if $(PLAN),plans_of_$(firstword $(subst /, ,$(PLAN)))) \
		-- --nocapture --skip store:: --skip sim::

mutations: setup ## Break one rule after another in a copy, and show that tests notice (NAMES=…)
	@scripts/mutations $(NAMES)

bench: ## Measure, and compare with the references (SCALE=100,1000: with so many teams)
	@cargo bench --bench bench

install: build ## Install both programs under PREFIX (/usr/local)
	@install -D -t $(DESTDIR)$(PREFIX)/bin $(WHOOSH) $(RELEASE)/chorus-agent
	@echo "Installed whoosh and chorus-agent in $(DESTDIR)$(PREFIX)/bin."
	@echo "For completion in this shell: source <(whoosh completion bash)"

clean: ## Remove what was built
	@cargo clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
