# make dev runs the server, make test runs every test; both create what is missing first.
.DEFAULT_GOAL := help
.PHONY: help dev test check lint types layers format serve bench bench-smoke migration lock wheel clean

BIN := .venv/bin
READY := .venv/.ready
port := 8000
args :=
name :=

# The machine's own Python, and the certificates it trusts.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := 1

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

dev: $(READY) ## Run the server on port 8000 with SQLite, and restart it when code changes (port=8000)
	$(BIN)/llmring-server serve --reload --port $(port)

test: $(READY) ## Run every test (args='-k name' to choose)
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(args)

check: lint types layers ## Everything a commit must pass besides the tests

lint: $(READY) ## Format and lint, changing nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY) ## Strict types
	$(BIN)/mypy

layers: $(READY) ## The import contracts
	$(BIN)/lint-imports

format: $(READY) ## Format the code and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

serve: $(READY) ## Run the server as in production, on this machine only (port=8000)
	$(BIN)/llmring-server serve --port $(port)

bench: $(READY) ## Measure it against its targets, in minutes (rows=10000000 calls=1000000, args=--write)
	$(BIN)/python -m bench $(if $(rows),--rows $(rows)) $(if $(calls),--calls $(calls)) $(args)

bench-smoke: $(READY) ## Prove that the benchmark works, in seconds; its figures mean nothing
	$(BIN)/python -m bench --smoke

migration: $(READY) ## Write the next database revision from the tables (name=add_something)
	@test -n "$(name)" || { echo "Say what changes: make migration name=add_something"; exit 2; }
	$(BIN)/python tools/make_migration.py "$(name)"
	$(BIN)/ruff format alembic/versions
	$(BIN)/ruff check --fix alembic/versions

lock: $(READY) ## Resolve pyproject.toml into requirements/*.txt (args=--upgrade for newer versions)
	sh requirements/lock $(args)

wheel: $(READY) ## Build the source archive and the wheel into dist/
	$(BIN)/python -m hatchling build --clean

clean: ## Remove .venv, caches and builds; databases stay
	rm -rf .venv dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements/dev.txt requirements/uv.txt requirements/install pyproject.toml
	@sh requirements/install
	@touch $@
