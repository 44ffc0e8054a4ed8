# make demo: set up and run the main job. make test: the whole suite. make proof, make bench: the full-size claims.
# make submissions: the reference entries anew; with FRAMES=DIR (renderings DIR/train, DIR/test) the probe too.
# Works without ensurepip and under PEP 668: pip installs into .venv from outside where plain venv fails.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
HARNESS := $(BIN)/harness

.PHONY: demo test proof bench submissions clean

demo: $(STAMP)
	@bash demo.sh

test: .venv/.tested-tools
	$(BIN)/python -m pytest

proof: .venv/.tested-tools
	$(BIN)/python -m tests.proofs

bench: .venv/.tested-tools
	$(BIN)/python -m tests.benchmarks

submissions: $(STAMP)
	$(BIN)/python -m harness.references submissions $(FRAMES)

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv >/dev/null 2>&1 || \
		{ rm -rf .venv && $(PYTHON) -m venv --without-pip .venv; }
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt -e '.[video]'
	@touch $@

.venv/.tested-tools: $(STAMP)
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,video]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info
