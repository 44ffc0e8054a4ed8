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
flip), Streitberg & Röhmel 1986 (its exact distribution), Holm 1979, Schuirmann 1987 (equivalence), Bloom 1995 (minimum
detectable effect), Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2021 (confidence sequences).
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy  # loads scipy.special where an interval is first asked for: a validation needs none

from harness.formatting import p_value

ALPHA = 0.05
"""Level of a family of tests: a difference is significant when its adjusted p is at most this."""
MIN_SESSIONS = 5
"""Fewer sessions support no interval."""
FEW_SESSIONS = 10
"""With fewer sessions every interval bears a note, and P(best) is not computed."""
MAX_EXACT_SESSIONS = 2000
"""With more sessions a normal distribution of the same variance replaces the exact one."""
MAX_CELLS = 1 << 20
"""Longest table of partial sums in the exact test; differences of awkward weights are rounded to fit, which bounds p
from above."""
CORRELATION = 0.1
"""Intra-session correlation that n_eff assumes where the data show no error to estimate it from."""
POWER = 0.80
RESAMPLES = 10_000
WATCHED_SE = 0.02
"""Standard error at which a confidence sequence is narrowest; any constant is valid, data may not choose it."""
EDGE = 1e-13
"""Composites of exact shares miss 0 and 1 by a few units in the last place."""

EXACT = "sign flip, exact"
BOUND = "sign flip, upper bound (differences rounded)"
NORMAL = f"sign flip, normal (more than {MAX_EXACT_SESSIONS:,} sessions)"


class Interval(NamedTuple):
    """Ends and CR3 standard error of a statistic in its own units.

    All are None where the interval is not supported; `se` is None as well where it is one-sided.
    """

    low: float | None
    high: float | None
    se: float | None
    sessions: int
    one_sided: bool = False

    @property
    def supported(self) -> bool:
        """Return whether there is an interval."""
        return self.low is not None

    @property
    def few_sessions(self) -> bool:
        """Return whether the interval rests on so few sessions that a note belongs beside it."""
        return self.sessions < FEW_SESSIONS


NOT_SUPPORTED = Interval(None, None, None, 0)


def t_quantile(level: float, df: int) -> float:
    """Return the quantile of Student's t with `df` degrees of freedom."""
    return float(scipy.special.stdtrit(df, level))


def jackknife_se(value: Any, replicates: Any) -> np.ndarray:
    """Return the CR3 standard error [...] of values [...] from their delete-one-session replicates [..., G]."""
    value, replicates = np.asarray(value, float), np.asarray(replicates, float)
    sessions = replicates.shape[-1]
    # CR3 centres on the full estimate, not on the mean of the replicates: bias then counts as error, the more cautious
    # choice with few sessions (MacKinnon, Nielsen & Webb 2023). A replicate differs from the full estimate by about
    # 1/(G-1) of its session's deviation; the factor (G-1)/G makes of these squares the variance of a mean of G.
    squares = ((replicates - value[..., None]) ** 2).sum(axis=-1)
    return np.sqrt((sessions - 1) / sessions * squares)


def proportion_interval(value: Any, replicates: Any, n: float, confidence: float = 0.95) -> Interval:
    """Return the interval of one pooled statistic in [0, 1] over `n` clips; `replicates` [G]."""
    if not _supported(value, replicates):
        return NOT_SUPPORTED
    low, high = proportion_ends(value, replicates, n, confidence)
    one_sided = not bool(EDGE < value < 1 - EDGE)
    se = None if one_sided else float(jackknife_se(value, replicates))
    return Interval(float(low), float(high), se, len(replicates), one_sided)


