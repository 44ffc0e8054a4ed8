"""Rank ranges and tiers of entries, the chance of each to be best, and the interval of the one that was picked.

Sources: Al Mohamad, Goeman & van Zwet 2022 (rank ranges), Romano & Wolf 2005 (largest t).
"""

from __future__ import annotations

import math

import numpy as np
import scipy

from harness.statistics.differences import ALPHA
from harness.statistics.intervals import EDGE, FEW_SESSIONS
from harness.statistics.variance import t_quantile

RESAMPLES = 10_000


def rank_ranges(better: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and last rank that each of M entries may have.

    `better` [M, M]: row significantly better than column.
    """
    # Entries that are significantly better rank above for certain, significantly worse ones below; of all others the
    # tests leave the order open (Al Mohamad, Goeman & van Zwet 2022).
    above, below = better.sum(axis=0), better.sum(axis=1)
    return [(1 + int(up), len(better) - int(down)) for up, down in zip(above, below, strict=True)]


def tiers(better: np.ndarray) -> list[int]:
    """Return the tier of each entry, from 1; entries come best first.

    The highest entry without a tier opens one, and every entry that it does not beat joins it.
    """
    tier = np.zeros(len(better), int)
    while (tier == 0).any():
        first = int(np.argmin(tier != 0))
        tier[(tier == 0) & ~better[first]] = tier.max() + 1
    return tier.tolist()


def p_best(sums: np.ndarray, *, seed: int) -> np.ndarray | None:
    """Return the share of session resamples in which each entry has the largest sum, [M]; None below FEW_SESSIONS.

    `sums` [M, G]: integers over the same clips. All entries share the resampled sessions, ties share the resample.
    """
    entries, sessions = sums.shape
    if sessions < FEW_SESSIONS:
        return None
    # The cluster bootstrap. Raw generator words are used, because numpy keeps their stream fixed across versions and
    # does not promise that for its distributions; (word >> 32) * G >> 32 maps one to a session. Totals are sums of
    # integers in float64, exact in any order, so that threads change nothing.
    words = np.random.PCG64(seed)
    won = np.zeros(entries)
    block = RESAMPLES // 10
    rows = np.arange(block)[:, None] * sessions
    for _ in range(10):
        drawn = (words.random_raw((block, sessions)) >> np.uint64(32)) * np.uint64(sessions) >> np.uint64(32)
        times = np.bincount((rows + drawn.astype(np.int64)).ravel(), minlength=block * sessions)
        totals = times.reshape(block, sessions).astype(float) @ sums.T.astype(float)
        winners = totals == totals.max(axis=1, keepdims=True)
        won += (winners / winners.sum(axis=1, keepdims=True)).sum(axis=0)
    return won / RESAMPLES


def largest_t_quantile(sums: np.ndarray, clips: np.ndarray, *, seed: int) -> float:
    """Return the 95% quantile of the largest |t| of M entries whose sessions' deviations get random signs.

    `sums` [M, G]: integers over the same clips, which a ratio divides by `clips` [G]. It lies between the quantile that
    one entry needs, t(G-1), and Bonferroni's for M. An interval of this many standard errors around each of M ratios
    holds all M at once, hence also that of an entry picked for being the largest.
    """
    # Romano & Wolf 2005: the max-t over joint resamples keeps the correlation of the entries, which Bonferroni
    # ignores. A session's sign is shared by all entries. Signs are the top bits of raw generator words, as in p_best.
    entries, sessions = sums.shape
    one, all_of_them = (t_quantile(1 - ALPHA / 2 / m, sessions - 1) for m in (1, entries))
    deviations = (sums * clips.sum() - sums.sum(axis=1, keepdims=True) * clips).astype(float)
    squares = (deviations**2).sum(axis=1)
    deviations, squares = deviations[squares > 0], squares[squares > 0]  # an entry without an error has no t
    if entries == 1 or not len(squares):
        return all_of_them
    words, largest = np.random.PCG64(seed), np.empty(RESAMPLES)
    for block in np.split(np.arange(RESAMPLES), 10):
        plus = words.random_raw((len(block), sessions)) >> np.uint64(63)
        totals = (2.0 * plus - 1) @ deviations.T
        # |t| grows with the share that the squared sum has of its largest possible value, so that only the largest
        # share of each resample has to become a t.
        largest[block] = (totals**2 / (squares * sessions)).max(axis=1)
    share = float(np.quantile(largest, 1 - ALPHA, method="higher"))
    t = math.sqrt((sessions - 1) * share / (1 - share)) if share < 1 else math.inf
    return min(max(t, one), all_of_them)


def picked_ends(
    value: float, se: float, quantile: float, entries: int, own: tuple[float, float]
) -> tuple[float, float]:
    """Return low and high of a share that was picked for being the largest of `entries`; they hold the `own` ones.

    `quantile`: see `largest_t_quantile`. The logit carries the error, as in an interval of one share.
    """
    low, high = own
    if EDGE < value < 1 - EDGE:
        half, centre = quantile * se / (value * (1 - value)), scipy.special.logit(value)
        return min(low, float(scipy.special.expit(centre - half))), max(high, float(scipy.special.expit(centre + half)))
    # Clopper & Pearson's end at n of n solves p^n = alpha / 2. With alpha / M in place of alpha only the power changes.
    power = math.log(ALPHA / 2 / entries) / math.log(ALPHA / 2)
    return (low**power, high) if value > 0.5 else (low, 1 - (1 - high) ** power)
