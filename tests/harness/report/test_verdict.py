"""The verdict: what a score is shown to be above, by its interval, and nothing more."""

from __future__ import annotations

import pytest

from harness.report.verdict import verdict

ROW = {"value": 0.7, "low": 0.65, "high": 0.75, "floor": 0.3, "prior": 0.5, "ceiling": 0.9}
ROW |= {"skill": 0.5, "skill_low": 0.4, "skill_high": 0.6}
NO_INTERVAL = {"low": None, "high": None, "skill_low": None, "skill_high": None}
MODE = {"title": "too long", "n": 12, "gain": 0.04, "gain_low": 0.01, "gain_high": 0.07}
MEND = "Mend first: too long, 12 clips, worth +0.040 (95% +0.010 to +0.070)."
WAY = "It covers 50% (95% 40% to 60%) of the way from the prior to the ceiling (0.900)."

CASES = [
    ({}, ["m scores 0.700 (95% 0.650 to 0.750): above the floor (0.300) and the prior (0.500).", WAY, MEND], "above"),
    (
        {"low": 0.5},
        [
            "m scores 0.700 (95% 0.500 to 0.750): above the floor (0.300), not shown to be above the prior (0.500).",
            MEND,
        ],
        "the end of the interval lies on the prior",
    ),
    (
        {"skill_low": 0.0},
        [
            "m scores 0.700 (95% 0.650 to 0.750): above the floor (0.300), not shown to be above the prior (0.500).",
            MEND,
        ],
        "score and prior of the same sessions are not separated",
    ),
    (
        {"high": 0.29, "low": 0.25, "value": 0.27},
        ["m scores 0.270 (95% 0.250 to 0.290): below the floor (0.300) and the prior (0.500).", MEND],
        "below both",
    ),
    (
        {"value": 0.4, "low": 0.2, "high": 0.6},
        ["m scores 0.400 (95% 0.200 to 0.600): not shown to be above the floor (0.300) or the prior (0.500).", MEND],
        "the interval holds both",
    ),
    (
        NO_INTERVAL,
        ["m scores 0.700: not shown to be above the floor (0.300) or the prior (0.500).", MEND],
        "no interval carries no claim",
    ),
    (
        {"prior": None, "ceiling": None, "skill": None},
        ["m scores 0.700 (95% 0.650 to 0.750): above the floor (0.300).", MEND],
        "a world without a process",
    ),
    (
        {"high": 0.9},
        [
            "m scores 0.700 (95% 0.650 to 0.900): above the floor (0.300) and the prior (0.500).",
            WAY,
            "Nothing is shown to be left to mend: it reaches the ceiling.",
        ],
        "the ceiling lies in the interval",
    ),
    (
        {"value": 0.99, "low": 0.95, "high": 1.0},
        [
            "m scores 0.990 (95% 0.950 to 1.000): above the floor (0.300) and the prior (0.500).",
            "It is above the ceiling (0.900), more than the frames can tell: read the audit first.",
        ],
        "more than can be known",
    ),
    ({"value": None}, ["m has no score: no clip is counted."], "no clip"),
]


@pytest.mark.parametrize(("changes", "expected", "why"), CASES, ids=[case[2] for case in CASES])
def test_a_verdict_claims_what_its_interval_carries(changes, expected, why):
    assert verdict({"metrics": {"score": ROW | changes}, "modes": [MODE]}, "m") == expected, why


def test_the_largest_repair_is_named_and_one_clip_is_singular():
    small = MODE | {"title": "other next", "n": 1, "gain": 0.5, "gain_low": None}
    assert verdict({"metrics": {"score": ROW}, "modes": [MODE, small]}, "m")[-1] == (
        "Mend first: other next, 1 clip, worth +0.500."
    )


@pytest.mark.parametrize(("low", "stands_out"), [(-0.01, False), (0.0, False), (0.0004, False), (0.001, True)])
def test_a_gain_stands_out_only_where_its_interval_as_printed_lies_above_0(low, stands_out):
    said = verdict({"metrics": {"score": ROW}, "modes": [MODE | {"gain_low": low}]}, "m")[-1]
    ends = f"+0.040 (95% {low:+.3f} to +0.070)"
    if stands_out:
        assert said == f"Mend first: too long, 12 clips, worth {ends}."
    else:
        assert said == f"No failure mode stands out yet: too long, 12 clips, has the largest gain, {ends}."


def test_a_sealed_record_tells_its_score_alone():
    row = {"value": 0.7, "low": 0.65, "high": 0.75}
    assert verdict({"metrics": {"score": row}}, "m") == ["m scores 0.700 (95% 0.650 to 0.750)."]
