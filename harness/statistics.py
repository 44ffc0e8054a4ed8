"""Intervals, tests, families, verdicts and ranks over sessions. Knows no metric: numbers and integer sums come in.

The clips of a session are not independent, so the unit of every statement is the session (cluster), G of them. One
mechanism serves every interval: *replicates*, the statistic recomputed with each session deleted. Their spread around
the full estimate, with the factor (G-1)/G, is the CR3 (jackknife) variance; quantiles are those of t(G-1).

- A proportion (any pooled statistic in [0, 1]): the CR3 error is carried to the logit by the delta method, that is
  divided by p(1 - p). At exactly 0 or 1, where the replicates hold no error, one-sided Clopper-Pearson on n_eff clips.
- Anything else (differences, frames, skill): the same on its own scale.
- Below MIN_SESSIONS, or where a deletion leaves nothing to compute (all of it lies in one session): NOT_SUPPORTED.
- "Is A better": sign flip of the integer session differences, exact by convolution. The smallest possible p is 2^(1-G).

Shapes: values [...], replicates [..., G]; the *_ends functions broadcast, the *_interval functions take one statistic.

Sources: Bell & McCaffrey 2002 and MacKinnon, Nielsen & Webb 2023 (CR3), Clopper & Pearson 1934, Fisher 1935 (sign
flip), Holm 1979, Bloom 1995 (minimum detectable effect).
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logit, stdtr, stdtrit

MIN_SESSIONS = 5
"""Fewer sessions support no interval."""
FEW_SESSIONS = 10
"""Below this many sessions it is said beside every interval, and no share of resamples is given."""
MAX_EXACT_SESSIONS = 2000
MAX_CELLS = 1 << 20
"""Longest table of partial sums in the exact test; gaps of awkward weights are rounded to fit, and p bounded above."""
CORRELATION = 0.1
"""Intra-session correlation that n_eff assumes where the data show no error to estimate it from."""
POWER = 0.80
RESAMPLES = 10_000
EDGE = 1e-13
"""Composites of exact shares miss 0 and 1 by a few units in the last place."""

EXACT = "sign flip, exact"
BOUND = "sign flip, upper bound (differences rounded)"
NORMAL = f"sign flip, normal (more than {MAX_EXACT_SESSIONS:,} sessions)"


class Interval(NamedTuple):
    """Ends and CR3 standard error in the statistic's own units; all None where not supported. `se` is None too where
    the interval is one-sided."""

    low: float | None
    high: float | None
    se: float | None
    sessions: int
    one_sided: bool = False

    @property
    def supported(self) -> bool:
        return self.low is not None

    @property
    def few_sessions(self) -> bool:
        return self.sessions < FEW_SESSIONS


NOT_SUPPORTED = Interval(None, None, None, 0)


def t_quantile(level: float, df: int) -> float:
    return float(stdtrit(df, level))


def jackknife_se(value: Any, replicates: Any) -> np.ndarray:
    """CR3 standard error, centred on the full estimate."""
    value, replicates = np.asarray(value, float), np.asarray(replicates, float)
    sessions = replicates.shape[-1]
    squares = ((replicates - value[..., None]) ** 2).sum(axis=-1)
    return np.sqrt((sessions - 1) / sessions * squares)


def proportion_interval(value: Any, replicates: Any, n: float, confidence: float = 0.95) -> Interval:
    """Interval of one pooled statistic in [0, 1] over `n` clips; `replicates` [G]."""
    if not _supported(value, replicates):
        return NOT_SUPPORTED
    low, high = proportion_ends(value, replicates, n, confidence)
    one_sided = not bool(EDGE < value < 1 - EDGE)
    se = None if one_sided else float(jackknife_se(value, replicates))
    return Interval(float(low), float(high), se, len(replicates), one_sided)


def proportion_ends(value: Any, replicates: Any, n: Any, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Low and high [...] of statistics in [0, 1], on the logit scale inside and by Clopper-Pearson at 0 and 1."""
    value, sessions = np.asarray(value, float), np.shape(replicates)[-1]
    inside = (value > EDGE) & (value < 1 - EDGE)
    share = np.where(inside, value, 0.5)
    half = t_quantile((1 + confidence) / 2, sessions - 1) * jackknife_se(value, replicates) / (share * (1 - share))
    edge = ((1 - confidence) / 2) ** (1 / effective_size(n, sessions))
    all_right = value > 0.5
    low = np.where(inside, expit(logit(share) - half), np.where(all_right, edge, 0.0))
    high = np.where(inside, expit(logit(share) + half), np.where(all_right, 1.0, 1 - edge))
    return low, high


