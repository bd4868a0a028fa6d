# Every command a person runs. Each sets up what it needs; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3.13
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PYTHONPATH := $(CURDIR):$(CURDIR)/layers/common

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(VENV)/.installed ## Create .venv with the locked packages

$(VENV)/.installed: requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.13 is needed: no '$(PYTHON)' on the PATH. Install it, or name it: make PYTHON=/path/to/python3.13 …" >&2; exit 1; }
	@echo "setting up $(VENV) (once, about half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	@touch $@

.PHONY: lock
lock: $(VENV)/.installed ## Resolve pyproject.toml into requirements.lock anew
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --group dev pyproject.toml \
		--custom-compile-command "make lock" -o requirements.lock

.PHONY: format
format: setup ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

.PHONY: up
up: setup ## Start the embedded AWS in the background and deploy the stack into it
	@$(BIN)/python -m local up

.PHONY: down
down: setup ## Stop what `make up` started
	@$(BIN)/python -m local down

.PHONY: demo
demo: setup ## Run the main job for real: three jobs, their callbacks, a contact sheet (IMAGES=folder)
	@$(BIN)/python -m local demo
