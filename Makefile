# What people type.  `make help` is made from the `##` comments; ARGS="…" is handed on to the command behind a target.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
# Images and CI set it to stay small; here each of many short processes would compile what it imports, for a second.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# For a step that talks to the servers, and the account that it has on a secure stack: the stack's addresses, where neither
# .env nor the environment names another.  `eval` alone would hide that a command in it failed.
WITH_STACK = exports=$$($(BIN)/python -m stack env --lacking --role $(1)) && eval "$$exports" &&
# What the demo's producer has to say of its run, for the reconciliation.
RUN := $(or $(STACK_DIR),.stack)/demo.json
ARGS ?=

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## build the environment: packages and jars, no servers
	@$(BIN)/python -m stack fetch

$(STAMP): requirements.lock pyproject.toml stack/setup.sh
	@PYTHON='$(PYTHON)' stack/setup.sh $(VENV)
	@touch $@

.PHONY: up
up: $(STAMP) ## start the servers (ARGS="--ports auto")
	@$(BIN)/python -m stack up $(ARGS)

.PHONY: down
down: $(STAMP) ## stop the servers; their data stays in .stack/
	@$(BIN)/python -m stack down

.PHONY: status
status: $(STAMP) ## servers, topics, versions, lag, rows and dead letters (ARGS=--watch: live)
	@code=0; $(if $(findstring --json,$(ARGS)),,$(BIN)/python -m stack status || code=$$?;) \
	  ($(call WITH_STACK,stream) $(BIN)/python -m streaming status $(ARGS)) || code=$$?; exit $$code

.PHONY: env
env: $(STAMP) ## print the export lines that other tools need
	@$(BIN)/python -m stack env

.PHONY: register-schemas
register-schemas: $(STAMP) ## bring topics, subjects and schemas to what schemas/ says
	@$(if $(SCHEMA_REGISTRY_URL),,$(call WITH_STACK,admin)) $(BIN)/contracts register $(ARGS)

.PHONY: check-schemas
check-schemas: $(STAMP) ## lint, and compatibility against the git base (BASE=origin/main), offline
	@code=0; $(BIN)/contracts lint $(ARGS) || code=$$?; \
	  $(BIN)/contracts check $(if $(BASE),--against $(BASE)) $(ARGS) || code=$$?; exit $$code

.PHONY: ci-summary
ci-summary: ## in GitHub Actions: the file REPORT as the job's summary
	@cat '$(REPORT)' >> "$$GITHUB_STEP_SUMMARY"

.PHONY: ci-comment
ci-comment: ## in GitHub Actions: the file REPORT as the pull request's one comment, updated
	@head -c 65000 '$(REPORT)' | gh pr comment "$$PULL_REQUEST" --edit-last --create-if-none --body-file -

.PHONY: produce
produce: $(STAMP) ## users from the source API into Kafka (ARGS="--count 1000")
	@$(call WITH_STACK,producer) $(BIN)/python -m producers $(ARGS)

.PHONY: stream
stream: $(STAMP) ## Kafka into Cassandra and PostgreSQL (ARGS="--available-now")
	@$(call WITH_STACK,stream) $(BIN)/python -m streaming $(ARGS)

.PHONY: demo
demo: setup ## the whole job: servers, schemas, users from the source, Kafka, Spark, both stores, reconciled
	@$(BIN)/python -m stack up
	@$(call WITH_STACK,admin) $(BIN)/contracts register
	@$(call WITH_STACK,producer) $(BIN)/python -m producers --json $(ARGS) > '$(RUN)'
	@$(call WITH_STACK,stream) $(BIN)/python -m streaming --available-now
	@$(call WITH_STACK,stream) $(BIN)/python -m streaming reconcile --run '$(RUN)' --sample 3
	@$(BIN)/python -m stack status
	@echo 'The servers stay up: `make produce`, `make stream`, `make status`; `make down` stops them.'

.PHONY: airflow
airflow: setup ## Airflow on the embedded servers: the whole job every day (docs/how-to/airflow.md)
	@$(BIN)/python -m stack up --with airflow $(ARGS)

