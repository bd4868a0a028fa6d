# Every command a person runs. Each sets up what it needs; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3.13
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
COMPILE = $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-annotate
LOCK = $(COMPILE) --universal --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
# $(call PIN,folder,groups of pyproject.toml). uv takes versions and hashes from the file that it is to bring up to date:
# a copy of the lock. Wheels only, since building a source distribution runs its code.
PIN = cp requirements.lock $(1)/requirements.txt && $(COMPILE) --python-platform linux --only-binary :all: \
	--emit-build-options $(addprefix --group ,$(2)) -o $(1)/requirements.txt \
	--custom-compile-command "make requirements$(if $(HEIC), HEIC=$(HEIC))"
# For the commands of operators: which deployed stack.
ON_STACK = --stack-name $(or $(STACK),wxo-image-jobs)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PYTHONPATH := $(CURDIR):$(CURDIR)/layers/common
# `sam build` looks for python3.13 on the PATH, wherever PYTHON is.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(VENV)/.installed ## Create .venv with the locked packages

$(VENV)/.installed: requirements.lock client/pyproject.toml
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then \
		echo "setting up $(VENV) (once, about half a minute)" && $(PYTHON) -m venv $(VENV); \
	elif command -v uv >/dev/null && uv venv --quiet --clear --seed --python 3.13 $(VENV) 2>/dev/null; then \
		echo "setting up $(VENV) with the Python 3.13 of uv (once, about half a minute)"; \
	else \
		echo "Python 3.13 is needed, which '$(PYTHON)' is not. Install it (or uv, which fetches it), or name it: make PYTHON=/path/to/python3.13 …" >&2; exit 1; \
	fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --editable client
	@touch $@

.PHONY: lock
lock: $(VENV)/.installed ## Resolve pyproject.toml into requirements.lock (UPGRADE=1: all packages at their newest)
	@$(LOCK) --group dev -o requirements.lock
	@cd wxo && ../$(LOCK) --python-version 3.13 adk.in -o adk.lock
	@$(MAKE) --no-print-directory requirements

.PHONY: requirements
requirements: $(VENV)/.installed ## Write what is deployed from the lock (HEIC=0: without HEIC, whose decoder is GPL)
	@$(call PIN,layers/common,common)
	@$(call PIN,layers/pillow,pillow $(if $(filter 0,$(HEIC)),,heic))
	@$(call PIN,functions/process_image,process_image)
	@$(call PIN,functions/authorizer,authorizer)

.PHONY: sbom
sbom: setup ## Write what is deployed to .local/sbom: a CycloneDX bill of materials for each layer and function
	@$(BIN)/python -m tools.sbom .local/sbom

.PHONY: docs
docs: setup ## Write the parts of docs/ that come from the code and the template
	@$(BIN)/python -m tools.document write

.PHONY: cost
cost: setup ## Measure what 1,000 images cost on AWS, and write docs/cost.md
	@$(BIN)/python -m tools.cost

.PHONY: hooks
hooks: setup ## Check every commit by pre-commit
	@$(BIN)/pre-commit install

.PHONY: format
format: setup ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

.PHONY: wxo-tools
wxo-tools: setup ## Write the documents that watsonx Orchestrate imports (API_URL=https://… ACCESS=api-key|jwt|open or STACK_FILE=….json; by default the deployed stack's)
	@$(BIN)/python -m wxo.generate $(if $(API_URL),--api-url "$(API_URL)") $(if $(ACCESS),--access "$(ACCESS)") $(if $(STACK_FILE),--stack-file "$(STACK_FILE)")

.PHONY: wxo-check
wxo-check: setup ## Tell what is missing before wxo/import-all.sh (API_KEY=… or CLIENT_ID=… CLIENT_SECRET=… TOKEN_URL=…)
	@$(BIN)/python -m wxo.check

.PHONY: adk
adk: .venv-adk/.installed ## Create .venv-adk with IBM's agent development kit, whose importer the tests use

.venv-adk/.installed: wxo/adk.lock $(VENV)/.installed
	@$(PYTHON) -m venv --without-pip .venv-adk
	@VIRTUAL_ENV=.venv-adk $(BIN)/uv pip sync --quiet --require-hashes wxo/adk.lock
	@touch $@

