# geoseg: everything a fresh clone needs is Python 3.11 to 3.13, make and a C compiler.
#   make demo         train, predict, polygonize, evaluate and draw, on the sample data
#   make test         lint, types, import contracts and all tests
#   make test-fast    the tests that need no torch: grids, rasters, recipes, polygons
#   make torture      count faults on thousands of awkward, damaged and hostile inputs; LIMIT=20 for a short run
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo
# One process per core, 2 GB each. A single file is faster without: .venv/bin/pytest tests/unit/grid
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install demo test tests test-fast torture lint style types contracts format bench docs wheel clean

help:
	@sed -n 's/^#   //p' Makefile; echo "make lint | format | bench | docs | wheel | clean"

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "geoseg needs Python 3.11 to 3.13; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test,lint]"
	@touch $@

install: .venv/.installed

demo: .venv/.installed
	@sh sample_data/demo.sh $(BIN)/geoseg $(DEMO)

lint: .venv/.installed
	@$(MAKE) --no-print-directory --jobs 2 style types contracts

style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

contracts:
	$(BIN)/lint-imports

format: .venv/.installed
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# Lint runs beside the tests, whose processes often wait for others.
test: .venv/.installed
	@$(MAKE) --no-print-directory --jobs 4 style types contracts tests

tests:
	$(PYTEST) --durations 25

test-fast: .venv/.installed
	$(PYTEST) $(patsubst %,tests/unit/%,config grid plotting raster vector) \
		$(patsubst %,tests/unit/test_%.py,concurrency errors legend numba_jit output_files progress registry text)

# Not a part of `make test`: it takes an hour. A full run updates the figures in docs/reliability.md.
torture: .venv/.installed
	PYTHONPATH=tests $(BIN)/python -m torture $(if $(LIMIT),--limit $(LIMIT),--write docs/reliability.md)

bench: .venv/.installed
	$(BIN)/python benchmarks/polygonize.py

docs: .venv/.installed
	$(BIN)/python docs/make.py

wheel: .venv/.installed
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf build dist demo prepared runs *.egg-info
