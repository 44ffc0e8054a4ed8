"""Slot metrics: cases by hand, scikit-learn for F1 and accuracy, and what must not change them."""

from __future__ import annotations

import random

import pytest
from sklearn.metrics import accuracy_score, f1_score

from harness.errors import UsageError
from tests.support.slots import score_slots, stretches

FIELDS = ("macro_f1", "weighted_f1", "accuracy", "edit", "f1_10", "f1_25", "f1_50")

# truth, answer, drop -> macro F1, weighted F1, accuracy, edit, F1@10, @25, @50
CASES = [
    ("perfect", "AABB", "AABB", "", (1, 1, 1, 100, 100, 100, 100)),
    ("nothing right", "AAAA", "BBBB", "", (0, 0, 0, 0, 0, 0, 0)),
    ("half right: one of two segments", "AABB", "AAAA", "", (1 / 3, 1 / 3, 1 / 2, 50, 200 / 3, 200 / 3, 200 / 3)),
    ("IoU is 1/4", "AAAABBBB", "BBBABBBB", "", (31 / 55, 31 / 55, 5 / 8, 200 / 3, 80, 80, 40)),
    ("one segment in two: the second finds it taken", "AAAAA", "AABAA", "", (8 / 9, 8 / 9, 0.8, 100 / 3, 50, 50, 0)),
    ("a piece below the threshold takes nothing", "AAAAA", "ABAAA", "", (8 / 9, 8 / 9, 0.8, 100 / 3, 50, 50, 50)),
    ("a class that only the answer has is no class", "AAAB", "AACB", "", (0.9, 0.85, 3 / 4, 200 / 3, 80, 80, 80)),
    ("dropped slots count nowhere", "AAZZBB", "AAABBB", "Z", (1, 1, 1, 100, 100, 100, 100)),
    ("nothing is joined over a dropped slot", "AAZAA", "AAAAA", "Z", (1, 1, 1, 100, 100, 100, 100)),
    ("a dropped label answered elsewhere is wrong", "AABB", "AAZZ", "Z", (1 / 2, 1 / 2, 1 / 2, 50) + (200 / 3,) * 3),
    ("only dropped labels answered", "AABB", "ZZZZ", "Z", (0, 0, 0, 0, 0, 0, 0)),
]


@pytest.mark.parametrize(("why", "truth", "answer", "drop", "expected"), CASES, ids=[case[0] for case in CASES])
def test_by_hand(why, truth, answer, drop, expected):
    scores = score_slots(truth, answer, drop)
    assert dict(zip(FIELDS, scores[1:], strict=True)) == pytest.approx(dict(zip(FIELDS, expected, strict=True))), why
    assert scores.n == sum(label not in drop for label in truth)


def test_stretches():
    assert stretches(["A", "A", None, "A", "B"]) == [("A", 0, 2), ("A", 3, 4), ("B", 4, 5)]
    assert stretches([]) == []


def test_a_label_that_is_part_of_the_dropped_one_stays():
    assert score_slots(["100", "8100"], ["100", "100"], drop="8100").n == 1


def test_labels_given_count_even_where_the_truth_has_none():
    assert score_slots("AABB", "AABB", labels=("A", "B", "C", "D")).macro_f1 == 0.5
    assert score_slots("AABB", "AABB", labels=("A", "B", "C", "D")).weighted_f1 == 1


REFUSED = [
    ("lengths", "AAB", "AA", {}, "2 answered slots for 3 true ones"),
    ("nothing", "", "", {}, "no slot is left to score"),
    ("all dropped", "ZZ", "AA", {"drop": "Z"}, "no slot is left to score"),
    ("truth beyond the labels", "AAC", "AAA", {"labels": "AB"}, "'C', which is none of the labels A, B"),
]


@pytest.mark.parametrize(("why", "truth", "answer", "options", "message"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused(why, truth, answer, options, message):
    with pytest.raises(UsageError, match=message):
        score_slots(truth, answer, **options)


@pytest.mark.parametrize("seed", range(5))
def test_f1_and_accuracy_as_scikit_learn(seed):
    rng = random.Random(seed)
    truth = rng.choices("ABCDZ", [5, 3, 2, 1, 1], k=200)
    answer = [label if rng.random() < 0.6 else rng.choice("ABCXZ") for label in truth]
    pairs = [(true, other) for true, other in zip(truth, answer, strict=True) if true != "Z"]
    true, other = zip(*pairs, strict=True)
    scores = score_slots(truth, answer, drop="Z")

    def f1(labels, average):
        return f1_score(true, other, labels=list(labels), average=average, zero_division=0)

    assert scores.macro_f1 == pytest.approx(f1("ABCD", "macro"), abs=1e-12)
    assert scores.weighted_f1 == pytest.approx(f1("ABCD", "weighted"), abs=1e-12)
    assert scores.accuracy == pytest.approx(accuracy_score(true, other), abs=1e-12)
    wider = score_slots(truth, answer, drop="Z", labels="ABCDEX")
    assert wider.macro_f1 == pytest.approx(f1("ABCDEX", "macro"), abs=1e-12)
    assert wider.weighted_f1 == pytest.approx(f1("ABCDEX", "weighted"), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_a_finer_rate_changes_nothing(seed):
    rng = random.Random(seed)
    truth = [label for label in rng.choices("ABCZ", k=20) for _ in range(rng.randrange(1, 9))]
    answer = [label if rng.random() < 0.9 else rng.choice("ABCZ") for label in truth]
    finer = [[label for label in labels for _ in range(25)] for labels in (truth, answer)]
    assert score_slots(finer[0], finer[1], drop="Z")[1:] == pytest.approx(score_slots(truth, answer, drop="Z")[1:])
