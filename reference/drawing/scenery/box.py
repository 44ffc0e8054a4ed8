"""The carton in each of its states: rising from flat, open with what is in it, closed, lying bottom up, gift-wrapped.

A flap's angle runs from 0 (folded in, closed) over 1 (upright) and 2 (out, level) to 3 (hanging down).
"""

from __future__ import annotations

from reference.drawing.scenery.shapes import (
    Colour,
    Path,
    Place,
    Point,
    Shape,
    colour,
    darker,
    lighter,
    linear,
    polygon,
    soft_shadow,
    unit,
)

WIDE, DEEP, HIGH = 112.0, 84.0, 58.0
TAPE = colour("#ff7b1c")
PAPER = colour("#2c6fd6")
RIBBON = colour("#f7f1ff")
_FOLDS = ((-1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.55, -0.85))  # outward and up, at angles 0 to 3

Flaps = tuple[float, float, float, float]  # front, back, left, right
OPEN: Flaps = (2.75, 2.3, 2.45, 2.45)


class Walls:
    """The box's corners in the picture; `lean` shifts the rim to the right while the worker squares the box up."""

    def __init__(self, place: Place, height: float = HIGH, lean: float = 0.0):
        self.place, self.height, self.lean = place, height, lean

    def at(self, x: float, y: float, z: float) -> Point:
        """Return the point of the picture at (x, y, z) of the box."""
        return self.place.at(x + self.lean * z / HIGH, y, z)

    def rim(self, x: float, y: float) -> Point:
        """Return the point of the picture at (x, y) of the rim."""
        return self.place.at(x + self.lean, y, self.height)


def _fold(angle: float) -> Point:
    low = min(2, int(angle))
    share = angle - low
    (x, z), (x2, z2) = _FOLDS[low], _FOLDS[low + 1]
    return unit(x + (x2 - x) * share, z + (z2 - z) * share)


def _flap(walls: Walls, side: str, angle: float, kraft: Colour) -> Shape:
    """Draw one flap, hinged at the rim; its light follows from its angle."""
    out, up = _fold(angle)
    long = 40.0
    lean, high = walls.lean, walls.height
    hinge, away = {
        "front": (((0, 0), (WIDE, 0)), (0, -1)),
        "back": (((0, DEEP), (WIDE, DEEP)), (0, 1)),
        "left": (((0, 0), (0, DEEP)), (-1, 0)),
        "right": (((WIDE, 0), (WIDE, DEEP)), (1, 0)),
    }[side]
    (x, y), (x2, y2) = hinge
    dx, dy, dz = away[0] * out * long, away[1] * out * long, up * long
    inset = 0.05
    tip = [
        (x2 + dx - (x2 - x) * inset, y2 + dy - (y2 - y) * inset, high + dz),
        (x + dx + (x2 - x) * inset, y + dy + (y2 - y) * inset, high + dz),
    ]
    corners = [walls.place.at(x + lean, y, high), walls.place.at(x2 + lean, y2, high)]
    corners += [walls.place.at(tx + lean, ty, tz) for tx, ty, tz in tip]
    light = lighter(kraft, 330) if angle > 1.5 else lighter(kraft, 120)
    return polygon(corners, light, darker(kraft, 420))


def back(walls: Walls, flaps: Flaps, kraft: Colour) -> list[Shape]:
    """Draw the layer behind the contents: shadow, inner walls, back and left flap."""
    inner = darker(kraft, 330)
    at, rim = walls.at, walls.rim
    floor = [at(0, 0, 0), at(WIDE, 0, 0), at(WIDE, DEEP, 0), at(0, DEEP, 0)]
    return [
        _shadow(walls.place),
        polygon(floor, darker(kraft, 520)),
        polygon(
            (at(0, DEEP, 0), at(WIDE, DEEP, 0), rim(WIDE, DEEP), rim(0, DEEP)),
            linear(rim(0, DEEP), at(0, DEEP, 0), inner, darker(kraft, 560)),
        ),
        polygon((at(0, 0, 0), at(0, DEEP, 0), rim(0, DEEP), rim(0, 0)), darker(kraft, 480)),
        _flap(walls, "back", flaps[1], kraft),
        _flap(walls, "left", flaps[2], kraft),
    ]


def front(walls: Walls, flaps: Flaps, kraft: Colour, flipped: bool = False) -> list[Shape]:
    """Draw the layer before the contents: the outer walls with their printed arrows, front and right flap."""
    shapes = [*_faces(walls, kraft), *_print(walls, kraft, flipped)]
    shapes.append(_flap(walls, "right", flaps[3], kraft))
    shapes.append(_flap(walls, "front", flaps[0], kraft))
    return shapes


