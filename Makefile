# The commands of the project. `make` alone lists them.
#
# Every target sets up first what it needs: a virtual environment in .venv (again whenever pyproject.toml or
# constraints.txt change), for tests and benchmarks another with lsst-daf-butler to compare with, and, where that is
# allowed, the system's FUSE library.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEER := .venv-peer
PEER_STAMP := $(PEER)/.installed
# Tests, tools and the demo find this checkout's skyfs, whatever the user's own PATH says.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHON
# Many tests start programs of ours: they must not compile all of it each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the commands
	@echo "skyfs: make COMMAND"
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) \
		| while IFS=$$'\t' read -r name what; do printf '  %-13s %s\n' "$$name" "$$what"; done
	@echo "PYTHON=/path/to/python3.11 chooses the Python (3.11 or newer) that .venv is made from."

.PHONY: setup
setup: system $(STAMP) ## make .venv and install all that the project needs

$(STAMP): pyproject.toml constraints.txt tools/setup-python
	@tools/setup-python $(VENV)
	@touch $@

.PHONY: peer
peer: $(PEER_STAMP) ## make .venv-peer with lsst-daf-butler, which tests and benchmarks compare with

$(PEER_STAMP): tools/peer-constraints.txt tools/setup-peer | $(STAMP)
	@tools/setup-peer $(PEER)
	@touch $@

.PHONY: system
system:
	@tools/setup-system

.PHONY: demo
demo: setup ## tour of a simulated survey; FITS=DIR tours your own files
	@skyfs demo $(if $(FITS),--fits "$(FITS)")

.PHONY: test
test: setup peer format lint types imports docs ## set-up, gates and all tests (the campaigns apart)
	@python -m pytest -n 2

.PHONY: test-long
test-long: setup ## the campaigns: kills, many processes, long state machines
	@python -m pytest -m long --timeout 3600 -o faulthandler_timeout=3700 --hypothesis-profile long

.PHONY: test-pythons
test-pythons: ## the tests under Python 3.12 and 3.13, where they are; TESTS=tests/model runs a part
	@tools/test-pythons $(TESTS)

.PHONY: coverage
coverage: setup peer ## all tests again, measured: which lines and branches they run, and not fewer than the floor
	@rm -rf .coverage && mkdir .coverage
	@coverage run -m pytest -n 2 --timeout 360 -o faulthandler_timeout=400
	@coverage combine --quiet && coverage report

.PHONY: mutants
mutants: setup ## change the source place by place: does a test notice? AREA=commit; SAMPLE=200 takes some
	@tools/mutants $(or $(AREA),model) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED))

.PHONY: check
check: setup format lint types imports house docs pages ## the gates: format, lint, types, imports, measures, docs

# The gates, one command each, take the environment as it is: `make setup` first.
.PHONY: format lint types imports house docs pages
format:
	@ruff format --check --quiet . || { ruff format --diff --quiet . | head -60; \
		echo "format: run 'ruff format .'"; exit 1; }
lint:
	@ruff check --quiet .
types:
	@mypy --no-error-summary
imports:
	@report=$$(lint-imports --no-logo --no-cache) || { echo "$$report"; exit 1; }
house:
	@python -m pytest -q tests/house
docs: ## the documentation's site, into build/docs: references that lead nowhere are errors
	@python -m sphinx -q -E -W --keep-going -d build/doctrees docs build/docs
pages:
	@python -m pytest -q tests/test_docs.py

.PHONY: links
links: ## whether the documentation's links to other sites lead somewhere
	@python -m sphinx -q -b linkcheck -D nb_execution_mode=off -d build/doctrees docs build/links

.PHONY: bench bench-page
bench: setup peer ## the benchmarks, and docs/performance.md of them; ONLY=writes, QUICK=1, HUGE=1
	@python benchmarks/run.py $(ONLY) $(if $(QUICK),--quick) $(if $(HUGE),--huge)
bench-page: $(STAMP) ## write docs/performance.md again, of stored results
	@python benchmarks/page.py

.PHONY: audit
audit: $(STAMP) ## ask whether advisories are known for the versions in constraints.txt
	@python tools/audit

.PHONY: clean
clean: ## remove the environments, caches and build products; never data, never mounts
	rm -rf $(VENV) $(PEER) .venv-audit .venv-3.* mutants .coverage build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
