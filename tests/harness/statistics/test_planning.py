"""Tests of what sessions can detect, by hand."""

from __future__ import annotations

import pytest

from harness import statistics


def test_minimum_detectable_by_hand():
    """24 sessions: (2.0687 + 0.8583) x 0.01."""
    assert statistics.minimum_detectable(0.01, 24) == pytest.approx(0.02927, abs=1e-5)
    assert statistics.minimum_detectable(0.01, 24, level=0.05 / 10) > statistics.minimum_detectable(0.01, 24)


def test_sessions_needed_follow_the_root_of_the_error():
    se, sessions = 0.02, 12
    mde = statistics.minimum_detectable(se, sessions)
    assert statistics.sessions_needed(se, sessions, mde) == sessions
    assert statistics.sessions_needed(se, sessions, mde / 2) == 4 * sessions
    assert statistics.sessions_needed(1e-9, sessions, 0.5) == 6, "2^(1-6) is the first p below .05"
