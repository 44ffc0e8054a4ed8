"""Property tests of rankings over random boards: verdict sentence, tiers and rank ranges say the same.

The boards differ in entries, sessions, spread and ties; some entries are copies, some miss nothing or everything.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.comparison import ranking
from harness.comparison.pairwise import ALPHA, interval_note
from tests.gates import boards
from tests.support.boards import paired_board

BOARDS = 120


def random_board(seed):
    """Return a board of 2 to 9 entries, best first, drawn so that ties, copies and clear winners all occur."""
    random = np.random.default_rng([7, seed])
    entries, sessions, clips = random.integers(2, 10), random.integers(1, 25), random.integers(1, 6)
    spread = random.choice([0.0, 0.1, 0.4])
    level = np.clip(0.6 + spread * random.normal(size=(entries, 1, 1)), 0, 1)
    right = random.random((entries, sessions, clips, 3)) < level[..., None]
    for copy in range(1, entries):
        if random.random() < 0.15:
            right[copy] = right[copy - 1]
    return paired_board(right)


def said(sentence):
    """Return which of the entries e0, e1, ... each part of a verdict sentence names, and how many it counts."""
    named, counted = {"identical": set(), "tied": set(), "below": set()}, 0
    for part in sentence.removesuffix(".").split("; ")[1:]:
        kind = "identical" if "identically" in part else "tied" if "not significantly below it" in part else "below"
        named[kind] = set(re.findall(r"\be\d+\b", part))
        more = re.search(r"and (\d+) more", part)
        counted += len(named[kind]) + (int(more[1]) if more else 0)
    return named, counted


@pytest.mark.parametrize("start", range(0, BOARDS, 30))
def test_sentence_tier_and_rank_range_agree(start):
    for seed in range(start, start + 30):
        paired = random_board(seed)
        m = len(paired.names)
        tests = ranking.all_pair_tests(paired, m)
        ranges, tiers = ranking.rank(tests, m)
        same = [paired.identical(0, i) for i in range(m)]
        to_leader = [tests.get((0, i)) for i in range(m)]
        named, counted = said(ranking.verdict_sentence(paired.names, to_leader, same))
        board = f"board {seed}"

        # Every other entry is counted once, and the part that names it is what tier and rank range say.
        assert counted == m - 1, board
        for i, name in enumerate(paired.names[1:], start=1):
            kinds = {kind for kind, names in named.items() if name in names}
            below = tiers[i] > 1
            assert kinds <= {"below" if below else "identical" if same[i] else "tied"}, board
            # Whom the leader does not beat may still be beaten by another: then its range starts below 1 as well.
            beaten = sum(test["p_adjusted"] <= ALPHA for (_, worse), test in tests.items() if worse == i)
            assert ranges[i][0] == 1 + beaten and (beaten > 0 or not below), board
        assert tiers[0] == 1 and ranges[0] == (1, m - sum(tier > 1 for tier in tiers)), board

        better = {pair for pair, test in tests.items() if test["p_adjusted"] <= ALPHA}
        for i, (low, high) in enumerate(ranges):
            assert 1 <= low <= i + 1 <= high <= m, board  # the order by score is one that the tests allow
        assert all(tests[pair]["difference"] > 0 for pair in better), board
        assert_tiers(tiers, better, board)


def assert_tiers(tiers, better, board):
    """A tier's first is the highest entry outside the tiers before; it beats none of its own, and all that follow."""
    assert sorted(set(tiers)) == list(range(1, max(tiers) + 1)), board
    for tier in set(tiers):
        first = tiers.index(tier)
        for i in range(first + 1, len(tiers)):
            if tiers[i] == tier:
                assert (first, i) not in better, board
            elif tiers[i] > tier:
                assert (first, i) in better, board


def test_one_family_and_a_second():
    """Of four entries all six pairs are one family; against a baseline among them three tests are another."""
    paired = random_board(1)
    m = len(paired.names)
    assert {test["m"] for test in ranking.all_pair_tests(paired, m).values()} == {m * (m - 1) // 2}
    against = ranking.baseline_tests(paired, m, m - 1)
    assert against[-1] is None and {test["m"] for test in against[:-1]} == {m - 1}


def test_an_interval_that_leaves_0_out_without_significance_is_explained():
    odd, even = ({"low": low, "high": 0.2, "p_adjusted": 0.0625} for low in (0.01, -0.01))
    assert interval_note(["OCA", "AA@1"], [odd, even]).startswith("the 95% interval of OCA leaves 0 out, and yet")
    assert interval_note(["AA@1"], [even]) == ""


def test_small_board_gate():
    """60 boards instead of 1,000, so three standard errors of the simulation are allowed for."""
    below = boards.false_below(5, 60).below
    assert below - 3 * np.sqrt(boards.ALLOWED * (1 - boards.ALLOWED) / 60) <= boards.ALLOWED
    held = boards.coverage(10, 20)
    assert held.picked + 3 * np.sqrt(boards.COVERED * (1 - boards.COVERED) / 20) >= boards.COVERED
    assert held.own <= held.picked and 1 < held.wider < 1.6


def test_small_power_gate():
    design = (72, 20)
    found = boards.power(*design, pairs=200)
    assert abs(found - boards.POWER[design]) <= boards.OFF + 3 * np.sqrt(0.25 / 200)
