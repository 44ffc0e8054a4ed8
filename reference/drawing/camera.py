"""The camera of a session: centimetres of the station to pixels of a 336 x 336 picture, in perspective.

Station coordinates: x to the worker's right, y from the worker across the bench, z up from its top. Everything is made
with + - * / and sqrt, so that a point falls on the same pixel on every processor.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import NamedTuple

from reference.drawing.shapes import SIDE, Point
from reference.randomness import NextRandom

Vector = tuple[float, float, float]

NEAR = 20.0  # nothing is drawn closer to the eye than this, in cm
AIM: Vector = (0.0, 31.0, 6.0)  # the middle of the work
FRAMED: tuple[Vector, ...] = tuple((x, y, 0.0) for x in (-61.0, 61.0) for y in (-5.0, 72.0))
"""Corners of what every picture shows: the bench with its edges."""


class Camera(NamedTuple):
    """Position and axes of a camera; `zoom` in pixels at a distance of 1 cm, `left` and `top` in pixels."""

    side: str  # where it stands, seen from above: "worker", "overhead", "left", "right" or "far"
    eye: Vector
    right: Vector
    down: Vector
    forward: Vector
    zoom: float
    left: float
    top: float
    flip: float = 1.0  # -1.0 shows a mirrored station

    def at(self, x: float, y: float, z: float) -> Point:
        """Return the pixel of a point."""
        x, y, z = x * self.flip - self.eye[0], y - self.eye[1], z - self.eye[2]
        rx, ry, rz = self.right
        dx, dy, dz = self.down
        fx, fy, fz = self.forward
        deep = fx * x + fy * y + fz * z
        share = self.zoom / (deep if deep > NEAR else NEAR)
        return self.left + share * (rx * x + ry * y + rz * z), self.top + share * (dx * x + dy * y + dz * z)

    def depth(self, x: float, y: float, z: float) -> float:
        """Return how far a point lies from the eye along the line of sight, in cm."""
        fx, fy, fz = self.forward
        return fx * (x * self.flip - self.eye[0]) + fy * (y - self.eye[1]) + fz * (z - self.eye[2])

    def scale(self, x: float, y: float, z: float) -> float:
        """Return how many pixels a centimetre has at a point."""
        deep = self.depth(x, y, z)
        return self.zoom / (deep if deep > NEAR else NEAR)


class Stand(NamedTuple):
    """Way in which a camera is set up: how often, and the room it leaves round the bench, in pixels."""

    weight: float
    above: float  # signs stand there, or the worker
    below: float
    low: float  # share of the free height that is above the bench


_SIDES = 7.0
_STANDS = {
    "worker": Stand(88, 88.0, 10.0, 0.85),
    "overhead": Stand(4, 72.0, 46.0, 0.5),
    "far": Stand(3, 96.0, 8.0, 0.5),
    "left": Stand(2.5, 88.0, 6.0, 0.6),
    "right": Stand(2.5, 88.0, 6.0, 0.6),
}


def look_at(side: str, towards: Vector, distance: float, flip: bool) -> Camera:
    """Return the camera that stands in the direction `towards` and shows the whole bench as large as it can.

    `distance` in cm sets the perspective, not the size of things.
    """
    forward = _unit((-towards[0], -towards[1], -towards[2]))
    right = _unit((forward[1], -forward[0], 0.0))
    down = (
        forward[1] * right[2] - forward[2] * right[1],
        forward[2] * right[0] - forward[0] * right[2],
        forward[0] * right[1] - forward[1] * right[0],
    )
    x, y, z = (aim - step * distance for aim, step in zip(AIM, forward, strict=True))
    stand = _STANDS[side]
    if flip:  # in a mirrored station left is right
        side = {"left": "right", "right": "left"}.get(side, side)
    plain = Camera(side, (x, y, z), right, down, forward, 1.0, 0.0, 0.0, -1.0 if flip else 1.0)
    points = [plain.at(*corner) for corner in FRAMED]
    low_x, high_x = min(x for x, _ in points), max(x for x, _ in points)
    low_y, high_y = min(y for _, y in points), max(y for _, y in points)
    room = SIDE - stand.above - stand.below
    zoom = min((SIDE - 2 * _SIDES) / (high_x - low_x), room / (high_y - low_y))
    top = stand.above + stand.low * (room - zoom * (high_y - low_y)) - zoom * low_y
    return plain._replace(zoom=zoom, left=SIDE / 2 - zoom * (low_x + high_x) / 2, top=top)


def draw_camera(draw: NextRandom) -> Camera:
    """Return a camera drawn for a session: where it stands, how high, how far, what it is pointed at."""
    side = weighted([(name, stand.weight) for name, stand in _STANDS.items()], draw())
    across, along, high, far = draw() * 2 - 1, draw() * 2 - 1, draw(), draw()
    towards: Vector = {
        "worker": (0.07 * across, -1.0, 1.5 + 0.14 * high),
        "overhead": (0.03 * across, -0.20 - 0.05 * along, 1.0),
        "far": (0.20 * across, 1.0, 1.1 + 0.3 * high),
        "left": (-1.0, -0.25 + 0.15 * along, 1.1 + 0.3 * high),
        "right": (1.0, -0.25 + 0.15 * along, 1.1 + 0.3 * high),
    }[side]
    camera = look_at(side, towards, 180.0 + 20.0 * far, draw() < 0.03)
    return camera._replace(left=camera.left + 2.0 * (draw() * 2 - 1), top=camera.top + 2.0 * (draw() * 2 - 1))


def weighted(choices: Iterable[tuple[str, float]], share: float) -> str:
    """Return the choice at that share of the weights' sum."""
    listed = list(choices)
    ticket = share * sum(weight for _, weight in listed)
    for name, weight in listed:
        ticket -= weight
        if ticket < 0:
            return name
    return listed[-1][0]


def _unit(vector: Vector) -> Vector:
    x, y, z = vector
    length = sqrt(x * x + y * y + z * z)
    return x / length, y / length, z / length
