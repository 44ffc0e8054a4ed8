"""Tests of verdicts end to end, on twelve sessions of five equal clips: every difference can be worked out on paper.

A clip is worth 1/60; its next operation .4 of that. Twelve sessions that all lean one way have p = 2^-11.
"""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import harness
from harness.comparison.paired import PairedClips
from harness.comparison.pairwise import distinct_names
from harness.errors import UsageError
from harness.rules import Weights, find_rules
from harness.scoring.request import Request
from tests.support import ROOT, hand

SESSIONS, CLIPS = 12, 5
P = 2.0**-11
ALIKE = pytest.approx


class Bench:
    def __init__(self, folder, sessions=SESSIONS, clips=CLIPS, name="equal", **truth):
        self.folder, self.name = folder, name
        self.rows = hand.grid(sessions, clips, **truth)
        hand.world(name, self.rows, folder, folder)

    def file(self, name, spoil=None, **changes):
        """Write answers that are right but on the (session, clip) places where `spoil` holds."""
        lines = [hand.right(row, **(changes if spoil and spoil(*self.place(row)) else {})) for row in self.rows]
        return hand.write(self.folder / f"{name}.jsonl", lines)

    def place(self, row):
        return int(row["session"][1:]), row["clip_index"]

    def compare(self, *files, margin=0.03, **request):
        return harness.compare(*files, margin=margin, request=Request(world=self.name, home=self.folder, **request))


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("compare"))


WRONG_NEXT = {"next_operation": "Wrap"}
WRONG_OPERATION = {"dominant_operation": "Wrap"}
VERDICTS = [
    ("identical", None, None, {}, 0.03, 0.0, 1.0, "other bytes, same answers"),
    ("better", None, lambda s, i: True, WRONG_NEXT, 0.03, 0.4, P, "right next operations in every session"),
    ("worse", lambda s, i: True, None, WRONG_NEXT, 0.03, -0.4, P, "the same turned round"),
    ("better within margin", None, lambda s, i: i == 0, WRONG_OPERATION, 0.1, 0.06, P,
     "one operation a session: .3 / 5, without any spread, inside .1"),
    ("worse within margin", lambda s, i: i == 0, None, WRONG_OPERATION, 0.1, -0.06, P, "turned round"),
    ("better", None, lambda s, i: i == 0, WRONG_OPERATION, 0.06, 0.06, P, "not strictly inside .06"),
    ("equivalent", lambda s, i: (s, i) == (0, 0), lambda s, i: (s, i) == (1, 0), WRONG_NEXT, 0.03, 0.0, 1.0,
     "one clip each: SE sqrt(11/12 x 2 x (.4/55)^2) = .00985, x t(.95, 11) = 1.796 is .0177"),
    ("inconclusive", lambda s, i: s < 6, lambda s, i: s >= 6, WRONG_NEXT, 0.03, 0.0, 1.0, "six sessions each way"),
    ("inconclusive", None, lambda s, i: s < 5 and i < 3, WRONG_NEXT, 0.03, 0.1, 0.0625,
     "five sessions lean one way: p = 2^-4"),
    ("better", None, lambda s, i: s < 6, WRONG_NEXT, 0.03, 0.2, 0.03125, "six: p = 2^-5"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "a", "b", "change", "margin", "difference", "p", "why"), VERDICTS, ids=[c[-1] for c in VERDICTS]
)
def test_verdicts(kind, a, b, change, margin, difference, p, why, bench):
    first = bench.file("first", a, **change)
    if kind == "identical":
        second = bench.folder / "second.jsonl"
        second.write_text("".join(reversed(first.read_text().splitlines(keepends=True))))
    else:
        second = bench.file("second", b, **change)
    result = bench.compare(first, second, margin=margin)
    pair = result["pairs"][0]
    assert pair["verdict"]["kind"] == kind, why
    assert pair["score"]["difference"] == ALIKE(difference, abs=1e-12)
    assert pair["score"]["p"] == pair["score"]["p_adjusted"] == ALIKE(p)
    assert (pair["a"], pair["b"]) == ("first", "second") and "first" in pair["verdict"]["sentence"]


def test_what_an_inconclusive_pair_would_need(bench):
    pair = bench.compare(
        bench.file("a", lambda s, i: s < 6, **WRONG_NEXT), bench.file("b", lambda s, i: s >= 6, **WRONG_NEXT)
    )
    assert "inconclusive" in pair["pairs"][0]["verdict"]["sentence"]
    assert "sessions like these would decide" in pair["pairs"][0]["verdict"]["sentence"]


