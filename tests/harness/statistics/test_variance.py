"""Tests of standard errors, degrees of freedom and quantiles: by hand and against printed tables."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from harness import statistics
from tests.support.replicates import RIGHT, pooled, random_sessions

T_TABLE = [(0.975, 4, 2.776), (0.975, 23, 2.069), (0.95, 9, 1.833), (0.999, 60, 3.232), (0.8, 23, 0.858)]


@pytest.mark.parametrize(("level", "df", "printed"), T_TABLE)
def test_t_quantile_is_that_of_the_printed_tables(level, df, printed):
    assert statistics.t_quantile(level, df) == pytest.approx(printed, abs=5e-4)


def test_jackknife_by_hand():
    """Replicates 11, 12, 13, 12, 12 sixteenths around 12: 4/5 x 2/256."""
    value, replicates = pooled(RIGHT, 4)
    assert statistics.jackknife_se(value, replicates) == pytest.approx(math.sqrt(4 / 5 * 2 / 256), rel=1e-12)


def test_jackknife_is_centred_on_the_estimate_and_not_on_the_replicates():
    """Sessions of 1 and 9 clips: a mean of replicates is not the estimate, and the error must feel the distance."""
    assert statistics.jackknife_se(0.5, [0.6, 0.6, 0.6, 0.6, 0.6]) == pytest.approx(math.sqrt(4 / 5 * 5 * 0.01))


DEGREES = [
    ([20] * 9, 8, "equal sessions: G - 1"),
    ([2, 1, 1], 9 / 5, "shares 1/2, 1/4, 1/4; q = 1/2, 1/12, 1/12; 1/v = 3/8 + 13/72"),
    ([1, 1000], 1, "two sessions, whatever their sizes"),
]


@pytest.mark.parametrize(("clips", "df", "why"), DEGREES)
def test_degrees_of_freedom(clips, df, why):
    assert statistics.degrees_of_freedom(clips) == pytest.approx(df, rel=1e-12), why


@pytest.mark.parametrize("seed", range(5))
def test_unequal_sessions_have_fewer_degrees_of_freedom(seed):
    _, clips = random_sessions(seed)
    assert 1 <= statistics.degrees_of_freedom(clips) < len(clips) - 1
    assert statistics.degrees_of_freedom(3 * clips) == pytest.approx(statistics.degrees_of_freedom(clips))


def test_strata_by_hand():
    """Two domains of two sessions of ten clips. 9, 7 | 5, 3 right: around 8 and 4 each is off by one clip.

    Variance of the sum of right clips: 2/1 x (1 + 1) twice, over 40^2; each stratum has one degree of freedom, so
    Welch-Satterthwaite gives (4 + 4)^2 / (4^2 + 4^2) = 2.
    """
    _, replicates = pooled([9, 7, 5, 3], 10)
    se, df = statistics.stratified_error(replicates, [10] * 4, [0, 0, 1, 1])
    assert (se, df) == (pytest.approx(math.sqrt(8) / 40), pytest.approx(2))


def test_one_stratum_is_the_pooled_interval_of_equal_sessions():
    value, replicates = pooled(RIGHT, 4)
    se, df = statistics.stratified_error(replicates, [4] * 5, np.zeros(5, int))
    assert (se, df) == (pytest.approx(statistics.jackknife_se(value, replicates)), pytest.approx(4))


def test_import_stays_light():
    """scipy.stats takes most of a second to import."""
    code = "import sys, harness.statistics; print('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
