"""Tests of slices by hand: sums of cells, limits for small cells, the difference from the rest, stars by Holm."""

from __future__ import annotations

import json

import numpy as np
import pytest

import harness
from harness.rules import Weights
from harness.scoring import slices
from tests.support import hand

ALIKE = pytest.approx


def cell(rows):
    """Return sums [G, 5] from rows of (clips, segments counted, operation, segment, next right) a session."""
    return np.array(rows, float)


def table(**levels):
    return {
        row["level"]: row
        for row in slices.table({"domain": {name: cell(rows) for name, rows in levels.items()}}, Weights())
    }


def test_values_by_hand():
    """Two sessions of 4 and 6 clips: 5, 4, 2 of 10 right; one of the segments does not count."""
    found = slices.values(cell([(4, 4, 2, 3, 1), (6, 5, 3, 1, 1)]).sum(axis=0), Weights())
    assert found.tolist() == ALIKE([0.5, 4 / 9, 0.2, 0.15 + 0.3 * 4 / 9 + 0.08])


def test_codes_become_cells():
    """Three clips in two sessions; the third has no domain and is in no cell."""
    rows = {
        "session_index": np.array([0, 1, 1]),
        "domain": np.ma.array([1, 0, 0], mask=[False, False, True]),
        **dict.fromkeys(slices.COUNTS, np.array([1, 0, 1])),
    }
    found = slices.Cells(rows, {"domain": ["a", "b", "never"]}, 2)["domain"]
    assert {name: sums.tolist() for name, sums in found.items()} == {
        "a": [[0] * 5, [1, 0, 0, 0, 0]],
        "b": [[1] * 5, [0] * 5],
    }


RIGHT, WRONG = (5, 5, 5, 5, 5), (5, 5, 0, 0, 0)
NONE = (0,) * 5
SPARED = [
    ("4 sessions", [(5, 5, 3, 3, 3)] * 4, False, False),
    ("5 sessions but 15 clips", [(3, 3, 2, 2, 2)] * 5, False, False),
    ("5 sessions, 20 clips", [(4, 4, 2, 2, 2)] * 5, True, False),
    ("7 sessions", [(5, 5, 3, 3, 3)] * 7, True, False),
    ("8 sessions, 16 clips", [(2, 2, 1, 1, 1)] * 8, False, False),
    ("8 sessions, 24 clips", [(3, 3, 2, 2, 2)] * 8, True, True),
]


@pytest.mark.parametrize(("why", "rows", "has_interval", "is_tested"), SPARED, ids=[case[0] for case in SPARED])
def test_small_cells_are_spared(why, rows, has_interval, is_tested):
    rest = [NONE] * len(rows) + [(5, 5, 3, 2, 4)] * 8
    found = table(here=rows + [NONE] * 8, rest=rest)["here"]
    for metric in found["metrics"].values():
        assert (metric["low"] is not None, metric["p"] is not None) == (has_interval, is_tested), why
        assert metric["value"] is not None
    assert (found["n"], found["sessions"]) == (sum(row[0] for row in rows), len(rows))


def test_a_cell_that_is_all_there_is_has_no_rest():
    found = table(only=[(5, 5, 3, 3, 3)] * 10)["only"]
    assert {metric["difference"] for metric in found["metrics"].values()} == {None}
    assert {metric["p"] for metric in found["metrics"].values()} == {None}


def test_difference_from_the_rest_and_its_p():
    """Each of 8 sessions has 5 clips on either side. OCA here is .8 or .4, mean .6, in the rest .4: difference .2.
    Without a session of .8: (24 - 4) / 35 = .5714, of .4: (24 - 2) / 35 = .6286, so replicates are +-.02857 round .2;
    CR3: sqrt(7/8 x 8 x .02857^2) = .07559; t = 2.6458 with 7 degrees of freedom: two-sided p = .03314."""
    here = [(5, 5, 4, 2, 2), (5, 5, 2, 2, 2)] * 4
    found = table(here=here, rest=[(5, 5, 2, 2, 2)] * 8)["here"]["metrics"]
    assert (found["oca"]["value"], found["oca"]["difference"]) == (ALIKE(0.6), ALIKE(0.2))
    assert found["oca"]["p"] == ALIKE(0.03314, abs=1e-5)
    assert (found["tiou50"]["difference"], found["tiou50"]["p"]) == (0, 1)


