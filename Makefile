# What people type. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
GATES := .venv-gates
GATES_STAMP := $(GATES)/.installed
ARCHITECTURE ?= arm64
JOBS ?= 300
RACES ?= 1000
# generated, and full of hashes
HASHES := :!events :!*.lock :!layers/*/requirements.txt :!functions/counties/counties/openapi.json
PLUGIN_PATHS := $(wildcard functions/*)
space := $(subst ,, )
export MYPYPATH := shared:$(subst $(space),:,$(strip $(PLUGIN_PATHS)))
export SAM_CLI_TELEMETRY := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# A version manager's shim may exist and only print an error: run each candidate, keep the first that answers.
CANDIDATES := $(PYTHON) python3.13 python3.12 python3.11 python3 python
FIND_PYTHON = for p in $(CANDIDATES); do \
    "$$p" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 && { echo "$$p"; break; }; done

.PHONY: help monitoring setup doctor demo run test test-fast counts chaos build sam-local invoke test-sam generated lint gates format lock bench clean openapi

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  \033[1mmake %-10s\033[0m %s\n", $$1, $$2}'

setup: $(STAMP)  ## the environment in .venv, nothing else

$(STAMP): requirements.lock
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then echo "make: no working Python 3.11 to 3.13 found (tried: $(strip $(CANDIDATES))). Install one, or say make PYTHON=/path/to/python3" >&2; exit 1; fi; \
	echo "==> environment in $(VENV), with $$("$$python" --version) ($$python)"; \
	"$$python" -m venv --clear $(VENV)
	@echo "==> installing $$(grep -cE '^[a-z0-9][a-z0-9._-]*==' requirements.lock) pinned packages (a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --progress-bar on --no-compile --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

doctor:  ## what this machine lacks, and how to get it
	@python=$$($(FIND_PYTHON) || true); python=$${python:-$$(command -v python3)}; \
	if [ -n "$$python" ]; then "$$python" local/doctor.py; else echo "There is no Python: install 3.11 to 3.13."; exit 1; fi

demo: $(STAMP)  ## a sample county, three real exports over HTTP, the files in out/
	@$(BIN)/terrafusion demo

run: $(STAMP)  ## the local cloud in the foreground, with the sample county and ready-made curl lines
	@$(BIN)/terrafusion up --sample --examples

test: $(STAMP)  ## the whole suite
	@$(BIN)/python -m pytest

test-fast: $(STAMP)  ## the domain tests, without the slow ones
	@$(BIN)/python -m pytest tests/unit -m "not slow"

counts: JOBS = 500
counts: $(STAMP)  ## JOBS mixed jobs, some of which fail or are cancelled: every counter and bucket beside the job table
	@TERRAFUSION_TEST_JOBS=$(JOBS) $(BIN)/python -m pytest tests/e2e/test_monitoring.py -k counters_and_buckets

chaos: $(STAMP)  ## JOBS jobs and RACES races while processes and the cloud itself are killed
	@$(BIN)/python -m tests.chaos --jobs $(JOBS) --races $(RACES)

lint: $(STAMP)  ## style, types, import rules, template, security
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy shared/terrafusion local cli $(foreach p,$(PLUGIN_PATHS),$(p)/$(notdir $(p)))
	@$(BIN)/python .ci/import_rules.py
	@$(BIN)/cfn-lint template.yaml
	@AWS_DEFAULT_REGION=us-west-2 $(BIN)/sam validate --lint --template template.yaml
	@$(BIN)/bandit -q -r -c pyproject.toml shared functions local cli

gates: $(STAMP) $(GATES_STAMP)  ## misconfiguration in the template, secrets in the files, licences of what we import
	@$(GATES)/bin/checkov --skip-download --compact --quiet --framework cloudformation --file template.yaml
	@git ls-files -z -- . $(foreach path,$(HASHES),'$(path)') | xargs -0 $(BIN)/detect-secrets-hook --no-verify
	@$(BIN)/python .ci/licences.py

$(GATES_STAMP): .ci/gates.lock $(STAMP)
	@echo "==> environment of the gates in $(GATES)"
	@$(BIN)/python -m venv --clear $(GATES)
	@$(GATES)/bin/python -m pip install --quiet --no-deps --require-hashes -r .ci/gates.lock
	@touch $@

format: $(STAMP)  ## rewrite the code in the project's style
	@$(BIN)/ruff check --fix-only --quiet . ; $(BIN)/ruff format .

openapi: $(STAMP)  ## write the API's description again after a route has changed
	@$(BIN)/python -m local.openapi

monitoring: $(STAMP)  ## write rules, dashboards and alarms again after a plugin, queue or workflow has come
	@$(BIN)/python -m local.monitoring

build: $(STAMP)  ## what `sam deploy` uploads, for ARCHITECTURE (arm64, x86_64); checked: sizes, libraries, imports
	@case "$(ARCHITECTURE)" in arm64|x86_64) ;; \
	    *) echo "make: ARCHITECTURE is arm64 or x86_64, not '$(ARCHITECTURE)'" >&2; exit 1;; esac
	@$(BIN)/sam validate --lint --template template.yaml --region us-west-2
	@said=$$(ARCHITECTURE=$(ARCHITECTURE) $(BIN)/sam build --cached --cache-dir .aws-sam/cache-$(ARCHITECTURE) \
	    --parameter-overrides Architecture=$(ARCHITECTURE) 2>&1) || { echo "$$said" >&2; exit 1; }; echo "$$said" | tail -n 3
	@$(BIN)/python -m local.bytecode
	@$(BIN)/python -m local.artifacts $(ARCHITECTURE)

sam-local test-sam: ARCHITECTURE = $(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x86_64)

sam-local: build  ## what `make build` made, in SAM's containers, with the local cloud's services around them
	@$(BIN)/terrafusion up --sam --sample

STATE ?= .terrafusion
invoke: $(STAMP)  ## one of the sample EVENTs to its function, in SAM's container, while `make sam-local` runs
	@$(BIN)/python -m local.sam "$(EVENT)" "$(STATE)"

ONLY ?= not permissions and not tokens
test-sam: build  ## the end-to-end tests against SAM's containers; ONLY='…' chooses some, as pytest's -k does
	@$(BIN)/python -m pytest tests/e2e --sam -m "not gateway" -k "$(ONLY)"

generated: $(STAMP) openapi monitoring  ## write again what follows from routes and template: API, alarms, events, picture
	@$(BIN)/python -m local.samples
	@$(BIN)/python -m local.diagram

bench: $(STAMP)  ## speed and memory beside a peer, as ratios, to docs/benchmarks.md
	@$(BIN)/python -m tests.bench

lock: $(STAMP)  ## resolve the dependencies again and write requirements.lock
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command "make lock" --quiet --output-file requirements.lock
	@$(BIN)/uv pip compile .ci/gates.in --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command "make lock" --quiet --output-file .ci/gates.lock
	@for layer in layers/*/; do $(BIN)/uv pip compile $$layer/requirements.in --constraints requirements.lock \
	    --python-version 3.13 $$([ $$layer = layers/web/ ] || echo --no-deps) --generate-hashes \
	    --custom-compile-command "make lock" --quiet --output-file $$layer/requirements.txt; done

clean:  ## remove what was made: environment, state of the local cloud, outputs
	@rm -rf $(VENV) $(GATES) .terrafusion .aws-sam out build .pytest_cache .mypy_cache .ruff_cache