.PHONY: test
test: setup ## Run all tests: unit, integration (moto), end to end (embedded AWS)
	@$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --cov --durations=10

.PHONY: test-sam-local
test-sam-local: setup ## Run every function by `sam local invoke`, where Docker runs (INVOKE_IMAGE=image)
	@$(BIN)/pytest tests/sam_local -m sam_local -rs

.PHONY: check
check: setup lint test ## Lint, type-check and test everything

.PHONY: lint
lint: setup ## ruff, mypy, cfn-lint on the template and the rendered state machine
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/cfn-lint template.yaml
	@mkdir -p .local && $(BIN)/python -m tools.render > .local/image_job.rendered.json
	@$(BIN)/cfn-lint .local/image_job.rendered.json

.PHONY: bench
bench: setup ## Measure imports, the fallback, a first burst and the service; one JSON line a figure (IMAGES=n: lists of n images too)
	@$(BIN)/python -m bench $(if $(IMAGES),--images $(IMAGES))

.PHONY: soak
soak: setup ## Run 1,000 jobs with random faults while workers are killed, and count what became of them (JOBS=n SEED=n KILLS=a-second)
	@$(BIN)/python -m bench.soak $(if $(JOBS),--jobs $(JOBS)) $(if $(SEED),--seed $(SEED)) $(if $(KILLS),--kills $(KILLS)) $(ARGUMENTS)

.PHONY: test-state
test-state: setup ## Take the definition's ways through AWS's own TestState, with the credentials and region of this shell
	@$(BIN)/python -m tools.check_states

.PHONY: deploy
deploy: setup ## Deploy to AWS, with the credentials and region of this shell (STACK=name PARAMETERS="Name=value …")
	@$(BIN)/python -m tools.deploy $(if $(STACK),--stack-name $(STACK)) $(ARGUMENTS)

.PHONY: openai-key
openai-key: setup ## Ask for OpenAI's key and keep it in a stack's secret (STACK=name)
	@$(BIN)/python -m tools.engine_key openai $(ON_STACK)

.PHONY: gemini-key
gemini-key: setup ## Ask for Google Gemini's key and keep it in a stack's secret (STACK=name)
	@$(BIN)/python -m tools.engine_key gemini $(ON_STACK)

.PHONY: api-key
api-key: setup ## Write the key that callers of a stack's API send as x-api-key (STACK=name)
	@$(BIN)/python -m tools.api_key $(ON_STACK)

.PHONY: try
try: setup ## Post a first job to a stack's API and fetch its result (STACK=name or STACK_FILE=…, IMAGE=file PROMPT=text)
	@$(BIN)/python -m tools.first_job $(if $(STACK_FILE),--stack-file $(STACK_FILE),$(ON_STACK)) $(ARGUMENTS)

.PHONY: remove
remove: setup ## Delete a stack and its jobs, once its name is typed (STACK=name; ARGUMENTS=--with-images: its images too)
	@$(BIN)/python -m tools.remove $(ON_STACK) $(ARGUMENTS)

.PHONY: redeliver
redeliver: setup ## Send the callbacks on a stack's dead-letter queue again (STACK=name or STACK_FILE=.local/stack.json)
	@$(BIN)/python -m tools.redeliver $(if $(STACK_FILE),--stack-file $(STACK_FILE),$(ON_STACK)) $(ARGUMENTS)

.PHONY: redrive
redrive: setup ## Take executions up where they failed, unless their caller was answered (STACK=name ARGUMENTS=--dry-run)
	@$(BIN)/python -m tools.redrive $(if $(STACK_FILE),--stack-file $(STACK_FILE),$(ON_STACK)) $(ARGUMENTS)

.PHONY: up
up: setup ## Start the embedded AWS in the background and deploy the stack into it
	@$(BIN)/python -m local up

.PHONY: down
down: setup ## Stop what `make up` started
	@$(BIN)/python -m local down

.PHONY: sam-local
sam-local: setup ## Run `sam local invoke` on what is up (EVENT=events/<function>/<case>.json INVOKE_IMAGE=image)
	@$(BIN)/python -m local invoke $(EVENT)

.PHONY: demo
demo: setup ## Run the main job for real: jobs by each engine, callbacks, a contact sheet (IMAGES=folder; KEEP=1: the page stays up)
	@$(BIN)/python -m demo
