"""What so many sessions can detect, and how many sessions a difference needs. Source: Bloom 1995."""

from __future__ import annotations

import math

from harness.statistics.differences import ALPHA
from harness.statistics.variance import t_quantile

POWER = 0.80


def minimum_detectable(se: float, sessions: int, level: float = ALPHA, power: float = POWER) -> float:
    """Return the smallest true difference that a two-sided test at `level` finds with this power, in units of `se`."""
    return detectable(se, sessions - 1, level, power)


def detectable(se: float, df: float, level: float = ALPHA, power: float = POWER) -> float:
    """Return the smallest true difference that a test with `df` degrees of freedom finds with this power."""
    # Bloom 1995.
    return (t_quantile(1 - level / 2, df) + t_quantile(power, df)) * se


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
