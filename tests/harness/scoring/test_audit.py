"""Tests of the audit: each flag raised, and not raised, by numbers worked out on paper; then whole submissions; then
the best possible model on 200 worlds, which must hardly ever be suspected.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import harness
from harness.baselines.write import write_baseline
from harness.resources import schema
from harness.scoring import audit
from reference.process.split import build_split
from reference.process.world import Split, load_world
from tests.support import hand

ALIKE = pytest.approx


def ceilings(right, excess):
    """Return ceiling sums in millionths, so that right - ceiling is `excess`."""
    return (np.array(right) - np.array(excess)) * 1e6


EXCESS = [
    ([1, 2, 3, 4, 5], 4.2426, 7.1732, False, "mean 3, SE sqrt(2.5 / 5); t(.999, 4) is 7.17"),
    ([2, 3] * 5, 15.0, 4.2968, True, "mean 2.5, SE .527 / sqrt(10); t(.999, 9) is 4.30"),
    ([-2, -3] * 5, -15.0, 4.2968, False, "far below the ceiling is no crime"),
    ([1, -1] * 5, 0.0, 4.2968, False, "exactly at it"),
]


@pytest.mark.parametrize(("excess", "t", "limit", "raised", "why"), EXCESS, ids=[case[-1] for case in EXCESS])
def test_above_the_ceiling_by_hand(excess, t, limit, raised, why):
    right = [10] * len(excess)
    found = audit.above_the_ceiling("above_ceiling", np.array(right, float), ceilings(right, excess))
    assert (found["number"], found["limit"]) == (ALIKE(t, abs=1e-4), ALIKE(limit, abs=1e-4))
    assert found["raised"] is raised, why


@pytest.mark.parametrize(
    ("right", "ceiling", "why"),
    [([5.0] * 4, [1e6] * 4, "four sessions"), ([5.0] * 9, [np.nan] * 9, "no ceiling"), ([], [], "no clip")],
)
def test_above_the_ceiling_does_not_apply(right, ceiling, why):
    found = audit.above_the_ceiling("x", np.array(right), np.array(ceiling))
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
    ("constant", {"constant_segment", "constant_operation", "constant_next"}),
    ("random", set()),
    ("transition-prior", {"prior_shaped"}),
    ("oracle", set()),
    ("truth-copy", {"copy_of_truth", "above_ceiling", "above_ceiling_hidden"}),
]


@pytest.mark.parametrize(("name", "expected"), BASELINES, ids=[case[0] for case in BASELINES])
def test_whole_submissions(name, expected, tmp_path):
    """transition-prior answers one segment of the training split everywhere, so that shows too."""
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


def test_the_best_possible_model_is_hardly_ever_suspected():
    """200 worlds from 200 seeds, 8 sessions of 10 clips each: the oracle is right as often as its ceiling says, so
    that at .1% a check, flagged in at most 1% of worlds holds with two checks."""
    world = load_world("warehouse-v1")
    split = Split("small", 8, 10, world.splits["test"].domains)
    flagged = 0
    for seed in range(200):
        name = f"audit-{seed}"
        other = replace(world, seed=name, key=name.encode(), splits=world.splits | {"small": split})
        clips = list(build_split(other, "small"))
        flagged += any(
            _suspected([clip for clip in clips if every or clip.temporal_segment.end_frame == 125])
            for every in (True, False)
        )
    assert flagged <= 2


def _suspected(clips):
    sessions = sorted({clip.session for clip in clips})
    right, ceiling = np.zeros(len(sessions)), np.zeros(len(sessions))
    for clip in clips:
        place = sessions.index(clip.session)
        right[place] += clip.oracle_next == clip.next_operation
        ceiling[place] += clip.ceiling * 1e6
    return audit.above_the_ceiling("above_ceiling", right, ceiling)["raised"]
