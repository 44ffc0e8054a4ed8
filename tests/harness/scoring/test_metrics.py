"""Tests of the metrics on cases small enough to work out on paper; whole splits are test_oracle's.

Totals are scalars here, as of a whole split; `arr` cases give the delete-one shape [G] too.
"""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness.rules import Weights, find_rules
from harness.scoring import metrics, record
from harness.scoring.clip_facts import make_clip_facts, restore_answers
from reference.truth.store import open_truth
from tests.support import hand

ALIKE = pytest.approx


def test_ratio_of_nothing_is_not_a_number():
    assert np.isnan(metrics.ratio(0, 0)) and metrics.ratio(1, 4) == 0.25
    assert metrics.ratio([1, 0], [2, 0]).tolist()[0] == 0.5


COMPOSITES = [
    ((1, 1, 1), Weights(), 1, "three ones are exactly 1"),
    ((1, 1, 1), Weights(0.7, 0.1, 0.2), 1, "also where .7 + .1 + .2 is not 1 in floats"),
    ((0.5, 0.25, 0), Weights(), 0.225, ".3 x .5 + .3 x .25"),
    ((0.2, 0.9, 1), Weights(0, 0, 1), 1, "a weight of 0 counts nothing"),
]


@pytest.mark.parametrize(("parts", "weights", "expected", "why"), COMPOSITES, ids=[case[3] for case in COMPOSITES])
def test_composite(parts, weights, expected, why):
    found = metrics.composite([np.float64(part) for part in parts], weights)
    assert found == (expected if expected == 1 else ALIKE(expected)), why


TOTALS = {
    "n": 20, "n_segment": 16, "n_hidden": 8,
    "operation_right": 15, "segment_hit": 8, "next_right": 12, "hidden_next_right": 4,
    "constant_operation_right": 5, "constant_segment_hit": 4, "constant_next_right": 6, "hidden_constant_next_right": 2,
    "prior_right": 10, "hidden_prior_right": 3, "ceiling_ppm": 18e6, "hidden_ceiling_ppm": 6e6,
    "state_prior_right": 11, "hidden_state_prior_right": 4, "expected_ppm": 13e6, "hidden_expected_ppm": 5e6,
    "frames_hit": 16,
}  # fmt: skip
HEADLINES = [
    ("oca", 0.75, 0.25, None, 1),
    ("tiou50", 0.5, 0.2, None, 1),  # the value over the 16 segments that count, the constant one counts always
    ("aa1", 0.6, 0.3, 0.5, 0.9),
    ("score", 0.225 + 0.15 + 0.24, 0.075 + 0.06 + 0.12, 0.3 + 0.06 + 0.2, 0.6 + 0.36),
    ("aa1_hidden", 0.5, 0.25, 0.375, 0.75),
    ("aa1_expected", 0.65, 0.3, 0.5, 0.9),
    ("aa1_hidden_expected", 0.625, 0.25, 0.375, 0.75),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "floor", "prior", "ceiling"), HEADLINES, ids=[case[0] for case in HEADLINES])
def test_headline(name, value, floor, prior, ceiling):
    found = metrics.headline(TOTALS, Weights())[name]
    assert (found["value"], found["floor"], found["ceiling"]) == (ALIKE(value), ALIKE(floor), ALIKE(ceiling))
    assert np.isnan(found["prior"]) if prior is None else found["prior"] == ALIKE(prior)


def test_second_prior_and_the_prior_of_eight_frames():
    found = metrics.headline(TOTALS, Weights())
    assert [found[name]["state_prior"] for name in ("aa1", "aa1_hidden", "aa1_expected")] == ALIKE([0.55, 0.5, 0.55])
    assert found["tiou50"]["prior_frames"] == ALIKE(0.8)
    assert found["score"]["prior_frames"] == ALIKE(0.3 + 0.3 * 0.8 + 0.4 * 0.5)
    assert np.isnan(found["score"]["state_prior"]) and np.isnan(found["oca"]["prior_frames"])
    assert metrics.context_gain(TOTALS) == ALIKE(0.0)