def test_counts_and_flips(bench):
    """A: next wrong on clip 0 of every session. B: operation wrong on clips 0 and 1. Both right everywhere else."""
    a = bench.file("a", lambda s, i: i == 0, **WRONG_NEXT)
    b = bench.file("b", lambda s, i: i <= 1, **WRONG_OPERATION)
    pair = bench.compare(a, b)["pairs"][0]
    assert pair["counts"] == {
        "operation": {"both": 36, "only_a": 24, "only_b": 0, "neither": 0},
        "segment": {"both": 60, "only_a": 0, "only_b": 0, "neither": 0},
        "next": {"both": 48, "only_a": 0, "only_b": 12, "neither": 0},
        "all": {"both": 36, "only_a": 12, "only_b": 0, "neither": 12},
    }
    assert pair["flips"] == {"only_a": [f"c{s:02d}-01" for s in range(SESSIONS)], "only_b": []}
    assert {name: test["difference"] for name, test in pair["metrics"].items()} == {
        "oca": ALIKE(0.4),
        "tiou50": 0,
        "aa1": ALIKE(-0.2),
        "aa1_hidden": None,
    }


def test_families(bench):
    """Three entries: m = 3 for the score, 12 for the metrics. Against the right one both p are 2^-11, between the two
    (next wrong everywhere, next wrong in six sessions) it is 2^-5. Holm: 3 x, 3 x (2 x would be less), then 1 x."""
    files = [
        bench.file("all"),
        bench.file("none", lambda s, i: True, **WRONG_NEXT),
        bench.file("half", lambda s, i: s < 6, **WRONG_NEXT),
    ]
    result = bench.compare(*files)
    assert (result["m"], result["m_metrics"]) == (3, 12)
    found = {(pair["a"], pair["b"]): pair["score"] for pair in result["pairs"]}
    assert {pair: test["p"] for pair, test in found.items()} == ALIKE(
        {("all", "none"): P, ("all", "half"): 2**-5, ("none", "half"): 2**-5}
    )
    assert {pair: test["p_adjusted"] for pair, test in found.items()} == ALIKE(
        {("all", "none"): 3 * P, ("all", "half"): 2 * 2**-5, ("none", "half"): 2 * 2**-5}
    )
    assert {test["m"] for test in found.values()} == {3}
    assert [test["level"] for test in found.values()] == ALIKE([0.05 / 3, 0.05 / 2, 0.05])
    metrics = [test for pair in result["pairs"] for test in pair["metrics"].values()]
    assert {test["m"] for test in metrics} == {12}
    assert result["pairs"][0]["metrics"]["aa1"]["p_adjusted"] == ALIKE(12 * P)


def test_a_baseline_by_name(bench):
    """`constant` of equal clips is right everywhere."""
    result = bench.compare(bench.file("mine", lambda s, i: True, **WRONG_NEXT), "constant")
    assert [entry["name"] for entry in result["entries"]] == ["mine", "constant"]
    assert result["pairs"][0]["verdict"]["kind"] == "worse"


def test_a_file_of_a_baselines_name_is_the_file(bench, monkeypatch):
    monkeypatch.chdir(bench.folder)
    (bench.folder / "constant").write_bytes(bench.file("x", lambda s, i: True, **WRONG_NEXT).read_bytes())
    try:
        assert bench.compare("constant", "whole-clip")["entries"][0]["metrics"]["aa1"]["value"] == 0
    finally:
        (bench.folder / "constant").unlink()


def test_how_a_file_is_read_says_nothing_of_a_baseline(bench):
    """Frames at 50 a second are twice as many; those of the baseline are not halved."""
    lines = [hand.right(row, temporal_segment=hand.segment(60, 140)) for row in bench.rows]
    result = bench.compare(hand.write(bench.folder / "fast.jsonl", lines), "constant", fps=50.0, clip_frames=250)
    assert [entry["metrics"]["tiou50"]["value"] for entry in result["entries"]] == [1, 1]


NAMES = [
    (["a.jsonl", "x/b.jsonl"], ["a", "b"], "without folder and extension"),
    (["x/a.jsonl", "y/a.jsonl"], ["x/a.jsonl", "y/a.jsonl"], "paths where stems are equal"),
    (["a.jsonl", "a.csv"], ["a.jsonl", "a.csv"], "names where only extensions differ"),
    (["a.jsonl", "a.jsonl"], ["a.jsonl (1)", "a.jsonl (2)"], "numbers where nothing differs"),
    (["a.jsonl", "constant"], ["a", "constant"], "a baseline"),
    (["gpt-4.1", "x/gpt-4.5.json.gz"], ["gpt-4.1", "gpt-4.5"], "dots of versions are no extensions"),
    (["x/predictions.csv", "y/predictions.jsonl"], ["x", "y"], "folders of entries in any format"),
]


@pytest.mark.parametrize(("given", "names", "why"), NAMES, ids=[case[2] for case in NAMES])
def test_names_are_distinct(given, names, why):
    assert distinct_names(given) == names, why


