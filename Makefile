# Each target does its own set-up: a virtual environment in .venv with the versions of requirements.lock. Needs make and Python 3.11 or later.
.DEFAULT_GOAL := help
.PHONY: help setup run test lint types bench docs ci names lock clean
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# What comes after the target's own command: make run ARGS="--calls 1000", make test ARGS="-k cache".
ARGS ?=

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 16

setup: $(READY) ## Make .venv and install the locked versions; every other target does this too

run: $(READY) ## Rehearse the whole migration on the real service, phase by phase, then write a report
	@$(BIN)/oms rehearse $(ARGS)

test: $(READY) ## Run all tests
	@$(BIN)/pytest $(ARGS)

lint: $(READY) ## Check style, format, import contracts and environment accesses
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/oms env gate oms --baseline env-baseline.json

types: $(READY) ## Check types, strictly
	@$(BIN)/mypy

bench: $(READY) ## Measure the budgets beside other libraries and write bench/RESULTS.md
	@$(BIN)/python -m bench $(ARGS)

docs: $(READY) ## Check the links and anchors of README and docs, and run their commands
	@$(BIN)/pytest -k docs $(ARGS)

ci: ## Do all that a merge must pass
	@bash .ci/run

names: $(READY) ## Accept the present public names and parameters as the snapshot that CI compares with
	@$(BIN)/python -m tests.architecture.public_names --write

lock: $(READY) ## Resolve requirements.lock anew from pyproject.toml; ARGS=--upgrade takes newer versions
	@$(BIN)/python -m pip install --quiet 'uv>=0.5'
	@$(BIN)/uv pip compile pyproject.toml --output-file requirements.lock --universal --python-version 3.11 \
	    --extra service --extra report --extra prometheus --extra test --extra lint --extra bench --extra ontology --extra build \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --quiet $(ARGS)

clean: ## Remove .venv, caches and output; the journal in var/ stays
	@rm -rf $(VENV) out dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

# The builder comes from the lock as well, so oms itself is installed without a second, unpinned environment to build in.
$(READY): requirements.lock pyproject.toml
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	    python=; \
	done; \
	test -n "$$python" || { echo "oms needs Python 3.11 or later: found $$(command -v python3 >/dev/null && python3 --version 2>&1 || echo none), wanted one on PATH or make PYTHON=/path/to/python" >&2; exit 1; }; \
	test -x $(BIN)/pip || "$$python" -m venv --clear $(VENV) || { echo "oms needs the venv module: $$python has none; on Debian and Ubuntu it is the package python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
