"""Tests of intervals, families, verdicts and ranks: by hand, against enumeration, and small versions of the gates.

The full-size gates are in tests/gates.
"""

from __future__ import annotations

import math
import subprocess
import sys
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from harness import statistics
from harness.statistics import BOUND, EXACT, NORMAL
from tests.gates import intervals, paired, watching

RIGHT = np.array([4, 3, 2, 3, 3])
"""Right clips of five sessions of four clips: 15 of 20."""


def pooled(right, clips) -> tuple[float, np.ndarray]:
    right, clips = np.asarray(right, float), np.broadcast_to(np.asarray(clips, float), np.shape(right))
    return right.sum() / clips.sum(), (right.sum() - right) / (clips.sum() - clips)


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


def random_sessions(seed: int, sessions: int = 12) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    clips = random.integers(5, 30, sessions)
    return random.binomial(clips, 0.7), clips


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


def test_strata_without_any_error_have_an_interval_without_width():
    value, replicates = pooled([9, 9, 3, 3, 6, 6], 10)
    found = statistics.proportion_interval(value, replicates, [10] * 6, strata=[0, 0, 1, 1, 2, 2])
    assert found.low == pytest.approx(value) == found.high and found.se == pytest.approx(0)


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
    monkeypatch.setattr(statistics, "MAX_EXACT_SESSIONS", 3000)
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
    monkeypatch.setattr(statistics, "MAX_CELLS", 50)
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


def beats(m: int, *pairs: tuple[int, int]) -> np.ndarray:
    better = np.zeros((m, m), bool)
    for winner, loser in pairs:
        better[winner, loser] = True
    return better


RANKS = [
    # better, rank ranges, tiers, why
    (beats(0), [], [], "nobody"),
    (beats(1), [(1, 1)], [1], "alone"),
    (beats(3), [(1, 3)] * 3, [1, 1, 1], "nothing is known"),
    (beats(3, (0, 2)), [(1, 2), (1, 3), (2, 3)], [1, 1, 2], "only first and last differ"),
    (beats(3, (0, 1), (0, 2), (1, 2)), [(1, 1), (2, 2), (3, 3)], [1, 2, 3], "all differ"),
    (beats(3, (0, 1)), [(1, 2), (2, 3), (1, 3)], [1, 2, 1], "a noisy third is not below the first, a steady second is"),
    (beats(4, (0, 2), (0, 3), (1, 3)), [(1, 2), (1, 3), (2, 4), (3, 4)], [1, 1, 2, 2], "a chain"),
]


@pytest.mark.parametrize(("better", "ranges", "tiers", "why"), RANKS)
def test_ranks_and_tiers_by_hand(better, ranges, tiers, why):
    assert (statistics.rank_ranges(better), statistics.tiers(better)) == (ranges, tiers), why


P_BEST = [
    ([[10] * 10, [9] * 10], [1, 0], "ahead in every session"),
    ([[9] * 12, [10] * 12, [10] * 12], [0, 0.5, 0.5], "equals share"),
    ([[3] + [2] * 9, [2] * 10], [0.8257, 0.1743], "ahead where that session is drawn, 1 - .9^10 = .6513, else a tie"),
]


@pytest.mark.parametrize(("sums", "shares", "why"), P_BEST)
def test_p_best_by_hand(sums, shares, why):
    found = statistics.p_best(np.array(sums), seed=7)
    assert found.tolist() == pytest.approx(shares, abs=0.012), why
    assert found.sum() == pytest.approx(1)


def test_p_best_is_seeded_and_joint():
    sums = np.random.default_rng(5).integers(0, 200, (4, 30))
    found = statistics.p_best(sums, seed=1)
    assert found.tolist() == statistics.p_best(sums, seed=1).tolist() != statistics.p_best(sums, seed=2).tolist()
    order = [2, 0, 3, 1]
    assert statistics.p_best(sums[order], seed=1).tolist() == found[order].tolist()


