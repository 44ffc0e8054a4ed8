"""AA@2 and AA@3: right in every place, named in one place only, named nowhere; what is shown and what is kept."""

from __future__ import annotations

import jsonschema
import pytest

import harness
from harness.commands import terminal
from harness.commands.terminal.score import print_score
from harness.report.panels.anticipation import _further
from harness.resources import schema
from harness.scoring.clip_facts import make_clip_facts, restore_answers
from tests.support.random_worlds import SHAPES, make_world, oracle_truth, random_truth, write_answers

NOTHING = {"value": None, "low": None, "high": None, "floor": None, "ceiling": None, "n": None, "answered": 0}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    make_world("plain", random_truth(SHAPES["plain"], seed=3), folder, folder)
    return folder


@pytest.fixture(scope="module")
def truth(home):
    return oracle_truth("plain", "test", home)


def scored(home, truth, most):
    """Score right answers that name up to `most` of the operations that follow; None: without the field."""
    answers = {
        clip["clip_id"]: {
            "operation": clip["dominant_operation"],
            "start_frame": clip["start_frame"],
            "end_frame": clip["end_frame"],
            "next_operation": clip["next_operation"],
            "next_operations": most and clip["next_operations"][:most],
        }
        for clip in truth.clips
    }
    return harness.score(write_answers(home / f"{most}.jsonl", answers), world="plain", home=home)


CASES = [
    # operations named at most, AA@2 and AA@3: answered?
    (None, ()),
    (1, ()),
    (2, ("aa2",)),
    (3, ("aa2", "aa3")),
]


@pytest.mark.parametrize(("most", "named"), CASES)
def test_what_no_answer_names_is_neither_judged_nor_shown(most, named, home, truth):
    record = scored(home, truth, most).record
    jsonschema.validate(record, schema("score"))
    shown = terminal.capture(lambda out: print_score(record, out, full=True))
    panel = [part.measure.at for part in _further(record)]
    assert panel == [f"further.{key}" for key in named]
    for place, (key, title) in enumerate((("aa2", "AA@2"), ("aa3", "AA@3")), start=1):
        having = sum(len(clip["next_operations"]) > place for clip in truth.clips)
        row = record["further"][key]
        if key in named:
            assert (row["value"], row["n"], row["answered"], row["ceiling"]) == (1, having, having, None)
            assert 0 < row["floor"] < 1 and 0 < having < len(truth.clips)
        else:
            assert row == NOTHING
        assert (title in shown) == (key in named)


def test_stored_answers_keep_the_operations_after_the_next(home, truth):
    score = scored(home, truth, 3)
    with score.request.open([score.answers]) as opened:
        restore_answers(opened, score.answers)
        facts = make_clip_facts(opened, score.request.rules)
        found = facts.single_row("further_answered")
    assert found == {
        "second": score.record["further"]["aa2"]["answered"],
        "third": score.record["further"]["aa3"]["answered"],
    }
