"""Intervals, tests, families, verdicts and ranks over sessions. Knows no metric: numbers and integer sums come in.

The clips of a session are not independent, so the unit of every statement is the session (cluster), G of them. One
mechanism serves every interval: *replicates*, the statistic recomputed with each session deleted. Their spread around
the full estimate, with the factor (G-1)/G, is the CR3 (jackknife) variance. Quantiles are those of Student's t with the
degrees of freedom of a mean over sessions of these sizes, G-1 where they are equal.

- A proportion (any pooled statistic in [0, 1]): the CR3 error is carried to the logit by the delta method, that is
  divided by p(1 - p). At exactly 0 or 1, where the replicates hold no error, one-sided Clopper-Pearson on n_eff clips.
- A share of right clips of which fewer than FEW_CARRIERS sessions hold a wrong one (or a right one): the same, widened
  until it holds Clopper-Pearson's, because so few sessions say little about how errors spread.
- Anything else (differences, frames, skill): the same on its own scale.
- With `strata` the deviations are centred within each stratum: that domains differ is then no error of the estimate.
- Below MIN_SESSIONS, or where a deletion leaves nothing to compute (all of it lies in one session): NOT_SUPPORTED.
- "Is A better": sign flip of the integer session differences, exact by convolution. The smallest possible p is 2^(1-G).

Shapes: values [...], replicates [..., G], clips (that the statistic counts in each session) and strata [G]; the *_ends
functions broadcast, the *_interval functions take one statistic.

Sources: Bell & McCaffrey 2002 (degrees of freedom) and MacKinnon, Nielsen & Webb 2023 (CR3), Clopper & Pearson 1934,
Satterthwaite 1946 and Welch 1947 (strata), Kish 1965 (design effect), Fisher 1935 (sign flip), Streitberg & Röhmel 1986
(its exact distribution), Holm 1979, Schuirmann 1987 (equivalence), Bloom 1995 (minimum detectable effect),
Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2021 (confidence sequences).
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
FEW_CARRIERS = 5
"""With fewer sessions that hold a wrong clip, or a right one, the interval of a share is widened."""
CORRELATION = 0.2
"""Intra-session correlation that n_eff assumes where too few sessions hold an error to estimate it from."""
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


def t_quantile(level: float, df: float) -> float:
    """Return the quantile of Student's t with `df` degrees of freedom."""
    return float(scipy.special.stdtrit(df, level))


def degrees_of_freedom(clips: Any) -> float:
    """Return the degrees of freedom of the CR3 variance of a mean over sessions with these numbers of clips [G].

    G-1 where the sessions are equal, fewer where some weigh more; at least 1. Needs two sessions with clips.
    """
    # Bell & McCaffrey 2002 for a model with a constant alone. The residuals of session g lose the share w_g to the
    # mean, which CR3 undoes by 1 / (1 - w_g); v is that of the chi-square with the variance's own mean and variance.
    clips = np.asarray(clips, float)
    n = clips.sum()
    share, leverage = clips / n, clips**2 / (n * (n - clips))
    # (sum q)^2 - sum q^2 as the sum over pairs, which does not cancel where one session outweighs all others.
    pairs = 2 * (leverage[1:] * np.cumsum(leverage)[:-1]).sum()
    return float(1 / ((share**2).sum() + pairs))


def welch_satterthwaite(variances: Any, df: Any) -> np.ndarray:
    """Return the degrees of freedom [...] of a sum of independent variances [..., H] that have `df` [H] each."""
    variances, df = np.asarray(variances, float), np.asarray(df, float)
    whole, parts = variances.sum(axis=-1) ** 2, (variances**2 / df).sum(axis=-1)
    # Without any variance the quantile multiplies an error of 0, so that any number will do.
    return np.divide(whole, parts, out=np.full(whole.shape, float(df.sum())), where=parts > 0)


def jackknife_se(value: Any, replicates: Any) -> np.ndarray:
    """Return the CR3 standard error [...] of values [...] from their delete-one-session replicates [..., G]."""
    value, replicates = np.asarray(value, float), np.asarray(replicates, float)
    sessions = replicates.shape[-1]
    # CR3 centres on the full estimate, not on the mean of the replicates: bias then counts as error, the more cautious
    # choice with few sessions (MacKinnon, Nielsen & Webb 2023). A replicate differs from the full estimate by about
    # 1/(G-1) of its session's deviation; the factor (G-1)/G makes of these squares the variance of a mean of G.
    squares = ((replicates - value[..., None]) ** 2).sum(axis=-1)
    return np.sqrt((sessions - 1) / sessions * squares)


