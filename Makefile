# Everything runs from a clean clone: the first target that needs it makes .venv from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench fuzz soak lock clean

help:
	@echo "make demo   the whole bridge against both simulated APIs, under a minute"
	@echo "make test   every test, with the coverage floor of the pure packages"
	@echo "make lint   ruff, mypy --strict, import-linter"
	@echo "make bench  cost of the bridge against a bare loop of the same calls, and its memory"
	@echo "make soak   the same tests with other and more examples, kills and faults; about half an hour"
	@echo "make fuzz   atheris over the decoders, FUZZ_SECONDS (60) each; exit 1 on a finding, which build/fuzz/findings keeps"
	@echo "make lock   refresh requirements.lock (needs uv)"

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=…")'
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(READY)
	$(BIN)/bridge demo

# Tracing costs half as much again, so the tests that hold the floor of the pure packages run by themselves.
test: $(READY)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses 3 --dist loadfile tests/unit tests/contract tests/edge tests/fuzz
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=100 --include='bridge/errors.py,bridge/model/*,bridge/operation/*,bridge/drafting/*,bridge/masking.py,bridge/mapping/*,bridge/policy/*,bridge/intake/*,bridge/exchange.py,bridge/leadbyte/*,bridge/leadsquared/*'
	$(BIN)/pytest --numprocesses 6 --dist loadfile --no-loadscope-reorder tests/property tests/crash tests/system

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m tests.bench

fuzz: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz

soak: $(READY)
	BRIDGE_SOAK=1 HYPOTHESIS_PROFILE=soak $(BIN)/pytest tests/unit tests/property tests/crash tests/edge tests/system/test_faults.py

lock:
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) .coverage .mypy_cache .ruff_cache .hypothesis
