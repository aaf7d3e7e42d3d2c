# The course's commands. `make demo` and `make test` set up all they need; the second time that is quick.

PYTHON ?= python3
VENV := .venv
BIN := $(abspath $(VENV))/bin
READY := $(VENV)/.ready
# photos instead of drawn dogs: make demo DATA=folder with images.tar, annotation.tar and lists.tar
DATA ?=
MINUTES ?= 2
# of the order of the tests: the same each time, so that a failure can be had again; another with make test SEED=NUMBER
SEED ?= 701651338

.PHONY: help setup demo test test-book book pdf next-engine exercises round-trip lint bench mutants mutation clean

help:
	@echo "make setup      virtual environment, Python packages and bubblewrap"
	@echo "make demo       dogs, a trained model, its results, a graded class and the book, in build/"
	@echo "make demo DATA=DIR   the same on Stanford Dogs: DIR has images.tar, annotation.tar, lists.tar"
	@echo "make test       all tests, in an order of their own; SEED=NUMBER for another"
	@echo "make book       the book, in build/book/"
	@echo "make pdf        the same as one PDF, build/book.pdf"
	@echo "make test-book  tests of what these two made"
	@echo "make next-engine   do the same sources parse under Jupyter Book 2?"
	@echo "make exercises  the notebooks for learners, from the texts in solutions/"
	@echo "make round-trip  every assignment from text to grades, with every known mistake: a table; EACH=1 tries fewer"
	@echo "make lint       ruff and mypy"
	@echo "make bench DATA=DIR   speed, memory and quality beside other VAEs, and the wall: about 40 minutes"
	@echo "make mutants    put well-known mistakes into vae_ref: which test notices?"
	@echo "make mutation   break vae_ref's bounds and the judge in every small way: what does no test notice? about an hour"
	@echo "make clean      remove what was built; .venv stays"

setup: $(READY)
	@sh scripts/system-packages.sh bubblewrap || echo "Everything but grading works without it."

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV): about 6 GB, a few minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup
	@sh scripts/demo.sh "$(BIN)" "$(MINUTES)" "$(DATA)"

test: $(READY)
	@sh scripts/system-packages.sh bubblewrap chromium hunspell postgresql || echo "Tests that need these will say so."
	$(BIN)/python -m pytest -n 2 --dist loadgroup --randomly-seed=$(SEED)

book: $(READY)
	$(BIN)/python book/build.py --out build/book

pdf: book
	@sh scripts/system-packages.sh chromium
	$(BIN)/python book/pdf.py --book build/book --out build/book.pdf

test-book: $(READY)
	@sh scripts/system-packages.sh chromium hunspell || echo "Tests that need these will say so."
	BOOK_HTML=build/book BOOK_PDF=build/book.pdf $(BIN)/python -m pytest -n 2 --dist loadgroup tests/book

next-engine: $(READY)
	$(BIN)/python scripts/next_engine.py

exercises: $(READY)
	$(BIN)/autograder release

round-trip: setup
	$(BIN)/autograder round-trip $(if $(EACH),--each $(EACH))

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m benchmarks --data "$(or $(DATA),paper)"

mutants: $(READY)
	$(BIN)/python scripts/mutate.py

mutation: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutation]'
	$(BIN)/python scripts/mutation.py

clean:
	rm -rf build .pytest_cache .ruff_cache .mypy_cache
