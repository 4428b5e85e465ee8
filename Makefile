# make demo    train a network on handwritten digits and explain it   (the first thing to run)
# make test    the tests                  make check   lint, format, types
# make peers   the tests against PyTorch and JAX       make bench   the benchmark table
# make lock    choose the exact versions anew          make clean   remove what all of this made
#
# Every target sets itself up: it makes a virtual environment and installs the exact versions of requirements/,
# once, and again only when those files change.  Other versions of Python: make PYTHON=python3.12 test

PYTHON ?= $(or $(shell command -v python3.11),python3)
JOBS ?= 2
PIP_FLAGS := --quiet --disable-pip-version-check --no-input

BIN := .venv/bin
PEERS_BIN := .venv-peers/bin
READY := .venv/ready
PEERS_READY := .venv-peers/ready

.PHONY: demo test check format bench peers setup setup-peers lock clean
.DEFAULT_GOAL := demo

demo: $(READY)
	rm -rf runs/digits
	$(BIN)/chainrule train digits --out runs/digits

# Each test process computes in one thread: the processes are what shares the cores.  A file is for one of them, so that
# what its tests share is made once.
test: $(READY)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not peers"

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(PEERS_READY)
	$(PEERS_BIN)/python -m benchmarks.speed

peers: $(PEERS_READY)
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(PEERS_BIN)/python -m pytest -n $(JOBS) --dist loadfile -m peers

setup: $(READY)
setup-peers: $(PEERS_READY)

# The lock names every package, so nothing is left for pip to choose (--no-deps), and `pip check` says whether that is so.
# The package itself is built by the locked hatchling (--no-build-isolation), not by whichever is newest today.
.venv/locked: requirements/dev.txt
.venv-peers/locked: requirements/dev.txt requirements/peers.txt

.venv/locked .venv-peers/locked: %/locked:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "chainrule needs Python 3.11 or newer: make PYTHON=...")'
	rm -rf $*
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install $(PIP_FLAGS) --no-deps $(addprefix -r ,$^)
	touch $@

$(READY) $(PEERS_READY): %/ready: %/locked pyproject.toml
	$*/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation -e .
	$*/bin/python -m pip check
	touch $@

lock:
	$(PYTHON) requirements/lock.py

clean:
	rm -rf .venv .venv-peers runs build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