def test_p_best_draws_every_session_equally():
    """Each of ten models owns one session: it is best, or shares, where its own is drawn most."""
    assert statistics.p_best(np.eye(10, dtype=int), seed=3).tolist() == pytest.approx([0.1] * 10, abs=0.012)


def test_p_best_needs_ten_sessions():
    assert statistics.p_best(np.ones((2, 9), int), seed=1) is None


def test_minimum_detectable_by_hand():
    """24 sessions: (2.0687 + 0.8583) x 0.01."""
    assert statistics.minimum_detectable(0.01, 24) == pytest.approx(0.02927, abs=1e-5)
    assert statistics.minimum_detectable(0.01, 24, level=0.05 / 10) > statistics.minimum_detectable(0.01, 24)


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


def test_one_entry_alone_is_not_picked():
    sums = np.random.default_rng(3).integers(0, 20, (1, 24))
    assert statistics.largest_t_quantile(sums, np.full(24, 20), seed=1) == statistics.t_quantile(0.975, 23)


def test_largest_t_of_independent_and_of_equal_entries():
    """Independent entries need about Bonferroni's quantile, copies of one entry about that of one."""
    sums = np.random.default_rng(3).binomial(20, 0.7, (8, 72))
    clips = np.full(72, 20)
    one, eight = (statistics.t_quantile(1 - 0.025 / m, 71) for m in (1, 8))
    found = statistics.largest_t_quantile(sums, clips, seed=1)
    assert 0.95 * eight < found <= eight
    assert statistics.largest_t_quantile(sums[[0] * 8], clips, seed=1) == pytest.approx(one, rel=0.03)
    assert found == pytest.approx(2.7969758, abs=1e-7), "the same words and signs on every machine"


@pytest.mark.parametrize(("value", "own"), [(1.0, (0.9, 1.0)), (0.0, (0.0, 0.1)), (0.5, (0.45, 0.55))])
def test_a_picked_interval_holds_the_own_one(value, own):
    """Of 25 of 25 right, .9 = .025^(1/n) becomes (.025 / M)^(1/n)."""
    low, high = statistics.picked_ends(value, 0.02, 2.7, 8, own)
    assert low <= own[0] and own[1] <= high and (low, high) != own
    if value == 1:
        n = np.log(0.025) / np.log(0.9)
        assert low == pytest.approx((0.025 / 8) ** (1 / n))


def test_verdict_turned_round():
    there = verdict(**(SMALL | {"p_adjusted": 0.01}))
    mirrored = {"difference": -0.01, "low90": -0.016, "high90": -0.004, "p_adjusted": 0.01}
    back = verdict(**mirrored)
    assert (there.kind, back.kind) == ("better within margin", "worse within margin")


@pytest.mark.parametrize("cell", intervals.GATE, ids=str)
def test_small_interval_gate(cell):
    """2,000 runs instead of 10,000, so three standard errors of the simulation are allowed for."""
    coverage = intervals.measure(cell, runs=2000).coverage
    assert coverage + 3 * math.sqrt(coverage * (1 - coverage) / 2000) >= intervals.DEMANDED


@pytest.mark.parametrize("variance", paired.VARIANCES)
def test_paired_gate(variance):
    assert paired.measure(paired.exchangeable(variance, paired.PAIRS)).sign_flip <= paired.ALLOWED


def test_import_stays_light():
    """scipy.stats takes most of a second to import."""
    code = "import sys, harness.statistics; print('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


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


def test_sessions_needed_follow_the_root_of_the_error():
    se, sessions = 0.02, 12
    mde = statistics.minimum_detectable(se, sessions)
    assert statistics.sessions_needed(se, sessions, mde) == sessions
    assert statistics.sessions_needed(se, sessions, mde / 2) == 4 * sessions
    assert statistics.sessions_needed(1e-9, sessions, 0.5) == 6, "2^(1-6) is the first p below .05"
