.DEFAULT_GOAL := help
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help run test check bench prove demo-check format lock clean

help: ## This screen
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Set everything up, start the whole system, show the main job on a real catalogue; Ctrl-C stops it
	@deploy/setup run
	@$(BIN)/syncstore demo

test: ## Set everything up and run all checks and tests
	@deploy/setup dev
	@$(MAKE) --no-print-directory check
	$(PYTEST)

check: ## Lint, formatting, types, and the dependency rule
	@deploy/setup dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

demo-check: ## The demonstration without a person: checks every figure, stops, fails unless all hold
	@deploy/setup run
	@$(BIN)/syncstore demo --check

bench: ## Benchmarks beside peers, as ratios measured in one run (ONLY=append,relay,... SIZE=small|large)
	@deploy/setup bench
	$(BIN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(SIZE),--size $(SIZE))

prove: ## Hurt the whole system on purpose under load, then look for anything missing (EVENTS=1000000 FAULTS=all)
	@deploy/setup dev
	$(BIN)/python -m tests.proof $(if $(EVENTS),--events $(EVENTS)) $(if $(FAULTS),--faults $(FAULTS))

format: ## Put the code into shape
	@deploy/setup dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Compile the locked requirements anew from pyproject.toml
	@deploy/setup dev
	$(BIN)/python -m pip install --quiet uv
	for kind in build:run dev:dev; do \
		$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header --no-annotate \
			--extra local --group $${kind%%:*} pyproject.toml -o deploy/requirements/$${kind##*:}.txt; \
	done
	$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-header --no-annotate \
		--constraint deploy/requirements/dev.txt deploy/requirements/bench.in -o deploy/requirements/bench.txt

clean: ## Stop the local stack and delete its data, the environment and caches
	-[ -x $(BIN)/syncstore ] && $(BIN)/syncstore local reset --yes
	rm -rf .venv .local .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
