"""The interval of a running mean that may be looked at after every session.

Source: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2021 (confidence sequences).
"""

from __future__ import annotations

import math
from typing import Any

from harness.statistics.differences import ALPHA
from harness.statistics.intervals import FEW_SESSIONS, NOT_SUPPORTED, Interval, is_supported
from harness.statistics.variance import jackknife_se

WATCHED_SE = 0.02
"""Standard error at which a confidence sequence is narrowest; any constant is valid, data may not choose it."""


def confidence_sequence(value: float, replicates: Any) -> Interval:
    """Return an interval of one running mean that may be looked at as often as one likes; `replicates` [G].

    At level ALPHA over all looks together, from FEW_SESSIONS on (before: NOT_SUPPORTED). Asymptotic, and valid where
    the sessions come in an order that has nothing to do with the answers.
    """
    if len(replicates) < FEW_SESSIONS or not is_supported(value, replicates):
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
