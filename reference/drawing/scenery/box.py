"""The carton in each of its states: rising from flat, open with what is in it, closed, lying bottom up, gift-wrapped.

Its middle is the spot's; x runs along its length, y away from the worker, in cm. A flap's angle runs from 0 (folded in,
closed) over 1 (upright) and 2 (out, level) to 3 (hanging down).
"""

from __future__ import annotations

from typing import NamedTuple

from reference.drawing.camera import Vector
from reference.drawing.shapes import (
    Colour,
    Path,
    Point,
    Shape,
    colour,
    darker,
    faded,
    lighter,
    polygon,
    unit,
)
from reference.drawing.solids import Spot, faces_camera, shadow

_FOLDS = ((-1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.55, -0.85))  # outward and up, at angles 0 to 3
_WHITE, _BLACK = colour("#fbfaf6"), colour("#23262a")

Flaps = tuple[float, float, float, float]  # front, right, back, left
OPEN: Flaps = (2.6, 2.4, 2.3, 2.4)


class Carton(NamedTuple):
    """Box of a size at a spot; `lean` shifts its rim while it is squared up, `wide` is its whole length."""

    foot: Spot
    wide: float
    deep: float
    high: float
    kraft: Colour
    tape: Colour
    printed: bool
    paper: Colour
    ink: Colour
    lean: float = 0.0

    def at(self, x: float, y: float, z: float) -> Point:
        """Return the pixel of a point of the box."""
        return self.foot.at(x + self.lean * z / 20.0, y, z)

    def world(self, x: float, y: float, z: float) -> Vector:
        """Return a point of the box in the station's coordinates."""
        return self.foot.world(x + self.lean * z / 20.0, y, z)

    def corners(self, z: float) -> tuple[Point, Point, Point, Point]:
        """Return the pixels of the four corners at a height: front left, front right, back right, back left."""
        w, d = self.wide / 2, self.deep / 2
        return self.at(-w, -d, z), self.at(w, -d, z), self.at(w, d, z), self.at(-w, d, z)


def _fold(angle: float) -> Point:
    low = min(2, int(angle))
    share = angle - low
    (x, z), (x2, z2) = _FOLDS[low], _FOLDS[low + 1]
    return unit(x + (x2 - x) * share, z + (z2 - z) * share)


_SIDES = ((0, 1, 0.0, -1.0), (1, 2, 1.0, 0.0), (2, 3, 0.0, 1.0), (3, 0, -1.0, 0.0))


def _flap(box: Carton, number: int, angle: float) -> Shape:
    """Draw one flap, hinged at the rim; its light follows from its angle."""
    out, up = _fold(angle)
    long = box.deep * 0.46
    w, d = box.wide / 2, box.deep / 2
    places = ((-w, -d), (w, -d), (w, d), (-w, d))
    one, other, ax, ay = _SIDES[number]
    (x, y), (x2, y2) = places[one], places[other]
    dx, dy, z = ax * out * long, ay * out * long, box.high + up * long
    inset = 0.05
    corners = (
        box.at(x, y, box.high),
        box.at(x2, y2, box.high),
        box.at(x2 + dx - (x2 - x) * inset, y2 + dy - (y2 - y) * inset, z),
        box.at(x + dx + (x2 - x) * inset, y + dy + (y2 - y) * inset, z),
    )
    tint = lighter(box.kraft, 260) if angle > 1.5 else lighter(box.kraft, 100)
    return polygon(corners, tint, darker(box.kraft, 420), 1.0)


def _near(box: Carton) -> list[bool]:
    """Return for each wall whether its outside is seen."""
    low, top = box.corners(0.0), box.corners(box.high)
    return [faces_camera(box.foot.camera, (low[one], low[other], top[other], top[one])) for one, other, _, _ in _SIDES]


def far_side(box: Carton, flaps: Flaps) -> list[Shape]:
    """Draw what lies behind the contents: shadow, floor, the insides of the walls, the flaps of the far walls."""
    low, top = box.corners(0.0), box.corners(box.high)
    shapes = [shadow(box.foot, box.wide * 0.62, box.deep * 0.66), polygon(low, darker(box.kraft, 520))]
    near = _near(box)
    for number, (one, other, _, _) in enumerate(_SIDES):
        if not near[number]:
            shade = (380, 460, 330, 430)[number]
            shapes.append(polygon((low[one], low[other], top[other], top[one]), darker(box.kraft, shade)))
    for number in (2, 1, 3, 0):
        if not near[number]:
            shapes.append(_flap(box, number, flaps[number]))
    return shapes


def near_side(box: Carton, flaps: Flaps, flipped: bool = False) -> list[Shape]:
    """Draw what lies before the contents: the walls that face the camera, with their print, and their flaps."""
    near = _near(box)
    shapes = _walls(box, box.kraft, near)
    if box.high > 12.0 and near[0]:
        shapes.append(_print(box, flipped))
    for number in (2, 1, 3, 0):
        if near[number]:
            shapes.append(_flap(box, number, flaps[number]))
    return shapes


