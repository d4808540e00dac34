# Everything one can do here. `make demo` and `make test` set up all that they need.
# The system's Python before others: distributions build it with more care, and a start takes a quarter
# less. One that is too old, or cannot make an environment, is passed over.
PYTHON ?= $(shell for python in /usr/bin/python3 python3; do \
  $$python -c 'import ensurepip, sys, venv; assert sys.version_info >= (3, 11)' 2>/dev/null \
  && echo $$python && exit; done; echo python3)
BIN := .venv/bin

.PHONY: help setup up demo test torture rehearse lint types format pins clean

help:            ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(BIN)/.ready ## make .venv with everything pinned, and .venv/bin/firstbell in it

$(BIN)/.ready: pyproject.toml requirements/uv.txt requirements/dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/uv.txt
	VIRTUAL_ENV=.venv $(BIN)/uv pip sync --quiet --require-hashes requirements/dev.txt requirements/uv.txt
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -c "import services.risk.main"  # compiles the rules: services/risk/compiled.py
	touch $@

up: setup        ## run all three services in one process on http://127.0.0.1:8000
	$(BIN)/firstbell up

demo: setup      ## see it work: a stack, a term of registers, bells, signed webhooks
	$(BIN)/firstbell demo

test: setup      ## run every test that this machine can, and name what was left out
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder  # a file's servers start once

torture: setup   ## kill -9, outages and poison on real servers, then planted faults: half an hour
	$(BIN)/python -m tests.torture

rehearse: setup  ## lose a real PostgreSQL and bring it back to a moment; upgrade under load
	FIRSTBELL_TEST_KAFKA=own FIRSTBELL_TEST_POSTGRES=own \
	  $(BIN)/pytest tests/system/test_restore.py tests/system/test_upgrade.py

lint: setup      ## style, and the borders between services
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup     ## mypy, strict
	$(BIN)/mypy

format: setup    ## mend style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pins: setup      ## newest versions, with hashes and without index addresses
	cd requirements && for part in base dev; do \
	  extra=$$([ $$part = dev ] && echo "--extra dev"); \
	  ../$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-annotate --no-header $$extra ../pyproject.toml -o $$part.txt; done

clean:           ## remove what was made here
	rm -rf .venv data build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