SKILLS = [
    (0.6, 0.3, 0.5, 0.9, 0.25, "(.6 - .5) / (.9 - .5): the prior is the base where there is one"),
    (0.75, 0.25, np.nan, 1, 2 / 3, "else the floor"),
    (0.4, 0.3, 0.5, 0.9, -0.25, "below the base"),
    (1.0, 0.3, 0.5, 0.9, 1.25, "above the ceiling"),
    (0.6, 0.3, 0.5, 0.5, np.nan, "no room"),
    (0.6, 0.3, np.nan, np.nan, np.nan, "no ceiling"),
]


@pytest.mark.parametrize(
    ("value", "floor", "prior", "ceiling", "expected", "why"), SKILLS, ids=[case[-1] for case in SKILLS]
)
def test_skill(value, floor, prior, ceiling, expected, why):
    roles = {"value": value, "floor": floor, "prior": prior, "ceiling": ceiling}
    found = metrics.skill({name: np.array([role]) for name, role in roles.items()})
    assert found[0] == ALIKE(expected, nan_ok=True), why


def roles(value, replicates, floor, ceiling):
    """Return what record._metric takes: whole values, and delete-one values of the same."""

    def each(v):
        return np.full(len(replicates), v)

    whole = {"value": value, "floor": floor, "prior": np.nan, "ceiling": ceiling}
    deleted = {"value": np.array(replicates), "floor": each(floor), "prior": each(np.nan), "ceiling": each(ceiling)}
    return {name: np.float64(role) for name, role in whole.items()}, deleted


def test_skill_of_a_perfect_value_is_not_certain():
    """All right on 100 clips in 10 sessions: n_eff = 100 / (1 + .1 x 9) = 52.63, low = .025^(1/52.63) = .93231; over
    the floor .2 that is (.93231 - .2) / .8 = .91539. No replicate differs, so CR3 would give an interval of width 0."""
    row = record._metric(*roles(1.0, [1.0] * 10, 0.2, 1.0), n=100, sessions=10)
    assert (row["low"], row["high"]) == (ALIKE(0.93231, abs=1e-5), 1)
    assert (row["skill_low"], row["skill"], row["skill_high"]) == (ALIKE(0.91539, abs=1e-5), 1, 1)


def test_skill_of_a_value_that_is_always_wrong():
    """None right: the ends are 0 and 1 - .93231 = .06769, over the floor -.25 and (.06769 - .2) / .8 = -.16539."""
    row = record._metric(*roles(0.0, [0.0] * 10, 0.2, 1.0), n=100, sessions=10)
    assert (row["skill_low"], row["skill"], row["skill_high"]) == (
        ALIKE(-0.25),
        ALIKE(-0.25),
        ALIKE(-0.16539, abs=1e-5),
    )


def test_skill_inside_is_cr3_of_the_whole_ratio():
    """Replicates .5 +- .01, six of each kind: the skill's are +-.0125 round .375; CR3 sum 12 x .0125^2, x 11/12, root
    .04146; x t(.975, 11) = 2.20099 is .09125."""
    row = record._metric(*roles(0.5, [0.49] * 6 + [0.51] * 6, 0.2, 1.0), n=240, sessions=12)
    assert (row["skill"], row["skill_low"]) == (ALIKE(0.375), ALIKE(0.375 - 0.09125, abs=1e-4))
    assert row["skill_high"] == ALIKE(0.375 + 0.09125, abs=1e-4)


def test_skill_without_room_is_not_told():
    row = record._metric(*roles(1.0, [1.0] * 10, 0.96, 1.0), n=100, sessions=10)
    assert (row["skill"], row["skill_low"], row["skill_high"]) == (None, None, None)


def test_model_only():
    """Two of the right operations and one right next operation, hidden, were fallbacks."""
    marked = TOTALS | {
        "model_operation_right": 13,
        "model_segment_hit": 8,
        "model_next_right": 11,
        "model_hidden_next_right": 3,
        "model_expected_ppm": 12e6,
        "model_hidden_expected_ppm": 4e6,
    }
    found = metrics.model_only(marked, Weights())
    expected = {"oca": 0.65, "tiou50": 0.5, "aa1": 0.55, "score": 0.195 + 0.15 + 0.22, "aa1_hidden": 0.375}
    expected |= {"aa1_expected": 0.6, "aa1_hidden_expected": 0.5}
    assert {name: float(value) for name, value in found.items()} == ALIKE(expected)


