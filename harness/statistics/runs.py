"""Methods of several runs: the error that comes from the runs, beside that over sessions.

Sources: Satterthwaite 1946 and Welch 1947 (a sum of two variances).
"""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple

import numpy as np
import scipy

from harness.statistics.intervals import EDGE
from harness.statistics.variance import t_quantile, welch_satterthwaite


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
