"""Tests of the names that `import harness` offers, in any order, and as often as they are used."""

from __future__ import annotations

import importlib
import inspect
import pydoc
import re
import rlcompleter
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.errors import UsageError
from tests.support import hand


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
    heavy = "{'numpy', 'pandas', 'duckdb', 'scipy', 'rich', 'click', 'torch', 'av', 'PIL', 'jinja2', 'sklearn'}"
    code = f"import sys, harness; dir(harness); print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# What a newcomer types

VERBS = [name for name in harness.__all__ if name.islower() and name != "__version__"]


def test_dir_shows_the_names():
    assert set(harness.__all__) <= set(dir(harness))
    assert not [name for name in dir(harness) if name.startswith("_") and not name.endswith("__")]
    assert len(VERBS) == 15 and all(inspect.isfunction(getattr(harness, name)) for name in VERBS)


def test_tab_completes_the_names():
    completer = rlcompleter.Completer({"harness": harness})
    found = [completer.complete("harness.lead", place) for place in range(3)]
    assert [name and name.rstrip("()") for name in found] == ["harness.leaderboard", "harness.leaderboard_page", None]


def test_help_lists_the_verbs():
    """Each verb has a line of the module's docstring, and its own docstring in `help`."""
    lines = {line.split()[0]: line.strip() for line in harness.__doc__.splitlines() if line.startswith("    ")}
    assert list(lines) == VERBS and all(len(line.split()) > 4 for line in lines.values())
    assert all(re.search(rf"\b{name}\b", harness.__doc__) for name in harness.__all__ if name != "__version__")
    text = pydoc.plain(pydoc.render_doc(harness))
    assert all(f"{name}(" in text for name in VERBS) and "class Score" in text


# What Python prints


@pytest.fixture(scope="module")
def rows(tmp_path_factory, home):
    """Make a world of 12 clips and return its right answers, but for the last, whose next operation is wrong."""
    truth = hand.grid(6, 2)
    hand.world("printed", truth, tmp_path_factory.mktemp("printed"), home)
    return [*map(hand.right, truth[:-1]), hand.right(truth[-1], next_operation="Pack")]


def test_a_score_prints_as_a_sentence(rows, tmp_path):
    entry = hand.write(tmp_path / "mine" / "predictions.jsonl", rows)
    found = harness.score(entry, world="printed")
    low, high = found.metrics["score"].low, found.metrics["score"].high
    values = f"score 0.967 [{low:.3f}, {high:.3f}]"
    assert repr(found).startswith(f"mine on printed / test: {values}") and repr(found).endswith("; 12 clips")
    for submission, name, expected in (
        (rows, None, "rows on printed / test: "),
        (rows, "a model", "a model on printed / test: "),
        (hand.write(tmp_path / "x.jsonl", rows), None, "x.jsonl on printed / test: "),
    ):
        assert str(harness.score(submission, name=name, world="printed")).startswith(expected + values)


def test_a_redacted_score_prints_as_a_sentence():
    metrics = {"score": {"value": 0.829, "low": 0.811, "high": 0.846}, "aa1_hidden": {"value": 0.721, "low": 0.673}}
    record = {"name": "me", "world": "w", "split": "test", "n": 1440, "metrics": metrics, "commitment": "ab"}
    found = harness.Score(record, Path("answers"), harness.Request())
    assert repr(found) == "me on w / test: score 0.829 [0.811, 0.846], AA@1 hidden 0.721; 1,440 clips, redacted"
    few = {"score": {"value": 0.5, "low": None, "high": None}}
    found = harness.Score({"world": "w", "split": "test", "n": 1, "metrics": few}, Path("answers"), harness.Request())
    assert repr(found) == "a submission on w / test: score 0.500; 1 clip"


def test_a_metric_prints_as_a_sentence(rows):
    found = harness.score(rows, world="printed").metrics["aa1"]
    assert re.fullmatch(r"0\.917 \[.*\]; floor .*; 12 clips in 6 sessions", repr(found))


def test_a_validation_prints_as_a_sentence(rows):
    assert repr(harness.validate(rows, world="printed")) == (
        "rows, read as canonical: 12 of 12 clips answered, 0 problems"
    )
    wrong = [*rows[:3], rows[3] | {"next_operation": 3}]
    assert repr(harness.validate(wrong, world="printed")) == (
        "rows, read as canonical: 4 of 12 clips answered, 1 problem in 1 rejected line"
    )


def test_a_prediction_prints_as_a_sentence(rows, tmp_path):
    answers = {row["clip_id"]: row for row in rows}
    found = harness.predict(lambda question: answers[question.clip_id], tmp_path / "entry", world="printed", limit=3)
    assert repr(found).startswith(f"3 of 12 clips of printed / test answered in {found.path}; 3 as the model said it")


REQUESTS = [
    ({}, "Request()"),
    ({"split": "test", "weights": None}, "Request()"),
    ({"split": "train", "lenient": True}, "Request(split='train', lenient=True)"),
    ({"rules": "drop-missing"}, "Request(rules='drop-missing')"),
    ({"rules": ["drop-degenerate", "drop-missing"]}, "Request(rules='drop-missing,drop-degenerate')"),
    ({"weights": harness.Weights(1, 0, 0)}, "Request(weights=Weights(oca=1, tiou50=0, aa1=0))"),
]


@pytest.mark.parametrize(("choices", "expected"), REQUESTS, ids=[case[1] for case in REQUESTS])
def test_a_request_prints_what_differs_from_the_defaults(choices, expected):
    assert repr(harness.Request(**choices)) == expected


@pytest.mark.parametrize("cap", [0, -1, 1 << 63, 10**20, 1.5, True, "1"], ids=str)
@pytest.mark.parametrize("name", ["max_line_bytes", "max_lines", "max_bytes"])
def test_caps_are_whole_numbers_that_a_machine_can_count_to(name, cap):
    with pytest.raises(UsageError, match=f"{name} = .*expected an integer from 1 to"):
        harness.Request(**{name: cap})
