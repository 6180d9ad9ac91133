# Each target works on a fresh clone: Python 3.11, make and git are all it needs.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench lock clean

help:            ## what can be made
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(BIN)/.embedded         ## .venv with the `weir` command
demo: $(BIN)/.embedded          ## a month of an AI company, from usage to money (ARGS=--once ends by itself)
	@$(BIN)/weir demo $(ARGS)
test: $(BIN)/.dev               ## the whole suite, in parallel
	@$(BIN)/pytest -n $${WORKERS:-4} --dist worksteal --max-worker-restart 8 $(ARGS)
check: $(BIN)/.dev              ## format, lint, types, imports, house rules, migrations
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports --no-cache && $(BIN)/pytest tests/house
format: $(BIN)/.dev             ## put every file into the house's form
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .
bench: $(BIN)/.dev              ## measurements, each a ratio against a yardstick of the same run
	@$(BIN)/python -m bench
lock: $(BIN)/.dev               ## pin every dependency anew, with hashes
	@for name in requirements requirements-embedded requirements-dev; do \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" $$name.in -o $$name.lock; done
clean:           ## remove the environment and the data of `weir dev`
	@rm -rf .venv .weir

$(BIN)/.embedded: requirements-embedded.lock pyproject.toml
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --require-hashes -r requirements-embedded.lock
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
$(BIN)/.dev: $(BIN)/.embedded requirements-dev.lock
	@$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@