def _shadow(place: Place) -> Shape:
    x, y = place.at(WIDE / 2 + 8, DEEP / 2 - 8)
    return soft_shadow(x, y, WIDE * 0.68 * place.scale, DEEP * 0.46 * place.scale, 90)


def _faces(walls: Walls, skin: Colour) -> list[Shape]:
    at, rim, line = walls.at, walls.rim, darker(skin, 460)
    face = (at(0, 0, 0), at(WIDE, 0, 0), rim(WIDE, 0), rim(0, 0))
    side = (at(WIDE, 0, 0), at(WIDE, DEEP, 0), rim(WIDE, DEEP), rim(WIDE, 0))
    return [
        polygon(side, darker(skin, 300), line),
        polygon(face, linear(rim(0, 0), at(0, 0, 0), lighter(skin, 90), darker(skin, 70)), line),
    ]


def _print(walls: Walls, kraft: Colour, flipped: bool) -> list[Shape]:
    """Draw the two arrows that say which side is up."""
    if walls.height < HIGH:
        return []
    path = Path()
    arrow = ((0, 34), (-7, 25), (-2.5, 25), (-2.5, 12), (2.5, 12), (2.5, 25), (7, 25))
    for x in (84, 100):
        path.polygon([walls.at(x + dx, 0, HIGH - z if flipped else z) for dx, z in arrow])
    return [path.filled(darker(kraft, 480))]


def closed(place: Place, kraft: Colour, marks: frozenset[str], wrapped: float = 0.0) -> list[Shape]:
    """Draw the box with its lid shut and its marks; `wrapped` is the share that gift paper covers, from the left."""
    walls = Walls(place)
    skin = PAPER if "gift wrap" in marks else kraft
    shapes = [_shadow(place), *_faces(walls, skin), *_lid(walls, skin)]
    if skin == kraft:
        shapes += [*_print(walls, kraft, False), _seam(walls, kraft)]
    if wrapped > 0.0 and skin == kraft:
        shapes += gift_paper(place, wrapped)
    if "gift wrap" in marks:
        shapes += ribbon(place)
    if "tape" in marks:
        shapes += tape(place, 1.0)
    if "second tape" in marks:
        shapes += cross_tape(place, 1.0)
    for number, mark in enumerate(("label", "second label")):
        if mark in marks:
            shapes += label(*label_spot(place, number))
    return shapes


def bottom_up(place: Place, kraft: Colour, marks: frozenset[str]) -> list[Shape]:
    """Draw the box lying on its open flaps, bottom up, the bottom shut, as for taping it."""
    walls = Walls(place)
    at = place.at
    skirt = Path()
    skirt.polygon((at(-2, 0), at(WIDE + 2, 0), at(WIDE + 8, -40), at(-8, -40)))
    skirt.polygon((at(WIDE, -2), at(WIDE, DEEP + 2), at(WIDE + 44, DEEP + 8), at(WIDE + 44, -8)))
    skirt.polygon((at(0, -2), at(0, DEEP + 2), at(-40, DEEP + 8), at(-40, -8)))
    shapes = [_shadow(place), skirt.filled(darker(kraft, 200), darker(kraft, 520), 1.6), *_faces(walls, kraft)]
    shapes += [*_print(walls, kraft, True), *_lid(walls, darker(kraft, 330)), _seam(walls, kraft)]
    return shapes + (tape(place, 1.0) if "tape" in marks else [])


def _lid(walls: Walls, skin: Colour) -> list[Shape]:
    rim = walls.rim
    corners = (rim(0, 0), rim(WIDE, 0), rim(WIDE, DEEP), rim(0, DEEP))
    return [
        polygon(corners, linear(rim(0, DEEP), rim(0, 0), lighter(skin, 220), lighter(skin, 330)), darker(skin, 460))
    ]


def _seam(walls: Walls, kraft: Colour) -> Shape:
    start, end = walls.rim(0, DEEP / 2), walls.rim(WIDE, DEEP / 2)
    return Path().line((start, end)).filled(None, darker(kraft, 560), 2.0)


def seam(place: Place, share: float) -> Point:
    """Return the point at `share` of the seam that tape closes, 0 at its left end."""
    return place.at(WIDE * share, DEEP / 2, HIGH)


