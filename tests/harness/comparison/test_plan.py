"""Tests of plans: one number for a pair, wherever it is said, and hours that follow from the latency."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from unittest import mock

import pytest

import harness
from harness import statistics
from harness.comparison import plan as plans
from harness.comparison.paired import pair_scores
from harness.comparison.pairwise import paired_test
from harness.errors import UsageError
from harness.report import data, gather
from harness.scoring.request import Request
from reference.truth.sample import Sample
from tests.support import hand

SESSIONS, CLIPS = 12, 5


@pytest.fixture(scope="module")
def pilot(tmp_path_factory):
    """Make a world, and two files of which each is wrong where the other is right, in sessions of different luck."""
    folder = tmp_path_factory.mktemp("plan")
    rows = hand.grid(SESSIONS, CLIPS, end_frame=125)
    hand.world("plan", rows, folder, folder)

    def file(name, wrong):
        lines = [
            hand.right(row, latency_ms=1500.0, **({"next_operation": "Wrap"} if wrong(number) else {}))
            for number, row in enumerate(rows)
        ]
        return hand.write(folder / f"{name}.jsonl", lines)

    files = file("left", lambda number: number % 7 == 0), file("right", lambda number: number % 11 < 2)
    return files, Request(world="plan", home=folder)


def test_verdict_page_and_plan_say_one_number(pilot):
    files, request = pilot
    verdict = harness.compare(*files, request=request)["pairs"][0]["verdict"]
    said = int(re.search(r"about ([0-9,]+) sessions like these would decide", verdict["sentence"])[1].replace(",", ""))
    page = data.page(gather.gather_comparison(files, request))
    planned = harness.plan(0.03, pilot=files, request=request)["rows"][0]["sessions"]
    assert verdict["kind"] == "inconclusive"
    assert said == verdict["needed"] == page.pairs[0].needed == page.certainty.reaches[0].needed == planned > SESSIONS


def test_a_plan_is_made_of_what_the_metric_counts_and_both_answer(tmp_path):
    """Samples with five common sessions that differ in two of them: a plan knows five sessions, and which flip."""
    rows = hand.grid(SESSIONS, CLIPS)
    hand.world("sampled", rows, tmp_path, tmp_path)
    where = Request(world="sampled", home=tmp_path)
    drawn = {n: {row[0] for row in _clips(replace(where, sample=Sample(n, 0)))} for n in (5, 9)}
    files = []
    for n, wrong in ((5, 0), (9, 2)):
        lines = [
            hand.right(row, **({"next_operation": "Wrap"} if row["session"] in sorted(drawn[5])[:wrong] else {}))
            for row in rows
            if row["session"] in drawn[n]
        ]
        files.append(hand.write(tmp_path / f"{n}.jsonl", lines))
    scores = [harness.score(file, request=where, sample=f"{n}/0") for file, n in zip(files, (5, 9), strict=True)]
    test = paired_test(pair_scores(scores, ["a", "b"]), "score", 0, 1)
    with mock.patch.object(plans, "score_operand", side_effect=scores):
        found = harness.plan(0.2, pilot=files, request=where)
    assert (found["sessions"], found["n"], test["differing"]) == (5, 5 * CLIPS, 2)
    assert found["rows"][0]["sessions"] == statistics.sessions_needed(test["se"], 5, 0.2, flipping=2)


def _clips(request):
    with request.open() as truth:
        return truth.connection.execute("SELECT session FROM truth.clips").fetchall()


def test_hours_are_those_of_both_models(pilot):
    files, request = pilot
    row = harness.plan(0.05, pilot=files, request=request)["rows"][0]
    assert row["clips"] == row["sessions"] * CLIPS
    assert row["hours"] == pytest.approx(row["clips"] * 3 / 3600)
    slower = harness.plan(0.05, pilot=files, seconds_per_clip=36, request=request)["rows"][0]
    assert slower["hours"] == pytest.approx(row["clips"] / 100)


def test_equivalence_takes_the_two_one_sided_tests(pilot):
    files, request = pilot
    found = harness.plan(0.05, metric="aa1_hidden", pilot=files, equivalence=True, request=request)
    se, sessions = found["rows"][0]["se"], found["rows"][0]["sessions"]
    reach = (statistics.t_quantile(0.95, SESSIONS - 1) + statistics.t_quantile(0.9, SESSIONS - 1)) * se
    assert sessions == pytest.approx(SESSIONS * (reach / 0.05) ** 2, abs=1)


def test_without_a_pilot_the_assumption_is_named(pilot):
    found = harness.plan(0.1, request=pilot[1])
    assert "correlation 0.03" in found["basis"] and [row["disagreement"] for row in found["rows"]] == [0.1, 0.25, 0.4]
    assert found["rows"][0]["hours"] is None


REFUSED = [
    ({"difference": 0.0}, "--difference 0"),
    ({"power": 1.0}, "--power 1"),
    ({"metric": "f1"}, "--metric f1: expected one of score"),
    ({"metric": "aa1_hidden"}, "--pilot A B measures it"),
    ({"seconds_per_clip": 0.0}, "--seconds-per-clip 0"),
    ({"pilot": ("constant",)}, "two submissions, not 1"),
    ({"pilot": ("constant", "constant")}, "differ in no way"),
    ({"metric": "aa1_expected"}, "--pilot A B measures it"),
    ({"metric": "aa1_expected", "pilot": ("constant", "random")}, "has no process"),
]


@pytest.mark.parametrize(("choices", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_no_plan_can_be_made_of_is_refused(pilot, choices, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        harness.plan(**({"difference": 0.03} | choices), request=pilot[1])


def test_a_pilot_of_methods_is_refused(pilot, tmp_path):
    """The spread of runs is part of their difference, and no number of sessions lessens it."""
    (tmp_path / "mine" / "runs").mkdir(parents=True)
    for k, file in enumerate(pilot[0], start=1):
        shutil.copyfile(file, tmp_path / "mine" / "runs" / f"{k}.jsonl")
    with pytest.raises(UsageError, match="mine: more sessions do not lessen"):
        harness.plan(0.03, pilot=(tmp_path / "mine", pilot[0][0]), request=pilot[1])