.PHONY: compose-env
compose-env: $(STAMP) ## for Docker: add the passwords that are missing to .env
	@$(BIN)/python -m deploy env

.PHONY: certs
certs: $(STAMP) ## for Docker: certificates of the secure overlay, into .certs/ (ARGS="--days 90")
	@$(BIN)/python -m deploy certs $(ARGS)

.PHONY: compose-up
compose-up: $(STAMP) ## Confluent Platform and a Spark cluster in Docker (ARGS="--secure --profile stream")
	@$(BIN)/python -m deploy up $(ARGS)

.PHONY: compose-down
compose-down: $(STAMP) ## stop and remove the containers; the volumes stay
	@$(BIN)/python -m deploy down $(ARGS)

.PHONY: compose-status
compose-status: $(STAMP) ## state and health of each container
	@$(BIN)/python -m deploy status $(ARGS)

.PHONY: bench
bench: setup ## the benchmarks; ARGS="stream --keep" for one of them, and to keep the result
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: chaos
chaos: setup ## kill -9 of everything, 25 times, while a producer writes; nothing may be lost (ARGS="--seed 7 --kills 10")
	@$(BIN)/python -m contracts_tests.chaos $(ARGS)

.PHONY: fuzz
fuzz: setup ## 200,000 mutated records: each must be the row or the dead letter that its bytes say (ARGS="--seed 7")
	@$(BIN)/python -m contracts_tests.fuzz $(ARGS)

.PHONY: docs
docs: $(STAMP) ## write again the pages of docs/ that are made from the code
	@$(BIN)/python -m contracts.lint.docs > docs/reference/lint.md
	@$(BIN)/python -m contracts_tests.fixtures.cli_page > docs/reference/cli.md
	@$(BIN)/python -m contracts_tests.fixtures.api_page > docs/reference/api.md

.PHONY: lint
lint: $(STAMP) ## style, formatting, types, and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

# Two halves side by side, each with servers of its own, where there is memory for that.
WORKERS ?= $(shell awk '/^MemAvailable/ {print ($$2 > 14000000 ? 2 : 1)}' /proc/meminfo)
.PHONY: test
test: setup lint ## everything the tests need, then all of them (ARGS="-k stack")
	@$(BIN)/python -m pytest $(or $(ARGS),--complete -n $(WORKERS))

.PHONY: test-quick
test-quick: $(STAMP) ## the tests that need no servers
	@$(BIN)/python -m pytest -n $(WORKERS) contracts_tests/unit contracts_tests/evolution contracts_tests/fuzz $(ARGS)

.PHONY: coverage
coverage: setup ## all tests, and which branches of the code they ran, their subprocesses too
	@rm -rf .coverage && mkdir .coverage
	@$(BIN)/coverage run -m pytest --complete -n $(WORKERS) $(ARGS)
	@$(BIN)/coverage combine --quiet && $(BIN)/coverage report

.PHONY: ci
ci: ## what CI runs: the system programs that some tests need (root, apt), then `make test`
	@.ci/run

.PHONY: lock
lock: $(STAMP) ## write requirements.lock and stack/jars.lock anew (needs uv)
	@command -v uv >/dev/null || { echo "error: uv was not found" >&2; echo "  fix: install uv" >&2; exit 2; }
	@uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links --quiet -o requirements.lock
	@for image in pipeline airflow; do \
	  uv pip compile pyproject.toml deploy/java.in --extra streaming $$([ $$image = pipeline ] || echo --extra airflow) \
	    -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links --quiet -o deploy/$$image.lock; done
	@$(BIN)/python -m stack lock

.PHONY: clean
clean: ## stop the servers, and remove the environment, data and caches of this clone
	@if [ -x $(BIN)/python ] && [ -d .stack ]; then $(BIN)/python -m stack down; fi
	@rm -rf $(VENV) .stack spark-warehouse metastore_db derby.log .pytest_cache .hypothesis .ruff_cache \
	  .import_linter_cache .coverage *.egg-info