def _walls(box: Carton, tint: Colour, near: list[bool]) -> list[Shape]:
    low, top, line = box.corners(0.0), box.corners(box.high), darker(tint, 430)
    return [
        polygon((low[one], low[other], top[other], top[one]), darker(tint, (60, 230, 300, 190)[number]), line, 1.0)
        for number, (one, other, _, _) in enumerate(_SIDES)
        if near[number]
    ]


def _print(box: Carton, flipped: bool) -> Shape:
    """Draw the two arrows that say which side is up."""
    path = Path()
    arrow = ((0.0, 11.0), (-2.4, 8.0), (-0.9, 8.0), (-0.9, 4.0), (0.9, 4.0), (0.9, 8.0), (2.4, 8.0))
    for x in (box.wide / 2 - 10.0, box.wide / 2 - 4.5):
        path.polygon([box.at(x + dx, -box.deep / 2, box.high - z if flipped else z) for dx, z in arrow])
    return path.filled(darker(box.kraft, 430))


def closed(box: Carton, marks: frozenset[str], wrapped: float = 0.0) -> list[Shape]:
    """Draw the box with its lid shut and its marks; `wrapped` is the share that paper covers, from the left."""
    in_paper = "gift wrap" in marks
    tint = box.paper if in_paper else box.kraft
    near = _near(box)
    shapes = [shadow(box.foot, box.wide * 0.62, box.deep * 0.66), *_walls(box, tint, near), _lid(box, tint)]
    if not in_paper:
        shapes.append(seam(box, tint))
        if near[0]:
            shapes.append(_print(box, False))
        if wrapped > 0.0:
            shapes += gift_paper(box, wrapped)
    if in_paper:
        shapes += ribbon(box)
    if "tape" in marks:
        shapes += strip(box, 1.0)
    if "second tape" in marks:
        shapes += cross_strip(box, 1.0)
    for number, mark in enumerate(("label", "second label")):
        if mark in marks:
            shapes += label(label_spot(box, number))
    return shapes


def bottom_up(box: Carton, marks: frozenset[str]) -> list[Shape]:
    """Draw the box lying on its open flaps, bottom up, the bottom shut, as for taping it."""
    w, d, out = box.wide / 2, box.deep / 2, box.deep * 0.42
    at = box.foot.at
    skirt = Path()
    for corners in (
        ((-w, -d), (w, -d), (w + 2, -d - out), (-w - 2, -d - out)),
        ((w, -d), (w, d), (w + out, d + 2), (w + out, -d - 2)),
        ((w, d), (-w, d), (-w - 2, d + out), (w + 2, d + out)),
        ((-w, d), (-w, -d), (-w - out, -d - 2), (-w - out, d + 2)),
    ):
        skirt.polygon([at(x, y, 0.4) for x, y in corners])
    near = _near(box)
    shapes = [
        shadow(box.foot, box.wide * 0.8, box.deep * 0.95),
        skirt.filled(darker(box.kraft, 220), darker(box.kraft, 560), 1.2),
        *_walls(box, box.kraft, near),
        _lid(box, darker(box.kraft, 330)),
        _bottom_print(box),
        seam(box, box.kraft),
    ]
    if near[0]:
        shapes.append(_print(box, True))
    return [*shapes, *(strip(box, 1.0) if "tape" in marks else [])]


def _bottom_print(box: Carton) -> Shape:
    """Draw the frame and the cross that are printed on a carton's bottom."""
    w, d, z = box.wide * 0.42, box.deep * 0.38, box.high + 0.1
    path = Path().polygon([box.at(x, y, z) for x, y in ((-w, -d), (w, -d), (w, d), (-w, d))])
    path.line((box.at(-w, -d, z), box.at(w, d, z))).line((box.at(-w, d, z), box.at(w, -d, z)))
    return path.filled(None, darker(box.kraft, 620), 2.0)


def _lid(box: Carton, tint: Colour) -> Shape:
    return polygon(box.corners(box.high), lighter(tint, 200), darker(tint, 430), 1.0)


def seam(box: Carton, tint: Colour) -> Shape:
    """Draw the line where the flaps of the lid meet."""
    w = box.wide / 2
    return Path().line((box.at(-w, 0.0, box.high), box.at(w, 0.0, box.high))).filled(None, darker(tint, 520), 1.6)


def _band(box: Carton, corners: tuple[Vector, ...], tint: Colour) -> Shape:
    return polygon([box.at(*corner) for corner in corners], tint, darker(tint, 300), 0.8)


