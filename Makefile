# make demo   one command from a fresh clone to a report
# make test   everything that must hold
# Each target creates or completes .venv by itself; pip runs again only when the dependency files change.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
DEPENDENCIES := pyproject.toml constraints.txt

.PHONY: help demo test check lint bench docs env env-dev
.DEFAULT_GOAL := help

help:
	@echo "make demo     train the digits comparison and write its report (under a minute after set-up)"
	@echo "make test     run all tests, the doctests and the README's examples"
	@echo "make check    lint and once through every room: under a minute"
	@echo "make lint     ruff and pyright"
	@echo "make bench    side by side with PyTorch and Keras; prints ratios"
	@echo "make docs     the functions' pages and tables anew (about half an hour: every value against mpmath)"
	@echo "make env      .venv with what actlab needs to run"
	@echo "make env-dev  .venv with what tests, lint and benches need, too"

env: .venv/.runtime
env-dev: .venv/.development

.venv/.runtime: $(DEPENDENCIES)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing actlab into .venv (once)"
	@$(PIP) --editable .
	@touch $@

.venv/.development: .venv/.runtime $(DEPENDENCIES)
	@echo "installing what tests and lint need into .venv (once)"
	@$(PIP) --editable ".[dev]"
	@touch $@

.venv/.benchmarks: .venv/.development benchmarks/requirements.txt
	@echo "installing what the benches need into .venv (once)"
	@$(PIP) --requirement benchmarks/requirements.txt
	@touch $@

demo: env
	@$(BIN)/actlab compare digits

# Two processes, a file of tests to each, the longest first: half the time on two cores, and memory for no more.
test: env-dev
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# What to run before a commit.
check: lint
	@$(BIN)/python -m pytest --quiet tests/test_house.py tests/test_smoke.py

lint: env-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

bench: .venv/.benchmarks
	@$(BIN)/python benchmarks/parabolas.py
	@$(BIN)/python benchmarks/mnist_mlp.py
	@$(BIN)/python benchmarks/lenet5.py
	@$(BIN)/python benchmarks/growth.py
	@$(BIN)/python benchmarks/functions.py
	@$(BIN)/python benchmarks/page.py
	@$(BIN)/python benchmarks/tables.py
	@$(BIN)/python benchmarks/streaming.py

docs: env-dev
	@$(BIN)/python benchmarks/relations.py
	@$(BIN)/python benchmarks/exactness.py
	@$(BIN)/python benchmarks/exports.py
	@$(BIN)/python docs/functions_pages.py
	@$(BIN)/python -m docs.findings_pages
	@$(BIN)/python -m docs.data
	@$(BIN)/python docs/house.py
