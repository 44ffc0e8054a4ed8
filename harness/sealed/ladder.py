"""Decide from session sums when a file takes the place of another on a sealed split, and what luck is worth there.

The decision is a function of integers, so that it can be attacked a thousand times in a second (tests/proof).

A file takes the place of the one that stands only when it is better by more than STEP paired standard errors (the
ladder of Blum & Hardt 2015, with the paired error of its parameter-free form). For the first file that is compared with
a standing that is enough. With that rule alone a thousand equally good files still climb: by 2.2 standard errors of the
score in random blocks of 40 of 1,440 clips, because small blocks have small errors, which make small steps. Therefore
the k-th file that is compared with one standing also has to pass the level of STEP standard errors divided by k squared
(alpha spending, as in Foster & Stine 2008), in the exact sign-flip test. The levels sum to 1.64 times the first: the
chance that a standing is ever replaced by a file of equal quality stays below 4%, however many are tried.

What this does not do: it does not hide that a file is better. Every move tells its entrant so much, and four rounded
numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy

from harness import statistics

STEP = 2.0
"""Paired standard errors by which a file must be better than the one that stands."""
LEVEL = 0.5 * math.erfc(STEP / math.sqrt(2))
"""One-sided level of STEP standard errors."""
DRAWS, SEED = 10_000, 0
"""Draws behind the expected maximum, and their seed."""


def level(compared: int) -> float:
    """Return the one-sided level that the next file has to pass, after so many were compared with the same standing."""
    return LEVEL / (compared + 1) ** 2


def errors_needed(compared: int) -> float:
    """Return the same level in standard errors: 2 for the first file, 3.1 for the fifth, 4.6 for the hundredth."""
    return float(-scipy.special.ndtri(level(compared)))


def is_better(new: Sequence[int], standing: Sequence[int], clips: Sequence[int], compared: int = 0) -> bool:
    """Return whether a file takes the place of the one that stands.

    `new`, `standing`: right answers of each session, weighted by integers; `clips`: what they are divided by, session
    by session; `compared`: how many files were compared with the same standing before. False where there are fewer
    sessions than an interval needs.
    """
    gap, n = np.asarray(new, np.int64) - np.asarray(standing, np.int64), np.asarray(clips, np.int64)
    if len(gap) < statistics.MIN_SESSIONS or gap.sum() <= 0:
        return False
    difference = gap.sum() / n.sum()
    error = float(statistics.jackknife_se(difference, (gap.sum() - gap) / (n.sum() - n)))
    # The first condition is the ladder's; a few clips in few sessions are no normal distribution, so that the level is
    # tested exactly. Half of the two-sided p is the tail on the side of the difference.
    return bool(difference > STEP * error) and statistics.sign_flip_p(gap)[0] / 2 <= level(compared)


def luck(sums: Sequence[Sequence[int]], clips: Sequence[int]) -> float | None:
    """Return by how much the best of these files leads on average if all are equally good, in score.

    `sums` [K, G]: weighted right answers by session; `clips` [G]. That is the expected largest of K joint normals with
    the covariance of the files' session deviations: files that are alike share their luck, and equal ones have none.
    Files are not independent, and the mean of K independent normals would be far too much. Simulated with a fixed seed:
    the deviations of each session get one common normal factor (the multiplier bootstrap of Chernozhukov, Chetverikov &
    Kato 2013). None below the sessions that an interval needs.
    """
    scores, n = np.unique(np.asarray(sums, float), axis=0), np.asarray(clips, float)
    if len(n) < statistics.MIN_SESSIONS or not len(scores):
        return None
    means = scores.sum(axis=1, keepdims=True) / n.sum()
    deviations = (scores - means * n) / n.sum() * math.sqrt(len(n) / (len(n) - 1))
    draw = np.random.default_rng(SEED)
    largest = [(deviations @ draw.standard_normal((len(n), 100))).max(axis=0) for _ in range(DRAWS // 100)]
    return max(float(np.mean(largest)), 0.0)