def stratified_error(replicates: Any, clips: Any, strata: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the standard error [...] and its degrees of freedom [...] with `strata` [G] as fixed parts of the split.

    `strata`: an integer for each session, each on two or more sessions; `replicates` [..., G] and `clips` [G] as ever.
    """
    # The stratified variance of a combined ratio (Cochran 1977, 6.11; Wolter 2007, 4.5), taken from replicates that
    # delete a session of the whole split. A session's deviation d = replicate - value is -1/(G-1) of its residual, so
    # (G-1)/G x d is its part in the estimate. Within a stratum of K sessions the variance of the sum of these parts is
    # K/(K-1) times their squares around the stratum's mean. With one stratum this is the CR3 variance, but around the
    # mean of the replicates: the full estimate is no centre for a single stratum.
    replicates, clips, strata = np.asarray(replicates, float), np.asarray(clips), np.asarray(strata)
    parts = replicates * (1 - 1 / replicates.shape[-1])
    variances, df = [], []
    for stratum in np.unique(strata):
        inside = strata == stratum
        sessions, mine = int(inside.sum()), parts[..., inside]
        squares = ((mine - mine.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
        variances.append(squares * (sessions / (sessions - 1)))
        df.append(degrees_of_freedom(clips[inside]))
    by_stratum = np.stack(variances, axis=-1)
    return np.sqrt(by_stratum.sum(axis=-1)), welch_satterthwaite(by_stratum, df)


def _error(value: Any, replicates: Any, clips: Any, strata: Any) -> tuple[np.ndarray, Any]:
    """Return the standard error [...] and its degrees of freedom, pooled or over strata."""
    if strata is None:
        return jackknife_se(value, replicates), degrees_of_freedom(clips)
    return stratified_error(replicates, clips, strata)


def proportion_interval(
    value: Any, replicates: Any, clips: Any, right: Any = None, strata: Any = None, confidence: float = 0.95
) -> Interval:
    """Return the interval of one pooled statistic in [0, 1]; `replicates` [G].

    `clips` [G]: how many the statistic counts in each session; `right` [G]: how many of them are right, for a share of
    right clips; `strata` [G]: see `stratified_error`.
    """
    if not _supported(value, replicates):
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
    se, df = _error(value, replicates, clips, strata)
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
    if not _supported(value, replicates):
        return NOT_SUPPORTED
    se, df = _error(value, replicates, clips, strata)
    half = float(scipy.special.stdtrit(df, (1 + confidence) / 2) * se)
    least = 0.0 if clip_at_zero else -math.inf
    return Interval(max(float(value) - half, least), max(float(value) + half, least), float(se), len(replicates))


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
    return detectable(se, sessions - 1, level, power)


def detectable(se: float, df: float, level: float = ALPHA, power: float = POWER) -> float:
    """Return the smallest true difference that a test with `df` degrees of freedom finds with this power."""
    # Bloom 1995.
    return (t_quantile(1 - level / 2, df) + t_quantile(power, df)) * se


@dataclass(frozen=True, kw_only=True)
class PairTest:
    """All that a verdict on a pair depends on.

    `difference` is A - B, `low90` and `high90` its 90% interval, `se` its CR3 standard error (None where not
    supported). `m` is the size of the Holm family, `level` the level that this pair's raw p had to pass in it.
    `differing` counts the sessions whose difference is not 0, the only ones whose sign can flip (None: all).
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
    differing: int | None = None
    df: float | None = None  # of `se`, where it is of sessions and runs

    @property
    def flipping(self) -> int:
        """Return how many sessions' signs can flip."""
        return self.sessions if self.differing is None else self.differing

    @property
    def within_margin(self) -> bool:
        """Return whether the whole 90% interval lies inside +-margin."""
        # Two one-sided tests at 5% each, which a 90% interval inside the margin is (Schuirmann 1987).
        if self.low90 is None or self.high90 is None:
            return False
        return -self.margin < self.low90 and self.high90 < self.margin

    @property
    def needed(self) -> int | None:
        """Return how many sessions like these find a difference of one margin at this pair's level.

        None for methods, too: more sessions leave the runs' part of the error.
        """
        if self.se is None or self.df is not None:
            return None
        return sessions_needed(self.se, self.sessions, self.margin, self.level, flipping=self.flipping)


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
        raw = "raw " if self.pair.m > 1 else ""  # Holm adjusts p, not the interval
        return f"{raw}90% interval {self.pair.low90:+.3f} to {self.pair.high90:+.3f}"

    def _needs(self) -> str:
        pair = self.pair
        few, many = _count_of(pair.sessions, "session"), _count_of(pair.m, "pair")
        if pair.flipping < pair.sessions:
            few = f"the {pair.flipping:,} of {few} that differ"
        text = "" if self.separable else f"; {few} cannot separate {many}"
        text += "" if self.mde is None else f"; minimum detectable difference {self.mde:.3f}"
        if self.needed is not None:
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
    # The smallest p of G sign flips is 2^(1-G), and the first of m tests has to pass alpha / m. A session without a
    # difference has no sign to flip.
    separable = pair.df is not None or 2.0 ** (1 - pair.flipping) <= pair.alpha / pair.m
    if pair.se is None:
        return Verdict("inconclusive", pair, separable=separable)
    if pair.df is not None:  # more sessions leave the runs' part of the error, so that none are promised
        return Verdict("inconclusive", pair, mde=detectable(pair.se, pair.df, pair.level))
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


def runs_error(values: Any) -> tuple[float, float]:
    """Return the variance of a mean over K runs that comes from the runs themselves, and its degrees of freedom.

    `values` [K]: the statistic of each run. Of a single run nothing is known: (0, 0).
    """
    values = np.asarray(values, float)
    k = len(values)
    return (float(values.var(ddof=1)) / k, k - 1.0) if k > 1 else (0.0, 0.0)


def with_runs(
    value: float, ends: tuple[float, float], values: list[float], sessions: int, *, share: bool, level: float = 0.95
) -> tuple[float, float]:
    """Return the ends of an interval over sessions, widened by the spread of the runs whose mean `value` is.

    `ends`: the interval of the mean over sessions alone; `values` [K]: the statistic of each run; `share`: it lies in
    [0, 1] and its interval was made on the logit scale. The result always holds `ends`.
    """
    of_runs, df_runs = runs_error(values)
    if not of_runs:
        return ends
    if share and not EDGE < value < 1 - EDGE:
        return ends
    # The error over sessions is taken from each end, so that whatever made the interval (strata, unequal sessions, few
    # wrong clips) is in it. On the logit scale the runs' error is divided by p(1 - p), as the sessions' is.
    slope = 1 / (value * (1 - value)) if share else 1.0
    middle = float(scipy.special.logit(value)) if share else value
    quantile = t_quantile((1 + level) / 2, sessions - 1)
    moved = []
    for end in ends:
        if share and not 0 < end < 1:
            moved.append(end)
            continue
        half = float(scipy.special.logit(end)) - middle if share else end - middle
        parts = (half / quantile) ** 2, of_runs * slope**2
        df = float(welch_satterthwaite(parts, (sessions - 1, df_runs)))
        wider = max(t_quantile((1 + level) / 2, df) * math.sqrt(sum(parts)), abs(half))
        place = middle + math.copysign(wider, half)
        moved.append(float(scipy.special.expit(place)) if share else place)
    return moved[0], moved[1]


class RunsTest(NamedTuple):
    """Difference of two methods with the error of sessions and runs: standard error, degrees of freedom, ends, p."""

    se: float
    df: float
    low: float
    high: float
    low90: float
    high90: float
    p: float


def runs_test(difference: float, se: float, df: float, runs: tuple[Any, Any]) -> RunsTest:
    """Return the t test of a difference of two methods, on its own scale.

    `se`: the CR3 error over sessions of the difference of the run means, `df` its degrees of freedom; `runs`: the
    values of each run, [K] and [K]. The runs of both are taken as independent.
    """
    parts = [(se**2, df), *(part for part in map(runs_error, runs) if part[1])]
    df = float(welch_satterthwaite(*zip(*parts, strict=True)))
    error = math.sqrt(sum(variance for variance, _ in parts))
    wide, narrow = (t_quantile(share, df) * error for share in (0.975, 0.95))
    if error > 0:
        p = float(2 * scipy.special.stdtr(df, -abs(difference) / error))
    else:
        p = 1.0 if abs(difference) <= EDGE else sys.float_info.min
    ends = (difference - wide, difference + wide, difference - narrow, difference + narrow)
    return RunsTest(error, df, *ends, min(max(p, sys.float_info.min), 1.0))


def sessions_needed(
    se: float,
    sessions: int,
    difference: float,
    level: float = ALPHA,
    power: float = POWER,
    *,
    flipping: int | None = None,
) -> int:
    """Return how many sessions find a true difference with this power, where `sessions` of their kind have error `se`.

    `flipping`: how many of these sessions differ at all, by default all. The one computation behind a plan, a
    verdict's "about N sessions" and the page's panel.
    """
    # The standard error falls with the root of the sessions, so that a difference d needs (MDE / d)^2 times as many;
    # and the smallest p of G sign flips, 2^(1-G), has to reach the level. A session without a difference flips nothing.
    mde = minimum_detectable(se, sessions, level, power)
    to_separate = math.ceil(1 + math.log2(1 / level)) * sessions / max(sessions if flipping is None else flipping, 1)
    return max(math.ceil(sessions * (mde / difference) ** 2), math.ceil(to_separate))


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