def proportion_ends(value: Any, replicates: Any, n: Any, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return low and high [...] of statistics in [0, 1]: on the logit scale, by Clopper-Pearson at exactly 0 and 1."""
    value, sessions = np.asarray(value, float), np.shape(replicates)[-1]
    inside = (value > EDGE) & (value < 1 - EDGE)
    share = np.where(inside, value, 0.5)  # at 0 and 1 any number will do, the logit has none there
    half = t_quantile((1 + confidence) / 2, sessions - 1) * jackknife_se(value, replicates) / (share * (1 - share))
    # Clopper & Pearson 1934: at n of n right the lower end p solves p^n = alpha / 2.
    edge = ((1 - confidence) / 2) ** (1 / effective_size(n, sessions))
    all_right = value > 0.5
    low = np.where(inside, scipy.special.expit(scipy.special.logit(share) - half), np.where(all_right, edge, 0.0))
    high = np.where(inside, scipy.special.expit(scipy.special.logit(share) + half), np.where(all_right, 1.0, 1 - edge))
    return low, high


def effective_size(n: Any, sessions: int) -> Any:
    """Return how many independent clips `n` clips in `sessions` sessions are worth, at a correlation of 0.1."""
    # Kish's design effect 1 + rho (m - 1), m clips a session on average.
    return n / (1 + CORRELATION * (n / sessions - 1))


def identity_interval(value: Any, replicates: Any, confidence: float = 0.95, clip_at_zero: bool = False) -> Interval:
    """Return the interval of one statistic on its own scale; `clip_at_zero`: it cannot be negative."""
    if not _supported(value, replicates):
        return NOT_SUPPORTED
    se = float(jackknife_se(value, replicates))
    half = t_quantile((1 + confidence) / 2, len(replicates) - 1) * se
    least = 0.0 if clip_at_zero else -math.inf
    return Interval(max(float(value) - half, least), max(float(value) + half, least), se, len(replicates))


def t_test_p(difference: Any, replicates: Any, sessions: int | None = None) -> float | None:
    """Return the two-sided p of difference = 0, or None where that is not supported.

    `sessions`: how many sessions carry the error, if not all do; t has one degree of freedom less.
    """
    if not _supported(difference, replicates):
        return None
    if abs(difference) <= EDGE:
        return 1.0
    se = float(jackknife_se(difference, replicates))
    df = (sessions or len(replicates)) - 1
    return float(2 * scipy.special.stdtr(df, -abs(difference) / se)) if se > 0 else 0.0


def _supported(value: Any, replicates: Any) -> bool:
    """Return whether an interval can be computed."""
    # A replicate that is not a number means that one session holds all there is: no spread to learn from.
    return len(replicates) >= MIN_SESSIONS and bool(np.isfinite(value) and np.isfinite(replicates).all())


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


def holm(p: Any) -> np.ndarray:
    """Return the Holm-adjusted p of one family [m], in the order of `p`."""
    # Holm 1979: the i-th smallest p times the number of tests that are not smaller, never below the one before.
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted


def minimum_detectable(se: float, sessions: int, level: float = ALPHA, power: float = POWER) -> float:
    """Return the smallest true difference that a two-sided test at `level` finds with this power, in units of `se`."""
    # Bloom 1995.
    df = sessions - 1
    return (t_quantile(1 - level / 2, df) + t_quantile(power, df)) * se


@dataclass(frozen=True, kw_only=True)
class PairTest:
    """All that a verdict on a pair depends on.

    `difference` is A - B, `low90` and `high90` its 90% interval, `se` its CR3 standard error (None where not
    supported). `m` is the size of the Holm family, `level` the level that this pair's raw p had to pass in it.
    """

    identical: bool
    difference: float
    p_adjusted: float
    low90: float | None
    high90: float | None
    se: float | None
    sessions: int
    level: float
    margin: float
    alpha: float
    m: int

    @property
    def within_margin(self) -> bool:
        """Return whether the whole 90% interval lies inside +-margin."""
        # Two one-sided tests at 5% each, which a 90% interval inside the margin is (Schuirmann 1987).
        if self.low90 is None or self.high90 is None:
            return False
        return -self.margin < self.low90 and self.high90 < self.margin

    @property
    def needed(self) -> int | None:
        """Return how many sessions like these find a difference of one margin at this pair's level."""
        return None if self.se is None else sessions_needed(self.se, self.sessions, self.margin, self.level)


@dataclass(frozen=True)
class Verdict:
    """Statement that the data support on A against B.

    `kind`: identical, better, worse (either "within margin"), equivalent, inconclusive. `mde` (minimum detectable
    difference) and `needed` (sessions that would decide) are set where inconclusive and supported; `separable` is False
    where no data of so few sessions could be significant in a family of this size.
    """

    kind: str
    pair: PairTest
    mde: float | None = None
    needed: int | None = None
    separable: bool = True

    def sentence(self, a: str, b: str) -> str:
        """Return the verdict as a sentence about entries called `a` and `b`."""
        pair = self.pair
        if self.kind == "identical":
            return f"{a} and {b} gave identical answers."
        if self.kind == "equivalent":
            return f"{a} and {b} are equivalent within {pair.margin:g}: {self._difference()}, {self._interval()}."
        if self.kind == "inconclusive":
            return f"{a} against {b} is inconclusive: {self._difference()}, {self._p()}{self._needs()}."
        within = f", but within the margin of {pair.margin:g} ({self._interval()})" if "within" in self.kind else ""
        return f"{a} is {self.kind.split()[0]} than {b}: {self._difference()}, {self._p()}{within}."

    def _difference(self) -> str:
        return f"difference {self.pair.difference:+.3f}"

    def _p(self) -> str:
        return f"adjusted p {p_value(self.pair.p_adjusted)}, m = {self.pair.m}"

    def _interval(self) -> str:
        return f"90% interval {self.pair.low90:+.3f} to {self.pair.high90:+.3f}"

    def _needs(self) -> str:
        pair = self.pair
        few, many = _count_of(pair.sessions, "session"), _count_of(pair.m, "pair")
        text = "" if self.separable else f"; {few} cannot separate {many}"
        if self.mde is not None and self.needed is not None:
            text += f"; minimum detectable difference {self.mde:.3f}"
            decide = f"about {self.needed:,} sessions like these would decide"
            text += f", {decide}" if self.needed > pair.sessions else f", below the margin of {pair.margin:g}"
        return text


def _count_of(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def verdict(pair: PairTest) -> Verdict:
    """Return the first verdict that holds: identical, better or worse, equivalent, inconclusive."""
    # In this order, because a significant difference may be too small to matter, and then both are said: "better, but
    # within the margin". Equivalence alone would hide which of the two is ahead.
    if pair.identical:
        return Verdict("identical", pair)
    if pair.p_adjusted <= pair.alpha:
        direction = "better" if pair.difference > 0 else "worse"
        return Verdict(direction + (" within margin" if pair.within_margin else ""), pair)
    return Verdict("equivalent", pair) if pair.within_margin else _inconclusive(pair)


def _inconclusive(pair: PairTest) -> Verdict:
    # The smallest p of G sign flips is 2^(1-G), and the first of m tests has to pass alpha / m.
    separable = 2.0 ** (1 - pair.sessions) <= pair.alpha / pair.m
    if pair.se is None:
        return Verdict("inconclusive", pair, separable=separable)
    mde = minimum_detectable(pair.se, pair.sessions, pair.level)
    return Verdict("inconclusive", pair, mde=mde, needed=pair.needed, separable=separable)


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


def sessions_needed(se: float, sessions: int, difference: float, level: float = ALPHA, power: float = POWER) -> int:
    """Return how many sessions find a true difference with this power, where `sessions` of their kind have error `se`.

    The one computation behind a plan, a verdict's "about N sessions" and the page's panel.
    """
    # The standard error falls with the root of the sessions, so that a difference d needs (MDE / d)^2 times as many;
    # and the smallest p of G sign flips, 2^(1-G), has to reach the level.
    mde = minimum_detectable(se, sessions, level, power)
    return max(math.ceil(sessions * (mde / difference) ** 2), math.ceil(1 + math.log2(1 / level)))


def confidence_sequence(value: float, replicates: Any) -> Interval:
    """Return an interval of one running mean that may be looked at as often as one likes; `replicates` [G].

    At level ALPHA over all looks together, from FEW_SESSIONS on (before: NOT_SUPPORTED). Asymptotic, and valid where
    the sessions come in an order that has nothing to do with the answers.
    """
    if len(replicates) < FEW_SESSIONS or not _supported(value, replicates):
        return NOT_SUPPORTED
    # Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2021: a normal mixture of width WATCHED_SE, written with the
    # standard error of the mean so far instead of sigma / sqrt(t), which also holds for sessions of unequal size.
    se = float(jackknife_se(value, replicates))
    if se <= 0:
        return NOT_SUPPORTED  # no session differs from another yet: nothing to learn the spread from
    log = -2 * math.log(ALPHA)
    seen = (log + math.log(1 + log)) * (WATCHED_SE / se) ** 2
    half = se * math.sqrt((seen + 1) / seen * (log + math.log(seen + 1)))
    return Interval(float(value) - half, float(value) + half, se, len(replicates))
