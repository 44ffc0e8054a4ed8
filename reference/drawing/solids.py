"""Solids on the bench: blocks, cylinders, balls, limbs, crumples and sheets, as a camera sees them.

A `Spot` is a thing's own frame: its middle on the ground, turned about the vertical. Sizes are in cm. Faces that look
away from the camera are left out; the rest is shaded by the way a face looks, with the lamp above.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from reference.drawing.camera import Camera, Vector
from reference.drawing.shapes import Colour, Gradient, Path, Point, Shape, darker, lighter, polygon

_HALF = 0.8660254037844386
_THIRD = 0.5
RING: tuple[Point, ...] = (
    (1.0, 0.0),
    (_HALF, _THIRD),
    (_THIRD, _HALF),
    (0.0, 1.0),
    (-_THIRD, _HALF),
    (-_HALF, _THIRD),
    (-1.0, 0.0),
    (-_HALF, -_THIRD),
    (-_THIRD, -_HALF),
    (0.0, -1.0),
    (_THIRD, -_HALF),
    (_HALF, -_THIRD),
)
"""Twelve points of the unit circle."""

_SIX = RING[::2]
SHADE: Colour = (34, 26, 22, 60)


class Spot(NamedTuple):
    """Frame of a thing: the middle of its foot in the station, and where its own x axis points."""

    camera: Camera
    x: float
    y: float
    z: float = 0.0
    cos: float = 1.0
    sin: float = 0.0

    def world(self, x: float, y: float, z: float = 0.0) -> Vector:
        """Return a point of the thing in the station's coordinates."""
        return self.x + self.cos * x - self.sin * y, self.y + self.sin * x + self.cos * y, self.z + z

    def at(self, x: float, y: float, z: float = 0.0) -> Point:
        """Return the pixel of a point of the thing."""
        return self.camera.at(self.x + self.cos * x - self.sin * y, self.y + self.sin * x + self.cos * y, self.z + z)

    def moved(self, x: float, y: float, z: float = 0.0) -> Spot:
        """Return the frame of a part, turned like the thing."""
        return self._replace(
            x=self.x + self.cos * x - self.sin * y, y=self.y + self.sin * x + self.cos * y, z=self.z + z
        )

    def depth(self) -> float:
        """Return how far the foot lies from the eye."""
        return self.camera.depth(self.x, self.y, self.z)

    def scale(self) -> float:
        """Return the pixels of a centimetre at the foot."""
        return self.camera.scale(self.x, self.y, self.z)


def spot(camera: Camera, point: Vector, turn: float = 0.0) -> Spot:
    """Return the frame at a point, turned by the tangent of half an angle (0: not at all, 1: by 90 degrees)."""
    rest = 1.0 + turn * turn
    return Spot(camera, *point, (1.0 - turn * turn) / rest, 2.0 * turn / rest)


def faces_camera(camera: Camera, corners: Sequence[Point]) -> bool:
    """Return whether a face is seen from outside: its corners, in order around the outward normal, run to the left."""
    (x, y), (x2, y2), (x3, y3) = corners[0], corners[1], corners[2]
    return ((x2 - x) * (y3 - y) - (y2 - y) * (x3 - x)) * camera.flip < 0.0


def block(foot: Spot, wide: float, deep: float, high: float, tint: Colour, line: Colour | None = None) -> list[Shape]:
    """Draw a block with its foot's middle at the spot: the faces that the camera sees."""
    at, w, d = foot.at, wide / 2, deep / 2
    low = (at(-w, -d), at(w, -d), at(w, d), at(-w, d))
    top = (at(-w, -d, high), at(w, -d, high), at(w, d, high), at(-w, d, high))
    line = darker(tint, 420) if line is None else line
    shapes = []
    for one, other, shade in ((0, 1, 130), (1, 2, 260), (2, 3, 330), (3, 0, 220)):
        face = (low[one], low[other], top[other], top[one])
        if faces_camera(foot.camera, face):
            shapes.append(polygon(face, darker(tint, shade), line, 1.0))
    return [*shapes, polygon(top, lighter(tint, 140), line, 1.0)]


def circle(foot: Spot, radius: float, high: float = 0.0) -> list[Point]:
    """Return twelve pixels of a level circle around the spot."""
    return [foot.at(radius * x, radius * y, high) for x, y in RING]


def cylinder(
    foot: Spot, radius: float, high: float, tint: Colour, top: Colour | None = None, top_radius: float | None = None
) -> list[Shape]:
    """Draw a standing cylinder, or the frustum of a cone; `top` is the colour of its upper end."""
    lower, upper = circle(foot, radius), circle(foot, radius if top_radius is None else top_radius, high)
    line = darker(tint, 420)
    body = hull([*lower, *upper])
    left, right = min(x for x, _ in body), max(x for x, _ in body)
    stops = ((0.0, lighter(tint, 160)), (0.35, tint), (1.0, darker(tint, 260)))
    return [
        polygon(body, Gradient("linear", left, 0.0, right, 0.0, stops), line, 1.0),
        Path().blob(upper[::2]).filled(lighter(tint, 180) if top is None else top, line, 0.8),
    ]


