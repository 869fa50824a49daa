# Two commands: `make demo` and `make test`. Everything else is for working on the project itself.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
AUDIT := build/audit
PY := $(VENV)/bin/python
UV := $(shell command -v uv 2>/dev/null)
# Each worker of the live tests has an OpenStack and a Kubernetes of its own: about 2 GiB of memory.
LIVE_WORKERS ?= 2

# Each test of the command line starts Python anew: what is compiled once is kept, whatever this shell's settings are.
unexport PYTHONDONTWRITEBYTECODE

# The environment is made anew when what is wanted of it changes, when the clone was moved, or when its Python is gone.
# The stamp is written last: an interrupted run starts over.
WANTED := $(shell { cat pyproject.toml constraints.txt; pwd; } | sha256sum | cut -c1-12)
READY := $(VENV)/ready-$(WANTED)
$(shell $(PY) -c '' 2>/dev/null || rm -f $(VENV)/ready-*)

.PHONY: help venv demo test test-unit test-live test-long soak browser lint format audit tools bench proto lock clean-sandbox clean

help: ## Show this list
	@echo "make demo   sets everything up and shows the whole loop on a real cloud"
	@echo "make test   sets everything up and runs all checks and tests"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: venv ## The whole loop: empty cloud, plan, apply, break it, see it, repair it
	@$(PY) -m reconciler demo

test: venv lint test-unit browser test-live ## Linters, then every test, the ones against real services included

test-unit: venv ## The tests that need no sandbox: seconds
	@$(PY) -m pytest -m "not live and not soak and not long" -n auto --dist loadfile

test-live: venv tools ## The tests against a real OpenStack and a real Kubernetes: minutes
	@$(PY) -m pytest -m "live and not soak and not long" -n $(LIVE_WORKERS) --dist loadfile

test-long: venv ## Many thousands of cases where `make test` tries some hundred; what of it is live needs `make tools`
	@$(PY) -m pytest -m long -n auto --dist loadfile

soak: venv tools ## The long ones: many processes, random kills, minutes on end
	@$(PY) -m pytest -m soak

browser: # a CI machine gets the browser that looks at the HTML reports; elsewhere nothing is installed, and its tests are skipped
ifeq ($(CI),true)
	@command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
	   { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || \
	   echo "no chromium: the tests that need a browser are skipped"
endif

lint: venv ## Style, format, types (strict), who may import whom, and how workflows could be attacked
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/zizmor --offline --no-progress --quiet --min-severity=medium .github

format: venv ## Bring the code into shape
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

audit: venv $(AUDIT)/ready ## Ask for known vulnerabilities of what is pinned (0 none, 1 some, 2 nobody answers); write build/sbom.json
	@$(AUDIT)/bin/python scripts/sbom.py $(PY) build/sbom.json
	@$(AUDIT)/bin/python scripts/audit.py constraints.txt

$(AUDIT)/ready: pyproject.toml constraints.txt
	@rm -rf $(AUDIT)
ifneq ($(UV),)
	@uv venv --quiet --python $(PY) $(AUDIT)
	@uv pip install --quiet --python $(AUDIT)/bin/python --constraint constraints.txt --editable '.[audit]'
else
	@$(PY) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[audit]'
endif
	@touch $@

tools: venv ## Get OpenTofu, its providers, the Kubernetes programs: found, downloaded or built
	@$(PY) -m reconciler tools

bench: venv ## Measure what the README claims
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(PY) "$$file"; done

proto: venv ## Compile the .proto files of the autoscaler's protocol; what comes out is committed
	@$(PY) -m grpc_tools.protoc -I . --python_out=. --pyi_out=. --grpc_python_out=. reconciler/serve/autoscaler/wire/externalgrpc.proto
	@$(PY) -m grpc_tools.protoc -I . --python_out=. --pyi_out=. reconciler/serve/autoscaler/wire/node.proto

lock: ## Pin every package anew (constraints.txt), from what is newest within pyproject.toml
	@rm -rf build/lock
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install --editable '.[dev,audit]'
	@{ sed '/^#/!d' constraints.txt; \
	   build/lock/bin/python -m pip list --format freeze --exclude pip --exclude research-cluster-reconciler \
	   | LC_ALL=C sort -f; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt
	@rm -rf build/lock

clean-sandbox: ## End what a crashed demo or sandbox left running, and delete it
	@if [ -d .sandbox ] && [ -x $(PY) ]; then \
	   find .sandbox -maxdepth 3 -depth -name sandbox.json -printf '%h\n' \
	   | while read -r folder; do echo "ending $$folder"; $(PY) -m reconciler sandbox down --wipe --dir "$$folder"; done; \
	 fi

clean: clean-sandbox ## Delete everything made in this folder (the cache of tools stays: see README)
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv: $(READY) ## The Python environment in .venv (with uv where it is there)

$(READY):
	@echo "Setting up the Python environment in $(VENV) ..."
	@rm -rf $(VENV)
ifneq ($(UV),)
	@uv venv --quiet --python '>=3.11' $(VENV)
	@uv pip install --compile-bytecode --python $(PY) --constraint constraints.txt --editable '.[dev]'
else
	@command -v $(PYTHON) >/dev/null || { echo "error: no $(PYTHON) here. Install Python 3.11 or newer: apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	   { echo "error: $$($(PYTHON) --version) is too old: 3.11 or newer is needed. Is there another one? make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	   { echo "error: $(PYTHON) cannot make virtual environments. Debian and Ubuntu: apt install python3-venv (or install uv)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
endif
	@touch $@