def effective_size(n: Any, sessions: int) -> Any:
    """Independent clips that `n` clips in `sessions` sessions are worth, at an intra-session correlation of 0.1."""
    return n / (1 + CORRELATION * (n / sessions - 1))


def identity_interval(value: Any, replicates: Any, confidence: float = 0.95, clip_at_zero: bool = False) -> Interval:
    """Interval of one statistic on its own scale; `clip_at_zero`: it cannot be negative."""
    if not _supported(value, replicates):
        return NOT_SUPPORTED
    se = float(jackknife_se(value, replicates))
    half = t_quantile((1 + confidence) / 2, len(replicates) - 1) * se
    least = 0.0 if clip_at_zero else -math.inf
    return Interval(max(float(value) - half, least), max(float(value) + half, least), se, len(replicates))


def t_test_p(difference: Any, replicates: Any, sessions: int | None = None) -> float | None:
    """Two-sided p of difference = 0, or None where not supported. `sessions`: those that carry the error, where not
    all do; t gets one degree of freedom less than them."""
    if not _supported(difference, replicates):
        return None
    if abs(difference) <= EDGE:
        return 1.0
    se = float(jackknife_se(difference, replicates))
    df = (sessions or len(replicates)) - 1
    return float(2 * stdtr(df, -abs(difference) / se)) if se > 0 else 0.0


def _supported(value: Any, replicates: Any) -> bool:
    """A replicate that is not a number means that one session holds all there is: no spread to learn from."""
    return len(replicates) >= MIN_SESSIONS and bool(np.isfinite(value) and np.isfinite(replicates).all())


def sign_flip_p(gap: np.ndarray) -> tuple[float, str]:
    """Two-sided p of the sum of integer session differences `gap` [G] when every sign is a fair coin, and the method.

    Relative error below 1e-12; never 0. Up to MAX_EXACT_SESSIONS exact, beyond that normal with the same variance.
    """
    gap = np.asarray(gap).astype(np.int64, casting="same_kind")
    observed, sizes = abs(int(gap.sum())), np.sort(np.abs(gap[gap != 0]))
    if not observed:
        return 1.0, EXACT
    if len(gap) > MAX_EXACT_SESSIONS:
        p, method = math.erfc(observed / math.sqrt(2 * float((sizes.astype(float) ** 2).sum()))), NORMAL
    else:
        p, method = _flipped(sizes, observed)
    return min(max(p, sys.float_info.min), 1.0), method