def test_own_prior():
    totals = {
        "n": 20,
        "n_hidden": 8,
        "own_prior_right": 9,
        "hidden_own_prior_right": 3,
        "next_right": 12,
        "hidden_next_right": 4,
    }
    found = {name: float(value) for name, value in metrics.own_prior(totals).items()}
    assert found == ALIKE(
        {"own_prior": 0.45, "own_prior_hidden": 0.375, "own_prior_gain": 0.15, "own_prior_gain_hidden": 0.125}
    )


def test_tiou_curve():
    """Ten clips: five at 0, two at 9/20 (.45), two at 10/20 (.50), one at 1."""
    levels = np.zeros(21)
    levels[[0, 9, 10, 20]] = 5, 2, 2, 1
    curve = dict(zip(metrics.IOU_THRESHOLDS, metrics.tiou_curve(levels), strict=True))
    assert (curve[2], curve[9], curve[10], curve[11], curve[19]) == ALIKE((0.5, 0.5, 0.3, 0.1, 0.1))
    assert (min(curve), max(curve)) == (2, 19)  # .10 to .95


def test_boundary_errors():
    totals = {
        "n_segment_answered": 4,
        "start_error": -6,
        "start_error_abs": 10,
        "start_within_10": 3,
        "end_error": 8,
        "end_error_abs": 8,
        "end_within_10": 4,
    }
    found = {name: float(value) for name, value in metrics.boundary_errors(totals).items()}
    expected = {
        "start_mean": -1.5,
        "start_mean_abs": 2.5,
        "start_within_10": 0.75,
        "end_mean": 2,
        "end_mean_abs": 2,
        "end_within_10": 1,
    }
    assert found == expected


F1 = [
    (3, 4, 5, 200 / 3, "three of four answers match five truths: 2 x 3 / 9"),
    (0, 0, 5, 0, "nothing answered"),
    (5, 5, 5, 100, "all"),
]


@pytest.mark.parametrize(("matched", "answered", "n", "expected", "why"), F1, ids=[case[-1] for case in F1])
def test_segmental_f1(matched, answered, n, expected, why):
    totals = {"segments_matched_50": matched, "segments_answered": answered, "n": n}
    assert metrics.segmental_f1(totals, 50) == ALIKE(expected), why


def test_per_class_and_macro():
    """Class 0: 2 of 3 answers right, 4 true clips; class 1: never answered; class 2: answered, never true."""
    found = metrics.per_class(np.array([2, 0, 0]), np.array([3, 0, 1]), np.array([4, 2, 0]))
    assert found["precision"].tolist() == ALIKE([2 / 3, 0, 0])
    assert found["recall"].tolist() == ALIKE([0.5, 0, 0])
    assert found["f1"].tolist() == ALIKE([4 / 7, 0, 0])
    present = np.array([True, True, False])
    assert metrics.macro(found["f1"], present, present) == ALIKE(2 / 7)  # over the two classes of the truth


def test_a_class_that_a_replicate_lacks_keeps_its_full_value():
    values, full = np.array([[0.5, 0.0]]), np.array([0.4, 0.8])
    occurs = np.array([[True, False]])
    assert metrics.macro(values, occurs, np.array([True, True]), full)[0] == ALIKE((0.5 + 0.8) / 2)


AP = [
    ([20, 0, 20, 0], 2, 10, 5 / 6, "hits at ranks 1 and 3 of two truths: (1/1 + 2/3) / 2"),
    ([0, 20, 20], 2, 10, 2 / 3, "precision at the first hit, 1/2, is lifted to the later 2/3"),
    ([20, 20], 4, 10, 0.5, "two truths are never found"),
    ([10], 1, 10, 1, "exactly half the union is a hit"),
    ([9], 1, 10, 0, "less is none"),
    ([], 3, 10, 0, "no detections"),
]