def strip(box: Carton, share: float, side: float = -1.0) -> list[Shape]:
    """Draw tape over the seam up to `share`, from the left (`side` -1) or the right, folded down over its ends."""
    w, half, z = box.wide / 2, 2.6, box.high + 0.1
    begin, end = side * w, side * w - side * box.wide * share
    tint = faded(box.tape, 225)
    shapes = [_band(box, ((begin, -half, z), (end, -half, z), (end, half, z), (begin, half, z)), tint)]
    if box.printed:
        path = Path()
        for number in range(int(share * 7)):
            x = begin - side * box.wide * (number + 0.5) / 7
            path.polygon([box.at(x + dx, dy, z) for dx, dy in ((-1.0, -1.6), (1.0, -1.6), (1.0, 1.6), (-1.0, 1.6))])
        shapes.append(path.filled(darker(box.tape, 420)))
    near = _near(box)
    for number, x in ((1, w), (3, -w)):
        if near[number] and (share >= 1.0 or x * side > 0):
            low = box.high - 6.0
            shapes.append(_band(box, ((x, -half, z), (x, half, z), (x, half, low), (x, -half, low)), darker(tint, 120)))
    return shapes


def cross_strip(box: Carton, share: float) -> list[Shape]:
    """Draw the tape of a second taping, across the first, from the front to the back."""
    d, half, z = box.deep / 2, 2.4, box.high + 0.2
    end, tint = -d + box.deep * share, lighter(box.tape, 120)
    shapes = [_band(box, ((-half, -d, z), (half, -d, z), (half, end, z), (-half, end, z)), tint)]
    if _near(box)[0]:
        low = box.high - 6.0
        shapes.append(_band(box, ((-half, -d, z), (half, -d, z), (half, -d, low), (-half, -d, low)), darker(tint, 120)))
    return shapes


def gift_paper(box: Carton, share: float) -> list[Shape]:
    """Draw paper over lid and walls up to that share, from the left."""
    w, d, z = box.wide / 2, box.deep / 2, box.high + 0.1
    end, near = -w + box.wide * share, _near(box)
    tint = box.paper
    shapes = []
    for number, corners in (
        (0, ((-w, -d, 0.0), (end, -d, 0.0), (end, -d, z), (-w, -d, z))),
        (2, ((-w, d, 0.0), (end, d, 0.0), (end, d, z), (-w, d, z))),
        (3, ((-w, -d, 0.0), (-w, d, 0.0), (-w, d, z), (-w, -d, z))),
    ):
        if near[number]:
            shapes.append(_band(box, corners, darker(tint, 140)))
    return [*shapes, _band(box, ((-w, -d, z), (end, -d, z), (end, d, z), (-w, d, z)), lighter(tint, 160))]


def ribbon(box: Carton) -> list[Shape]:
    """Draw a ribbon with a bow, on gift paper."""
    w, d, z = box.wide / 2, box.deep / 2, box.high + 0.3
    tint = lighter(box.ink, 250)
    x = -w * 0.45
    shapes = [_band(box, ((x - 1.3, -d, z), (x + 1.3, -d, z), (x + 1.3, d, z), (x - 1.3, d, z)), tint)]
    if _near(box)[0]:
        shapes.append(_band(box, ((x - 1.3, -d, 0.0), (x + 1.3, -d, 0.0), (x + 1.3, -d, z), (x - 1.3, -d, z)), tint))
    here, size = box.at(x, 0.0, z), box.foot.scale()
    bow = Path().ellipse(here[0] - 2.6 * size, here[1] - size, 2.6 * size, 1.6 * size)
    bow.ellipse(here[0] + 2.6 * size, here[1] - size, 2.6 * size, 1.6 * size)
    return [*shapes, bow.filled(tint, darker(tint, 300), 0.9), Path().ellipse(*here, 1.1 * size).filled(tint)]


LABEL = (15.0, 11.0)


def label_spot(box: Carton, number: int) -> Spot:
    """Return the frame of the first or second label, on the lid."""
    x = -box.wide * 0.27 if number == 0 else box.wide * 0.27
    return box.foot.moved(x, -box.deep * 0.2 if number == 0 else box.deep * 0.22, box.high + 0.3)


def label(foot: Spot) -> list[Shape]:
    """Draw a shipping label lying at the spot: white, with lines of an address and the bars of a bar code."""
    w, d = LABEL[0] / 2, LABEL[1] / 2
    at = foot.at

    def bar(path: Path, x: float, y: float, wide: float, deep: float) -> None:
        path.polygon((at(x, y), at(x + wide, y), at(x + wide, y + deep), at(x, y + deep)))

    bars, lines = Path(), Path()
    for number, width in enumerate((0.7, 0.4, 0.9, 0.4, 0.7, 0.4, 0.8)):
        bar(bars, -w + 1.2 + 1.8 * number, -d + 1.0, width, 4.2)
    bar(lines, -w + 1.2, d - 2.2, 8.0, 1.0)
    bar(lines, -w + 1.2, d - 4.2, 5.5, 0.9)
    paper = polygon((at(-w, -d), at(w, -d), at(w, d), at(-w, d)), _WHITE, darker(_WHITE, 380), 0.8)
    return [paper, bars.filled(_BLACK), lines.filled(colour("#74797d"))]
