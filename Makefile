# make demo: the whole way from images to answers, small.  make test: everything that is checked, in minutes; make test-long: in full size.
# Each makes its own .venv.
# make dist: sdist and wheel, checked.  make docs: the documentation site, in site/.
# make LOCKED=1 test: with exactly the packages of requirements/*.lock.  make lock: those files anew, which needs uv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH ?= https://download.pytorch.org/whl/cpu/torch/

.PHONY: demo test test-long lint bench docs lock dist clean

# torch first and pinned: its CPU build comes from here, a looser request would bring gigabytes of CUDA packages.
# timm alone, for the tests of foreign networks: it asks for torchvision, which would bring those gigabytes too.
# syne-tune alone: it asks for xgboost with CUDA's NCCL, which has the files of xgboost-cpu in 350 MB more.
$(VENV)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %d.%d; try make PYTHON=python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
ifdef LOCKED
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.lock
	$(BIN)/pip install --quiet --require-hashes --no-deps -r requirements/torch-cpu.lock --find-links $(TORCH)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
else
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[dev]'
	$(BIN)/pip install --quiet --no-deps timm safetensors syne-tune psutil
endif
	touch $@

demo: $(VENV)/.ready
	$(BIN)/python -m builders.demo $(if $(IMAGES),--images $(IMAGES))

# Tests start many processes: modules are compiled once, also where the environment says otherwise.
test test-long: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.ready lint
	$(BIN)/python -m pytest -n 2 --dist loadscope --durations 10 -m "not long"

test-long: $(VENV)/.ready lint
	$(BIN)/python -m pytest -n 2 --dist loadscope --durations 10

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy nbzero

bench: $(VENV)/.ready
	$(BIN)/python -m tests.bench

docs: $(VENV)/.ready
	$(BIN)/python -m builders.docs --out site

lock:
	uv pip compile setup.cfg requirements/dev.in --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-package torch --no-annotate --custom-compile-command 'make lock' --find-links $(TORCH) \
		--output-file requirements/dev.lock

# The wheel is made from the sdist. PYTHONS="python3.12 python3.13": those to try it with, this one unless told.
dist: $(VENV)/.ready
	rm -rf build dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python -m pytest -p no:xdist tests/test_package.py -k lock
	$(BIN)/python -m builders.check_dist dist $(if $(PYTHONS),--python $(PYTHONS))

clean:
	rm -rf $(VENV) build dist site *.egg-info demo
