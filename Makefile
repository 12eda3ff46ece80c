# Everything happens in .venv; nothing else on the machine is touched.
PYTHON ?= python3
BIN := .venv/bin
EVERY_TEST := --quiet --numprocesses auto --dist worksteal

.PHONY: install quickstart demo test oldest newest fuzz lint docs bench clean

# The stamp is made anew when the dependencies change.
.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "nextpixel needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -m venv .venv || { echo "on Debian and Ubuntu: apt-get install python3-venv"; exit 2; }
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: .venv/installed
	@echo "now: $(BIN)/nextpixel quickstart"

quickstart: .venv/installed
	$(BIN)/nextpixel quickstart

demo: .venv/installed
	$(BIN)/python examples/demo.py

test: .venv/installed
	$(BIN)/pytest $(EVERY_TEST)

# The tests with the oldest versions of the dependencies that are allowed, and with the newest, each in its environment.
oldest: PINS := --constraint packaging/oldest.txt
oldest newest:
	$(PYTHON) -m venv build/$@
	build/$@/bin/pip install --quiet --disable-pip-version-check $(PINS) --editable '.[dev]'
	build/$@/bin/pytest $(EVERY_TEST)

# Half an hour of damaged and hostile files, models and requests, with limits; `make test` has a short form.
fuzz: .venv/installed
	$(BIN)/python benchmarks/mutations.py --minutes 15 --out build/fuzz
	$(BIN)/python benchmarks/damaged_data.py --minutes 5
	NEXTPIXEL_FUZZ=20 $(BIN)/pytest --quiet tests/model_files/test_load_fuzz.py tests/web/test_web_app.py -k "any or fuzz or fault"
	$(BIN)/pytest --quiet tests/codec/test_fuzz.py tests/data/test_open_fuzz.py tests/codec/test_hostile.py

lint: .venv/installed
	$(BIN)/ruff check src tests examples benchmarks docs
	$(BIN)/ruff format --check src tests examples benchmarks docs
	$(BIN)/mypy
	$(BIN)/mypy benchmarks
	$(BIN)/lint-imports

docs: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python docs/scripts/architecture.py
	$(BIN)/sphinx-build -W --keep-going -q docs build/docs
	@echo "open build/docs/index.html"

bench: .venv/installed
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/peak.py
	$(BIN)/python benchmarks/families.py
	$(BIN)/python benchmarks/recurrence.py
	$(BIN)/python benchmarks/sampling.py

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
