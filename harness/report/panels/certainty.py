"""Panel "Would 30 clips have been enough?": the difference that n clips could have found, for the pairs that matter.

For a pair of entries with standard error SE over the split's G sessions and N clips, n clips in sessions of their own
have a standard error of about SE sqrt(N / n), and find a difference of (t(.975) + t(.80)) times that with power .80.
This is the optimistic reading: the same n in fewer sessions find less. Beside it stands how many sessions like these
find a difference of one margin, the number of the pair's verdict and of `harness plan`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness import statistics
from harness.comparison.pairwise import paired_test
from harness.report.gather import FLOOR, PRIOR, Gathered
from harness.report.panels.measure import Axis, axis_over
from harness.report.panels.pairs import Pair

SIZES = (10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10000)
SMALL = 30


@dataclass(frozen=True)
class Reach:
    """Power of one pair's comparison.

    `finds` holds the smallest difference that each of the sizes finds, `small` that of SMALL clips, and `needed` the
    sessions like these that find a difference of one margin.
    """

    a: str
    b: str
    difference: float
    finds: list[float]
    small: float
    needed: int


@dataclass(frozen=True)
class Certainty:
    """Panel data: power of each pair at these numbers of clips."""

    sizes: list[int]
    n: int
    margin: float
    reaches: list[Reach]
    axis: Axis
    finding: str


def certainty(gathered: Gathered, compared: Sequence[Pair]) -> Certainty | None:
    """Make the panel; return None where there are too few sessions, or where no pair differs anywhere.

    `compared`: the pairs that the page holds.
    """
    paired = gathered.field.paired
    n, sessions = len(paired.clip_ids), len(paired.clips)
    if sessions < statistics.MIN_SESSIONS:
        return None
    sizes = sorted({size for size in SIZES if size < n} | {n})
    needed = {(pair.a, pair.b): pair.needed for pair in compared}
    reaches = [reach for a, b in _pairs(gathered) if (reach := _reach(gathered, a, b, sizes, needed)) is not None]
    if not reaches:
        return None
    most = max(reach.finds[sizes.index(SMALL)] if SMALL in sizes else reach.finds[0] for reach in reaches)
    top = max([most, *(abs(reach.difference) for reach in reaches)])
    finding = _finding(reaches[0], gathered.margin)
    return Certainty(sizes, n, gathered.margin, reaches, axis_over([0.0, top], zero=True), finding)


def _pairs(gathered: Gathered) -> list[tuple[int, int]]:
    """Return the leader with the next entry, and with prior and floor."""
    names = gathered.field.paired.names
    m = len(gathered.field.ranked)
    others = ([1] if m > 1 else []) + [names.index(name) for name in (PRIOR, FLOOR) if name in names]
    return [(0, other) for other in dict.fromkeys(others) if other and m]


def _reach(
    gathered: Gathered, a: int, b: int, sizes: list[int], needed: dict[tuple[int, int], int | None]
) -> Reach | None:
    paired = gathered.field.paired
    test = paired_test(paired, "score", a, b)
    if not test["se"] or test["difference"] is None or "df" in test:  # clips do not lessen the error of runs
        return None
    one = test["se"] * math.sqrt(len(paired.clip_ids))
    finds = [_detectable(one, size) for size in sizes]
    # A floor that is no row of the page has no verdict there: alone with the leader, its pair passes at 5%.
    alone = statistics.sessions_needed(test["se"], test["sessions"], gathered.margin)
    return Reach(
        a=paired.names[a],
        b=paired.names[b],
        difference=test["difference"],
        finds=finds,
        small=_detectable(one, SMALL),
        needed=needed.get((a, b)) or alone,
    )


def _detectable(one: float, size: int) -> float:
    return statistics.minimum_detectable(one / math.sqrt(size), size)


def _finding(reach: Reach, margin: float) -> str:
    """Answer the panel's question for the closest call; the table holds the other pairs."""
    ahead = f"{reach.a} and {reach.b} are {abs(reach.difference):.3f} apart"
    if abs(reach.difference) >= reach.small:
        return f"Yes: {ahead}, and {SMALL} clips find differences from {reach.small:.3f} on."
    decide = f"about {reach.needed:,} sessions like these find one of {margin:g}"
    return f"No: {ahead}, and {SMALL} clips find nothing below {reach.small:.3f}; {decide}."
