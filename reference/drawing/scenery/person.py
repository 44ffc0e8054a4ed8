"""The worker: arms with sleeves and hands, torso and head, from whichever side the camera looks.

The stripes on the sleeves tell who works; skin, clothes, gloves and build are the session's and tell nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from typing import NamedTuple

from reference.drawing.camera import Camera, Vector
from reference.drawing.look import Person
from reference.drawing.shapes import Colour, Path, Point, Shape, colour, darker, lerp, lighter, linear, polygon, unit
from reference.drawing.solids import RING, ball, between, distance, hull

LEFT, RIGHT = -1.0, 1.0
_UPPER = 31.0  # length of upper arm and of forearm, in cm
_SWAY = 12.0  # cm to either side
_WRIST = 5.5  # from wrist to palm
_PALE, _DARK = colour("#f4f1e8"), colour("#26292d")


class Hand(NamedTuple):
    """Position of a hand (its palm, in cm), its pose, and the point it is turned to (None: along the arm)."""

    at: Vector
    pose: str = "grip"  # "grip", "open", "point" or "flat"
    towards: Vector | None = None


class Layer(NamedTuple):
    """Shapes that lie at one distance from the eye, in cm; the farthest layer is drawn first."""

    depth: float
    shapes: list[Shape]


_FINGERS = {
    "grip": (9.0, 10.0, 10.0, 8.5),
    "open": (15.0, 17.5, 17.0, 14.0),
    "point": (19.0, 9.0, 9.0, 8.0),
    "flat": (17.0, 19.0, 18.5, 15.0),
}


def shoulder(camera: Camera, person: Person, side: float, sway: float) -> Vector:
    """Return the point at which an arm begins; a camera that the worker wears sees it below the picture."""
    if camera.side == "worker":
        return sway + side * 27.0 * person.build, -64.0, 8.0
    return sway + side * 20.0 * person.build, -15.0, 36.0


def sway_of(hands: Iterable[Hand]) -> float:
    """Return how far the worker leans to the right (cm), after the hands."""
    places = [hand.at[0] for hand in hands]
    return min(max(0.45 * sum(places) / len(places), -_SWAY), _SWAY)


def arm(camera: Camera, person: Person, stripes: int, side: float, hand: Hand, begin: Vector) -> list[Layer]:
    """Draw one arm and its hand, from the shoulder at `begin`.

    `side` tells where elbow and thumb are: the elbow outside, the thumb inside.
    """
    elbow = _elbow(begin, hand.at, side)
    reach = max(1.0, distance(elbow, hand.at))
    wrist = between(hand.at, elbow, _WRIST / reach)
    points = [camera.at(*point) for point in (begin, elbow, wrist)]
    sizes = [camera.scale(*point) * person.build for point in (begin, elbow, wrist)]
    middle = between(elbow, wrist, 0.6)
    size = camera.scale(*hand.at) * person.build / 2.3  # the hand is built 26 px wide at a scale of 1
    palm = camera.at(*hand.at)
    along = unit(palm[0] - points[2][0], palm[1] - points[2][1])
    if hand.towards is not None:
        x, y = camera.at(*hand.towards)
        along = unit(x - palm[0], y - palm[1])
    thumb = side * camera.flip
    return [
        Layer(camera.depth(*middle), _limb(points, sizes, person, stripes)),
        Layer(camera.depth(*hand.at) - 4.0, _hand(palm, along, hand.pose, person, thumb, size)),
    ]


def _limb(points: list[Point], sizes: list[float], person: Person, stripes: int) -> list[Shape]:
    """Draw upper arm, forearm and sleeve between the pixels of shoulder, elbow and wrist."""
    begin, elbow, wrist = points
    top, bend, end = (radius * size for radius, size in zip((7.6, 5.8, 3.8), sizes, strict=True))
    cuff = lerp(elbow, wrist, 1.0 - person.bare)
    at_cuff = bend + (end - bend) * (1.0 - person.bare) + 0.9
    skin = person.skin
    line, skin_line = darker(person.sleeve, 430), darker(skin, 430)
    x, y = unit(wrist[0] - elbow[0], wrist[1] - elbow[1])
    light = linear(
        (elbow[0] - y * bend, elbow[1] + x * bend),
        (elbow[0] + y * bend, elbow[1] - x * bend),
        lighter(person.sleeve, 150),
        person.sleeve,
        darker(person.sleeve, 230),
    )
    outline = Path().capsule(begin, elbow, top + 1.1, bend + 1.1).band(elbow, cuff, bend + 1.1, at_cuff + 1.1)
    sleeve = Path().capsule(begin, elbow, top, bend).band(elbow, cuff, bend, at_cuff)
    bands = Path()
    for number in range(stripes):
        start = 0.86 - 0.15 * number
        here, there = lerp(elbow, cuff, start), lerp(elbow, cuff, start - 0.075)
        wide = bend + (at_cuff - bend) * start
        bands.band(here, there, wide - 0.4, wide - 0.2)
    pale = sum(person.sleeve[:3]) < 390
    return [
        Path().capsule(lerp(elbow, wrist, 0.4), wrist, bend * 0.85 + 1.0, end + 1.0).filled(skin_line),
        Path().capsule(lerp(elbow, wrist, 0.4), wrist, bend * 0.85, end).filled(person.skin),
        outline.filled(line),
        sleeve.filled(light),
        bands.filled(_PALE if pale else _DARK),
    ]


def hand_colour(person: Person) -> Colour:
    """Return the colour of the hand: the glove's where one is worn, else the skin's."""
    return person.skin if person.glove is None else person.glove


def _elbow(begin: Vector, hand: Vector, side: float) -> Vector:
    """Return the elbow of two links of equal length, bent outwards and down; a far hand stretches the arm."""
    x, y, z = (b - a for a, b in zip(begin, hand, strict=True))
    long = sqrt(x * x + y * y + z * z)
    middle = between(begin, hand, 0.5)
    if long >= 2 * _UPPER - 1.0 or long < 1.0:
        return middle[0] + side * 3.0, middle[1], middle[2] - 1.0
    bend = sqrt(_UPPER * _UPPER - long * long / 4)
    ox, oy, oz = side * 0.85, -0.15, -0.45
    along = (ox * x + oy * y + oz * z) / (long * long)
    ox, oy, oz = ox - along * x, oy - along * y, oz - along * z
    size = sqrt(ox * ox + oy * oy + oz * oz)
    share = bend / size if size > 1e-6 else 0.0
    return middle[0] + ox * share, middle[1] + oy * share, max(2.0, middle[2] + oz * share)


def _hand(palm: Point, along: Point, pose: str, person: Person, thumb: float, size: float) -> list[Shape]:
    x, y = palm
    ux, uy = along
    vx, vy = uy * thumb, -ux * thumb  # to the thumb's side
    skin = hand_colour(person)
    line = darker(skin, 450)

    def point(forward: float, inward: float) -> Point:
        return x + size * (ux * forward + vx * inward), y + size * (uy * forward + vy * inward)

    outer, inner = Path(), Path()
    lengths = _FINGERS[pose]
    for number, length in enumerate(lengths):
        across = 8.4 - 5.6 * number
        root, tip = point(6, across), point(6 + length, across * 1.12)
        outer.capsule(root, tip, 4.9 * size)
        inner.capsule(root, tip, 3.3 * size)
    for path, grown in ((outer, 1.5), (inner, 0.0)):
        path.capsule(point(-6, 0), point(5, 0), (9.5 + grown) * size, (11.5 + grown) * size)
        path.capsule(point(-2, 8), point(8, 15), (4.6 + grown) * size, (3.6 + grown) * size)
    knuckles = Path()
    for number in range(3):
        knuckles.band(
            point(7, 5.6 - 5.6 * number), point(9.5 + lengths[number] * 0.4, (5.6 - 5.6 * number) * 1.08), size, size
        )
    return [outer.filled(line), inner.filled(skin), knuckles.filled(darker(skin, 240))]


def body(camera: Camera, person: Person, sway: float) -> list[Layer]:
    """Draw chest, neck and head, bent over the work; a camera that the worker wears does not see them."""
    if camera.side == "worker":
        return []
    chest = Layer(camera.depth(sway, -17.0, 10.0) + 60.0, _torso(camera, person, sway))
    return [chest, Layer(camera.depth(sway, -12.0, 52.0) - 25.0, _head(camera, person, sway))]


def _torso(camera: Camera, person: Person, sway: float) -> list[Shape]:
    wide, tint = person.build, person.sleeve
    chest = [camera.at(sway + x * 19.0 * wide, -17.0 + 8.0 * y, 36.0) for x, y in RING]
    hips = [camera.at(0.5 * sway + x * 16.0 * wide, -18.0 + 9.0 * y, 0.0) for x, y in RING]
    rounds = []
    for side in (LEFT, RIGHT):
        point = shoulder(camera, person, side, sway)
        (x, y), size = camera.at(*point), 7.6 * wide * camera.scale(*point)
        rounds += [(x + size * a, y + size * b) for a, b in RING]
    rim = hull([*chest, *hips, *rounds])
    left, right = min(x for x, _ in rim), max(x for x, _ in rim)
    light = linear((left, 0.0), (right, 0.0), lighter(tint, 90), tint, darker(tint, 260))
    shapes = [polygon(rim, light, darker(tint, 450))]
    if camera.side == "far":
        bib = ((-10.0, 26.0), (10.0, 26.0), (14.0, 0.0), (-14.0, 0.0))
        corners = [camera.at((0.5 + z / 52.0) * sway + x * wide, -8.5, z) for x, z in bib]
        shapes.append(polygon(corners, person.apron, darker(person.apron, 420)))
    return shapes


def _head(camera: Camera, person: Person, sway: float) -> list[Shape]:
    parts = [
        ((sway, -14.0, 43.0), 6.2, darker(person.skin, 180)),
        ((sway, -9.5, 49.0), 9.0, person.skin),
        ((sway, -13.0, 53.0), 10.2, person.hair),
    ]
    return [
        ball(camera, middle, size, tint)
        for middle, size, tint in [parts[0], *sorted(parts[1:], key=lambda part: -camera.depth(*part[0]))]
    ]
