# Everything a newcomer types. Needs Python 3.11 or newer, and make; the rest installs itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help trace test lint types bench conformance truth determinism server-table format clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "asgi-lab needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	       "Choose another: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.sample: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --constraint constraints.txt --editable '.[sample]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.sample

trace: $(VENV)/.sample ## trace the bundled FastAPI sample, driven by a few requests
	$(BIN)/asgi-lab trace asgi_lab.samples.fastapi_app:app --view timeline -c 8 \
	  -r 'GET /fast' -r 'GET /slow' -r 'GET /stream' -r 'WS /echo hello | goodbye' \
	  -r 'GET /thread' -r 'GET /blocking' -r 'GET /fast?late=yes' -r 'GET /fail'

lab: $(VENV)/.dev ## open the course in JupyterLab, in a copy of your own (course/)
	$(BIN)/asgi-lab lab course

test: lint types ## lint, types and all tests (what CI runs)
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.dev ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

bench: $(VENV)/.dev ## what tracing costs, beside what others cost, as ratios of one run
	$(BIN)/python -m bench

truth: $(VENV)/.dev ## virtual time beside the real clock: the same scenarios in both, in a minute
	$(BIN)/python -m proofs.truth

determinism: $(VENV)/.dev ## the same traces on each Python, hash seed and load, in ten minutes
	$(BIN)/python -m proofs.browser
	$(BIN)/python -m proofs.determinism

conformance: $(VENV)/.dev ## our server against the Autobahn WebSocket suite, and HTTP probes
	$(BIN)/python -m proofs.websocket_fuzz
	$(BIN)/python -m pytest tests/test_server_probes.py

notebooks: $(VENV)/.dev ## make the chapters and the exercises from their sources
	$(BIN)/python -m asgi_lab.lesson.authoring.stubs
	$(BIN)/python -m asgi_lab.lesson.authoring.notebooks

notebooks-check: $(VENV)/.dev ## run each chapter in a fresh kernel: its texts are those that are kept
	ASGI_LAB_STATIC=1 $(BIN)/python -m pytest --nbval --nbval-current-env --nbval-cell-timeout 120 \
	  -n 2 --dist loadfile notebooks/

html: $(VENV)/.dev ## the course as a site that needs nothing: build/html/index.html
	$(BIN)/python -m asgi_lab.lesson.authoring.site

course-browser: $(VENV)/.dev ## each chapter in JupyterLab, in a real browser
	ASGI_LAB_CHAPTERS=all $(BIN)/python -m pytest tests/test_course_browser.py

wheel-check: $(VENV)/.dev ## build the package, install it elsewhere: the course is in it
	$(BIN)/python -m proofs.wheel

binder-check: $(VENV)/.dev ## what Binder does with binder/, done here without an engine (ten minutes)
	$(BIN)/python -m proofs.binder

server-table: $(VENV)/.dev ## what each server does with apps that break a rule: notebooks/servers.md
	$(BIN)/python -m proofs.server_table

format: $(VENV)/.dev ## ruff: mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove what was installed and built here
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
