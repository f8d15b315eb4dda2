# Amalgam's commands; each one builds .venv first when it is missing. `make help` lists them.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DEMO ?= demo
ROWS ?= 2000
BENCH ?= build/bench
JOBS ?= 2

.PHONY: help list demo test test-fast test-all faults bench check format clean
.DEFAULT_GOAL := help

help: ## list the commands
	@$(MAKE) --no-print-directory list
	@$(MAKE) --no-print-directory $(VENV)/.installed

list:
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# `compat` puts the checkout on sys.path, so that a folder on PYTHONPATH may add to its packages.
$(VENV)/.installed: setup.py constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: Python 3.11 must be installed; got no $(PYTHON). Set PYTHON=/path/to/python"; exit 78; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--config-settings editable_mode=compat --editable '.[dev]'
	@touch $@

demo: $(VENV)/.installed ## a retail data set, then fit, train, plan, run and evaluate on it (in ./demo)
	@DEMO=$(DEMO) ROWS=$(ROWS) PATH="$(CURDIR)/$(BIN):$$PATH" sh pipelines/demo.sh

test: $(VENV)/.installed ## every test but those that need a GPU
	$(BIN)/python -m pytest -m "not gpu" -n $(JOBS) --dist loadfile $(ARGS)

test-fast: $(VENV)/.installed ## the fast tier: no Beam runner, Ray, Java, network or faults
	$(BIN)/python -m pytest -m "not (gpu or slow or flink or ray or beam or faults)" $(ARGS)

faults: $(VENV)/.installed ## the fault matrix: every fault of a night, injected; prints a line for each
	$(BIN)/python -m pytest -p tests.faults.matrix -m "not gpu" tests/faults $(ARGS)

bench: $(VENV)/.installed ## speed against the floor, peers and the night before, and memory; about 8 hours on two idle cores
	@BENCH=$(BENCH) PATH="$(CURDIR)/$(BIN):$$PATH" sh benchmarks/all.sh

check: $(VENV)/.installed ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what these commands made, except .venv
	rm -rf $(DEMO) build .mypy_cache .ruff_cache .hypothesis
