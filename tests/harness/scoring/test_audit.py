"""Tests of the audit: each flag raised, and not raised, by numbers worked out on paper; then whole submissions; then
answers from the frames alone on 25 worlds, of which none may be suspected.
"""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

import harness
from harness.baselines.write import write_baseline
from harness.resources import schema
from harness.scoring import audit
from reference.truth.store import open_truth
from tests.gates import audit as gate
from tests.support import ROOT, hand

ALIKE = pytest.approx


def beyond(right, expected, variance, hidden=10):
    """Return the check of so many right answers on hidden clips, with the sums of P and P (1 - P)."""
    sums = {"n_hidden": hidden, "hidden_next_right": right, "hidden_expected_ppm": expected * 1e6}
    totals = {name: np.float64(value) for name, value in sums.items()}
    return audit.knows_more(totals | {"hidden_expected_variance_e12": np.float64(variance * 1e12)})


EXCESS = [
    (9, 5, 1.5625, 3.2, True, "four more than expected, SD 1.25"),
    (8, 5, 1.0, 3.0, False, "three SDs are below the limit"),
    (0, 5, 1.0, -5.0, False, "far below what the frames allow is no crime"),
    (5, 5, 1.0, 0.0, False, "exactly as expected"),
    (5, 5, 0.0, None, False, "every answer was certain, and came true as it had to"),
    (6, 5, 0.0, None, True, "right once where the frames rule it out"),
    (0, 0, 0.0, None, False, "no answer at all"),
]


@pytest.mark.parametrize(
    ("right", "expected", "variance", "z", "raised", "why"), EXCESS, ids=[case[-1] for case in EXCESS]
)
def test_knows_more_by_hand(right, expected, variance, z, raised, why):
    found = beyond(right, expected, variance)
    assert (found["number"], found["limit"]) == (None if z is None else ALIKE(z), 3.09), why
    assert bool(found["raised"]) is raised, why


@pytest.mark.parametrize(("expected", "hidden", "why"), [(np.nan, 10, "no process"), (0, 0, "no hidden clip")])
def test_knows_more_does_not_apply(expected, hidden, why):
    found = beyond(5, expected, 1.0, hidden)
    assert (found["raised"], found["number"]) == (None, None), why


def shaped(sessions, *, prior, hidden_right, ceiling=0.9):
    """Audit sums of equal sessions of 10 clips, 5 hidden, 2 of those right by T(answered operation); `prior` of the 10
    answers follow T; `hidden_right`: right hidden answers, one number a session."""
    ones = np.ones(sessions)
    sums = {
        "n": 10 * ones,
        "n_hidden": 5 * ones,
        "pairs_answered": 10 * ones,
        "pairs_prior": prior * ones,
        "ceiling_ppm": ceiling * 1e7 * ones,
        "prior_right": 5 * ones,
        "own_prior_right": 5 * ones,
        "hidden_own_prior_right": 2 * ones,
        "next_right": 5 * ones,
        "hidden_next_right": np.array(hidden_right, float),
    }
    return audit.prior_shaped(sums, {name: column.sum() for name, column in sums.items()})


SHAPED = [
    ({"sessions": 10, "prior": 9.5, "hidden_right": [5] * 10}, True, 0.95, "95% follow T, however right the rest"),
    ({"sessions": 10, "prior": 9.4, "hidden_right": [3] * 10}, False, 0.94, "94%, and +.2 gained from context"),
    ({"sessions": 10, "prior": 8, "hidden_right": [2] * 10}, True, 0.8, "80%, and nothing gained: upper limit 0"),
    ({"sessions": 10, "prior": 7.9, "hidden_right": [2] * 10}, False, 0.79, "79%"),
    ({"sessions": 10, "prior": 8, "hidden_right": [1, 3] * 5}, False, 0.8, "gain 0, but its upper limit is .15"),
    ({"sessions": 4, "prior": 8, "hidden_right": [2] * 4}, False, 0.8, "four sessions: no limit, no accusation"),
    ({"sessions": 4, "prior": 10, "hidden_right": [2] * 4}, True, 1, "all follow T: that needs no interval"),
    (
        {"sessions": 10, "prior": 10, "hidden_right": [2] * 10, "ceiling": 0.54},
        None,
        None,
        "ceiling .54, prior .5: nothing to see",
    ),
    ({"sessions": 10, "prior": 10, "hidden_right": [2] * 10, "ceiling": np.nan}, None, None, "no ceiling"),
]