def _flipped(sizes: np.ndarray, observed: int) -> tuple[float, str]:
    """P(|sum of +-sizes| >= observed): with U the sum of the + ones, |2U - total| >= observed is two equal tails."""
    divisor, total = int(np.gcd.reduce(sizes)), int(sizes.sum())
    cells = (total - observed) // 2 // divisor
    if cells <= MAX_CELLS:
        return 2 * _lower_tail(sizes // divisor, cells), EXACT
    unit = -(-total // MAX_CELLS)
    rounded = (sizes + unit // 2) // unit
    reachable = -(-(observed - int(np.abs(sizes - rounded * unit).sum())) // unit)
    if reachable <= 0:
        return 1.0, BOUND
    return 2 * _lower_tail(rounded, (int(rounded.sum()) - reachable) // 2), BOUND


def _lower_tail(sizes: np.ndarray, limit: int) -> float:
    """P(U <= limit), U the sum of a random subset of `sizes` (ascending): a table of how many subsets reach each sum.

    Counts start at 2^-1000, so that those of 2,000 sessions neither underflow nor overflow a double.
    """
    ways = np.zeros(limit + 1)
    ways[0] = 2.0**-1000
    reach = 0
    for size in sizes[sizes <= limit].tolist():
        reach = min(reach + size, limit)
        ways[size : reach + 1] += ways[: reach + 1 - size]
    return math.ldexp(float(ways.sum()), 1000 - len(sizes))


def holm(p: Any) -> np.ndarray:
    """Holm-adjusted p of one family [m], in the order given."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def minimum_detectable(se: float, sessions: int, level: float = 0.05, power: float = POWER) -> float:
    """Smallest true difference that a two-sided test at `level` finds with this power, in the units of `se`."""
    df = sessions - 1
    return (t_quantile(1 - level / 2, df) + t_quantile(power, df)) * se


@dataclass(frozen=True)
class Verdict:
    """What may be said about A against B. `kind`: identical, better, worse (either "within margin"), equivalent,
    inconclusive. `mde` and `needed` (sessions that would decide) are set where inconclusive and supported."""

    kind: str
    difference: float
    p_adjusted: float
    m: int
    margin: float
    sessions: int
    low90: float | None
    high90: float | None
    mde: float | None = None
    needed: int | None = None
    separable: bool = True

    def sentence(self, a: str, b: str) -> str:
        if self.kind == "identical":
            return f"{a} and {b} gave identical answers."
        if self.kind == "equivalent":
            return f"{a} and {b} are equivalent within {self.margin:g}: {self._difference()}, {self._interval()}."
        if self.kind == "inconclusive":
            return f"{a} against {b} is inconclusive: {self._difference()}, {self._p()}{self._needs()}."
        within = f", but within the margin of {self.margin:g} ({self._interval()})" if "within" in self.kind else ""
        return f"{a} is {self.kind.split()[0]} than {b}: {self._difference()}, {self._p()}{within}."

    def _difference(self) -> str:
        return f"difference {self.difference:+.3f}"

    def _p(self) -> str:
        shown = f"{self.p_adjusted:.1e}" if self.p_adjusted < 0.001 else f"{self.p_adjusted:.3f}"
        return f"adjusted p {shown}, m = {self.m}"

    def _interval(self) -> str:
        return f"90% interval {self.low90:+.3f} to {self.high90:+.3f}"

    def _needs(self) -> str:
        few, many = _counted(self.sessions, "session"), _counted(self.m, "pair")
        text = "" if self.separable else f"; {few} cannot separate {many}"
        if self.mde is not None and self.needed is not None:
            text += f"; minimum detectable difference {self.mde:.3f}"
            decide = f"about {self.needed:,} sessions like these would decide"
            text += f", {decide}" if self.needed > self.sessions else f", below the margin of {self.margin:g}"
        return text


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def verdict(
    *,
    identical: bool,
    difference: float,
    p_adjusted: float,
    low90: float | None,
    high90: float | None,
    se: float | None,
    sessions: int,
    level: float,
    margin: float,
    alpha: float,
    m: int,
) -> Verdict:
    """The first that holds: identical, better or worse, equivalent, inconclusive.

    `level`: the level that this pair's raw p had to pass in its family of `m`; `low90`, `high90`: of the difference.
    """
    inside = low90 is not None and high90 is not None and -margin < low90 and high90 < margin
    if identical:
        kind = "identical"
    elif p_adjusted <= alpha:
        kind = ("better" if difference > 0 else "worse") + (" within margin" if inside else "")
    else:
        kind = "equivalent" if inside else "inconclusive"
    said = Verdict(kind, difference, p_adjusted, m, margin, sessions, low90, high90)
    return _inconclusive(said, se, level, alpha) if kind == "inconclusive" else said


def _inconclusive(said: Verdict, se: float | None, level: float, alpha: float) -> Verdict:
    separable = 2.0 ** (1 - said.sessions) <= alpha / said.m
    if se is None:
        return replace(said, separable=separable)
    mde = minimum_detectable(se, said.sessions, level)
    to_separate = math.ceil(1 + math.log2(said.m / alpha))
    needed = max(math.ceil(said.sessions * (mde / said.margin) ** 2), to_separate)
    return replace(said, separable=separable, mde=mde, needed=needed)


def rank_ranges(better: np.ndarray) -> list[tuple[int, int]]:
    """First and last rank each of M entries may have; `better` [M, M]: row significantly better than column."""
    above, below = better.sum(axis=0), better.sum(axis=1)
    return [(1 + int(up), len(better) - int(down)) for up, down in zip(above, below, strict=True)]


def tiers(better: np.ndarray) -> list[int]:
    """Tier of each entry, from 1; entries best first. The highest left opens a tier and takes all it does not beat."""
    tier = np.zeros(len(better), int)
    while (tier == 0).any():
        first = int(np.argmin(tier != 0))
        tier[(tier == 0) & ~better[first]] = tier.max() + 1
    return tier.tolist()


def p_best(sums: np.ndarray, *, seed: int) -> np.ndarray | None:
    """Share of session resamples in which each entry has the largest sum, [M]; None below FEW_SESSIONS.

    `sums` [M, G] integers over the same clips. All entries share the resampled sessions, ties share the resample.
    Raw generator words, whose stream is fixed; sums of integers, so threads change nothing.
    """
    entries, sessions = sums.shape
    if sessions < FEW_SESSIONS:
        return None
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