@pytest.mark.parametrize(("matched", "support", "threshold", "expected", "why"), AP, ids=[case[-1] for case in AP])
def test_average_precision(matched, support, threshold, expected, why):
    found = metrics.average_precision(np.array(matched), np.zeros(len(matched), int), np.array([support]), (threshold,))
    assert found[0, 0] == ALIKE(expected), why


def test_average_precision_without_a_session():
    """Two sessions, one truth each; session 0 holds the miss at rank 1. Whole: precision .5 then 2/3 ... by hand:
    detections miss (0), hit (1), hit (0): AP = (2/3 + 2/3) / 2; without session 0 only the hit is left: 1; without
    session 1: miss, hit of one truth: 1/2."""
    found = metrics.average_precision(np.array([0, 20, 20]), np.array([0, 1, 0]), np.array([2, 1, 1]), (10,))
    assert found[:, 0].tolist() == ALIKE([2 / 3, 1, 0.5])


def test_calibration():
    """Eight answers: four at .9, of which three are right; four at .3, of which two are right. ECE: (4 x |.75 - .9| +
    4 x |.5 - .3|) / 8 = .175. Brier: (3 x .01 + .81 + 2 x .49 + 2 x .09) / 8 = 2 / 8 = .25. Risk: .25 at half the answers, then
    .375; the area is their mean over the answers, .3125."""
    found = metrics.calibration(np.array([900_000, 300_000]), np.array([4, 4]), np.array([3, 2]))
    assert (found["n"], found["ece"]) == (8, ALIKE(0.175))
    assert metrics.brier({"next_brier_e12": 2e12, "n_next_confidence": 8}, "next") == ALIKE(0.25)
    assert found["risk_coverage_area"] == ALIKE(0.3125)
    assert found["risk_coverage"] == [{"coverage": 0.5, "risk": 0.25}, {"coverage": 1.0, "risk": 0.375}]
    assert [(row["n"], row["accuracy"]) for row in found["bins"]] == [(4, 0.5), (4, 0.75)]


def test_a_confidence_of_1_is_in_the_last_bin():
    found = metrics.calibration(np.array([1_000_000]), np.array([2]), np.array([1]))
    assert (found["bins"][0]["low"], found["ece"]) == (ALIKE(14 / 15), 0.5)


# Edit distance is worked out in SQL: a session each.

EDIT = [
    ("ABCD", "ABCD", 100, "equal"),
    ("ABCD", "A.CD", 75, "one is not answered: one deletion of four"),
    ("ABCD", "AACD", 75, "one is wrong: a substitution"),
    ("ABCD", "BADC", 25, "two swapped pairs: three edits, one of four stays"),
    ("ABAB", "BABA", 50, "shifted by one: a deletion and an insertion of four"),
    ("AAAA", "AA..", 50, "equal neighbours are not merged"),
    ("ABCD", "....", 0, "nothing answered"),
    ("AB", "XY", 0, "labels that are not of the session match nothing"),
]
LETTERS = {"A": "Tape", "B": "Pack", "C": "Wrap", "D": "Label", "X": "Idle", "Y": "Box Setup"}


def test_edit(tmp_path):
    rows, lines = [], []
    for session, (truth, answer, _, _) in enumerate(EDIT):
        for i, (true, given) in enumerate(zip(truth, answer, strict=True)):
            rows.append(hand.clip(session, i, dominant_operation=LETTERS[true], next_operation="Final Check"))
            where = None if given == "." else hand.segment(0, 5)
            lines.append(hand.right(rows[-1], dominant_operation=LETTERS.get(given), temporal_segment=where))
    hand.world("edit", rows, tmp_path, tmp_path)
    scored = harness.score(hand.write(tmp_path / "answers.jsonl", lines), world="edit", home=tmp_path)
    with open_truth("edit", "test", home=tmp_path, allow_files=(scored.answers,)) as truth:
        restore_answers(truth, scored.answers)
        found = make_clip_facts(truth, find_rules("standard")).edit().tolist()
    assert dict(zip([case[3] for case in EDIT], found, strict=True)) == ALIKE({why: value for _, _, value, why in EDIT})
    assert scored.record["segmental"]["edit"]["value"] == ALIKE(np.mean([case[2] for case in EDIT]))
