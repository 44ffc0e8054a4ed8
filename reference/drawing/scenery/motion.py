"""Motion like people's: cycles of uneven length, pauses, fumbles, and a moment of hesitation when work changes.

All of it is drawn from the clip's seed and the number of the run, and depends on the time since the run began: never
on when it will end.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from reference.drawing.camera import Vector
from reference.drawing.shapes import clamp, smooth
from reference.drawing.solids import over

_LEAST, _MOST = 300, 1000  # ms of hesitation
_SETTLING, _STARTING = 260, 280  # ms in which hands leave what they did before, and come to the work
_SLIPS = 0.18  # share of cycles in which the grip slips
_LIFTS, _WINDOW, _LIFT = 0.25, 4000, 1800  # share of windows of so many ms in which a tool is lifted, and for how long
_KEY = 0x51AB3F0C


class Beat(NamedTuple):
    """Moment of a cycle: its number, the shares of its parts that are over, and whether the grip slips in it."""

    number: int
    reach: float  # to what is taken
    carry: float  # with it, to where it goes
    place: float  # setting it down
    back: float


class Aside(NamedTuple):
    """Something that the other hand takes up meanwhile: which one, and the share of it that is over."""

    choice: float
    share: float


class Rhythm:
    """Timing of one run: how long it hesitates, and the cycles that follow, each with its own pace."""

    def __init__(self, seed: int, number: int, period: int):
        draw = random.Random((seed ^ _KEY) * 64 + number).random
        self.hesitation = _LEAST + int((_MOST - _LEAST) * draw() * draw())
        self.astray = draw() < 0.5  # the hand goes to the wrong thing first
        self.aside = draw()
        self._draw, self._period = draw, period
        self._idle = random.Random((seed ^ ~_KEY) * 64 + number).random
        self._asides: list[tuple[float, float]] = []
        self._ends: list[int] = []
        self._fumbles: list[bool] = []

    @property
    def drinks(self) -> bool:
        """Return whether an idle worker holds the mug; else it is a phone."""
        return self.aside < 0.5

    def worked(self, ms: int) -> int:
        """Return the ms of work, without the hesitation at the beginning."""
        return max(0, ms - self.hesitation)

    def settled(self, ms: int) -> float:
        """Return how far the hands have come from what they did before: 0 at the beginning of the run, then 1."""
        return smooth(ms / _SETTLING)

    def started(self, ms: int) -> float:
        """Return how far the hands have come from hesitating to the work."""
        return smooth((ms - self.hesitation) / _STARTING)

    def lifting(self, work: int) -> Aside | None:
        """Return what the other hand takes up at this moment of the work, if anything."""
        window, ms = divmod(work, _WINDOW)
        while len(self._asides) <= window:
            self._asides.append((self._idle(), self._idle()))
        wish, begin = self._asides[window]
        start = 600 + int(1400 * begin)
        if wish >= _LIFTS or not start <= ms < start + _LIFT:
            return None
        return Aside(wish / _LIFTS, (ms - start) / _LIFT)

    def beat(self, ms: int) -> Beat:
        """Return the moment of the cycle at `ms` of work."""
        while not self._ends or self._ends[-1] <= ms:
            long = int(self._period * (0.75 + 0.55 * self._draw()))
            self._ends.append((self._ends[-1] if self._ends else 0) + long)
            self._fumbles.append(self._draw() < _SLIPS)
        number = next(place for place, end in enumerate(self._ends) if ms < end)
        begin = self._ends[number - 1] if number else 0
        share = (ms - begin) / (self._ends[number] - begin)
        reach = clamp(share / 0.30)
        if self._fumbles[number]:
            reach = _slipping(reach)
        return Beat(
            number,
            smooth(reach),
            smooth((share - 0.36) / 0.30),
            smooth((share - 0.68) / 0.10),
            smooth((share - 0.82) / 0.18),
        )


def _slipping(reach: float) -> float:
    """Return the way to a thing when the grip slips: the hand comes near, draws back, comes again."""
    if reach < 0.5:
        return 1.6 * reach
    return 0.8 - 1.2 * (reach - 0.5) if reach < 0.7 else 0.56 + 1.467 * (reach - 0.7)


def path(start: Vector, source: Vector, target: Vector, beat: Beat, rise: float = 9.0) -> Vector:
    """Return where the hand is: from `start` to the source, with the thing to the target, and back."""
    if beat.back > 0.0:
        return over(target, start, beat.back, rise * 0.6)
    if beat.carry > 0.0:
        return over(source, target, beat.carry, rise)
    return over(start, source, beat.reach, rise * 0.6)
