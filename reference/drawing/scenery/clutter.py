"""Things without meaning: on the table's back strip and on the wall, and one in the foreground.

They share colours with tools and signs on purpose, and stand where no sign, tool or hand needs the room.
"""

from __future__ import annotations

from collections.abc import Callable

from reference.drawing.scenery.shapes import (
    Colour,
    Path,
    Place,
    Shape,
    colour,
    darker,
    lerp,
    lighter,
    linear,
    polygon,
    soft_shadow,
)

TINTS = tuple(map(colour, ("#f25c05", "#2c6fd6", "#27a744", "#f6c90e", "#7d2fd0", "#e5231f", "#10b6d2", "#f23aa6")))
_PLACES = ((82, 128), (112, 118), (146, 132), (186, 120), (222, 134), (248, 114), (86, 168), (90, 204), (246, 160))
DrawThing = Callable[[float, float, Colour], list[Shape]]


def objects(strength: int, draw: Callable[[], float]) -> list[Shape]:
    """Draw 3 to 9 things by strength, each with a random kind, tint and place."""
    count = 3 + 6 * strength // 1000
    places = list(_PLACES)
    chosen = []
    for _ in range(min(count, len(places))):
        x, y = places.pop(int(draw() * len(places)))
        make, tint = _KINDS[int(draw() * len(_KINDS))], TINTS[int(draw() * len(TINTS))]
        chosen.append((y + int(draw() * 8), x + int(draw() * 9) - 4, make, tint))
    return [shape for y, x, make, tint in sorted(chosen, key=lambda one: one[:2]) for shape in make(x, y, tint)]


def _pen_cup(x: float, y: float, tint: Colour) -> list[Shape]:
    pens = Path().capsule((x - 5, y - 16), (x - 11, y - 38), 2).capsule((x + 1, y - 16), (x + 1, y - 42), 2)
    pens.capsule((x + 6, y - 16), (x + 13, y - 36), 2)
    return [
        soft_shadow(x + 2, y, 15, 6),
        pens.filled(darker(tint, 500)),
        Path()
        .rounded(x - 10, y - 22, 20, 23, 3)
        .filled(linear((x - 10, y), (x + 10, y), lighter(tint), tint), darker(tint, 400)),
    ]


def _binder(x: float, y: float, tint: Colour) -> list[Shape]:
    at = Place(x - 22, y).at
    return [
        polygon((at(0), at(44), at(44, 0, 9), at(0, 0, 9)), colour("#f4f1ea"), darker(tint, 400)),
        polygon((at(0, 0, 9), at(44, 0, 9), at(44, 34, 9), at(0, 34, 9)), tint, darker(tint, 400)),
        polygon((at(10, 12, 9), at(32, 12, 9), at(32, 24, 9), at(10, 24, 9)), lighter(tint, 650)),
    ]


def _notes(x: float, y: float, tint: Colour) -> list[Shape]:
    first = ((x - 14, y - 6), (x + 6, y - 10), (x + 9, y + 10), (x - 11, y + 13))
    second = ((x - 4, y - 14), (x + 17, y - 11), (x + 14, y + 9), (x - 7, y + 6))
    return [
        polygon(first, lighter(tint, 420), darker(tint, 250)),
        polygon(second, lighter(tint, 250), darker(tint, 250)),
    ]


def _small_parcel(x: float, y: float, tint: Colour) -> list[Shape]:
    kraft = colour("#b58d60")
    at = Place(x - 16, y).at
    return [
        soft_shadow(x + 4, y - 4, 24, 9),
        polygon((at(30), at(30, 20), at(30, 20, 18), at(30, 0, 18)), darker(kraft, 300), darker(kraft, 500)),
        polygon((at(0), at(30), at(30, 0, 18), at(0, 0, 18)), kraft, darker(kraft, 500)),
        polygon((at(0, 0, 18), at(30, 0, 18), at(30, 20, 18), at(0, 20, 18)), lighter(kraft, 250), darker(kraft, 500)),
        polygon((at(12, 0, 18), at(18, 0, 18), at(18, 20, 18), at(12, 20, 18)), tint),
    ]


def _bottle(x: float, y: float, tint: Colour) -> list[Shape]:
    return [
        soft_shadow(x + 2, y, 13, 5),
        Path()
        .rounded(x - 8, y - 30, 16, 31, 5)
        .filled(linear((x - 8, y), (x + 8, y), lighter(tint, 350), tint), darker(tint, 400)),
        Path().rounded(x - 4, y - 39, 8, 10, 2).filled(colour("#f2efe8"), colour("#8f8a80")),
        Path().rectangle(x - 8, y - 21, 16, 9).filled(colour("#fbf8f1")),
    ]


def _ruler(x: float, y: float, tint: Colour) -> list[Shape]:
    marks = Path()
    for number in range(8):
        marks.rectangle(x - 30 + 8 * number, y - 5, 1, 4)
    return [
        Path().rounded(x - 34, y - 6, 68, 10, 2).filled(lighter(tint, 500), darker(tint, 300)),
        marks.filled(darker(tint, 500)),
    ]


_KINDS: tuple[DrawThing, ...] = (_pen_cup, _binder, _notes, _small_parcel, _bottle, _ruler)


def foreground(plant: bool) -> list[Shape]:
    """Draw leaves or a piece of cardboard in the lower right corner, which nothing else needs."""
    if not plant:
        kraft = colour("#9d7646")
        edge = ((356, 300), (312, 314), (296, 360), (356, 360))
        return [polygon(edge, linear((0, 300), (0, 350), kraft, darker(kraft, 300)), darker(kraft, 500), 1.5)]
    leaves, veins, green = Path(), Path(), colour("#5d7f4a")
    for tip in ((328.0, 284.0), (308.0, 298.0), (296.0, 318.0), (342.0, 268.0)):
        root = (348.0, 352.0)
        middle = lerp(tip, root, 0.5)
        leaves.blob((tip, (middle[0] - 9, middle[1] - 3), root, (middle[0] + 9, middle[1] + 3)))
        veins.line((tip, root))
    return [leaves.filled(green, darker(green, 400), 1.2), veins.filled(None, lighter(green, 200), 1.0)]
