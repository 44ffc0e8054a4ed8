"""Drawing as data: filled and stroked paths, colours, gradients, easing.

Coordinates are pixels of a 336 x 336 picture, x to the right and y down, as IEEE doubles made with + - * / and sqrt
only, so that they are equal on every processor; the renderer snaps them to 1/64 pixel. What stands on the bench is
built in centimetres and seen through a `camera`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import sqrt
from typing import NamedTuple

SIDE = 336.0
CLOSE, MOVE, LINE, CURVE = 0, 1, 2, 3
_KAPPA = 0.5522847498307936  # a quarter circle as one cubic

Point = tuple[float, float]
Colour = tuple[int, int, int, int]  # red, green, blue, alpha: 0 to 255


class Gradient(NamedTuple):
    """Colour gradient: linear from (x, y) to (x2, y2), or radial around (x, y) with radius x2 (y2 unused)."""

    kind: str  # "linear" or "radial"
    x: float
    y: float
    x2: float
    y2: float
    stops: tuple[tuple[float, Colour], ...]  # offset in [0, 1], rising


class Stroke(NamedTuple):
    """Outline of a shape; its width in the station's pixels."""

    colour: Colour
    width: float


class Shape(NamedTuple):
    """One path: `commands` consume `points` (x, y, x, y, ...): MOVE and LINE one point, CURVE three, CLOSE none."""

    commands: bytes
    points: tuple[float, ...]
    fill: Colour | Gradient | None
    stroke: Stroke | None = None


class Path:
    """Collection of sub-paths; `filled` turns them into one shape."""

    def __init__(self) -> None:
        self.commands = bytearray()
        self.points: list[float] = []

    def polygon(self, corners: Iterable[Point]) -> Path:
        """Add a closed polygon."""
        start = len(self.points)
        for corner in corners:
            self.points += corner
        count = (len(self.points) - start) // 2
        self.commands += bytes((MOVE, *(LINE,) * (count - 1), CLOSE))
        return self

    def line(self, corners: Iterable[Point]) -> Path:
        """Add an open line."""
        self.polygon(corners)
        self.commands.pop()
        return self

    def rectangle(self, x: float, y: float, width: float, height: float) -> Path:
        """Add a rectangle."""
        return self.polygon(((x, y), (x + width, y), (x + width, y + height), (x, y + height)))

    def rounded(self, x: float, y: float, width: float, height: float, radius: float) -> Path:
        """Add a rectangle with round corners."""
        right, bottom, k = x + width, y + height, radius * (1 - _KAPPA)
        self.commands += bytes((MOVE, LINE, CURVE, LINE, CURVE, LINE, CURVE, LINE, CURVE, CLOSE))
        self.points += (x + radius, y, right - radius, y)
        self.points += (right - k, y, right, y + k, right, y + radius, right, bottom - radius)
        self.points += (right, bottom - k, right - k, bottom, right - radius, bottom, x + radius, bottom)
        self.points += (x + k, bottom, x, bottom - k, x, bottom - radius, x, y + radius)
        self.points += (x, y + k, x + k, y, x + radius, y)
        return self

    def ellipse(self, x: float, y: float, across: float, down: float | None = None) -> Path:
        """Add an ellipse of these half axes, or a circle."""
        down = across if down is None else down
        a, b = across * _KAPPA, down * _KAPPA
        self.commands += bytes((MOVE, CURVE, CURVE, CURVE, CURVE, CLOSE))
        self.points += (x + across, y)
        self.points += (x + across, y + b, x + a, y + down, x, y + down)
        self.points += (x - a, y + down, x - across, y + b, x - across, y)
        self.points += (x - across, y - b, x - a, y - down, x, y - down)
        self.points += (x + a, y - down, x + across, y - b, x + across, y)
        return self

    def blob(self, corners: Sequence[Point]) -> Path:
        """Add a closed smooth curve through the corners (Catmull-Rom)."""
        count = len(corners)
        self.commands += bytes((MOVE, *(CURVE,) * count, CLOSE))
        self.points += corners[0]
        for index in range(count):
            before, here = corners[index - 1], corners[index]
            after, beyond = corners[(index + 1) % count], corners[(index + 2) % count]
            self.points += (here[0] + (after[0] - before[0]) / 6, here[1] + (after[1] - before[1]) / 6)
            self.points += (after[0] - (beyond[0] - here[0]) / 6, after[1] - (beyond[1] - here[1]) / 6)
            self.points += after
        return self

    def band(self, start: Point, end: Point, radius: float, end_radius: float) -> Path:
        """Add a line of that half width, which may taper, with straight ends."""
        ux, uy = unit(end[0] - start[0], end[1] - start[1])
        return self.polygon(
            (
                (start[0] - uy * radius, start[1] + ux * radius),
                (end[0] - uy * end_radius, end[1] + ux * end_radius),
                (end[0] + uy * end_radius, end[1] - ux * end_radius),
                (start[0] + uy * radius, start[1] - ux * radius),
            )
        )

    def capsule(self, start: Point, end: Point, radius: float, end_radius: float | None = None) -> Path:
        """Add a band with round ends."""
        last = radius if end_radius is None else end_radius
        return self.band(start, end, radius, last).disc(start, radius).disc(end, last)

    def disc(self, centre: Point, radius: float) -> Path:
        """Add a circle, wound like the capsule's sides, so that their union has no holes."""
        x, y = centre
        k = radius * _KAPPA
        self.commands += bytes((MOVE, CURVE, CURVE, CURVE, CURVE, CLOSE))
        self.points += (x + radius, y)
        self.points += (x + radius, y - k, x + k, y - radius, x, y - radius)
        self.points += (x - k, y - radius, x - radius, y - k, x - radius, y)
        self.points += (x - radius, y + k, x - k, y + radius, x, y + radius)
        self.points += (x + k, y + radius, x + radius, y + k, x + radius, y)
        return self

    def filled(self, fill: Colour | Gradient | None, line: Colour | None = None, width: float = 1.2) -> Shape:
        """Return the sub-paths as one shape, with an outline if `line` gives its colour."""
        stroke = None if line is None else Stroke(line, width)
        return Shape(bytes(self.commands), tuple(self.points), fill, stroke)


