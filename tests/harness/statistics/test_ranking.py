"""Tests of rank ranges, tiers, the chance of being best and the interval of a picked entry."""

from __future__ import annotations

import numpy as np
import pytest

from harness import statistics


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
