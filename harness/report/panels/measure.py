"""Number as the page shows it: with its interval, its n, its path in the score record, and the axis to draw it on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measure:
    """Number with its 95% interval; None where it does not exist.

    `at` is its path in the entry's score.json, empty for a number of several entries; `n` counts clips.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    sessions: int | None = None
    at: str = ""
    one_sided: bool = False
    note: str = ""

    @property
    def half(self) -> float | None:
        """Return half the width of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


def measure(row: Mapping[str, Any], at: str = "", n: int | None = None, sessions: int | None = None) -> Measure:
    """Make a Measure of a row with `value`, `low` and `high`, as score records hold them."""
    return Measure(
        row["value"],
        row["low"],
        row["high"],
        row.get("n", n),
        row.get("sessions", sessions),
        at,
        bool(row.get("one_sided")),
        row.get("note") or "",
    )


@dataclass(frozen=True)
class Axis:
    """Linear scale of a chart, with ticks at round values."""

    low: float
    high: float
    ticks: tuple[float, ...] = field(default=())

    def at(self, value: float) -> float:
        """Return the place of a value in percent of the axis' length; values outside are drawn at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(100 * share, 2)

    def width(self, start: float, end: float) -> float:
        """Return the distance of two values in percent of the axis' length."""
        return round(self.at(end) - self.at(start), 2)

    @property
    def labelled(self) -> list[tuple[float, str]]:
        """Return the few ticks that bear a number (0 or the middle one, ends with room) and their alignment."""
        middle = 0.0 if self.low < 0 < self.high else self.ticks[len(self.ticks) // 2]
        chosen = [middle]
        for end in (self.ticks[0], self.ticks[-1]):
            if end not in chosen and min(abs(self.at(end) - self.at(other)) for other in chosen) >= 25:
                chosen.append(end)
        places = {self.ticks[0]: "first", self.ticks[-1]: "last"}
        return [(tick, places.get(tick, "mid")) for tick in sorted(chosen)]

    @property
    def digits(self) -> int:
        """Return how many decimals the ticks need."""
        return next(n for n in range(10) if all(abs(round(tick, n) - tick) < 1e-9 for tick in self.ticks))


UNIT = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))


def axis_over(values: Sequence[float | None], *, zero: bool = False, least: float = 0.02) -> Axis:
    """Return an axis of at least length `least` with round ends around the values; with `zero` it holds 0."""
    known = [value for value in values if value is not None and math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    step = nice(max(high - low, least) / 4)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = tuple(round(step * place, 10) for place in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def nice(step: float) -> float:
    """Return the next number from `step` on that is 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= step * (1 - 1e-9))
