PYTHON ?= python3
VENV = .venv
OUT = output/dcgan
RESUME = $(if $(wildcard $(OUT)),--resume)
WORKERS = 2
BIN := $(VENV)/bin
SETUP := setup.cfg pyproject.toml

export TF_CPP_MIN_LOG_LEVEL ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1
export MPLBACKEND ?= Agg

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-jax test-torch test-kill test-fuzz lint format types docs bench clean

help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(VENV)/examples.stamp ## train the DCGAN (again: go on where it stopped)
	$(BIN)/python examples/dcgan_mnist.py --out $(OUT) $(RESUME)
	@echo "The pictures are in $(OUT)"

# Each worker keeps to one thread, so that the workers share the cores fairly.
test: export TF_NUM_INTRAOP_THREADS ?= 1
test: export TF_NUM_INTEROP_THREADS ?= 1
test: export OMP_NUM_THREADS ?= 1
# TensorFlow keeps what it has compiled for as long as a process lives: in one
# piece the suite would need more than 20 GB.
HEAVY := tests/optimizers tests/testing
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
test: $(VENV)/all.stamp ## run the whole suite and the doctests
	$(PYTEST) $(HEAVY)
	$(PYTEST) tests/losses tests/penalties tests/layers tests/metrics
	$(PYTEST) --doctest-modules --doctest-ignore-import-errors \
	    tests adversarial \
	    $(HEAVY:%=--ignore=%) --ignore=tests/losses --ignore=tests/penalties \
	    --ignore=tests/layers --ignore=tests/metrics

# The other engines have environments of their own, without TensorFlow.
ENGINE_TESTS = tests
PIN-torch = torch==2.13.0
test-jax: $(VENV)-jax/all.stamp ## run the suite on JAX
test-torch: $(VENV)-torch/all.stamp ## run the suite on PyTorch
test-jax: export JAX_ENABLE_X64 = 1
test-jax test-torch: export OMP_NUM_THREADS ?= 1
test-jax test-torch:
	KERAS_BACKEND=$(@:test-%=%) $(<D)/bin/python -m pytest -n $(WORKERS) \
	    --dist worksteal $(ENGINE_TESTS)

$(VENV)-%/all.stamp: $(SETUP)
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install --editable ".[$*,examples,tests]" \
	    $(PIN-$*)
	@touch $@

test-kill: $(VENV)/all.stamp ## kill a training 30 times, and compare its end
	KILLS=30 $(BIN)/python -m pytest -s tests/test_killed.py

test-fuzz: $(VENV)/all.stamp ## try 20 times as much bad input, new each time
	FUZZ=20 $(BIN)/python -m pytest tests/fuzz

lint: $(VENV)/all.stamp ## check format and lint
	$(BIN)/ruff format --check
	$(BIN)/ruff check

format: $(VENV)/all.stamp ## format, and mend what lint can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

types: $(VENV)/all.stamp ## check the types of the package
	$(BIN)/mypy

docs: $(VENV)/all.stamp ## build the pages into docs/_build
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build
	@echo "The pages are in docs/_build/index.html"

bench: $(VENV)/all.stamp ## compare step times with hand-written loops
	$(BIN)/python benchmarks/step_time.py

clean: ## remove what was built, but not what was trained
	rm -rf $(VENV) $(VENV)-jax $(VENV)-torch build dist docs/_build *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	    "Python 3.11 or newer is needed, and $(PYTHON) is " \
	    + sys.version.split()[0] \
	    + ".\n  Fix: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/examples.stamp: $(VENV)/pyvenv.cfg $(SETUP)
	$(BIN)/python -m pip install --editable ".[tensorflow,examples]"
	@touch $@

$(VENV)/all.stamp: $(VENV)/pyvenv.cfg $(SETUP)
	$(BIN)/python -m pip install --editable \
	    ".[tensorflow,examples,tests,docs]"
	@touch $(VENV)/examples.stamp $@