@pytest.mark.parametrize(("made", "raised", "share", "why"), SHAPED, ids=[case[-1] for case in SHAPED])
def test_prior_shaped(made, raised, share, why):
    found = shaped(**made)
    assert found["raised"] is raised and found["number"] == (share if share is None else ALIKE(share)), why


def test_prior_shaped_without_answers():
    sums = {name: np.zeros(10) for name in ("n", "pairs_answered", "pairs_prior", "ceiling_ppm", "prior_right")}
    totals = {name: column.sum() for name, column in sums.items()} | {"n": 100.0}
    assert audit.prior_shaped(sums, totals)["raised"] is None


COUNTS = {
    "n": 100, "answered": 100, "with_confidence": 0, "example_segment": 0, "equal_truth": 0,
    "same_segment": 30, "same_operation": 30, "same_next": 30, "same_confidence": 0, "last_frame": 125,
}  # fmt: skip
CONSTANTS = [
    ({}, set(), "nothing"),
    ({"same_segment": 98}, {"constant_segment"}, "98 of 100"),
    ({"same_segment": 97}, set(), "97 of 100"),
    ({"same_operation": 100, "same_next": 100}, {"constant_operation", "constant_next"}, "two of the three"),
    ({"answered": 50, "same_segment": 49}, {"constant_segment"}, "49 of the 50 that were answered"),
    ({"answered": 19, "same_segment": 19}, set(), "19 answers are too few to say"),
    ({"with_confidence": 40, "same_confidence": 40}, {"constant_confidence"}, "every confidence that was given"),
    ({"example_segment": 10}, {"example_figures"}, "every tenth answer is the example's 14-98"),
    ({"example_segment": 9}, set(), "fewer may be chance"),
    ({"last_frame": 75}, {"frame_rate"}, "75 frames of 15 fps, say, taken for 125 of 25"),
    ({"last_frame": 76}, set(), "one answer reaches further"),
    ({"last_frame": 75, "answered": 99}, set(), "too few answers to tell"),
    ({"equal_truth": 100}, {"copy_of_truth"}, "all clips equal the truth"),
    ({"equal_truth": 99}, set(), "all but one do not"),
    ({"answered": 0, "same_segment": 0, "same_operation": 0, "same_next": 0}, set(), "no answers, no division by them"),
]


@pytest.mark.parametrize(("changes", "raised", "why"), CONSTANTS, ids=[case[-1] for case in CONSTANTS])
def test_constants(changes, raised, why):
    found = audit.constants(COUNTS | changes)
    assert {row["flag"] for row in found if row["raised"]} == raised, why
    assert all(row["text"] for row in found)


def test_no_answers_raise_null_and_not_false():
    found = audit.constants(COUNTS | {"answered": 0})
    flags = ("constant_segment", "constant_operation", "constant_next", "constant_confidence", "example_figures")
    assert {row["flag"]: row["raised"] for row in found if row["flag"] in flags} == dict.fromkeys(flags)


def answers(*, clips=100, wrong=40, same=100, same_wrong=40):
    """Return two entries, both wrong on the first `wrong` clips; the other answers otherwise on the last 100 - `same`
    clips, and on the first wrong - same_wrong ones."""
    one = np.stack([np.arange(clips)] * 4, axis=-1)
    other = one.copy()
    other[same:, 3] = -1
    other[: wrong - same_wrong, 0] = -1
    mistaken = np.arange(clips) < wrong
    return np.stack([one, other]), np.stack([mistaken, mistaken])


COPIES = [
    ({}, True, "all the same"),
    ({"same": 98}, True, "the same on 98 of 100"),
    ({"same": 97}, False, "on 97"),
    ({"wrong": 19, "same_wrong": 19}, False, "only 19 shared errors: two good models agree"),
    ({"wrong": 20, "same_wrong": 20}, True, "20 shared errors"),
    ({"wrong": 20, "same_wrong": 18}, True, "18 of 20 shared errors are the same, 98 of 100 answers"),
    (
        {"clips": 200, "same": 200, "wrong": 20, "same_wrong": 17},
        False,
        "17 of 20 are not, though 197 of 200 answers are",
    ),
]


@pytest.mark.parametrize(("made", "copied", "why"), COPIES, ids=[case[-1] for case in COPIES])
def test_copies(made, copied, why):
    found = audit.copies(*answers(**made), ["a", "b"])
    assert [row["entries"] for row in found] == ([["a", "b"]] if copied else []), why


