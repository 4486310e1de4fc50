# make book   pretrain `tiny`, measure every checkpoint, build the report
# make frozen-book   build the report from a run that is frozen in results/, as it is published; nothing is trained
# make test   all tests but the long ones
# make test-long   those: thousands of damaged inputs, and intervals and tests on thousands of simulated runs; and a real
#   Slurm where slurm-wlm and munge are installed, and Snakemake is (SNAKEMAKE=/path/to/snakemake, or on PATH)
# make mutants   which changes of the code does no test see? (hours; see CONTRIBUTING.md)
# make variants   train and measure every variant of one run, SEEDS of each, for the page on them (hours; it resumes)
# make test-book   is every page of the book that was built readable, by keys, in the dark, on a phone? (needs Chromium)
# make pdf   the book that was built, as one PDF (needs Chromium)
# make archive   code, frozen runs and the book that was built, for a repository such as Zenodo
# make lint   formatting, style and types, as the continuous integration checks them
#
# RUN=name trains another preset into the report: make book RUN=smoke
# JOBS=number of checkpoints that are measured at a time; each takes its share of the cores, and memory for a model
# The lock is of Python 3.11; the package alone takes a range of versions, see pyproject.toml.
# PIP_ARGS goes to pip, e.g. an index with another build of torch (see README.md)

PYTHON ?= python3.11
RUN ?= tiny
FROZEN ?= results/tiny-seed0
SEEDS ?= 3
JOBS ?= 2
VENV := .venv
INSTALLED := $(VENV)/.installed
EMBRYOLOGY := $(VENV)/bin/embryology
# Tests and books need no network and do not depend on the order of hashes.
export HF_HUB_OFFLINE ?= 1
export PYTHONHASHSEED ?= 0

.PHONY: book frozen-book pdf archive test test-long test-book mutants variants lint install clean

book: $(INSTALLED)
	$(EMBRYOLOGY) pretrain $(RUN) --resume
	$(EMBRYOLOGY) probe $(RUN) --jobs $(JOBS)
	$(EMBRYOLOGY) report $(RUN)

frozen-book: $(INSTALLED)
	$(EMBRYOLOGY) report $(FROZEN)

pdf: $(INSTALLED)
	$(VENV)/bin/python -m embryology.report.printed

archive: $(INSTALLED)
	$(VENV)/bin/python -m embryology.report.archive

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not long" $(PYTEST_ARGS)

test-long: $(INSTALLED)
	OMP_NUM_THREADS=1 HYPOTHESIS_PROFILE=long $(VENV)/bin/python -m pytest -n 2 -rP \
		tests/test_mutated_inputs.py tests/treebanks/test_mutated_treebanks.py $(PYTEST_ARGS)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 -rP -m long --ignore tests/test_mutated_inputs.py $(PYTEST_ARGS)

test-book: $(INSTALLED)
	$(VENV)/bin/python -m pip install --quiet $(PIP_ARGS) -r requirements-browser.lock
	$(VENV)/bin/python -m pytest tests/book $(PYTEST_ARGS)

mutants: $(INSTALLED)
	$(VENV)/bin/python -m pip install --quiet $(PIP_ARGS) -r requirements-mutants.lock
	$(VENV)/bin/python -m mutants $(MUTANTS_ARGS)

variants: $(INSTALLED)
	$(VENV)/bin/python benchmarks/variants.py commands --seeds $(SEEDS) --program $(EMBRYOLOGY) \
		--python $(VENV)/bin/python | sh -e
	$(VENV)/bin/python benchmarks/variants.py collect --seeds $(SEEDS)

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/nbstripout --verify notebooks/*.ipynb

install: $(INSTALLED)

$(INSTALLED): requirements.lock requirements-data.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not installed; install Python 3.11, or name it: make book PYTHON=/path/to/python3.11" >&2; exit 1; }
	@command -v git >/dev/null || { echo "error: git is not installed; install it first" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1); Python 3.11 is needed: make book PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) cannot make virtual environments; install its venv package (Debian: python3.11-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet $(PIP_ARGS) -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --no-deps --require-hashes -r requirements-data.lock
	$(VENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf _build book/executed
