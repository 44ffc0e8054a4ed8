"""Tests of intervals: by hand, by their invariants, and a small version of the gate in tests/gates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness import statistics
from tests.gates import intervals
from tests.support.replicates import RIGHT, pooled, random_sessions


def test_proportion_by_hand():
    """se / (p q) = 0.0790569 / 0.1875; times 2.7764451 it is 1.170653 around log 3; back through the logistic."""
    found = statistics.proportion_interval(*pooled(RIGHT, 4), [4] * 5)
    centre, half = math.log(3), 2.7764451 * 0.0790569 / 0.1875
    assert found.low == pytest.approx(1 / (1 + math.exp(-centre + half)), abs=1e-6)
    assert found.high == pytest.approx(1 / (1 + math.exp(-centre - half)), abs=1e-6)
    assert (round(found.low, 3), round(found.high, 3)) == (0.482, 0.906)
    assert found.supported and not found.one_sided and found.few_sessions


ONE_SIDED = [
    # value, clips of the sessions, low, high, why
    (1.0, [20] * 5, 0.8377, 1.0, "n_eff = 100 / (1 + 0.2 x 19) = 20.83; 0.025 ^ (1 / 20.83)"),
    (0.0, [20] * 5, 0.0, 0.1623, "the mirror image"),
    (1.0, [1] * 5, 0.4782, 1.0, "one clip a session: n_eff = n, the textbook 0.025 ^ (1/5)"),
    (1.0, [10] * 4 + [60], 0.7228, 1.0, "m = (4 x 100 + 3600) / 100 = 40: n_eff = 100 / 8.8 = 11.36"),
    (1 - 1e-16, [20] * 5, 0.8377, 1.0, "weights that do not add up to 1 in floating point"),
]


@pytest.mark.parametrize(("value", "clips", "low", "high", "why"), ONE_SIDED)
def test_at_zero_and_one_the_interval_is_one_sided(value, clips, low, high, why):
    found = statistics.proportion_interval(value, np.full(len(clips), value), clips)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4)), why
    assert found.one_sided and found.se is None


UNSUPPORTED = [
    ("four sessions", 0.5, [0.4, 0.5, 0.5, 0.6]),
    ("no session", 0.5, []),
    ("no clip at all", math.nan, [math.nan] * 6),
    ("everything in one session: nothing is left without it", 0.5, [0.5] * 7 + [math.nan]),
    ("a ratio over nothing", 0.5, [0.5] * 7 + [math.inf]),
]


@pytest.mark.parametrize(("why", "value", "replicates"), UNSUPPORTED)
def test_what_supports_no_interval(why, value, replicates):
    replicates = np.array(replicates)
    clips = np.ones(len(replicates))
    proportion = statistics.proportion_interval(value, replicates, clips)
    identity = statistics.identity_interval(value, replicates, clips)
    assert proportion == identity == statistics.NOT_SUPPORTED and not identity.supported, why
    assert statistics.t_test_p(value, replicates) is None


@pytest.mark.parametrize(("sessions", "few"), [(5, True), (9, True), (10, False)])
def test_few_sessions_are_said(sessions, few):
    assert statistics.identity_interval(0.1, np.linspace(0, 0.2, sessions), np.ones(sessions)).few_sessions is few


def test_identity_by_hand():
    """se 0.0790569 around 0.75: t(.975, 4) = 2.7764, t(.95, 4) = 2.1318."""
    value, replicates = pooled(RIGHT, 4)
    wide, narrow = (statistics.identity_interval(value, replicates, [4] * 5, confidence=c) for c in (0.95, 0.90))
    assert (wide.low, wide.high) == (pytest.approx(0.53050, abs=1e-5), pytest.approx(0.96950, abs=1e-5))
    assert (narrow.low, narrow.high) == (pytest.approx(0.58146, abs=1e-5), pytest.approx(0.91854, abs=1e-5))
    assert wide.se == narrow.se == pytest.approx(0.0790569, abs=1e-7)


def test_a_gain_is_cut_at_zero():
    replicates = np.array([0.0, 0.01, 0.02, 0.0, 0.02])
    cut, free = (statistics.identity_interval(0.01, replicates, np.ones(5), clip_at_zero=c) for c in (True, False))
    assert free.low < 0 and cut.low == 0 and cut.high == free.high


@pytest.mark.parametrize("seed", range(5))
def test_interval_invariants(seed):
    right, clips = random_sessions(seed)
    found = statistics.proportion_interval(*pooled(right, clips), clips)
    mirrored = statistics.proportion_interval(*pooled(clips - right, clips), clips)
    assert 0 < found.low < pooled(right, clips)[0] < found.high < 1
    assert (1 - mirrored.high, 1 - mirrored.low) == (pytest.approx(found.low), pytest.approx(found.high))
    order = np.random.default_rng(seed).permutation(len(clips))
    shuffled = statistics.proportion_interval(*pooled(right[order], clips[order]), clips[order])
    assert (shuffled.low, shuffled.high) == (pytest.approx(found.low), pytest.approx(found.high))


@pytest.mark.parametrize("seed", range(5))
def test_every_session_twice_moves_no_estimate_and_narrows_the_interval(seed):
    right, clips = random_sessions(seed)
    once = statistics.proportion_interval(*pooled(right, clips), clips)
    value, replicates = pooled(np.tile(right, 2), np.tile(clips, 2))
    twice = statistics.proportion_interval(value, replicates, np.tile(clips, 2))
    assert value == pooled(right, clips)[0] and once.low < twice.low < value < twice.high < once.high


def test_broadcast_ends_are_the_scalar_ones():
    """What the proofs measure is what a record shows, runs with every clip right and widened ones included."""
    right, clips = intervals.draw(intervals.Cell(0.97, 0.3, 8), 200, seed=1)
    value, replicates = zip(*(pooled(row, clips) for row in right), strict=True)
    for strata in (None, np.arange(8) % 3):
        low, high, *_ = statistics.proportion_ends(np.array(value), np.array(replicates), clips, right, strata)
        scalar = [
            statistics.proportion_interval(v, r, clips, row, strata)
            for v, r, row in zip(value, replicates, right, strict=True)
        ]
        assert [(found.low, found.high) for found in scalar] == list(zip(low, high, strict=True))
        assert 0 < sum(found.one_sided for found in scalar) < len(scalar)
        assert 0 < sum(found.widened for found in scalar) < len(scalar)


@pytest.mark.parametrize(("right", "n", "low", "high"), [(8, 10, 0.4439, 0.9748), (1, 20, 0.0013, 0.2487)])
def test_clopper_pearson_is_that_of_the_printed_tables(right, n, low, high):
    found = statistics.clopper_pearson(right / n, n)
    assert found == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_where_few_sessions_hold_an_error_the_interval_is_widened():
    """Four wrong clips in one session of ten: the replicates say little, Clopper-Pearson on 200 / 4.8 clips more."""
    right = np.array([16] + [20] * 9)
    plain = statistics.proportion_interval(*pooled(right, 20), [20] * 10)
    found = statistics.proportion_interval(*pooled(right, 20), [20] * 10, right)
    exact = statistics.clopper_pearson(0.98, 200 / 4.8)
    assert (found.low, found.high) == (min(plain.low, exact[0]), max(plain.high, exact[1])) != (plain.low, plain.high)
    assert found.widened and not plain.widened and not found.one_sided and found.se == plain.se
    spread = np.array([19] * 5 + [20] * 5)  # five sessions hold an error: as ever
    ends = [statistics.proportion_interval(*pooled(spread, 20), [20] * 10, each) for each in (None, spread)]
    assert ends[0] == ends[1]


def test_strata_without_any_error_have_an_interval_without_width():
    value, replicates = pooled([9, 9, 3, 3, 6, 6], 10)
    found = statistics.proportion_interval(value, replicates, [10] * 6, strata=[0, 0, 1, 1, 2, 2])
    assert found.low == pytest.approx(value) == found.high and found.se == pytest.approx(0)


@pytest.mark.parametrize("cell", intervals.GATE, ids=str)
def test_small_interval_gate(cell):
    """2,000 runs instead of 10,000, so three standard errors of the simulation are allowed for."""
    coverage = intervals.measure(cell, runs=2000).coverage
    assert coverage + 3 * math.sqrt(coverage * (1 - coverage) / 2000) >= intervals.DEMANDED
