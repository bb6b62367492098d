# make run    crawl to evaluated model, through Airflow, on this machine
# make test   the test suite          make check   format, lint, types, tests
# make test-browser   forms, backfills and the Corpus page in Chromium; pictures in var/screenshots
# make up     Airflow's web page      make down    stop it     make cancel RUN=ID   cancel one run there
# make clean  remove environments and caches; the store stays  make clean-store     remove the store, after a question
PYTHON ?= python3
PY := .venv/bin/python

# The choices of a run:  make run LANGUAGES=en,sw,ur STORE=s3://bucket/prefix CRAWL=CC-MAIN-2019-35 SEGMENTS=1
RUN_OPTIONS := $(if $(LANGUAGES),--languages $(LANGUAGES)) $(if $(STORE),--store $(STORE)) \
	$(if $(CRAWL),--crawls $(CRAWL)) $(if $(SEGMENTS),--segments $(SEGMENTS)) $(if $(SOURCE),--source $(SOURCE)) \
	$(if $(KIND),--kind $(KIND)) $(if $(REFERENCE),--reference $(REFERENCE)) $(RUN_FLAGS)

.PHONY: run up down cancel test test-services test-browser check format lint types install install-development clean clean-store

run: install
	@$(PY) -m embedded run $(RUN_OPTIONS)

up: install
	@$(PY) -m embedded up $(RUN_OPTIONS)

down:
	@if [ -x $(PY) ]; then $(PY) -m embedded down; fi

cancel:
	@$(PY) -m embedded cancel $(RUN)

install:
	@$(PYTHON) -m embedded.install

install-development:
	@$(PYTHON) -m embedded.install --development

test: install-development
	$(PY) -m pytest -n 2 $(PYTEST_FLAGS)

test-services: install-development
	$(PY) -m tests.services pytest -q -m s3 tests

test-browser: install-development
	@$(PYTHON) -m embedded.install --browser; status=$$?; \
	if [ $$status -eq 3 ]; then exit 0; elif [ $$status -ne 0 ]; then exit $$status; fi; \
	$(PY) -m pytest -vv -m browser tests/browser --screenshots var/screenshots $(PYTEST_FLAGS)

check: format lint types test

format: install-development
	$(PY) -m ruff format --check .

lint: install-development
	$(PY) -m ruff check .

types: install-development
	$(PY) -m mypy

clean: down
	rm -rf .venv .tools build .pytest_cache .mypy_cache .ruff_cache var/airflow
	@if [ -d var ]; then echo "kept: var with the store and the input (make clean-store removes the store)"; fi

clean-store: down
	@$(PYTHON) -m embedded.clean var/store $(if $(filter yes,$(CONFIRM)),--yes)