def test_what_neither_answered_makes_no_copy():
    """Two runs of 30 of 1,440 clips agree on nothing because they leave the rest out."""
    both, wrong = answers(clips=1440, wrong=1440, same_wrong=1440, same=1440)
    both[:, 30:], both[1, :30] = -1, both[1, :30] + 1
    assert audit.copies(both, wrong, ["a", "b"]) == []
    both[1, :30] = both[0, :30]
    assert [row["entries"] for row in audit.copies(both, wrong, ["a", "b"])] == [["a", "b"]]


def test_copies_are_pairs():
    """Three equal entries are three pairs; each text names its two."""
    both, wrong = answers()
    found = audit.copies(np.stack([both[0]] * 3), np.stack([wrong[0]] * 3), ["a", "b", "c"])
    assert [row["entries"] for row in found] == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert found[1]["text"].startswith("a and c: equal on 100.0% of clips")


BASELINES = [
    ("constant", {"constant_segment", "constant_operation", "constant_next", "prior_shaped"}),
    ("random", set()),
    ("transition-prior", {"prior_shaped"}),
    ("oracle", set()),
    ("truth-copy", {"copy_of_truth", "knows_more"}),
]


@pytest.mark.parametrize(("name", "expected"), BASELINES, ids=[case[0] for case in BASELINES])
def test_whole_submissions(name, expected, tmp_path):
    """transition-prior answers one segment of the training split everywhere, so that shows too. The next operation
    that constant answers is the usual successor of the operation that it answers.
    """
    path = tmp_path / "answers.jsonl"
    write_baseline(name, path, split="validation")
    found = {row["flag"] for row in harness.score(path, split="validation").record["audit"] if row["raised"]}
    assert found == expected | ({"constant_segment"} if name == "transition-prior" else set())


def test_the_examples_segment_is_the_documented_one():
    documented = {tuple(line["temporal_segment"].values()) for line in schema("prediction")["examples"]}
    assert documented == {audit.EXAMPLE_SEGMENT}


def test_one_confidence_and_the_examples_segment(tmp_path):
    rows = hand.grid(2, 15, start_frame=0, end_frame=125)
    hand.world("copied", rows, tmp_path, tmp_path)
    lines = [
        hand.right(row, confidence=0.9, temporal_segment=hand.segment(14, 98 - (i > 3))) for i, row in enumerate(rows)
    ]
    record = harness.score(hand.write(tmp_path / "a.jsonl", lines), world="copied", home=tmp_path).record
    raised = {row["flag"]: row["text"] for row in record["audit"] if row["raised"]}
    assert {"constant_confidence", "example_figures"} <= set(raised) and "constant_segment" not in raised
    assert raised["example_figures"].startswith("4 of 30 answers")


def test_answers_from_the_frames_are_hardly_ever_suspected():
    """Oracle and both priors are flagged in at most 1% of worlds: of 25, in none. `make gates` has 200, and larger."""
    assert max(row.flagged for row in gate.suspicions(worlds=25, sessions=8, clips=10)) == 0


ENTRIES = ["constant", "oracle", "probe", "qwen-tiny", "random", "transition-prior", "whole-clip"]


@pytest.mark.parametrize("name", ENTRIES)
def test_honest_entries_know_no_more_than_the_frames(name):
    audit_rows = harness.score(ROOT / "submissions" / name / "predictions.jsonl").record["audit"]
    [row] = [row for row in audit_rows if row["flag"] == "knows_more"]
    assert row["raised"] is False and row["number"] < 2.1  # the oracle's luck on this test split: 2.05


def test_a_fifth_of_true_answers_is_found(tmp_path):
    with open_truth() as truth:
        true = dict(truth.connection.execute("SELECT clip_id, next_operation FROM truth.clips").fetchall())
        labels = truth.operations
    lines = [json.loads(line) for line in (ROOT / "submissions/probe/predictions.jsonl").read_text().splitlines()]
    for line in random.Random(18).sample(lines, len(lines) // 5):
        line["next_operation"] = labels[true[line["clip_id"]]]
    path = hand.write(tmp_path / "planted.jsonl", lines)
    raised = {row["flag"] for row in harness.score(path).record["audit"] if row["raised"]}
    assert raised == {"knows_more"}
