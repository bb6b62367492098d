# make run    crawl to evaluated model, through Airflow, on this machine
# make test   the test suite          make check   format, lint, types, tests
# make up     Airflow's web page      make down    stop it
PYTHON ?= python3
PY := .venv/bin/python

# The choices of a run:  make run LANGUAGES=en,sw,ur STORE=s3://bucket/prefix CRAWL=CC-MAIN-2019-35 SEGMENTS=1
RUN_OPTIONS := $(if $(LANGUAGES),--languages $(LANGUAGES)) $(if $(STORE),--store $(STORE)) \
	$(if $(CRAWL),--crawls $(CRAWL)) $(if $(SEGMENTS),--segments $(SEGMENTS)) $(if $(SOURCE),--source $(SOURCE)) \
	$(if $(KIND),--kind $(KIND)) $(if $(REFERENCE),--reference $(REFERENCE)) $(RUN_FLAGS)

.PHONY: run up down test test-services check format lint types install install-development clean

run: install
	@$(PY) -m embedded run $(RUN_OPTIONS)

up: install
	@$(PY) -m embedded up $(RUN_OPTIONS)

down:
	@if [ -x $(PY) ]; then $(PY) -m embedded down; fi

install:
	@$(PYTHON) -m embedded.install

install-development:
	@$(PYTHON) -m embedded.install --development

test: install-development
	$(PY) -m pytest -n 2 $(PYTEST_FLAGS)

test-services: install-development
	$(PY) -m tests.services pytest -q -m s3 tests

check: format lint types test

format: install-development
	$(PY) -m ruff format --check .

lint: install-development
	$(PY) -m ruff check .

types: install-development
	$(PY) -m mypy

clean: down
	rm -rf .venv .tools var
