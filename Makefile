# make demo: set up and run the main job. make test: the whole suite. make check: what a change is checked with at once.
# make proof, make bench: the full-size claims.
# make submissions: the reference entries anew; with FRAMES=DIR (renderings DIR/train, DIR/test) the probe too.
# make kaggle USERNAME=you [EARLIER=you/kernel]: in build/kaggle, checked, the dataset and the notebook to upload (140 MB
# are fetched, besides what the tests need).
# Works without ensurepip and under PEP 668: pip installs into .venv from outside where plain venv fails.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
HARNESS := $(BIN)/harness
# Whole files go to workers, the longest first (tests/support/workload.py): a worker for each core, two at most.
TESTS := $(BIN)/python -m pytest -n auto --maxprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test check browser proof bench submissions sample kaggle clean

demo: $(STAMP)
	@bash demo.sh

test: .venv/.tested-tools browser
	$(TESTS)

# Lint, format, imports, types, and the tests that need no torch, browser or pictures and take under a second. What is
# left out is listed in tests/support/workload.py; `make test` runs it.
check: .venv/.tested-tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(TESTS) -m "not heavy"

proof: .venv/.tested-tools
	$(BIN)/python -m tests.proofs

bench: .venv/.tested-tools
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m tests.benchmarks.pictures
	$(BIN)/python -m tests.benchmarks.samplers

submissions: $(STAMP)
	$(BIN)/python -m harness.baselines.committed submissions $(FRAMES)

sample: .venv/.tested-tools browser
	$(HARNESS) leaderboard submissions -o reports/sample/leaderboard.html --frames --budget 370kB
	$(BIN)/python -m tests.support.pages reports/sample

kaggle: .venv/.tested-tools
	$(BIN)/python -m finetune.kaggle.wheelhouse build/kaggle --user $(or $(USERNAME),USERNAME) \
		$(if $(EARLIER),--earlier $(EARLIER))

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv >/dev/null 2>&1 || \
		{ rm -rf .venv && $(PYTHON) -m venv --without-pip .venv; }
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt -e '.[video]'
	@touch $@

.venv/.tested-tools: $(STAMP)
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,video,finetune]'
	@touch $@

# What finetune/ needs: torch of the version in constraints.txt, transformers and their company.
.venv/.finetune-tools: $(STAMP)
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt -e '.[finetune]'
	@touch $@

# The browser of the report's tests; without root or apt they are skipped and say so.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null 2>&1 || \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && { apt-get update -qq; \
		apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1; } || \
		echo "no chromium, and no root or apt to install it: the browser tests will be skipped"

clean:
	rm -rf .venv build *.egg-info
