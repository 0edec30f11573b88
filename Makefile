# `make demo` runs a search on bundled data; `make test` checks everything. Both install what they need into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed

.PHONY: demo test test-all lint types install clean

demo: $(READY)
	$(BIN)/hpsearch run --space quickstart.yaml

# Two processes, a file each at a time: most tests wait for a command of their own.
test: lint types
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-all: lint types
	$(BIN)/python -m pytest -n 2 --dist loadfile -m ""

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

install: $(READY)

# Installed again only when the versions or the packaging change. pip brings a build of torch that suits the machine.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "hpsearch needs Python 3.11 to 3.13; choose one with: make PYTHON=python3.12")'
	@echo "installing into $(VENV): a few minutes, once"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
