"""Intervals of one statistic over sessions: of a proportion on the logit scale, of anything else on its own.

Sources: Clopper & Pearson 1934 (at 0 and 1, and where few sessions hold an error), Kish 1965 (design effect).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import scipy

from harness.statistics.variance import standard_error

MIN_SESSIONS = 5
"""Fewer sessions support no interval."""
FEW_SESSIONS = 10
"""With fewer sessions every interval bears a note, and P(best) is not computed."""
FEW_CARRIERS = 5
"""With fewer sessions that hold a wrong clip, or a right one, the interval of a share is widened."""
CORRELATION = 0.2
"""Intra-session correlation that n_eff assumes where too few sessions hold an error to estimate it from."""
EDGE = 1e-13
"""Composites of exact shares miss 0 and 1 by a few units in the last place."""


class Interval(NamedTuple):
    """Ends and CR3 standard error of a statistic in its own units.

    All are None where the interval is not supported; `se` is None as well where it is one-sided. `widened`: few
    sessions hold a wrong (or a right) clip, and Clopper-Pearson's interval set an end.
    """

    low: float | None
    high: float | None
    se: float | None
    sessions: int
    one_sided: bool = False
    widened: bool = False

    @property
    def supported(self) -> bool:
        """Return whether there is an interval."""
        return self.low is not None

    @property
    def few_sessions(self) -> bool:
        """Return whether the interval rests on so few sessions that a note belongs beside it."""
        return self.sessions < FEW_SESSIONS


NOT_SUPPORTED = Interval(None, None, None, 0)


def proportion_interval(
    value: Any, replicates: Any, clips: Any, right: Any = None, strata: Any = None, confidence: float = 0.95
) -> Interval:
    """Return the interval of one pooled statistic in [0, 1]; `replicates` [G].

    `clips` [G]: how many the statistic counts in each session; `right` [G]: how many of them are right, for a share of
    right clips; `strata` [G]: see `stratified_error`.
    """
    if not is_supported(value, replicates):
        return NOT_SUPPORTED
    found = proportion_ends(value, replicates, clips, right, strata, confidence)
    low, high = float(found.low), float(found.high)
    one_sided = not EDGE < value < 1 - EDGE
    return Interval(low, high, None if one_sided else float(found.se), len(replicates), one_sided, bool(found.widened))


class Ends(NamedTuple):
    """Ends and standard errors of intervals [...], and whether Clopper-Pearson's moved an end of a CR3 interval."""

    low: np.ndarray
    high: np.ndarray
    se: np.ndarray
    widened: np.ndarray


def proportion_ends(
    value: Any, replicates: Any, clips: Any, right: Any = None, strata: Any = None, confidence: float = 0.95
) -> Ends:
    """Return the intervals of statistics [...] in [0, 1]: on the logit scale, by Clopper-Pearson at exactly 0 and 1.

    `right` [..., G]: right clips of each session; where few sessions hold a wrong or a right one, the ends hold
    Clopper-Pearson's.
    """
    value = np.asarray(value, float)
    inside = (value > EDGE) & (value < 1 - EDGE)
    share = np.where(inside, value, 0.5)  # at 0 and 1 any number will do, the logit has none there
    se, df = standard_error(value, replicates, clips, strata)
    half = scipy.special.stdtrit(df, (1 + confidence) / 2) * se / (share * (1 - share))
    centre = scipy.special.logit(share)
    low, high = np.array(scipy.special.expit(centre - half)), np.array(scipy.special.expit(centre + half))
    widened = np.zeros(value.shape, bool)
    few = ~inside if right is None else ~inside | few_carriers(clips, right)
    if few.any():
        exact_low, exact_high = clopper_pearson(value[few], effective_size(clips), confidence)
        edge = ~inside[few]
        widened[few] = ~edge & ((exact_low < low[few]) | (exact_high > high[few]))
        low[few] = np.where(edge, exact_low, np.minimum(low[few], exact_low))
        high[few] = np.where(edge, exact_high, np.maximum(high[few], exact_high))
    return Ends(low, high, se, widened)


def few_carriers(clips: Any, right: Any) -> np.ndarray:
    """Return whether fewer than FEW_CARRIERS sessions hold a wrong clip, or a right one, [...]."""
    right, clips = np.asarray(right), np.asarray(clips)
    return np.minimum((right < clips).sum(axis=-1), (right > 0).sum(axis=-1)) < FEW_CARRIERS


def clopper_pearson(share: Any, n: float, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return Clopper-Pearson's low and high [...] for shares [...] of `n` independent clips; `n` need not be whole."""
    # Clopper & Pearson 1934: the low end is the share at which so many right or more have a chance of alpha / 2. With
    # k of n right it is that quantile of Beta(k, n - k + 1), and the high end that of Beta(k + 1, n - k).
    share, tail = np.asarray(share, float), (1 - confidence) / 2
    none, every = share <= EDGE, share >= 1 - EDGE
    right = np.where(none, 0.0, np.where(every, n, share * n))
    low = scipy.special.betaincinv(np.where(none, 1.0, right), n - right + 1, tail)
    high = scipy.special.betaincinv(right + 1, np.where(every, 1.0, n - right), 1 - tail)
    return np.where(none, 0.0, low), np.where(every, 1.0, high)


def effective_size(clips: Any) -> float:
    """Return how many independent clips these clips [G] of sessions are worth, at a correlation of CORRELATION."""
    # Kish's design effect 1 + rho (m - 1), with m the clips in the session of an average clip, sum n_g^2 / n.
    clips = np.asarray(clips, float)
    n = clips.sum()
    return float(n / (1 + CORRELATION * ((clips**2).sum() / n - 1)))


def identity_interval(
    value: Any,
    replicates: Any,
    clips: Any,
    confidence: float = 0.95,
    clip_at_zero: bool = False,
    strata: Any = None,
) -> Interval:
    """Return the interval of one statistic on its own scale; `clip_at_zero`: it cannot be negative.

    `clips` [G]: how many the statistic counts in each session; `strata` [G]: see `stratified_error`.
    """
    if not is_supported(value, replicates):
        return NOT_SUPPORTED
    se, df = standard_error(value, replicates, clips, strata)
    half = float(scipy.special.stdtrit(df, (1 + confidence) / 2) * se)
    least = 0.0 if clip_at_zero else -math.inf
    return Interval(max(float(value) - half, least), max(float(value) + half, least), float(se), len(replicates))


def is_supported(value: Any, replicates: Any) -> bool:
    """Return whether an interval can be computed."""
    # A replicate that is not a number means that one session holds all there is: no spread to learn from.
    return len(replicates) >= MIN_SESSIONS and bool(np.isfinite(value) and np.isfinite(replicates).all())
