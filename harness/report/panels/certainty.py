"""Panel "Would 30 clips have been enough?": the difference that n clips could have found, for the pairs that matter.

For a pair of entries with standard error SE over the split's G sessions and N clips, n clips in sessions of their own
have a standard error of about SE sqrt(N / n), and find a difference of (t(.975) + t(.80)) times that with power .80.
This is the optimistic reading: the same n in fewer sessions find less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness import statistics
from harness.comparison.pairwise import paired_test
from harness.report.gather import FLOOR, PRIOR, Gathered
from harness.report.panels.measure import Axis, axis_over

SIZES = (10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10000)
SMALL = 30


@dataclass(frozen=True)
class Reach:
    """Power of one pair's comparison.

    `finds` holds the smallest difference that each of the sizes finds, `small` that of SMALL clips, and `needed` the
    fewest clips that find this pair's difference (None: no number of clips does).
    """

    a: str
    b: str
    difference: float
    finds: list[float]
    small: float
    needed: int | None


@dataclass(frozen=True)
class Certainty:
    """Panel data: power of each pair at these numbers of clips."""

    sizes: list[int]
    n: int
    reaches: list[Reach]
    axis: Axis
    finding: str


def certainty(gathered: Gathered) -> Certainty | None:
    """Make the panel; return None where there are too few sessions, or where no pair differs anywhere."""
    paired = gathered.field.paired
    n, sessions = len(paired.clip_ids), len(paired.clips)
    if sessions < statistics.MIN_SESSIONS:
        return None
    sizes = sorted({size for size in SIZES if size < n} | {n})
    reaches = [reach for a, b in _pairs(gathered) if (reach := _reach(gathered, a, b, sizes)) is not None]
    if not reaches:
        return None
    most = max(reach.finds[sizes.index(SMALL)] if SMALL in sizes else reach.finds[0] for reach in reaches)
    top = max([most, *(abs(reach.difference) for reach in reaches)])
    return Certainty(sizes, n, reaches, axis_over([0.0, top], zero=True), _finding(reaches))


def _pairs(gathered: Gathered) -> list[tuple[int, int]]:
    """Return the leader with the next entry, and with prior and floor."""
    names = gathered.field.paired.names
    m = len(gathered.field.ranked)
    others = ([1] if m > 1 else []) + [names.index(name) for name in (PRIOR, FLOOR) if name in names]
    return [(0, other) for other in dict.fromkeys(others) if other and m]


def _reach(gathered: Gathered, a: int, b: int, sizes: list[int]) -> Reach | None:
    paired = gathered.field.paired
    test = paired_test(paired, "score", a, b)
    if not test["se"] or test["difference"] is None or "df" in test:  # clips do not lessen the error of runs
        return None
    one = test["se"] * math.sqrt(len(paired.clip_ids))
    finds = [_detectable(one, size) for size in sizes]
    return Reach(
        a=paired.names[a],
        b=paired.names[b],
        difference=test["difference"],
        finds=finds,
        small=_detectable(one, SMALL),
        needed=_needed(one, test["difference"]),
    )


def _detectable(one: float, size: int) -> float:
    return statistics.minimum_detectable(one / math.sqrt(size), size)


def _needed(one: float, difference: float) -> int | None:
    """Return the fewest clips that find so large a difference, None where it is zero."""
    if abs(difference) < 1e-9:
        return None
    size = max(5, math.ceil((2.8 * one / difference) ** 2))
    while _detectable(one, size) > abs(difference):
        size += max(1, size // 50)
    return size


def _finding(reaches: list[Reach]) -> str:
    """Answer the panel's question for the first pair, the closest call; the table holds the other pairs."""
    reach = reaches[0]
    ahead = f"{reach.a} and {reach.b} are {abs(reach.difference):.3f} apart"
    if abs(reach.difference) >= reach.small:
        return f"Yes: {ahead}, and {SMALL} clips find differences from {reach.small:.3f} on."
    needed = "no number of clips finds it" if reach.needed is None else f"about {reach.needed:,} would find it"
    return f"No: {ahead}, and {SMALL} clips find nothing below {reach.small:.3f}; {needed}."
