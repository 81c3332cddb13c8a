# The commands that people type.  `make help` prints the `##` comments; ARGS="…" is passed to a target's command.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
# Images and CI set it to stay small.  Here each short process would spend a second compiling its imports.
unexport PYTHONDONTWRITEBYTECODE

# Empty: the newest supported one, or the one that the environment already has (stack/interpreter.sh).
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# Prefix of a step that talks to the servers, with its role on a secure stack as $(1): sets the stack's addresses unless
# .env or the environment does.  `eval` alone would hide a failure of the inner command.
WITH_STACK = exports=$$($(BIN)/python -m stack env --lacking --role $(1)) && eval "$$exports" &&
# The report of the demo's producer, which `reconcile` reads.
RUN := $(or $(STACK_DIR),.stack)/demo.json
ARGS ?=
# The contract that a command is about.
OF = $(if $(CONTRACT),--contract '$(CONTRACT)')

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## install packages and jars; start nothing
	@$(BIN)/python -m stack fetch

$(STAMP): requirements.lock pyproject.toml stack/setup.sh $(if $(PYTHON),FORCE)
	@PYTHON='$(PYTHON)' stack/setup.sh '$(VENV)'

# With PYTHON, setup.sh looks each time whether the environment was made with it.
FORCE:

.PHONY: up
up: $(STAMP) ## start the servers (ARGS="--ports auto")
	@$(BIN)/python -m stack up $(ARGS)

.PHONY: down
down: $(STAMP) ## stop the servers; their data stays in .stack/
	@$(BIN)/python -m stack down

.PHONY: status
status: $(STAMP) ## show servers, topics, versions, lag, rows and dead letters (ARGS=--watch: live)
	@code=0; $(if $(findstring --json,$(ARGS)),,$(BIN)/python -m stack status || code=$$?;) \
	  ($(call WITH_STACK,stream) $(BIN)/python -m streaming status $(ARGS)) || code=$$?; exit $$code

.PHONY: tail
tail: $(STAMP) ## show the records of a topic, decoded (ARGS="users_created --follow")
	@$(call WITH_STACK,stream) $(BIN)/python -m streaming tail $(ARGS)

.PHONY: console
console: $(STAMP) ## show the contracts, their versions and live figures in a browser (ARGS="--port 18099")
	@$(call WITH_STACK,stream) $(BIN)/python -m console $(ARGS)

.PHONY: env
env: $(STAMP) ## print the export lines with which other tools find the servers
	@$(BIN)/python -m stack env

.PHONY: register-schemas
register-schemas: $(STAMP) ## apply schemas/ to the registry and the topics
	@$(if $(SCHEMA_REGISTRY_URL),,$(call WITH_STACK,admin)) $(BIN)/contracts register $(ARGS)

.PHONY: check-schemas
check-schemas: $(STAMP) ## lint the contracts and check them against git (BASE=origin/main), offline
	@code=0; $(BIN)/contracts lint $(ARGS) || code=$$?; \
	  $(BIN)/contracts check $(if $(BASE),--against $(BASE)) $(ARGS) || code=$$?; exit $$code

.PHONY: produce
produce: $(STAMP) ## produce records into Kafka: users from the source API, or CONTRACT=… FROM=FILE (ARGS="--count 1000")
	@$(call WITH_STACK,producer) $(BIN)/python -m producers $(OF) $(if $(FROM),--from '$(FROM)') $(ARGS)

.PHONY: stream
stream: $(STAMP) ## stream every contract from Kafka into its stores, in one process (CONTRACT=…: one; ARGS="--available-now")
	@$(call WITH_STACK,stream) $(BIN)/python -m streaming $(or $(OF),$(if $(findstring --contract,$(ARGS)),,--all)) $(ARGS)

# Comparing the views too would start Spark once more.
.PHONY: demo
demo: setup ## run the whole pipeline once, to both stores and their reconciliation (CONTRACT=orders_placed: with samples)
	@$(BIN)/python -m stack up
	@$(call WITH_STACK,admin) $(BIN)/contracts register
	@$(call WITH_STACK,producer) $(BIN)/python -m producers $(OF) $(if $(CONTRACT),--from sample:) --json $(ARGS) > '$(RUN)'
	@$(call WITH_STACK,stream) $(BIN)/python -m streaming $(OF) --available-now
	@$(call WITH_STACK,stream) $(BIN)/python -m streaming $(OF) reconcile --run '$(RUN)' --sample 3 --no-views
	@$(BIN)/python -m stack status
	@echo 'The servers stay up: try `make produce`, `make stream` and `make status`. `make down` stops them.'

.PHONY: site
site: $(STAMP) ## write the contracts and their versions as web pages into site/ (docs/how-to/console.md)
	@$(BIN)/contracts site --out site $(ARGS)

