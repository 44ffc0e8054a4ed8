# make demo         sets up .venv and runs the main job.
# make check        runs what a change is checked with at once.
# make test         runs the whole suite.
# make proof        tries at full size what strangers send, kill and edit, and the same work on many processes; make gates
#                   simulates the statistics at full size; make bench renews the speed tables.
# make submissions  makes the committed baselines again; with FRAMES=DIR those on frames too (renderings of 8 frames in
#                   DIR/train and DIR/test, of 16 in DIR-16/train and DIR-16/test, all of 168 x 168).
# make sample       renews the committed page, its score records and its screenshots.
# make kaggle USERNAME=you [EARLIER=you/kernel]
#                   puts the checked dataset and notebook to upload into build/kaggle (it fetches 140 MB).
# make gpu-check [CUDA=13.0]
#                   gathers in build/gpu-check what finetune/runs/gpu-check.sh needs on a machine with a GPU (100 MB).
# It works without ensurepip and under PEP 668: where plain venv fails, pip installs into .venv from outside.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
HARNESS := $(BIN)/harness
# Whole files go to workers, the longest first (tests/support/workload.py): a worker for each core, two at most.
# Commands are started some hundred times: their modules are compiled once, also where the environment asks for that not.
TESTS := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --maxprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test check browser proof gates bench submissions sample kaggle gpu-check clean

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
	$(BIN)/python -m tests.proof

gates: .venv/.tested-tools
	$(BIN)/python -m tests.gates

bench: .venv/.tested-tools
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m tests.benchmarks.pictures
	$(BIN)/python -m tests.benchmarks.samplers

submissions: $(STAMP)
	$(BIN)/python -m harness.baselines.committed submissions $(FRAMES)

sample: .venv/.tested-tools browser
	$(HARNESS) leaderboard submissions -o reports/sample/leaderboard.html --frames --budget 350kB
	$(BIN)/python -m tests.support.pages reports/sample

kaggle: .venv/.tested-tools
	$(BIN)/python -m finetune.kaggle.wheelhouse build/kaggle --user $(or $(USERNAME),USERNAME) \
		$(if $(EARLIER),--earlier $(EARLIER))

gpu-check: .venv/.tested-tools
	$(BIN)/python -m finetune.gpu_check.archive build/gpu-check $(if $(CUDA),--cuda $(CUDA))

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@echo "Setting up .venv and installing the packages of setup.cfg into it: half a minute, or a few with a slow network ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv >/dev/null 2>&1 || \
		{ rm -rf .venv && $(PYTHON) -m venv --without-pip .venv; }
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt -e '.[video]'
	@touch $@

.venv/.tested-tools: $(STAMP)
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,video,finetune]'
	@touch $@

# Install what finetune/ needs: torch of the version in constraints.txt, transformers and what they need.
.venv/.finetune-tools: $(STAMP)
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt -e '.[finetune]'
	@touch $@

# Install the browser of the report's tests; without root or apt they are skipped and say so.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null 2>&1 || \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && { apt-get update -qq; \
		apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1; } || \
		echo "no chromium, and no root or apt to install it: the browser tests will be skipped"

clean:
	rm -rf .venv build *.egg-info
