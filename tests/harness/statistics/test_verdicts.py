"""Tests of verdicts and their sentences, each kind once."""

from __future__ import annotations

import pytest

from harness import statistics

PAIR = {
    "identical": False, "difference": 0.021, "p_adjusted": 0.2, "low90": -0.011, "high90": 0.053, "se": 0.02,
    "sessions": 24, "level": 0.05, "margin": 0.03, "alpha": 0.05, "m": 1,
}  # fmt: skip

SMALL = {"difference": 0.01, "low90": 0.004, "high90": 0.016, "se": 0.003}

VERDICTS = [
    ({"identical": True, "difference": 0.0, "p_adjusted": 1.0, "low90": 0.0, "high90": 0.0},
     "identical", "A and B gave identical answers."),
    ({"p_adjusted": 0.05, "low90": 0.005},
     "better", "A is better than B: difference +0.021, adjusted p 0.050, m = 1."),
    ({"p_adjusted": 0.00002, "difference": -0.2, "low90": -0.25, "high90": -0.15, "m": 6},
     "worse", "A is worse than B: difference -0.200, adjusted p 2.0e-05, m = 6."),
    (SMALL | {"p_adjusted": 0.004},
     "better within margin",
     "A is better than B: difference +0.010, adjusted p 0.004, m = 1, but within the margin of 0.03 "
     "(90% interval +0.004 to +0.016)."),
    ({"difference": -0.01, "low90": -0.016, "high90": -0.004, "p_adjusted": 0.004},
     "worse within margin",
     "A is worse than B: difference -0.010, adjusted p 0.004, m = 1, but within the margin of 0.03 "
     "(90% interval -0.016 to -0.004)."),
    (SMALL | {"p_adjusted": 0.051},
     "equivalent", "A and B are equivalent within 0.03: difference +0.010, 90% interval +0.004 to +0.016."),
    (SMALL | {"p_adjusted": 0.051, "m": 3},
     "equivalent", "A and B are equivalent within 0.03: difference +0.010, raw 90% interval +0.004 to +0.016."),
    ({"se": None, "differing": 5},  # 2^-4 > .05: sessions without a difference have no sign to flip
     "inconclusive",
     "A against B is inconclusive: difference +0.021, adjusted p 0.200, m = 1; the 5 of 24 sessions that differ cannot "
     "separate 1 pair."),
    ({},  # 24 x (2.927 x 0.02 / 0.03)^2 = 91.4
     "inconclusive",
     "A against B is inconclusive: difference +0.021, adjusted p 0.200, m = 1; minimum detectable difference 0.059, "
     "about 92 sessions like these would decide."),
    ({"low90": -0.03, "high90": 0.01, "se": 0.01},  # the margin itself is not inside
     "inconclusive",
     "A against B is inconclusive: difference +0.021, adjusted p 0.200, m = 1; minimum detectable difference 0.029, "
     "below the margin of 0.03."),
    ({"sessions": 5, "se": 0.0, "m": 3, "level": 0.05 / 3},  # 2^-4 > .05 / 3; 2^-6 is not
     "inconclusive",
     "A against B is inconclusive: difference +0.021, adjusted p 0.200, m = 3; 5 sessions cannot separate 3 pairs; "
     "minimum detectable difference 0.000, about 7 sessions like these would decide."),
    ({"sessions": 1, "se": None, "low90": None, "high90": None, "p_adjusted": 1.0},
     "inconclusive",
     "A against B is inconclusive: difference +0.021, adjusted p 1.000, m = 1; 1 session cannot separate 1 pair."),
    ({"difference": 0.0, "p_adjusted": 1.0, "low90": 0.0, "high90": 0.0, "se": 0.0},
     "equivalent", "A and B are equivalent within 0.03: difference +0.000, 90% interval +0.000 to +0.000."),
]  # fmt: skip


def verdict(**changed):
    return statistics.verdict(statistics.PairTest(**(PAIR | changed)))


@pytest.mark.parametrize(("changed", "kind", "sentence"), VERDICTS)
def test_verdicts(changed, kind, sentence):
    found = verdict(**changed)
    assert (found.kind, found.sentence("A", "B")) == (kind, sentence)


@pytest.mark.parametrize(("sessions", "m", "separable"), [(6, 1, True), (5, 1, False), (8, 6, True), (8, 7, False)])
def test_what_sessions_can_separate(sessions, m, separable):
    """2^-5 <= .05 < 2^-4; 2^-7 = .0078 lies between .05/6 and .05/7."""
    assert verdict(sessions=sessions, m=m).separable is separable


def test_verdict_turned_round():
    there = verdict(**(SMALL | {"p_adjusted": 0.01}))
    mirrored = {"difference": -0.01, "low90": -0.016, "high90": -0.004, "p_adjusted": 0.01}
    back = verdict(**mirrored)
    assert (there.kind, back.kind) == ("better within margin", "worse within margin")
