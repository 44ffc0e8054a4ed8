"""A number as a page shows it: with its interval, its n, where it stands in the score record, and its axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measure:
    """`at`: the path in the entry's score.json, empty where the number is of several entries. None: does not exist."""

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
        """Half the interval's width."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


def measure(row: Mapping[str, Any], at: str = "", n: int | None = None, sessions: int | None = None) -> Measure:
    """Of a row with value, low and high, as score records hold them."""
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
    """A linear scale. `at` gives the place of a value in percent of its length, cut to the axis."""

    low: float
    high: float
    ticks: tuple[float, ...] = field(default=())

    def at(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(100 * share, 2)

    def width(self, start: float, end: float) -> float:
        return round(self.at(end) - self.at(start), 2)

    @property
    def labelled(self) -> list[tuple[float, str]]:
        """The few ticks that bear a number (0 or the middle one, the ends where there is room), and their place."""
        middle = 0.0 if self.low < 0 < self.high else self.ticks[len(self.ticks) // 2]
        chosen = [middle]
        for end in (self.ticks[0], self.ticks[-1]):
            if end not in chosen and min(abs(self.at(end) - self.at(other)) for other in chosen) >= 25:
                chosen.append(end)
        places = {self.ticks[0]: "first", self.ticks[-1]: "last"}
        return [(tick, places.get(tick, "mid")) for tick in sorted(chosen)]

    @property
    def digits(self) -> int:
        """Decimals that the ticks need."""
        return next(n for n in range(10) if all(abs(round(tick, n) - tick) < 1e-9 for tick in self.ticks))


UNIT = Axis(0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))


def axis_over(values: Sequence[float | None], *, zero: bool = False, least: float = 0.02) -> Axis:
    """Round ends around the values; `zero`: 0 lies on it. At least `least` long."""
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
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= step * (1 - 1e-9))


def spoken(names: Sequence[str], most: int = 4) -> str:
    """A, B and C; a long list is counted."""
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def plus(value: float, digits: int = 3) -> str:
    """With its sign, and a minus that is one."""
    return f"{value:+.{digits}f}".replace("-", "−")


def chance(p: float | None) -> str:
    """A p as sentences say it; all its digits stand where it is traced."""
    return "–" if p is None else "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")
