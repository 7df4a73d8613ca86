# The verbs of this project. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
COMPOSER := .venv/bin/composer
# The engine needs root; as another user every call goes through sudo.
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E)

.PHONY: help setup setup-tests demo test check unit format lock bench clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing (apt, PyPI); leaves .venv/bin/composer
	@scripts/setup

setup-tests:
	@scripts/setup tests

demo: setup ## start the engine, bring the shop sample up, wait until it is healthy
	@$(AS_ROOT) scripts/demo

test: setup-tests check ## all tests, with real containers (root, or a user with sudo)
	$(AS_ROOT) .venv/bin/pytest

check: ## format, lint, types and the layers of the house
	.venv/bin/ruff format --check composer tests
	.venv/bin/ruff check composer tests
	.venv/bin/mypy
	.venv/bin/lint-imports

unit: ## the fast tests, without root
	.venv/bin/pytest -m 'not root and not slow'

format: ## rewrite the code as the formatter wants it
	.venv/bin/ruff format composer tests
	.venv/bin/ruff check --fix composer tests

lock: ## renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile --universal --generate-hashes -q pyproject.toml --extra dev -o requirements.lock

bench: ## alternate composer and docker compose, print ratios of medians
	$(AS_ROOT) .venv/bin/python benchmarks/side_by_side.py

clean: ## remove the virtual environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis composer.egg-info build
