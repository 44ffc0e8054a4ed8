"""Tests of the names that `import harness` offers, in any order, and as often as they are used."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import harness


@pytest.mark.parametrize("name", harness.__all__)
def test_a_name_stays_what_it_is(name):
    """A name is the same object after its module, and all that the command line loads, were imported."""
    first = getattr(harness, name)
    rooms = ("cli", "comparison.leaderboard", "scoring.score", "baselines.write", "report.write")
    for module in rooms:
        importlib.import_module(f"harness.{module}")
    assert getattr(harness, name) is first
    assert name == "__version__" or getattr(first, "__name__", "") == name


def test_no_submodule_has_the_name_of_a_function():
    """Importing such a module would put it where the function was."""
    modules = {path.stem for path in Path(harness.__file__).parent.glob("*")}
    assert not modules & set(harness.__all__)


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'harness' has no attribute 'rank'"):
        harness.rank  # noqa: B018


def test_importing_loads_nothing_heavy():
    code = "import sys, harness; print(sorted({'numpy', 'pandas', 'duckdb', 'scipy', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
