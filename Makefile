# What there is to do; `make` alone lists it. The work itself is in the programs named here.
PYTHON ?= python3
RUN := .venv/bin/python

.PHONY: help up up-production test test-fast bench soak soak-selftest accessibility screenshots lock sbom audit mutation
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## make everything and serve it until Ctrl-C
	@PYTHON=$(PYTHON) requirements/install base
	@exec $(RUN) manage.py up

up-production: ## the same as it is deployed, until Ctrl-C: nginx with TLS, PostgreSQL, Redis, two of each process
	@PYTHON=$(PYTHON) requirements/install dev
	@exec $(RUN) -m soak.production

test: ## lint, types, import contracts, migrations, then all tests on SQLite and on PostgreSQL
	@PYTHON=$(PYTHON) requirements/install dev
	@exec $(RUN) tests/run.py

test-fast: ## the tests on SQLite alone, in parallel, without the long ones
	@PYTHON=$(PYTHON) requirements/install dev
	@exec $(RUN) tests/run.py --engine sqlite -m "not once and not slow"

bench: ## measure against a plain Django REST framework API and raw SQL
	@PYTHON=$(PYTHON) requirements/install dev
	@exec $(RUN) -m benchmarks

soak: ## a night of clients and kills, then a check of everything; python -m soak --help has shorter ones
	@PYTHON=$(PYTHON) requirements/install dev
	@exec $(RUN) -m soak

soak-selftest: ## plant faults that the soak must find
	@PYTHON=$(PYTHON) requirements/install dev
	@exec $(RUN) -m soak.selftest

accessibility: ## look at every page by axe-core in every combination of colors, language and width
	@PYTHON=$(PYTHON) requirements/install dev
	@exec env EVERY_COMBINATION=1 $(RUN) tests/run.py --engine sqlite tests/journeys/test_accessibility.py

screenshots: ## take docs/console.md anew: pictures of the staff site with the samples, in Chromium
	@PYTHON=$(PYTHON) requirements/install dev
	@exec $(RUN) -m milo.dev.screenshots

lock: ## write requirements/*.txt anew from requirements/*.in
	@PYTHON=$(PYTHON) requirements/install dev
	@requirements/lock

sbom: ## write the software bill of materials of an installation (CycloneDX) to milo.cdx.json
	@PYTHON=$(PYTHON) requirements/install security
	@requirements/sbom

audit: ## ask PyPI for known vulnerabilities of the locked packages
	@PYTHON=$(PYTHON) requirements/install security
	@requirements/audit

mutation: ## change code a little at a time and see which changes no test notices: AREA=compliance MINUTES=30
	@PYTHON=$(PYTHON) requirements/install mutation
	@exec .venv-mutation/bin/python tests/mutation.py $(or $(AREA),compliance) --minutes $(or $(MINUTES),30)