.PHONY: airflow
airflow: setup ## start the servers and Airflow, which runs the pipeline daily (docs/how-to/airflow.md)
	@$(BIN)/python -m stack up --with airflow $(ARGS)

.PHONY: compose-env
compose-env: $(STAMP) ## Docker: add the missing passwords to .env
	@$(BIN)/python -m deploy env

.PHONY: certs
certs: $(STAMP) ## Docker: create the certificates of the secure overlay in .certs/ (ARGS="--days 90")
	@$(BIN)/python -m deploy certs $(ARGS)

.PHONY: compose-up
compose-up: $(STAMP) ## Docker: start Confluent Platform and a Spark cluster (ARGS="--secure --profile stream")
	@$(BIN)/python -m deploy up $(ARGS)

.PHONY: compose-down
compose-down: $(STAMP) ## Docker: stop and remove the containers; the volumes stay
	@$(BIN)/python -m deploy down $(ARGS)

.PHONY: compose-status
compose-status: $(STAMP) ## Docker: show state and health of each container
	@$(BIN)/python -m deploy status $(ARGS)

.PHONY: compose-test
compose-test: setup ## Docker: run the compose files in a daemon of their own, with stand-ins (root; ARGS="--only secure")
	@$(BIN)/python -m contracts_tests.compose $(ARGS)

.PHONY: bench
bench: setup ## run the benchmarks (ARGS="stream --keep": only one, and keep the result)
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: chaos
chaos: setup ## kill -9 everything 25 times during a load; check that nothing is lost (ARGS="--seed 7 --kills 10")
	@$(BIN)/python -m contracts_tests.chaos $(ARGS)

.PHONY: fuzz
fuzz: setup ## stream 200,000 mutated records; check that each becomes the right row or dead letter (ARGS="--seed 7")
	@$(BIN)/python -m contracts_tests.fuzz $(ARGS)

.PHONY: docs
docs: $(STAMP) ## regenerate the pages of docs/ that come from the code
	@$(BIN)/python -m contracts.lint.page > docs/reference/lint.md
	@$(BIN)/python -m contracts_tests.fixtures.cli_page > docs/reference/cli.md
	@$(BIN)/python -m contracts_tests.fixtures.api_page > docs/reference/api.md

.PHONY: lint
lint: $(STAMP) ## check style, formatting, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

# Run three parts in parallel, two of them with their own servers, if there is enough memory.
WORKERS ?= $(shell awk '/^MemAvailable/ {print ($$2 > 14000000 ? 3 : 1)}' /proc/meminfo 2>/dev/null || echo 1)
.PHONY: test
test: setup lint ## install what the tests need, then run all of them (ARGS="-k stack": some)
	@$(BIN)/python -m pytest $(or $(ARGS),--complete -n $(WORKERS))

.PHONY: test-quick
test-quick: $(STAMP) ## run the tests that need no servers
	@$(BIN)/python -m pytest -n $(WORKERS) contracts_tests/unit contracts_tests/evolution contracts_tests/fuzz $(ARGS)

.PHONY: test-pythons
test-pythons: setup ## run the unit tests on the other Pythons of this machine, and the demo on one of them
	@.ci/pythons '$(VENV)'

.PHONY: coverage
coverage: setup ## run all tests and report the branch coverage, subprocesses included
	@rm -rf .coverage && mkdir .coverage
	@$(BIN)/coverage run -m pytest --complete -n $(WORKERS) $(ARGS)
	@$(BIN)/coverage combine --quiet && $(BIN)/coverage report

.PHONY: ci
ci: ## run what CI runs: install the system programs that some tests need (root, apt), then all tests
	@.ci/run

.PHONY: lock
lock: $(STAMP) ## update requirements.lock and stack/jars.lock (needs uv)
	@command -v uv >/dev/null || { echo "error: uv was not found" >&2; echo "  fix: install uv" >&2; exit 2; }
	@uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url --no-emit-find-links --quiet -o requirements.lock
	@for image in pipeline airflow; do \
	  uv pip compile pyproject.toml deploy/java.in --extra stream \
	    --extra $$([ $$image = pipeline ] && echo console || echo airflow) \
	    -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --no-emit-find-links --quiet -o deploy/$$image.lock; done
	@$(BIN)/python -m stack lock

.PHONY: clean
clean: ## stop the servers and remove the environment, data and caches of this clone
	@if [ -x $(BIN)/python ] && [ -d .stack ]; then $(BIN)/python -m stack down; fi
	@rm -rf $(VENV) .pythons .stack spark-warehouse metastore_db derby.log .pytest_cache .hypothesis .ruff_cache \
	  .import_linter_cache .coverage build *.egg-info
