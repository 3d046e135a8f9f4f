# Each target makes .venv with the pinned packages and deft itself, then runs. Needs Python >= 3.10 and make.
PYTHON ?= python3
SCRIPTS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
BIN := .venv/$(SCRIPTS)
INSTALLED := .venv/.installed
QUIET := -qq --disable-pip-version-check
MINUTES ?= 5
OFFLINE := HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1

.PHONY: demo test test-slow check fuzz audit lock format docs pages coverage newest lowest wheel-test

demo: $(INSTALLED)
	HF_HUB_OFFLINE=1 $(BIN)/deft demo

test: $(INSTALLED)
	$(OFFLINE) $(BIN)/python -m pytest -n auto -m "not slow" $(ARGS)

# Commands killed at their renames, and whatever else takes minutes.
test-slow: $(INSTALLED)
	$(OFFLINE) $(BIN)/python -m pytest -n auto -m slow $(ARGS)

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Mutated images, then mutated files of runs and tables, as long as asked: make fuzz MINUTES=60 ARGS="--seed 7"
fuzz: $(INSTALLED)
	$(OFFLINE) $(BIN)/python scripts/fuzz_images.py --minutes $(MINUTES) $(ARGS)
	$(OFFLINE) $(BIN)/python scripts/fuzz_files.py --minutes $(MINUTES) $(ARGS)

# Licences of what the lock pins, and known vulnerabilities (which needs a network).
audit: $(INSTALLED)
	$(BIN)/python scripts/audit.py

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The site, from README.md and docs/, into site/; any warning is an error.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The pages that are made of the code.
pages: $(INSTALLED)
	$(BIN)/python scripts/cli_docs.py
	$(BIN)/python -m scripts.methods_docs
	$(BIN)/python -m scripts.api_docs

# The suite, with the share of the code that it runs; the floor is in pyproject.toml.
coverage: $(INSTALLED)
	$(OFFLINE) $(BIN)/python -m pytest -n auto --cov --cov-report=term:skip-covered $(ARGS)

# The suite with the newest packages, and with the oldest that pyproject.toml allows, in environments of their own.
# What old packages warn of in each other is no error.
lowest: WARNINGS := -W default
newest lowest: build/constraints
	$(PYTHON) -m venv --clear build/$@
	build/$@/$(SCRIPTS)/python -m pip install $(QUIET) -c build/constraints/$@.txt -e ".[dev]"
	$(OFFLINE) build/$@/$(SCRIPTS)/python -m pytest -n auto $(WARNINGS) $(ARGS)

.PHONY: build/constraints
build/constraints:
	mkdir -p $@
	: > $@/newest.txt
	$(PYTHON) scripts/lowest.py > $@/lowest.txt

# The wheel, built, installed into an empty environment and run there.
wheel-test:
	rm -rf build/wheel dist
	$(PYTHON) -m venv --clear build/wheel
	build/wheel/$(SCRIPTS)/python -m pip install $(QUIET) build
	build/wheel/$(SCRIPTS)/python -m build --outdir dist .
	$(PYTHON) -m venv --clear build/wheel
	build/wheel/$(SCRIPTS)/python -m pip install $(QUIET) dist/*.whl
	cd build/wheel && HF_HUB_OFFLINE=1 $(SCRIPTS)/deft doctor && HF_HUB_OFFLINE=1 $(SCRIPTS)/deft demo

lock: $(INSTALLED)
	$(BIN)/python scripts/lock.py

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("deft needs Python 3.10 or newer; name one with: make PYTHON=python3.12" if sys.version_info < (3, 10) else 0)'
	$(PYTHON) -m venv .venv
	@echo "Installing the pinned packages into .venv, once; this takes a few minutes ..."
	$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@
