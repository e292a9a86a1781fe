# The same recipes that .ci/run calls. `make demo` and `make test` need git, make, Python 3.11+ and a package index.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS := dev
AREAS := startup transfer jobs drift serving
REAL_PROVIDER := .tfstub/real/made
TOGETHER = $(MAKE) --jobs=3 --output-sync=target --no-print-directory  # what each prints comes when it ends
export PYTHONDONTWRITEBYTECODE :=  # the tests start hundreds of interpreters: what one has compiled, the next one reads

.DEFAULT_GOAL := help
.PHONY: help install compiled demo demo-clouds test browser toolkits stubs moto check lint types architecture bench \
	bench-peers docs lock clean

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: .venv/.installed  ## make .venv with everything in it

.venv/.installed: pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cloudml needs Python 3.11 or later: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.lock --editable '.[$(EXTRAS)]'
	touch $@

lock:  ## write requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--extra dev pyproject.toml --output-file requirements.lock

check: install  ## ruff, mypy strict, architecture tests
	@$(TOGETHER) types lint architecture

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

architecture: install
	$(BIN)/python -m pytest -q tests/test_architecture.py

test: install  ## the whole suite, offline
	@$(TOGETHER) compiled toolkits stubs browser
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m "$$(test -e $(REAL_PROVIDER) && echo 'not live' || echo 'not live and not moto')"

compiled: install .venv/.compiled  ## bytecode of what the tests import, once: each of their workers would make its own

.venv/.compiled: .venv/.installed
	@$(BIN)/python -m pytest -q --collect-only >.venv/collected.log || tail .venv/collected.log
	@touch $@

browser: install  ## the browser that looks at the report, unless there is one: from a package, into the checkout
	@command -v chromium >/dev/null || test -x .browser/chromium || $(MAKE) --no-print-directory .browser/chromium

toolkits: install  ## the vendors' own serving and training toolkits, each in an environment of its own in .toolkits
	@$(BIN)/python tests/providers/toolkits/environments.py

stubs: install  ## stub providers for the tests of the Terraform modules, and the scanner, in .tfstub
	@$(BIN)/python tests/terraform/stub_environments.py

moto: stubs  ## the AWS module applied to moto by AWS's own provider of 2021, where its package can be had: also in `test`
	@if test -e $(REAL_PROVIDER); then $(BIN)/python -m pytest -q -m moto tests/terraform; \
	else echo "the package with AWS's own provider cannot be had: the lane against moto is left out"; fi

.browser/chromium: tests/browser/package-lock.json
	cd tests/browser && NODE_EXTRA_CA_CERTS="$${NODE_EXTRA_CA_CERTS:-$$SSL_CERT_FILE}" \
		PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --silent --no-audit --no-fund
	PATH="$(CURDIR)/$(BIN):$$PATH" node tests/browser/unpack.mjs .browser

demo: install  ## the flights example, end to end
	$(BIN)/python examples/flights/demo.py

demo-clouds: install  ## the same example at every provider, in one table; each cloud is its double
	$(BIN)/python examples/flights/fetch.py
	$(BIN)/python examples/flights/clouds.py

bench: install  ## the benchmarks: ratios, each measured in one run, and docs/performance.md
	@for area in $(AREAS); do $(BIN)/python benchmarks/$$area.py || exit 1; done
	$(BIN)/python docs/generate.py

bench-peers: install  ## what the benchmarks stand beside, each in an environment of its own in .bench
	$(BIN)/python benchmarks/peers.py

docs: install  ## write the generated pages anew
	$(BIN)/python docs/generate.py

clean:  ## remove what `make` made
	rm -rf .venv .browser .toolkits .tfstub .bench tests/browser/node_modules
