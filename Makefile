# Everything a person does with a clone. `make run` is the whole way in; `make help` lists the rest.
# Settings come from the environment or as `make run PORT=8123`; the README's table lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
INSTALLED := .venv/installed
WORKERS := 2# tests at once: a browser's own drawing takes a core

help: ## what there is to do
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 12

run: $(INSTALLED)/requirements.txt ## install what is missing, then run the console with its twin; Ctrl-C stops both
	@exec $(PYTHON) manage.py serve

test: $(INSTALLED)/requirements-dev.txt ## every test; needs no service running
	@$(PYTHON) -m tests.chromium
	@exec $(PYTHON) -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

lint: $(INSTALLED)/requirements-dev.txt ## style and order
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .

types: $(INSTALLED)/requirements-dev.txt ## the type checker
	@$(PYTHON) -m mypy

contracts: $(INSTALLED)/requirements-dev.txt ## which part may import which
	@.venv/bin/lint-imports

bench: $(INSTALLED)/requirements-dev.txt ## how fast an echo is sent, beside the plain Flask way
	@exec $(PYTHON) tests/benchmarks/send_path.py $(ARGS)

soak: $(INSTALLED)/requirements-dev.txt ## memory, threads and handles after 500 joins and eight hours of heartbeats
	@exec $(PYTHON) tests/acceptance/soak.py $(ARGS)

fidelity: $(INSTALLED)/requirements-dev.txt ## other people's clients against the twin
	@exec $(PYTHON) tests/acceptance/fidelity/run.py

faults: $(INSTALLED)/requirements-dev.txt ## one row a fault of the log, Daily, Tavus and Redis, those that take long too (docs/faults.md)
	@exec $(PYTHON) -m pytest -n 2 --dist loadgroup -m "" $(or $(ROWS),tests/faults) $(ARGS)

chaos: $(INSTALLED)/requirements-dev.txt ## kill, stop and cut off real processes at random, and compare three witnesses (docs/chaos.md)
	@exec $(PYTHON) -m tests.acceptance.chaos $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED)) $(if $(EMBEDDED),--embedded)

fuzz: $(INSTALLED)/requirements-dev.txt ## the whole API asked at random for half an hour, with each role's key (EXAMPLES=40 to each address)
	@FUZZ_EXAMPLES=$(or $(EXAMPLES),40) exec $(PYTHON) -m pytest tests/acceptance/test_every_address.py $(ARGS)

month: $(INSTALLED)/requirements-dev.txt ## a simulated month: what conversations cost here is what the twin bills (docs/money.md)
	@MONTH_DAYS=$(or $(DAYS),30) exec $(PYTHON) -m pytest -q -s tests/acceptance/month $(ARGS)

screenshots: $(INSTALLED)/requirements-dev.txt ## a picture of each page, light and dark, wide and narrow, to docs/screenshots
	@exec $(PYTHON) tests/screenshots.py

# Installed again only when the file has changed. Python 3.11 is what the tests run on; any newer one will do.
$(INSTALLED)/%: %
	@if [ ! -x $(PYTHON) ]; then \
		for python in python3.11 python3.12 python3.13 python3 python; do \
			if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$python"; break; fi; \
		done; \
		if [ -z "$${found:-}" ]; then \
			echo "echoadmin needs Python 3.11 or newer with its venv module (Debian: apt install python3 python3-venv); python3 here is: $$(python3 --version 2>&1 || true)" >&2; exit 1; \
		fi; \
		echo "making .venv with $$("$$found" --version)"; "$$found" -m venv .venv; \
	fi
	@if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then echo ".venv was made with $$($(PYTHON) --version), and echoadmin needs 3.11 or newer: remove .venv and try again" >&2; exit 1; fi
	@if ! cmp -s $< $@; then echo "installing $<"; $(PYTHON) -m pip install -qq --disable-pip-version-check -r $<; fi
	@mkdir -p $(INSTALLED) && cp $< $@

$(INSTALLED)/requirements-dev.txt: $(INSTALLED)/requirements.txt

.PHONY: help run test lint types contracts bench soak fidelity faults chaos fuzz month screenshots
