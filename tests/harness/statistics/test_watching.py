"""Tests of the interval of a running mean: by hand, and a small version of the gate in tests/gates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness import statistics
from tests.gates import watching


def test_a_running_job_is_falsely_settled_at_most_as_often_as_said():
    """Fourteen looks at equal models: 5% at most are settled, where a test at every look errs in a fifth."""
    rates = watching.measure(watching.differences(0.3, 300, 72))
    assert rates.sequence <= 0.05 < 0.1 < rates.naive


def test_confidence_sequence_by_hand():
    """Twelve sessions of which half are 0.1 above and half below: SE .1 / sqrt(11), and the mixture's factor."""
    shares = np.array([0.4, 0.6] * 6)
    interval = statistics.confidence_sequence(0.5, (shares.sum() - shares) / 11)
    se, log = 0.1 / math.sqrt(11), -2 * math.log(0.05)
    seen = (log + math.log(1 + log)) * (0.02 / se) ** 2
    half = se * math.sqrt((seen + 1) / seen * (log + math.log(seen + 1)))
    assert interval.se == pytest.approx(se) and interval.high - 0.5 == pytest.approx(half) == 0.5 - interval.low
    assert not statistics.confidence_sequence(0.5, np.array([0.4, 0.6] * 4)).supported, "below ten sessions: none"
    assert not statistics.confidence_sequence(0.5, np.full(12, 0.5)).supported, "no spread: none"
