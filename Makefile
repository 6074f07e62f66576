# Each target sets up what it needs, once. The environment lies in .venv.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO_QUERY := S1B_IW_GRDH_1SDV_20170612T165809_33UUP_27_56
# The demo is on the sample and in data/, whatever archive the shell's settings name.
ON_SAMPLE := env -u JEPA_ARCHIVE -u JEPA_DATA

.DEFAULT_GOAL := help
.PHONY: help setup demo compare test lint bench drill audit

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Install everything into .venv (several GB, a few minutes)

demo: $(INSTALLED) ## The whole chain on real Sentinel pairs, then a search from radar to optical
	$(ON_SAMPLE) $(BIN)/dagster asset materialize --select '*crjepa_index'
	$(ON_SAMPLE) $(BIN)/dagster asset materialize --select crjepa_benchmark
	$(ON_SAMPLE) $(BIN)/jepa search --patch $(DEMO_QUERY) --to s2 -k 10 --show data/demo/search.png
	@echo
	@echo "Where to look:"
	@echo "  a radar patch and the optical patches it found   data/demo/search.png"
	@echo "  the benchmark report                             data/benchmarks/crjepa/report.html"
	@echo "Activate the environment (. .venv/bin/activate), then:"
	@echo "  Dagster   dagster dev                            and open http://localhost:3000"
	@echo "  MLflow    python -m pipelines.mlflow_ui --port 5000"
	@echo "                                                   and open http://localhost:5000/#/experiments/1/runs"

compare: $(INSTALLED) ## All six methods on the sample, each to its index, then side by side (about 12 minutes)
	$(ON_SAMPLE) $(BIN)/dagster asset materialize --select '*'
	@echo
	@echo "All methods side by side: data/benchmarks/comparison/report.html"

test: $(INSTALLED) ## The default test suite (under 8 minutes on two cores)
	$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile

lint: $(INSTALLED) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED) ## Timings, each against a reference measured in the same run
	$(BIN)/python -m tests.bench

drill: $(INSTALLED) ## 100 rounds of changes, kills and faults, each against a fresh build (half an hour or more)
	$(BIN)/python -m tests.drill

audit: $(INSTALLED) ## Which installed packages have known vulnerabilities
	.ci/audit

$(INSTALLED): pyproject.toml constraints.txt pipelines/jepa_dagster.pth
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python3"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
