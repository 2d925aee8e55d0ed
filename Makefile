# `make` alone lists what can be made. Paths are relative: a folder with spaces in its name works.

# The Python that .venv is made with, where it is not the first new enough one of CANDIDATES:
# make PYTHON=/path/to/python3 (a .venv of another Python is then made anew)
PYTHON ?=
# Exact versions to install; the newest that pyproject.toml allows: make CONSTRAINTS=
CONSTRAINTS ?= constraints.txt
# Passed on to the command: make audit ARGS='iris --seeds 3', make test ARGS='-k quid'
ARGS ?=
# Test processes side by side.
JOBS ?= 2

BIN := .venv/bin
CANDIDATES = $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python)
FOUND = $(shell for each in $(CANDIDATES); do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { printf '%s' "$$each"; break; }; done)
ENVIRONMENT = "$(or $(FOUND),$(error Bezoar needs Python 3.11 or newer, and none was found (tried: \
	$(CANDIDATES)). Install one, or name it: make PYTHON=/path/to/python3))" \
	tools/environment.py $(if $(PYTHON),--named) $(if $(CONSTRAINTS),--constraints "$(CONSTRAINTS)")

# What the caller's shell says of Python must not leak into .venv.
unexport PYTHONHOME PYTHONPATH PIP_PREFIX PIP_TARGET PIP_USER VIRTUAL_ENV
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# pyright would otherwise ask a registry whether there is a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help audit test lint format environment test-environment clean

help: ## list what can be made
	@echo 'usage: make TARGET'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile

# Exit code 1 of `bezoar audit` means that it found something: the audit itself went well. A Python
# that cannot load the package says 1 too, so --version is asked first.
audit: environment ## install into .venv, measure poisoning on the digits, write bezoar-audit/
	@$(BIN)/bezoar --version
	@$(BIN)/bezoar audit --out bezoar-audit $(ARGS) || test $$? -eq 1

test: lint ## lint, then run all tests
	@echo '== pytest'
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests src plugins/example -n $(JOBS) \
		--cov --cov-report=term $(ARGS)

lint: test-environment ## check style, types, import contracts, and scan our own code
	@echo '== ruff check'
	@$(BIN)/ruff check .
	@echo '== ruff format --check'
	@$(BIN)/ruff format --check .
	@echo '== pyright'
	@$(BIN)/pyright
	@echo '== lint-imports'
	@$(BIN)/lint-imports --no-logo
	@echo '== bezoar scan'
	@$(BIN)/bezoar scan . --format concise

format: test-environment ## rewrite the code in the house style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

environment:
	@$(ENVIRONMENT)

test-environment:
	@$(ENVIRONMENT) --test

clean: ## remove .venv, caches and builds; results in bezoar-audit/ stay
	rm -rf .venv build dist .coverage .coverage.*
	find . \( -name .git -o -name 'bezoar-audit*' \) -prune -o -type d \
		\( -name __pycache__ -o -name '.*_cache' -o -name .hypothesis \) -prune -exec rm -rf {} +
