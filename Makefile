# Two commands do everything on a fresh machine: `make demo` and `make test`. A developer's are `make quick` and
# `make check` (CONTRIBUTING.md).
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
TORCH ?= torch==2.13.0
OUT ?= runs/demo

.PHONY: demo quick test test-all lint check hooks bench install install-dev clean help

help:
	@echo "make demo      install, then discover digits with five simulated institutions (runs/demo/report.html)"
	@echo "make quick     unit tests, the examples in docstrings, lint and format: under a minute"
	@echo "make test      install, then run the tests"
	@echo "make test-all  the same with the slow ones"
	@echo "make check     lint, format, types, tests"
	@echo "make hooks     let git run lint, format and types before every commit"
	@echo "make bench     benchmarks (minutes to hours)"

# Torch comes first and pinned, so that no other build is pulled in by a dependency.
$(VENV)/.installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24"
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

demo: install
	$(BIN)/fedlpa simulate --out $(OUT) --overwrite

quick: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -q -m "not runs and not slow and not gpu" --ignore=tests/runs --ignore=tests/deployment \
		--numprocesses 2 --dist loadfile

# Two processes, a file to each at a time: while one waits for a server to notice something, the other computes. In the
# order of the tree: the files that wait longest hold few tests, and would come last.
test: install-dev
	$(BIN)/python -m pytest -q -m "not slow and not gpu" --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-all: install-dev
	$(BIN)/python -m pytest -q

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test

hooks: install-dev
	$(BIN)/pre-commit install

bench: install
	$(BIN)/fedlpa benchmark gcd --out runs/bench/gcd

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
