"""Tests of the decision on a sealed split: two paired errors, more after many files, and what luck is worth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.sealed import ladder
from tests.support import ladder_attack

CLIPS = np.full(72, 200)
DRAW = np.random.default_rng(5)
STANDING = DRAW.integers(80, 140, 72)
NOISE = DRAW.permutation(np.repeat([-12, 12], 36))
"""Session differences that sum to 0, with a paired error of 12 / sqrt(71) a session."""
ERROR = 12 / math.sqrt(71)


@pytest.mark.parametrize(
    ("errors", "compared", "expected"),
    [(-3, 0, False), (0, 0, False), (1.5, 0, False), (2.6, 0, True), (2.6, 4, False), (3.6, 4, True)],
)
def test_two_errors_and_more_after_others(errors, compared, expected):
    new = STANDING + NOISE + round(errors * ERROR)
    assert ladder.is_better(new, STANDING, CLIPS, compared) is expected


def test_one_clip_is_never_enough():
    """All three fields of one clip, and of one clip in three sessions, are within two errors."""
    for sessions, expected in ((1, False), (3, False), (6, True)):
        new = STANDING.copy()
        new[:sessions] += 10
        assert ladder.is_better(new, STANDING, CLIPS) is expected


def test_few_sessions_never_move():
    assert not ladder.is_better([10] * 4, [0] * 4, [10] * 4)


@pytest.mark.parametrize(("compared", "errors"), [(0, 2.0), (4, 3.1), (99, 4.6)])
def test_the_errors_that_are_needed(compared, errors):
    assert ladder.errors_needed(compared) == pytest.approx(errors, abs=0.05)


def test_the_levels_of_all_files_sum_to_less_than_four_percent():
    assert sum(ladder.level(k) for k in range(10_000)) < 0.04


@pytest.mark.parametrize(("files", "mean"), [(2, 1 / math.sqrt(math.pi)), (10, 1.53875)])
def test_luck_of_independent_files(files, mean):
    """Then it is the largest of so many normals, whose means are from tables of normal order statistics."""
    draw = np.random.default_rng(2)
    sums = 100 + np.linalg.qr(draw.standard_normal((400, files)))[0].T * 1000
    sums -= sums.mean(axis=1, keepdims=True)
    clips = np.full(400, 200)
    error = 1000 / 80_000
    assert ladder.luck(sums + 100, clips) == pytest.approx(mean * error, rel=0.04)


def test_files_that_are_alike_share_their_luck():
    alike = [STANDING, STANDING + NOISE // 12, STANDING - NOISE // 12]
    apart = [STANDING, DRAW.permutation(STANDING), DRAW.permutation(STANDING)]
    assert ladder.luck([STANDING] * 50, CLIPS) == pytest.approx(0, abs=1e-3)
    assert 3 * ladder.luck(alike, CLIPS) < ladder.luck(apart, CLIPS)
    assert ladder.luck(apart, CLIPS) == ladder.luck(apart, CLIPS)
    assert ladder.luck([[1, 2]], [10, 10]) is None


ATTACKS = dict(ladder_attack.strategies())


@pytest.mark.parametrize("name", ["one clip a file", "blocks of 40 clips", "all clips, the best of them"])
def test_files_of_equal_quality_gain_nothing(name):
    """`make proof` does the same with a thousand files and more kinds of blocks."""
    found = [ladder_attack.attack(ATTACKS[name], seed, files=200) for seed in range(5)]
    assert np.mean([outcome.gain for outcome in found]) <= 0.5
    if name == "blocks of 40 clips":
        attack, alone = ATTACKS[name], ladder_attack.two_errors_alone
        assert np.mean([ladder_attack.attack(attack, seed, 200, alone).gain for seed in range(5)]) > 0.5
