"""Tests of a difference over sessions, by sign flips and by Student's t, and the correction for a family of tests.

Sources: Fisher 1935 (sign flip), Streitberg & Röhmel 1986 (its exact distribution), Holm 1979.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import scipy

from harness.statistics.intervals import EDGE, is_supported
from harness.statistics.variance import jackknife_se

ALPHA = 0.05
"""Level of a family of tests: a difference is significant when its adjusted p is at most this."""
MAX_EXACT_SESSIONS = 2000
"""With more sessions a normal distribution of the same variance replaces the exact one."""
MAX_CELLS = 1 << 20
"""Longest table of partial sums in the exact test; differences of awkward weights are rounded to fit, which bounds p
from above."""

EXACT = "sign flip, exact"
BOUND = "sign flip, upper bound (differences rounded)"
NORMAL = f"sign flip, normal (more than {MAX_EXACT_SESSIONS:,} sessions)"


def sign_flip_p(gap: np.ndarray) -> tuple[float, str]:
    """Return the two-sided p of the sum of integer session differences `gap` [G], and the method behind it.

    Under the null hypothesis every sign is a fair coin. Relative error below 1e-12; never 0. Exact up to
    MAX_EXACT_SESSIONS, beyond that normal with the same variance.
    """
    gap = np.asarray(gap).astype(np.int64, casting="same_kind")
    observed, sizes = abs(int(gap.sum())), np.sort(np.abs(gap[gap != 0]))
    if not observed:
        return 1.0, EXACT
    if len(gap) > MAX_EXACT_SESSIONS:
        p, method = math.erfc(observed / math.sqrt(2 * float((sizes.astype(float) ** 2).sum()))), NORMAL
    else:
        p, method = _sign_flip_tails(sizes, observed)
    return min(max(p, sys.float_info.min), 1.0), method


def _sign_flip_tails(sizes: np.ndarray, observed: int) -> tuple[float, str]:
    """Return P(|sum of +-sizes| >= observed) and the method."""
    # With U the sum of the sizes that get a plus, |2U - total| >= observed is two equal tails, and the lower one is
    # U <= (total - observed) / 2. The table has a cell for each multiple of the sizes' common divisor.
    divisor, total = int(np.gcd.reduce(sizes)), int(sizes.sum())
    cells = (total - observed) // 2 // divisor
    if cells <= MAX_CELLS:
        return 2 * _lower_tail(sizes // divisor, cells), EXACT
    # Sizes rounded to a multiple of `unit` fit the table. The observed sum may have shrunk by all that rounding moved,
    # and a smaller sum is reached more often: p can only become larger.
    unit = -(-total // MAX_CELLS)
    rounded = (sizes + unit // 2) // unit
    reachable = -(-(observed - int(np.abs(sizes - rounded * unit).sum())) // unit)
    if reachable <= 0:
        return 1.0, BOUND
    return 2 * _lower_tail(rounded, (int(rounded.sum()) - reachable) // 2), BOUND


def _lower_tail(sizes: np.ndarray, limit: int) -> float:
    """Return P(U <= limit), where U is the sum of a random subset of `sizes` (ascending)."""
    # The convolution of G two-point distributions, as a table of how many subsets reach each sum (the subset-sum
    # recurrence; Streitberg & Röhmel 1986). Adding one size shifts the table by that size and adds it to itself.
    # Counts start at 2^-1000, so that those of 2,000 sessions neither underflow nor overflow a double.
    ways = np.zeros(limit + 1)
    ways[0] = 2.0**-1000
    reach = 0
    for size in sizes[sizes <= limit].tolist():
        reach = min(reach + size, limit)
        ways[size : reach + 1] += ways[: reach + 1 - size]
    return math.ldexp(float(ways.sum()), 1000 - len(sizes))


def t_test_p(difference: Any, replicates: Any, sessions: int | None = None) -> float | None:
    """Return the two-sided p of difference = 0, or None where that is not supported.

    `sessions`: how many sessions carry the error, if not all do; t has one degree of freedom less.
    """
    if not is_supported(difference, replicates):
        return None
    if abs(difference) <= EDGE:
        return 1.0
    se = float(jackknife_se(difference, replicates))
    df = (sessions or len(replicates)) - 1
    return float(2 * scipy.special.stdtr(df, -abs(difference) / se)) if se > 0 else 0.0


def holm(p: Any) -> np.ndarray:
    """Return the Holm-adjusted p of one family [m], in the order of `p`."""
    # Holm 1979: the i-th smallest p times the number of tests that are not smaller, never below the one before.
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted
