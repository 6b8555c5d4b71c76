PYTHON ?= python3
BIN := .venv/bin
export RECSYS_HOME ?= .recsys

.PHONY: help demo test lint bench bench-scale soak results screenshots stop clean lock

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	@echo "installing packages (a minute or two)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[sample,console]'
	@touch $@

.venv/.dev: .venv/.installed
	@echo "installing what tests and benchmarks need (a minute or two)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[sample,postgres,redis,spark,console,dev]'
	@touch $@

demo: .venv/.installed ## Environment, sample data, features, training, publishing, service up, one answer
	@$(BIN)/python -m training.demo

test: lint ## Everything that CI runs: the gates, then all tests with coverage
	$(BIN)/python -m pytest --benchmark-skip --cov --cov-report=term

lint: .venv/.dev ## Format, lint, types, import contracts, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

bench: .venv/.dev ## Timings, as ratios to a limit or a peer in the same run
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only
	$(BIN)/python -m tests.benchmarks.serving

SIZES ?= 10000 100000 1000000
SCALE ?= .scale

bench-scale: .venv/.dev ## What each step takes as a shop grows to SIZES members; SCALE = a folder with 40 GB; hours for a million
	$(BIN)/python -m tests.benchmarks.scale --members $(SIZES) --folder $(SCALE)/shops
	$(BIN)/python -m tests.benchmarks.scale_features $(patsubst %,$(SCALE)/shops/%/shop,$(SIZES))
	$(BIN)/python -m tests.benchmarks.scale_online --members $(lastword $(SIZES))
	$(BIN)/python -m tests.benchmarks.scale_publication --sizes $(shell echo $(SIZES) | tr ' ' ',') --folder $(SCALE)/publications

soak: .venv/.dev ## Ten minutes of load, swaps and events on the service; tells its memory over time
	$(BIN)/python -m tests.benchmarks.soak

results: .venv/.installed ## Every model beside its peers on the sample and two simulated shops; writes docs/results.md
	@$(BIN)/recsys results

screenshots: .venv/.dev ## Pictures of every page of the console, in both languages and two widths, over a simulated shop
	$(BIN)/python -m tests.browser.screenshots

stop: ## Stop what the demo left running
	@$(BIN)/recsys stop

clean: ## Remove the environment and the .recsys folder
	-@$(BIN)/recsys stop
	rm -rf .venv .recsys

lock: .venv/.dev ## Compile the dependency set anew
	$(BIN)/uv pip compile pyproject.toml --all-extras --no-emit-index-url --no-header --no-annotate --quiet --upgrade --output-file constraints.txt