def polygon(
    corners: Iterable[Point], fill: Colour | Gradient | None, line: Colour | None = None, width: float = 1.2
) -> Shape:
    """Return a polygon as a shape."""
    return Path().polygon(corners).filled(fill, line, width)


def linear(start: Point, end: Point, *colours: Colour) -> Gradient:
    """Return a gradient of evenly spaced colours from one point to another."""
    last = len(colours) - 1
    return Gradient("linear", *start, *end, tuple((index / last, colour) for index, colour in enumerate(colours)))


@lru_cache(maxsize=512)
def colour(text: str, alpha: int = 255) -> Colour:
    """Return the colour of a text `#rrggbb`."""
    value = int(text[1:], 16)
    return value >> 16, value >> 8 & 255, value & 255, alpha


@lru_cache(maxsize=8192)
def mix(one: Colour, other: Colour, per_mille: int) -> Colour:
    """Return a colour with `per_mille` of the other in it, in integers."""
    red, green, blue, alpha = (
        (a * (1000 - per_mille) + b * per_mille) // 1000 for a, b in zip(one, other, strict=True)
    )
    return red, green, blue, alpha


def darker(one: Colour, per_mille: int = 220) -> Colour:
    """Return the colour mixed with dark brown."""
    return mix(one, (48, 28, 20, one[3]), per_mille)


def lighter(one: Colour, per_mille: int = 300) -> Colour:
    """Return the colour mixed with warm white."""
    return mix(one, (255, 250, 240, one[3]), per_mille)


def faded(one: Colour, alpha: int) -> Colour:
    """Return the colour with another alpha."""
    return (*one[:3], alpha)


def unit(x: float, y: float) -> Point:
    """Return the direction (x, y) at length 1; (1, 0) where there is none."""
    length = sqrt(x * x + y * y)
    return (x / length, y / length) if length > 1e-9 else (1.0, 0.0)


def clamp(share: float) -> float:
    """Return the nearest number in [0, 1]."""
    return 0.0 if share < 0.0 else 1.0 if share > 1.0 else share


def smooth(share: float) -> float:
    """Return an eased share: from 0 to 1, at rest at both ends."""
    share = clamp(share)
    return share * share * (3.0 - 2.0 * share)


def phase(ms: int, period: int) -> float:
    """Return the place in a loop, in [0, 1)."""
    return (ms % period) / period


def swing(share: float) -> float:
    """Return 0 -> 1 -> 0 over a loop, at rest at both ends."""
    return smooth(2.0 * share if share < 0.5 else 2.0 - 2.0 * share)


def between(share: float, start: float, end: float) -> float:
    """Return how far `share` is from `start` to `end`, eased."""
    return smooth((share - start) / (end - start))


def lerp(one: Point, other: Point, share: float) -> Point:
    """Return the point at `share` of the way from one to the other."""
    return one[0] + (other[0] - one[0]) * share, one[1] + (other[1] - one[1]) * share


def arc(one: Point, other: Point, share: float, height: float) -> Point:
    """Return the point at `share` of the way from one to the other on a parabola that rises by `height` half-way."""
    x, y = lerp(one, other, share)
    return x, y - height * 4.0 * share * (1.0 - share)
