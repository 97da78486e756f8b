# The handful of commands that work on this project. `make` alone lists them.

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# python3.11 is what constraints.txt was tested with; any Python from 3.10 on does.
PYTHON ?= $(shell for name in python3.11 python3 python3.13 python3.12 python3.10; do \
	$$name -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1 && echo $$name && break; done)
# `make setup CONSTRAINTS=` takes the newest versions instead of the tested ones.
CONSTRAINTS ?= constraints.txt
RECIPE ?= quickstart
PYTEST ?= OMP_NUM_THREADS=1 $(BIN)/pytest

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow lint format format-check types docs docs-check site check soak fuzz clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with the tested versions (once; again when pyproject.toml or constraints.txt changed)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "no Python >= 3.10 with ensurepip found: install one, or name it: make setup PYTHON=…" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@# `--group` needs pip 25.1. Some of the tested versions do not exist for Python 3.10, which takes the newest.
	@constraint="$(CONSTRAINTS)"; \
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || constraint=; \
	set -ex; \
	$(BIN)/python -m pip install --quiet --upgrade $${constraint:+--constraint $$constraint} 'pip>=25.1'; \
	$(BIN)/python -m pip install --quiet $${constraint:+--constraint $$constraint} --editable '.[offline]' --group dev
	@touch $@

run: setup ## Train, evaluate and report: the quickstart on the bundled conversations (RECIPE=… for another)
	$(BIN)/instructerc run $(RECIPE) --resume

test: setup ## Run the tests, the slow ones left out
	$(PYTEST) -n auto -m "not slow"

test-slow: setup ## Run the slow tests
	@$(PYTEST) -m slow; code=$$?; if [ $$code -eq 5 ]; then echo "no slow tests yet"; else exit $$code; fi

lint: setup ## Look for mistakes (ruff)
	$(BIN)/ruff check .

format: setup ## Lay out the code (ruff)
	$(BIN)/ruff format .

format-check: setup ## Say whether the code is laid out
	$(BIN)/ruff format --check .

types: setup ## Check the types (mypy, strict)
	$(BIN)/mypy

docs: setup ## Write the pages that are generated from the code
	$(BIN)/python scripts/recipes_page.py
	$(BIN)/python scripts/backbones_page.py
	$(BIN)/python scripts/results_table.py
	$(BIN)/python scripts/benchmarks_page.py
	$(BIN)/python scripts/baselines_table.py
	$(BIN)/python scripts/small_models.py
	$(BIN)/python scripts/shipped_card.py
	$(BIN)/python scripts/cli_page.py

docs-check: setup ## Say whether those pages are current
	$(BIN)/python scripts/recipes_page.py --check
	$(BIN)/python scripts/backbones_page.py --check
	$(BIN)/python scripts/results_table.py --check
	$(BIN)/python scripts/benchmarks_page.py --check
	$(BIN)/python scripts/baselines_table.py --check
	$(BIN)/python scripts/small_models.py --check
	$(BIN)/python scripts/shipped_card.py --check
	$(BIN)/python scripts/cli_page.py --check

site: setup ## Make the documentation as a site, in site/; a broken link ends it
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: lint format-check types docs-check site test ## Everything that a change has to pass

soak: setup ## Kill things at random for half an hour, and see whether anything is lost
	$(BIN)/python benchmarks/soak_predict.py
	$(BIN)/python benchmarks/soak_training.py
	$(BIN)/python benchmarks/soak_disk.py

fuzz: setup ## Feed everything that reads to a fuzzer, half a minute each
	$(BIN)/python -m pip install --quiet atheris
	$(BIN)/python benchmarks/fuzz.py --seconds 30

clean: ## Remove caches and build outputs (.venv and runs/ stay)
	rm -rf build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
