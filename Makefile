# One command for everything, the same in CI. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes

.PHONY: help setup run test check fmt made bench fuzz soak failover lock

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

setup: $(BIN)/onecard ## .venv with .venv/bin/onecard

$(BIN)/onecard: requirements/runtime.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit("OneCard needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV) ..." >&2
	@$(PIP) --requirement requirements/runtime.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt $(BIN)/onecard
	@$(PIP) --requirement requirements/test.txt
	@touch $@

$(VENV)/.check: requirements/check.txt $(BIN)/onecard
	@$(PIP) --requirement requirements/check.txt
	@touch $@

run: setup ## start OneCard at http://127.0.0.1:8080 with a small sample
	@exec $(BIN)/onecard serve --open --sample

test: $(VENV)/.test ## every test that this machine can run; skipped groups are printed with what they need
	@$(BIN)/python -m pytest -n auto --dist worksteal

check: $(VENV)/.check $(VENV)/.test ## format, lint, types, import contracts, files that commands make, what is installed
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q -k is_current tests/unit/conformance tests/unit/server/test_config.py tests/unit/mappers/test_own_definitions.py
	@$(BIN)/python -m pytest -q tests/unit/test_packaging.py

fmt: $(VENV)/.check ## format and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

made: $(VENV)/.test ## write anew what is made from code: docs/conformance.md, docs/settings.md, terminology/own.json
	@$(BIN)/python -m conformance.conformance_page
	@$(BIN)/python -m conformance.settings_page
	@$(BIN)/python -m mappers.own_lists

bench: $(VENV)/.test ## measure beside a trivial handler and bare SQLite, in one run; BENCH="--full" for everything
	@$(BIN)/python -m conformance.bench $(BENCH)

fuzz: $(VENV)/.test ## N requests drawn from routes and definitions (default 20000; STORE=mongod): no 5xx, no stall
	@N="$(N)" $(BIN)/python -m conformance.fuzz --store $(or $(STORE),embedded)

soak: $(VENV)/.test ## SECONDS of mixed work (default 3600; STORE=mongod, RATE=requests a second): memory, handles, connections, latency stay flat
	@$(BIN)/python -m conformance.soak --seconds $(or $(SECONDS),3600) --rate $(or $(RATE),0) --store $(or $(STORE),embedded)

failover: $(VENV)/.test ## ROUNDS (default 20): a MongoDB primary killed, paused, cut off under a storm; nothing acknowledged is lost
	@$(BIN)/python -m conformance.failover --rounds $(or $(ROUNDS),20)

lock: $(VENV)/.check ## renew requirements/*.txt from their sources (needs the package uv)
	@uv pip compile --no-config --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --quiet pyproject.toml requirements/build.in --output-file requirements/runtime.txt
	@uv pip compile --no-config --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --quiet requirements/his.in --output-file requirements/his.txt
	@uv pip compile --no-config --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --quiet requirements/test.in --output-file requirements/test.txt
	@uv pip compile --no-config --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --quiet requirements/check.in --output-file requirements/check.txt
