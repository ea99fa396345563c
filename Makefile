# Two commands are all a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test lint types layers unit slow bench clients docs tour wheel clean

demo: $(VENV)/.engine
	$(BIN)/comfytui --local

test: lint types layers unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports

unit: $(VENV)/.dev
	$(BIN)/pytest -q -n auto -m "not slow and not gpu"

slow: $(VENV)/.dev
	$(BIN)/pytest -q -m slow

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

# What the tests skip without: clients from PyPI and npm that nobody here wrote, and ComfyUI's web front end.
# They also want node, and Chromium (Debian: apt-get install chromium).
clients: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[engine,dev,web,clients]'
	npm ci --prefix tests/clients/node
	$(BIN)/pytest -q tests/clients tests/engine/test_frontend.py tests/engine/test_frontend_workflows.py

# The pages of docs/ as a site in site/, after what the program knows better is written anew; a broken link is an error.
docs: $(VENV)/.dev
	$(BIN)/python tools/reference.py
	$(BIN)/python tools/openapi.py
	$(BIN)/mkdocs build --strict --quiet

# The pictures of docs/tour.md and the README, taken from the running program: two minutes.
tour: $(VENV)/.dev
	$(BIN)/python tools/tour.py
	$(BIN)/python tools/tour.py --check

wheel: $(VENV)/.dev
	$(BIN)/python -m build --wheel

# A stamp a set of extras: pip runs again only when pyproject.toml has changed.
$(VENV)/.engine: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[engine]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[engine,dev]'
	@touch $@ $(VENV)/.engine

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