REFUSED = [
    ({"rules": "drop-missing"}, ["a", "b"], 0.03, "rule set drop-missing drops some"),
    ({"rules": "drop-degenerate"}, ["a", "b"], 0.03, "rule set drop-degenerate drops some"),
    ({}, ["a"], 0.03, "at least two"),
    ({}, [], 0.03, "at least two"),
    ({}, ["a", "b"], 0, "--margin 0: expected a share"),
    ({}, ["a", "b"], 1, "--margin 1: expected a share"),
    ({}, ["a", "b"], float("nan"), "--margin nan: expected a share"),
    ({}, ["a", "no-such"], 0.03, "no-such"),
    ({}, ["a", "oracle"], 0.03, "has no process, so there is no oracle"),
]


@pytest.mark.parametrize(("request_", "names", "margin", "message"), REFUSED, ids=[case[3] for case in REFUSED])
def test_refused(request_, names, margin, message, bench):
    files = [bench.file(name) if len(name) == 1 else name for name in names]
    options = {"rules": find_rules(request_["rules"])} if request_ else {}
    with pytest.raises(UsageError, match=message):
        bench.compare(*files, margin=margin, **options)


def test_weights_decide(bench):
    """A has the next operations, B the operations; by AA@1 alone A is better, by OCA alone worse."""
    a, b = bench.file("a", lambda s, i: True, **WRONG_OPERATION), bench.file("b", lambda s, i: True, **WRONG_NEXT)
    kinds = [
        bench.compare(a, b, weights=weights)["pairs"][0]["verdict"]["kind"]
        for weights in (Weights(0, 0, 1), Weights(1, 0, 0))
    ]
    assert kinds == ["better", "worse"]


# Worlds too small for a test: null, never NaN, no division by nothing.

SMALL = [
    ({"sessions": 1, "clips": 4}, "one session"),
    ({"sessions": 1, "clips": 1}, "one clip"),
    ({"sessions": 4, "clips": 4}, "four sessions"),
    ({"sessions": 8, "clips": 3}, "no hidden clip"),
    ({"sessions": 8, "clips": 3, "end_frame": 125}, "only hidden clips"),
]


@pytest.mark.parametrize(("shape", "why"), SMALL, ids=[case[1] for case in SMALL])
def test_small_worlds(shape, why, tmp_path):
    bench = Bench(tmp_path, name="small", **shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = bench.compare(bench.file("a"), bench.file("b", lambda s, i: True, **WRONG_NEXT), "constant")
    json.dumps(result, allow_nan=False)
    pair, hidden = result["pairs"][0], "end_frame" in shape
    assert pair["score"]["difference"] == ALIKE(0.4)
    assert pair["metrics"]["aa1_hidden"]["difference"] == (1 if hidden else None)
    assert pair["metrics"]["aa1_hidden"]["low"] == (ALIKE(1) if hidden else None)
    few = shape["sessions"] < 5
    assert (pair["score"]["low"] is None, pair["verdict"]["kind"]) == (few, "inconclusive" if few else "better"), why


def test_few_sessions_say_what_they_cannot_do(tmp_path):
    bench = Bench(tmp_path, 4, 4, "four")
    pair = bench.compare(bench.file("a"), bench.file("b", lambda s, i: True, **WRONG_NEXT))["pairs"][0]
    assert (pair["score"]["p"], pair["score"]["se"]) == (0.125, None)
    assert pair["verdict"]["sentence"].endswith("adjusted p 0.125, m = 1; 4 sessions cannot separate 1 pair.")


def test_difference_of_sessions_without_a_clip():
    """Two sessions, hidden clips in the second alone: one cluster, whose deletion leaves nothing."""
    right = np.array([[True] * 3, [False] * 3])
    paired = PairedClips(
        names=["a", "b"],
        clip_ids=np.array(["x", "y", "z"]),
        session=np.array([0, 0, 1]),
        hidden=np.array([False, False, True]),
        facts=dict.fromkeys(("operation_right", "segment_hit", "next_right"), right),
        answers=np.zeros((2, 3, 4), int),
        weights=Weights(),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, replicates, gap = paired.difference("aa1_hidden", 0, 1)
    assert (value, gap.tolist()) == (1.0, [1]) and np.isnan(replicates).all()
    value, replicates, gap = paired.difference("oca", 0, 1)
    assert (value, replicates.tolist(), gap.tolist()) == (1.0, [1.0, 1.0], [2, 1])


ENTRY_OPERANDS = [
    ("an entry of submissions/ by its name", "probe"),
    ("an entry's folder", "submissions/probe"),
    ("its predictions", "submissions/probe/predictions.jsonl"),
]


@pytest.mark.parametrize(("why", "operand"), ENTRY_OPERANDS)
def test_an_entry_is_an_operand(why, operand, monkeypatch):
    monkeypatch.chdir(ROOT)
    pair = harness.compare(operand, "transition-prior")["pairs"][0]
    assert (pair["a"], pair["b"]) == ("probe", "transition-prior"), why
    assert pair["verdict"]["kind"] == "worse"