def tape(place: Place, share: float) -> list[Shape]:
    """Draw the strip over the seam up to `share`, from the left; a whole one is folded down the right side."""
    at, half = place.at, 9.0
    end = WIDE * share
    strip = [at(0, DEEP / 2 - half, HIGH), at(end, DEEP / 2 - half, HIGH)]
    strip += [at(end, DEEP / 2 + half, HIGH), at(0, DEEP / 2 + half, HIGH)]
    shapes = [polygon(strip, TAPE, darker(TAPE, 350), 1.0)]
    shine = [at(2, DEEP / 2 + 2, HIGH), at(end - 2, DEEP / 2 + 2, HIGH), at(end - 2, DEEP / 2 + 5, HIGH)]
    shapes.append(polygon([*shine, at(2, DEEP / 2 + 5, HIGH)], lighter(TAPE, 420)))
    if share >= 1.0:
        tab = [at(WIDE, DEEP / 2 - half, HIGH), at(WIDE, DEEP / 2 + half, HIGH)]
        tab += [at(WIDE, DEEP / 2 + half, HIGH - 24), at(WIDE, DEEP / 2 - half, HIGH - 24)]
        shapes.append(polygon(tab, darker(TAPE, 180), darker(TAPE, 350), 1.0))
    return shapes


def cross_tape(place: Place, share: float) -> list[Shape]:
    """Draw the strip of a second taping, across the first, from the front to the back."""
    at, half, middle = place.at, 8.0, WIDE * 0.5
    end = DEEP * share
    tab = [at(middle - half, 0, HIGH - 26), at(middle + half, 0, HIGH - 26)]
    tab += [at(middle + half, 0, HIGH), at(middle + half, end, HIGH), at(middle - half, end, HIGH)]
    return [polygon([*tab, at(middle - half, 0, HIGH)], lighter(TAPE, 160), darker(TAPE, 350), 1.0)]


def gift_paper(place: Place, share: float) -> list[Shape]:
    """Draw blue paper over lid and front up to that share, from the left."""
    at, end = place.at, WIDE * share
    lid = (at(0, 0, HIGH), at(end, 0, HIGH), at(end, DEEP, HIGH), at(0, DEEP, HIGH))
    face = (at(0, 0, 0), at(end, 0, 0), at(end, 0, HIGH), at(0, 0, HIGH))
    side = (at(WIDE), at(WIDE, DEEP), at(WIDE, DEEP, HIGH), at(WIDE, 0, HIGH))
    shapes = [polygon(face, PAPER, darker(PAPER)), polygon(lid, lighter(PAPER, 250), darker(PAPER))]
    return [polygon(side, darker(PAPER, 300), darker(PAPER)), *shapes] if share >= 1.0 else shapes


def ribbon(place: Place) -> list[Shape]:
    """Draw a white ribbon with a bow, on gift paper."""
    at = place.at
    band = Path().polygon(
        (at(24, 0, 0), at(34, 0, 0), at(34, 0, HIGH), at(34, DEEP, HIGH), at(24, DEEP, HIGH), at(24, 0, HIGH))
    )
    x, y = at(29, 20, HIGH)
    bow = Path().ellipse(x - 9, y - 4, 9, 5.5).ellipse(x + 9, y - 4, 9, 5.5).ellipse(x, y - 3, 4)
    return [band.filled(RIBBON, darker(RIBBON, 200), 0.8), bow.filled(RIBBON, darker(RIBBON, 300), 1.0)]


def label_spot(place: Place, number: int) -> Point:
    """Return the middle of the first or second label, on the front."""
    return place.at(31.0 if number == 0 else 78.0, 0, 29.0 if number == 0 else 33.0)


def label(x: float, y: float, scale: float = 1.0) -> list[Shape]:
    """Draw a shipping label around (x, y): white, with the bars of a bar code and of an address."""
    wide, high = 50 * scale, 37 * scale
    left, top = x - wide / 2, y - high / 2
    bars = Path()
    for number, width in enumerate((2.2, 1.2, 3.0, 1.4, 2.2, 1.2, 2.8)):
        bars.rectangle(left + (5 + 6.0 * number) * scale, top + 16 * scale, width * scale, 16 * scale)
    lines = Path().rectangle(left + 4 * scale, top + 4 * scale, 26 * scale, 3 * scale)
    lines.rectangle(left + 4 * scale, top + 9.5 * scale, 18 * scale, 2.5 * scale)
    return [
        Path().rounded(left, top, wide, high, 2).filled(colour("#ffffff"), colour("#8f8f8f"), 1.0),
        bars.filled(colour("#17191b")),
        lines.filled(colour("#6d7276")),
    ]
