"""Verdicts on pairs of entries, and their sentences. Source: Schuirmann 1987 (equivalence)."""

from __future__ import annotations

from dataclasses import dataclass

from harness.formatting import p_value
from harness.statistics.planning import detectable, minimum_detectable, sessions_needed


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
