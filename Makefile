# `make demo` and `make test` work on a fresh machine with Python 3.11 or newer.

PORT ?= 8000
CATALOGUE ?= hanoi-2021
DATA ?=
# More for pytest, such as `make test TESTS=tests/rooms` or `make test TESTS="-k booking"`.
TESTS ?=
# How many tests run side by side, each with servers of its own; 0 shows their output as it comes. They
# wait for disks and clocks half of the time, so there may be more of them than cores.
WORKERS ?= 4

# Where compiled code may not be kept, every program that is started compiles all of it again.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock

.PHONY: help demo test load faults lock wheel clean

help:
	@echo "make demo [PORT=8000] [CATALOGUE=hanoi-2021] [DATA=folder]   a server with the units of Hà Nội"
	@echo "make test [TESTS=...] [WORKERS=4]   lint, types, import contracts, all tests"
	@echo "make load               the load programs at full size"
	@echo "make faults             the fault programs at full size"
	@echo "make lock               pin the versions that are installed now"
	@echo "make wheel              build dist/*.whl"
	@echo "make clean              remove $(VENV) and everything built"

demo: $(VENV)/.ready
	@exec $(BIN)/python -m meetings_server demo --port $(PORT) --catalogue $(CATALOGUE) $(if $(DATA),--data $(DATA))

test: $(VENV)/.ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadscope $(TESTS)

load: $(VENV)/.ready-to-test
	@set -e; for call in "push --sockets 10000 --slow 10 --quick 40 --burst 20" \
		"herd --sockets 15000 --check-ins 0" "herd --sockets 15000 --check-ins 1000" check_ins full_house \
		"full_house --sockets 31097 --processes 2" \
		"full_house --points 700 --sockets 0 --boards 700 --at-once" "board --points 31097 --rate 500" \
		log_questions escalation "receipts --points 3000 --calls 600" readiness reports \
		booking everyone pages units reorganise; do \
		echo "== $$call"; $(BIN)/python -m tests.load.$$call; \
	done

faults: $(VENV)/.ready-to-test
	@set -e; for call in hostile_sockets "several_processes --points 31097 --once" \
		"one_server clock --points 31097 --once" "one_server disk --points 31097 --once" \
		"one_server kill --points 31097 --times 20 --once"; do \
		echo "== $$call"; $(BIN)/python -m tests.faults.$$call; \
	done

lock: $(VENV)/.ready-to-test
	$(BIN)/pip freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==[^ ]+$$' > $(LOCK).new
	mv $(LOCK).new $(LOCK)
	@touch $(VENV)/.ready $(VENV)/.ready-to-test

wheel: $(VENV)/.ready-to-test
	$(BIN)/python -m build --wheel --no-isolation

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache .schemathesis
	rm -rf tests/provider/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second run instant; a changed list of dependencies installs again.
$(VENV)/.ready: pyproject.toml $(LOCK) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint $(LOCK) --editable .
	@touch $@

$(VENV)/.ready-to-test: pyproject.toml $(LOCK) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint $(LOCK) --editable '.[dev]'
	@touch $(VENV)/.ready $@

# PYTHON=... chooses one; otherwise the first that is new enough.
PYTHON ?=
$(BIN)/python:
	@new_enough='import sys; sys.exit(sys.version_info < (3, 11))'; \
	for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
		if command -v $$candidate >/dev/null 2>&1 && $$candidate -c "$$new_enough" 2>/dev/null; then \
			python=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$${python:-}" ]; then \
		echo "No Python 3.11 or newer was found. Install one (Debian, Ubuntu: apt install python3 python3-venv)" >&2; \
		echo "or name it: make PYTHON=/path/to/python3 ..." >&2; \
		exit 2; \
	fi; \
	echo "Making $(VENV) with $$($$python --version)"; \
	if ! $$python -m venv $(VENV); then \
		rm -rf $(VENV); \
		echo "$$python could not make a virtual environment. Debian, Ubuntu: apt install python3-venv" >&2; \
		exit 2; \
	fi
