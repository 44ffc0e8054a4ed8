"""Tests of sign flip, t and Holm: by hand, against enumeration, and a small version of the gate in tests/gates."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from harness import statistics
from harness.statistics import BOUND, EXACT, NORMAL, differences
from tests.gates import paired

T_TESTS = [
    # difference, step of four of the five replicates, sessions, p, why
    (2.776445, math.sqrt(5 / 16), None, 0.05, "se = 4/5 x 4 x 5/16 = 1, so t is the printed t(.975, 4)"),
    (-2.776445, math.sqrt(5 / 16), None, 0.05, "two-sided"),
    (4.302653, math.sqrt(5 / 16), 3, 0.05, "three sessions carry it: t(.975, 2)"),
    (0.0, math.sqrt(5 / 16), None, 1.0, "no difference"),
    (0.0, 0.0, None, 1.0, "no difference and no error"),
    (0.5, 0.0, None, 0.0, "the same difference in every session"),
]


@pytest.mark.parametrize(("difference", "step", "sessions", "p", "why"), T_TESTS)
def test_t_test_by_hand(difference, step, sessions, p, why):
    replicates = difference + step * np.array([1, -1, 1, -1, 0])
    assert statistics.t_test_p(difference, replicates, sessions) == pytest.approx(p, abs=1e-6), why


SIGN_FLIPS = [
    ([1, 1, 1, 1, 1], 2 / 32, "only all + and all - reach 5"),
    ([2, 1, 1], 2 / 8, "only 4 and -4"),
    ([3, 1], 2 / 4, "4, 2, -2, -4"),
    ([3, -1], 1.0, "2 is the smallest possible"),
    ([5, 2, -1], 4 / 8, "8, 6 and their negatives reach 6"),
    ([-5, -2, 1], 4 / 8, "the other model"),
    ([0, 5, 0, 2, -1], 4 / 8, "equal sessions say nothing"),
    ([50, 20, -10], 4 / 8, "units do not matter"),
    ([4, -4], 1.0, "sum 0"),
    ([0, 0, 0], 1.0, "never different"),
    ([], 1.0, "no session"),
    ([7], 1.0, "one session"),
]


@pytest.mark.parametrize(("gap", "p", "why"), SIGN_FLIPS)
def test_sign_flip_by_hand(gap, p, why):
    assert statistics.sign_flip_p(np.array(gap, int)) == (p, EXACT), why


def enumerated(gap) -> Fraction:
    """Return the p over every one of the 2^G signs."""
    reached = sum(
        abs(sum(s * g for s, g in zip(signs, gap, strict=True))) >= abs(sum(gap))
        for signs in product((-1, 1), repeat=len(gap))
    )
    return Fraction(reached, 2 ** len(gap))


@pytest.mark.parametrize("seed", range(40))
def test_sign_flip_against_enumeration(seed):
    random = np.random.default_rng(seed)
    gap = random.integers(-12, 15, random.integers(1, 12)) * random.choice([1, 3, 10])
    p, method = statistics.sign_flip_p(gap)
    assert method == EXACT and p == float(enumerated(gap.tolist()))


def binomial_tail(sessions: int, minus: int) -> Fraction:
    """Return the p of a plain sign test: every session differs by one, `minus` of them the other way."""
    return Fraction(2 * sum(math.comb(sessions, k) for k in range(minus + 1)), 2**sessions)


@pytest.mark.parametrize(("sessions", "minus"), [(72, 20), (300, 10), (1000, 0), (2000, 990), (2000, 500), (2000, 250)])
def test_far_tails_are_exact(sessions, minus):
    """Tails are exact down to 1e-301, where a table of chances would underflow."""
    gap = np.r_[np.full(sessions - minus, 7), np.full(minus, -7)]
    p, method = statistics.sign_flip_p(gap)
    assert method == EXACT and abs(Fraction(p) / binomial_tail(sessions, minus) - 1) < Fraction(1, 10**12)


def test_p_is_never_zero():
    assert statistics.sign_flip_p(np.ones(2000, int))[0] > 0
    assert statistics.sign_flip_p(np.ones(5000, int))[0] > 0


def test_many_sessions_are_normal_and_said_so(monkeypatch):
    gap = np.random.default_rng(3).integers(-40, 42, 2001)
    p, method = statistics.sign_flip_p(gap)
    monkeypatch.setattr(differences, "MAX_EXACT_SESSIONS", 3000)
    exact, exactly = statistics.sign_flip_p(gap)
    assert (method, exactly) == (NORMAL, EXACT) and p == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_awkward_weights_bound_p_from_above(seed):
    """Six-decimal weights make sums of millions: rounded to fit the table, never in favour of a difference."""
    counts = np.random.default_rng(seed).integers(-4, 7, (72, 3))
    p, method = statistics.sign_flip_p(counts @ [333333, 333333, 333334])
    exact, _ = statistics.sign_flip_p(counts.sum(axis=1))
    assert method == BOUND and exact * (1 - 1e-9) <= p <= exact * 1.02


def test_rounding_to_a_small_table_stays_a_bound(monkeypatch):
    gaps = [np.random.default_rng(seed).integers(-200, 400, 10) for seed in range(30)]
    exact = [statistics.sign_flip_p(gap)[0] for gap in gaps]
    monkeypatch.setattr(differences, "MAX_CELLS", 50)
    assert all(statistics.sign_flip_p(gap)[0] >= p for gap, p in zip(gaps, exact, strict=True))


def test_sign_flip_takes_integers_only():
    with pytest.raises(TypeError):
        statistics.sign_flip_p(np.array([0.5, 1.0]))


HOLM = [
    ([], [], "no test"),
    ([0.03], [0.03], "a family of one"),
    ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02], ".005 x 4, .01 x 3, .03 x 2, and .04 x 1 not below .06"),
    ([0.5, 0.9, 0.4], [1.0, 1.0, 1.0], "at most 1"),
    ([0.02, 0.02], [0.04, 0.04], "ties"),
]


@pytest.mark.parametrize(("p", "adjusted", "why"), HOLM)
def test_holm_by_hand(p, adjusted, why):
    assert statistics.holm(p).tolist() == pytest.approx(adjusted), why


@pytest.mark.parametrize("variance", paired.VARIANCES)
def test_paired_gate(variance):
    assert paired.measure(paired.exchangeable(variance, paired.PAIRS)).sign_flip <= paired.ALLOWED
