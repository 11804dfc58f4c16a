# The front door: on a machine with Python 3.11 and make, every target sets up what it needs.
PYTHON ?= python3.11
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
# where this is set, every start of Python compiles every module again
unexport PYTHONDONTWRITEBYTECODE

CORE := .venvs/core/bin
# what the benchmarks compare Zen with
PEERS := metaflow redun zenml
SETUP := tools/environments.py tools/bootstrap.py pyproject.toml

.PHONY: help demo test check bench faults constraints clean lint fast-tests all-tests wheel-tests integration-tests python

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venvs/core/ready  ## run an example from end to end
	$(CORE)/python -m tools.demo

check: lint fast-tests  ## linters, types, import contracts and the fast tests: seconds

test: lint all-tests wheel-tests integration-tests  ## everything, real servers included: minutes

bench: $(foreach name,core airflow3 dagster prefect $(PEERS),.venvs/$(name)/ready)  ## measure the budgets, beside other frameworks
	$(CORE)/python -m benchmarks --write

faults: .venvs/core/ready  ## every fault at every point, and crowds, cut wires and clocks in full: half an hour
	ZEN_FAULTS=full $(CORE)/python -m pytest integration_tests/faults -q -s -p no:randomly
	$(CORE)/python -m integration_tests.faults.page

constraints: | python  ## resolve the pinned sets of constraints/ again, to the newest versions that fit
	$(PYTHON) -m tools.environments resolve

clean:  ## remove the environments, builds and caches
	rm -rf .venvs dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

lint: .venvs/core/ready
	$(CORE)/ruff check .
	$(CORE)/ruff format --check .
	$(CORE)/mypy
	$(CORE)/mypy tools integration_tests/services integration_tests/equivalence integration_tests/conftest.py
	$(CORE)/lint-imports
	$(PYTHON) -m tools.environments check

fast-tests: .venvs/core/ready
	$(CORE)/python -m pytest tests -q -m "not slow" -n auto

all-tests: .venvs/core/ready
	$(CORE)/python -m pytest tests -q -n auto
	$(CORE)/python -m pytest examples/breast_cancer -q

wheel-tests: .venvs/core/ready  ## the fast tests against the built wheel instead of the source tree
	$(PYTHON) -m tools.environments wheel
	PYTHONSAFEPATH=1 PYTHONPATH=tools .venvs/wheel/bin/pytest tests -q -m "not slow" -n auto -o pythonpath= -p installed_only

integration-tests: $(foreach name,core airflow3 airflow211 prefect kfp dagster sqlalchemy14,.venvs/$(name)/ready)  ## the tests that start real servers
	$(CORE)/python -m pytest integration_tests -q -p no:randomly -rfEs --durations=10

.venvs/%/ready: constraints/%.txt constraints/%.in $(SETUP) | python
	$(PYTHON) -m tools.environments build $*

$(PEERS:%=.venvs/%/ready): .venvs/%/ready: constraints/peers/%.txt constraints/peers/%.in $(SETUP) | python
	$(PYTHON) -m tools.environments build $*

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Zen needs Python 3.11 or newer: '$(PYTHON)' is missing or older. Install it, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
