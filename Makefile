# What a newcomer types. `make` alone tells.
BIN := .venv/bin
FOR_TESTS := chromium sip-tester fonts-dejavu-core

.DEFAULT_GOAL := help
.PHONY: help setup run demo doctor test stories check fmt bench docker-test clean

help: ## say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

.venv/.complete: pyproject.toml uv.lock .ci/venv
	@.ci/venv

setup: .venv/.complete ## virtual environment with all packages, and the consoles built
	@$(BIN)/python hatch_build.py

run: setup ## the whole control room on this machine, until Ctrl-C
	@$(BIN)/siaga112 run

demo: setup ## place real calls into the running control room
	@$(BIN)/siaga112 demo

doctor: setup ## what is missing or in the way on this machine
	@$(BIN)/siaga112 doctor

test: setup ## every test: quick ones side by side, then real telephony and browsers one by one
	@.ci/apt "make test" $(FOR_TESTS)
	$(BIN)/pytest -q -n 2 -m "not story and not telephony"
	$(BIN)/pytest -q -m "story or telephony"

stories: setup ## whole calls on real parts: Asterisk, SIPp, browsers
	@.ci/apt "make stories" $(FOR_TESTS)
	$(BIN)/pytest -v -m story

check: .venv/.complete ## style, types, architecture, spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python hatch_build.py npm run --silent lint
	$(BIN)/python hatch_build.py npm run --silent check

fmt: .venv/.complete ## put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/python hatch_build.py npm run --silent fmt

bench: setup ## how fast we are, beside a yardstick
	@.ci/apt "make bench" sip-tester
	$(BIN)/python -m tests.bench

docker-test: setup ## build and run the containers
	docker/test

clean: ## remove what setup and the tools made; your data in .siaga stays
	rm -rf .venv web/static web/ui/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