def lying(camera: Camera, start: Vector, end: Vector, radius: float, tint: Colour) -> list[Shape]:
    """Draw a lying roll between two points, with its lighter end at the second one."""
    one, other = camera.at(*start), camera.at(*end)
    thick, thin = radius * camera.scale(*start), radius * camera.scale(*end)
    stops = ((0.0, lighter(tint, 260)), (0.5, tint), (1.0, darker(tint, 300)))
    high = min(one[1], other[1]) - thick
    fill = Gradient("linear", one[0], high, one[0], high + 2 * thick + abs(one[1] - other[1]), stops)
    return [
        Path().capsule(one, other, thick, thin).filled(darker(tint, 450)),
        Path().capsule(one, other, thick - 1.0, thin - 1.0).filled(fill),
        Path().ellipse(*other, thin * 0.72, thin * 0.92).filled(lighter(tint, 380), darker(tint, 300), 0.8),
        Path().ellipse(*other, thin * 0.28, thin * 0.36).filled(darker(tint, 520)),
    ]


def ball(camera: Camera, middle: Vector, radius: float, tint: Colour) -> Shape:
    """Draw a ball, lit from above."""
    x, y = camera.at(*middle)
    size = radius * camera.scale(*middle)
    stops = ((0.0, lighter(tint, 200)), (0.6, tint), (1.0, darker(tint, 200)))
    return (
        Path()
        .ellipse(x, y, size)
        .filled(Gradient("radial", x, y - size * 0.3, size * 1.25, 0.0, stops), darker(tint, 420), 0.9)
    )


_CRUMPLE = ((9, 7, 10, 8, 9, 7, 10), (8, 10, 7, 9, 10, 8, 9), (10, 8, 9, 7, 8, 10, 9), (7, 9, 8, 10, 9, 10, 7))
_AROUND = ((1.0, 0.1), (0.6, 0.75), (-0.2, 0.95), (-0.9, 0.5), (-0.9, -0.45), (-0.15, -1.0), (0.65, -0.7))


def crumples(camera: Camera, middles: Sequence[Vector], radius: float, turn: int, tint: Colour) -> list[Shape]:
    """Draw crumpled paper at these places, the first one below the others; `turn` chooses among four forms."""
    shapes, creases = [], Path()
    for number, middle in enumerate(middles, turn):
        x, y = camera.at(*middle)
        size = radius * camera.scale(*middle)
        rim = [
            (x + size * ax * share / 9, y + size * 0.88 * ay * share / 9)
            for (ax, ay), share in zip(_AROUND, _CRUMPLE[number % 4], strict=True)
        ]
        creases.polygon((rim[4], (x + size * 0.2, y - size * 0.1), rim[5]))
        creases.polygon((rim[1], (x - size * 0.1, y + size * 0.2), rim[2]))
        shapes.append(Path().blob(rim).filled(tint, darker(tint, 380), 1.0))
    return [*shapes, creases.filled(lighter(tint, 380))]


def sheet(foot: Spot, wide: float, deep: float, tint: Colour, high: float = 0.3) -> Shape:
    """Draw a sheet that lies at that height, its middle over the spot."""
    at, w, d = foot.at, wide / 2, deep / 2
    corners = (at(-w, -d, high), at(w, -d, high), at(w, d, high), at(-w, d, high))
    return polygon(corners, tint, darker(tint, 320), 0.8)


def shadow(foot: Spot, across: float, along: float) -> Shape:
    """Draw the soft dark of a thing on what it stands on."""
    return Path().blob([foot.at(across * x + 1.5, along * y - 1.5) for x, y in _SIX]).filled(SHADE)


def hull(points: Sequence[Point]) -> list[Point]:
    """Return the convex hull of points, in order (Andrew's monotone chain)."""
    ordered = sorted(points)

    def chain(listed: Sequence[Point]) -> list[Point]:
        found: list[Point] = []
        for x, y in listed:
            while len(found) > 1:
                (ax, ay), (bx, by) = found[-2], found[-1]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0.0:
                    break
                found.pop()
            found.append((x, y))
        return found[:-1]

    return [*chain(ordered), *chain(ordered[::-1])]


def between(one: Vector, other: Vector, share: float) -> Vector:
    """Return the point at that share of the way from one to the other."""
    x, y, z = one
    return x + (other[0] - x) * share, y + (other[1] - y) * share, z + (other[2] - z) * share


def over(one: Vector, other: Vector, share: float, rise: float) -> Vector:
    """Return the point at that share of an arc from one to the other that rises by `rise` half-way."""
    x, y, z = between(one, other, share)
    return x, y, z + rise * 4.0 * share * (1.0 - share)


def distance(one: Vector, other: Vector) -> float:
    """Return the distance of two points."""
    x, y, z = (a - b for a, b in zip(one, other, strict=True))
    return sqrt(x * x + y * y + z * z)
