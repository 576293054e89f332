# The two commands of the README and the others of a contributor; `make` alone explains them.

PYTHON ?= python3
BIN := .venv/bin
DEMO_ARGS := examples/digits.py --zone DE --start 2026-04-18T10:00 --deadline 42h --clock-speed 3600 --out build/demo
NAME ?=
ARGS ?=

# Nothing that runs below may look on the network for a newer version of itself.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench docs chaos clean

help: ## Show what can be made
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name what; do \
	    printf '  %-8s %s\n' $$name "$$what"; done

demo: .venv/.demo-stamp ## Train a real model on a replayed grid and print its receipt (about a minute)
	TIDEWATT_HOME=build/demo/home $(BIN)/tidewatt run $(DEMO_ARGS)

test: .venv/.dev-stamp ## Run all tests, with coverage; ARGS are passed to pytest
	$(BIN)/pytest -n 2 --cov --cov-report=term:skip-covered tests $(ARGS)

check: .venv/.dev-stamp ## Check format, lint, types, layers, sizes, documents and the cost of importing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python tools/check_sizes.py
	$(BIN)/python tools/check_docs.py
	$(BIN)/python tools/check_import.py

bench: .venv/.dev-stamp ## Run one benchmark: make bench NAME=start [ARGS=...]
	@test -n "$(NAME)" || { echo "found no NAME; wanted one of the files in benchmarks/; write 'make bench NAME=...'" >&2; exit 2; }
	$(BIN)/python -m benchmarks.$(NAME) $(ARGS)

docs: .venv/.demo-stamp ## Check links, decision records and the glossary
	$(BIN)/python tools/check_docs.py

chaos: .venv/.dev-stamp ## Kill processes at random, fill disks and set clocks while jobs run, and look for losses
	TIDEWATT_CHAOS_KILLS=$${TIDEWATT_CHAOS_KILLS:-500} $(BIN)/pytest -n 2 tests/chaos $(ARGS)

clean: ## Remove all that make has made, .venv included
	rm -rf .venv build dist .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "found $$($(PYTHON) --version 2>&1); wanted Python 3.11 or later; write 'make PYTHON=/path/to/python3 ...'" >&2; \
	    exit 2; }
	@echo "making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv || { \
	    echo "found no working venv module; on Debian and Ubuntu 'apt install python3-venv' brings it" >&2; exit 2; }
	@# Dependency groups want pip 25.1.
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

# The group comes first: it pins a build of torch, which the extra `train` then finds in place.
.venv/.demo-stamp: .venv/.made pyproject.toml
	@echo "installing Tidewatt with what the demo needs (a gigabyte or two on disk; a few minutes the first time)"
	$(BIN)/python -m pip install --quiet --group demo
	$(BIN)/python -m pip install --quiet --editable '.[train]'
	@touch $@

.venv/.dev-stamp: .venv/.demo-stamp
	@echo "installing what tests and checks need"
	$(BIN)/python -m pip install --quiet --group dev --editable '.[grids,train,plan,postgres,s3]'
	@touch $@