def test_stars_are_holms():
    """The case above: OCA and score differ with p = .03314 on both sides (score is .3 x OCA, so t is the same), tIoU
    and AA@1 with p = 1: a family of 8, smallest p x 8 = .265: no star. Eight times as many sessions: t
    is about sqrt(8) times as large: far below .05 / 8."""
    few = table(here=[(5, 5, 4, 2, 2), (5, 5, 2, 2, 2)] * 4, rest=[(5, 5, 2, 2, 2)] * 8)
    many = table(here=[(5, 5, 4, 2, 2), (5, 5, 2, 2, 2)] * 32, rest=[(5, 5, 2, 2, 2)] * 64)
    for level in ("here", "rest"):
        adjusted = {name: metric["p_adjusted"] for name, metric in few[level]["metrics"].items()}
        assert adjusted == ALIKE({"oca": 8 * 0.033147, "score": 8 * 0.033147, "tiou50": 1, "aa1": 1}, rel=1e-3)
        assert not any(metric["star"] for metric in few[level]["metrics"].values())
        assert {name: metric["star"] for name, metric in many[level]["metrics"].items()} == {
            "oca": True,
            "score": True,
            "tiou50": False,
            "aa1": False,
        }


def test_degrees_of_freedom_are_those_of_the_smaller_side():
    """8 sessions of 16 are here: t has 7 degrees of freedom, not 15. Here: .6 +- as above, CR3 over 16 replicates
    sqrt(15/16 x 8 x .02857^2) = .07825; t = 2.5560; p = .03775 with 7, .02193 with 15."""
    here = [(5, 5, 4, 2, 2), (5, 5, 2, 2, 2)] * 4 + [NONE] * 8
    rest = [NONE] * 8 + [(5, 5, 2, 2, 2)] * 8
    assert table(here=here, rest=rest)["here"]["metrics"]["oca"]["p"] == ALIKE(0.03775, abs=1e-4)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Score ten sessions of 3 clips, two domains in turn, one worker known in half of them; all wrong in domain b."""
    folder = tmp_path_factory.mktemp("slices")
    rows = [
        hand.clip(
            s,
            i,
            domain="ab"[s % 2],
            worker="ana" if s < 5 else None,
            end_frame=125 if i else 70,
            cut_kind=("mid", "dense", "elsewhere")[i],
        )
        for s in range(10)
        for i in range(3)
    ]
    hand.world("sliced", rows, folder, folder)
    lines = [hand.right(row, **({"dominant_operation": "Wrap"} if row["domain"] == "b" else {})) for row in rows]
    return harness.score(hand.write(folder / "a.jsonl", lines), world="sliced", home=folder).record


SIZES = {
    "operation": {"Tape": (30, 10)},
    "next_operation": {"Label": (30, 10)},
    "cut": {"mid": (10, 10), "dense": (10, 10)},
    "next_visible": {"visible": (10, 10), "hidden": (20, 10)},
    "dense": {"dense": (10, 10), "sparse": (20, 10)},
    "domain": {"a": (15, 5), "b": (15, 5)},
    "worker": {"ana": (15, 5)},
    "session": {f"s{s:02d}": (3, 1) for s in range(10)},
}
"""Clips and sessions; a world without a process has neither script nor randomised sessions. Dense: up to 62 frames."""


def test_cells_of_a_world(record):
    found = {}
    for row in record["slices"]:
        found.setdefault(row["dimension"], {})[row["level"]] = (row["n"], row["sessions"])
    assert found == SIZES
    assert list(found) == [name for name in slices.DIMENSIONS if name in SIZES]


def test_values_of_a_world(record):
    values = {(row["dimension"], row["level"]): row["metrics"]["score"]["value"] for row in record["slices"]}
    assert (values["domain", "a"], values["domain", "b"], values["operation", "Tape"]) == (1, ALIKE(0.7), ALIKE(0.85))


def test_sessions_are_listed_and_never_tested(record):
    rows = [row for row in record["slices"] if row["dimension"] == "session"]
    assert [row["metrics"]["oca"]["value"] for row in rows] == [1, 0] * 5
    for row in rows:
        for metric in row["metrics"].values():
            assert (metric["low"], metric["high"], metric["p"], metric["star"]) == (None, None, None, False)


def test_more_than_500_levels_are_left_out():
    names = [f"s{i}" for i in range(501)]
    assert slices.levels(("Tape",), [], names[:500], names) | {"mode": None} == {
        "operation": ["Tape"],
        "next_operation": ["Tape"],
        "cut": ["mid", "boundary", "dense"],
        "next_visible": ["visible", "hidden"],
        "dense": ["dense", "sparse"],
        "script": ["off-script", "on-script"],
        "session_kind": ["randomised", "regular"],
        "domain": [],
        "worker": names[:500],
        "session": [],
        "mode": None,
    }


def test_sessions_without_a_judged_clip_are_no_cells(tmp_path):
    """drop-missing leaves one session of two; its row keeps its own name."""
    rows = hand.grid(2, 2)
    hand.world("half", rows, tmp_path, tmp_path)
    file = hand.write(tmp_path / "a.jsonl", [hand.right(row) for row in rows[2:]])
    record = harness.score(file, world="half", home=tmp_path, rules="drop-missing").record
    assert [(row["level"], row["n"]) for row in record["slices"] if row["dimension"] == "session"] == [("s01", 2)]
    json.dumps(record, allow_nan=False)
