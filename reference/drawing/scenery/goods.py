"""Goods and packing material: items by the order's marks, crate, void fill, wrapping paper, blanks.

An item's appearance follows the marks on the items' surface: glass ware (`glass`), three of them (`cluster`), large
ones (`arrows`). When an occluder or a blank hides that surface, the items lie in one grey bag that tells nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from reference.drawing.scenery.box import PAPER
from reference.drawing.scenery.shapes import (
    Colour,
    Path,
    Place,
    Point,
    Shape,
    colour,
    darker,
    faded,
    lighter,
    linear,
    mix,
    polygon,
    soft_shadow,
)

FILL = colour("#27a744")
CRATE = colour("#f6c90e")
TEAL, CORAL, MUSTARD = colour("#12908e"), colour("#e8735a"), colour("#8d5fae")
_GLASS = colour("#bfeaf2", 235)
_BAG = colour("#8f9499")


class Goods(NamedTuple):
    """Appearance of an order's items."""

    glass: bool = False
    several: bool = False
    large: bool = False
    hidden: bool = False

    @property
    def pieces(self) -> int:
        """Return the number of items, 1 or 3."""
        return 3 if self.several and not self.hidden else 1

    @property
    def size(self) -> float:
        """Return the scale of an item."""
        return (1.4 if self.large and not self.hidden else 1.0) * (1.12 if self.pieces == 3 else 1.42)

    @property
    def half(self) -> float:
        """Return half an item's width."""
        return 17.0 * self.size


_SPOTS: dict[int, tuple[Point, ...]] = {1: ((68.0, 300.0),), 3: ((30.0, 288.0), (84.0, 272.0), (66.0, 322.0))}
_WITHIN: dict[int, tuple[Point, ...]] = {1: ((56.0, 38.0),), 3: ((26.0, 58.0), (84.0, 58.0), (56.0, 22.0))}


def spot(goods: Goods, number: int) -> Point:
    """Return the place of item `number` on the table (middle of its foot)."""
    return _SPOTS[goods.pieces][number]


def within(place: Place, goods: Goods, number: int) -> Point:
    """Return the place of item `number` in the box (middle of its foot)."""
    x, y = _WITHIN[goods.pieces][number]
    return place.at(x, y, 12.0)


def on_top(place: Place, goods: Goods) -> Point:
    """Return the place of one more item in a box that holds the others."""
    return place.at(88.0, 22.0, 18.0) if goods.pieces == 1 else place.at(56.0, 40.0, 34.0)


def item(foot: Point, goods: Goods, number: int = 0, wrapped: bool = False, shadow: bool = False) -> list[Shape]:
    """Draw one item standing with the middle of its foot at that point."""
    size = goods.size
    shapes = [soft_shadow(foot[0] + 4, foot[1] - 2, 24 * size, 10 * size, 90)] if shadow else []
    if goods.hidden:
        return [*shapes, *_bag(foot, size)]
    if wrapped:
        return [*shapes, *_bundle(foot, size)]
    tint = (TEAL, CORAL, MUSTARD)[number]
    return [*shapes, *(_jar(foot, size, tint) if goods.glass else _carton(foot, size, tint))]


def _carton(foot: Point, size: float, tint: Colour) -> list[Shape]:
    place = Place(foot[0] - 17 * size, foot[1] + 5 * size, size)
    at = place.at
    face = (at(0), at(30), at(30, 0, 38), at(0, 0, 38))
    side = (at(30), at(30, 22), at(30, 22, 38), at(30, 0, 38))
    lid = (at(0, 0, 38), at(30, 0, 38), at(30, 22, 38), at(0, 22, 38))
    band = (at(0, 0, 13), at(30, 0, 13), at(30, 0, 25), at(0, 0, 25))
    line = darker(tint, 500)
    return [
        polygon(side, darker(tint, 330), line),
        polygon(face, tint, line),
        polygon(band, lighter(tint, 750)),
        polygon(lid, lighter(tint, 330), line),
    ]


def _jar(foot: Point, size: float, tint: Colour) -> list[Shape]:
    """Draw a glass jar: pale, see-through, bright highlight, coloured stopper."""
    x, y = foot
    s = size
    body = Path().blob(
        (
            (x - 14 * s, y - 2 * s),
            (x, y + 4 * s),
            (x + 14 * s, y - 2 * s),
            (x + 15 * s, y - 18 * s),
            (x + 7 * s, y - 30 * s),
            (x - 7 * s, y - 30 * s),
            (x - 15 * s, y - 18 * s),
        )
    )
    neck = Path().rounded(x - 6 * s, y - 38 * s, 12 * s, 12 * s, 2)
    water = Path().ellipse(x, y - 7 * s, 12 * s, 7 * s)
    shine = Path().capsule((x - 8 * s, y - 20 * s), (x - 9 * s, y - 9 * s), 2.2 * s)
    cork = Path().rounded(x - 7.5 * s, y - 44 * s, 15 * s, 9 * s, 2.5)
    line = colour("#3d95a8")
    return [
        neck.filled(_GLASS, line, 1.4),
        body.filled(_GLASS, line, 1.6),
        water.filled(faded(mix(tint, _GLASS, 350), 220)),
        shine.filled(colour("#ffffff")),
        cork.filled(tint, darker(tint, 450)),
    ]


def _bundle(foot: Point, size: float) -> list[Shape]:
    """Draw an item in blue paper, tied."""
    x, y = foot
    s = size
    body = Path().blob(
        (
            (x - 18 * s, y - 2 * s),
            (x, y + 6 * s),
            (x + 18 * s, y - 3 * s),
            (x + 17 * s, y - 24 * s),
            (x + 4 * s, y - 32 * s),
            (x - 15 * s, y - 26 * s),
        )
    )
    folds = Path().polygon(((x - 15 * s, y - 24 * s), (x + 2 * s, y - 12 * s), (x - 17 * s, y - 6 * s)))
    tuft = Path().polygon(
        ((x + 2 * s, y - 29 * s), (x - 9 * s, y - 42 * s), (x + 1 * s, y - 38 * s), (x + 10 * s, y - 43 * s))
    )
    twine = Path().capsule((x - 4 * s, y - 29 * s), (x + 8 * s, y - 29 * s), 2.2 * s)
    return [
        tuft.filled(lighter(PAPER, 250), darker(PAPER, 350)),
        body.filled(linear((x - 18 * s, y), (x + 18 * s, y), lighter(PAPER, 200), PAPER), darker(PAPER, 400), 1.5),
        folds.filled(lighter(PAPER, 420)),
        twine.filled(colour("#f5ead0"), colour("#a9987a"), 0.8),
    ]


def _bag(foot: Point, size: float) -> list[Shape]:
    x, y = foot
    s = size
    body = Path().blob(
        (
            (x - 19 * s, y),
            (x, y + 6 * s),
            (x + 19 * s, y - 1 * s),
            (x + 16 * s, y - 24 * s),
            (x + 5 * s, y - 34 * s),
            (x - 7 * s, y - 33 * s),
            (x - 17 * s, y - 22 * s),
        )
    )
    knot = Path().polygon(((x, y - 31 * s), (x - 10 * s, y - 44 * s), (x, y - 39 * s), (x + 11 * s, y - 43 * s)))
    folds = Path().capsule((x - 6 * s, y - 24 * s), (x - 11 * s, y - 8 * s), 1.5 * s)
    folds.capsule((x + 5 * s, y - 25 * s), (x + 10 * s, y - 12 * s), 1.1 * s)
    return [
        knot.filled(lighter(_BAG, 200), darker(_BAG, 420), 1.2),
        body.filled(linear((x - 18 * s, y), (x + 18 * s, y), lighter(_BAG, 200), _BAG), darker(_BAG, 420), 1.5),
        folds.filled(lighter(_BAG, 420)),
    ]


def on_table(goods: Goods, shown: int, wrapped: int = 0) -> list[Shape]:
    """Draw the first `shown` items on the table, the first `wrapped` of them in paper."""
    shapes: list[Shape] = []
    for number in range(min(shown, goods.pieces)):
        shapes += item(spot(goods, number), goods, number, number < wrapped, shadow=True)
    return shapes


def in_box(place: Place, goods: Goods, shown: int, wrapped: bool = False) -> list[Shape]:
    """Draw the first `shown` items standing in the box, seen over its rim."""
    shapes: list[Shape] = []
    for number in range(min(shown, goods.pieces)):
        shapes += item(within(place, goods, number), goods, number, wrapped)
    return shapes


def lump(x: float, y: float, radius: float, turn: int) -> list[Shape]:
    """Draw a crumple of green paper; `turn` chooses one of four."""
    offsets = ((9, 7, 10, 8, 9, 7, 10), (8, 10, 7, 9, 10, 8, 9), (10, 8, 9, 7, 8, 10, 9), (7, 9, 8, 10, 9, 10, 7))
    around = ((1.0, 0.1), (0.6, 0.75), (-0.2, 0.95), (-0.9, 0.5), (-0.9, -0.45), (-0.15, -1.0), (0.65, -0.7))
    rim = [
        (x + radius * ax * share / 9, y + radius * 0.85 * ay * share / 9)
        for (ax, ay), share in zip(around, offsets[turn % 4], strict=True)
    ]
    crease = Path().polygon((rim[4], (x + radius * 0.2, y - radius * 0.1), rim[5]))
    crease.polygon((rim[1], (x - radius * 0.1, y + radius * 0.2), rim[2]))
    return [
        Path().blob(rim).filled(FILL, darker(FILL, 400), 1.2),
        crease.filled(lighter(FILL, 420)),
    ]


_LUMPS = ((20, 62), (58, 66), (92, 60), (36, 38), (76, 40), (20, 16), (56, 14), (92, 18))


def fill_in_box(place: Place, count: int, level: float) -> list[Shape]:
    """Draw `count` crumples in the box at that height, from the back to the front."""
    shapes: list[Shape] = []
    for number, (x, y) in enumerate(_LUMPS[:count]):
        shapes += lump(*place.at(x, y, level), 22, number)
    return shapes


def crate(x: float, y: float, goods: Goods | None) -> list[Shape]:
    """Draw the yellow picking crate, its front left bottom corner at (x, y), with items of the order in it."""
    place = Place(x, y)
    at, wide, deep, high = place.at, 60, 62, 34
    line = darker(CRATE, 480)
    inside = [
        soft_shadow(x + 40, y - 12, 50, 26, 90),
        polygon((at(0, deep, 0), at(wide, deep, 0), at(wide, deep, high), at(0, deep, high)), darker(CRATE, 330), line),
        polygon((at(0, 0, 0), at(0, deep, 0), at(0, deep, high), at(0, 0, high)), darker(CRATE, 420), line),
        polygon((at(0, 0, 6), at(wide, 0, 6), at(wide, deep, 6), at(0, deep, 6)), darker(CRATE, 560)),
    ]
    if goods is not None:
        for number, (dx, dy) in enumerate(((18, 40), (44, 40), (30, 16))[: max(2, goods.pieces)]):
            inside += item(at(dx, dy, 8), goods._replace(large=False, several=True), number % goods.pieces)
    handle = Path().rounded(x + 20, y - high * 0.8 + 7, 20, 7, 3)
    return [
        *inside,
        polygon((at(wide, 0, 0), at(wide, deep, 0), at(wide, deep, high), at(wide, 0, high)), darker(CRATE, 220), line),
        polygon((at(0, 0, 0), at(wide, 0, 0), at(wide, 0, high), at(0, 0, high)), CRATE, line, 1.5),
        handle.filled(darker(CRATE, 600)),
    ]


def fill_sack(x: float, y: float) -> list[Shape]:
    """Draw the sack of green void fill."""
    sack = colour("#e9f3ea")
    body = Path().blob(
        (
            (x, y - 8),
            (x + 32, y + 2),
            (x + 66, y - 10),
            (x + 70, y - 44),
            (x + 60, y - 66),
            (x + 12, y - 66),
            (x + 2, y - 44),
        )
    )
    shapes = [soft_shadow(x + 38, y - 6, 46, 16, 90), body.filled(sack, darker(sack, 420), 1.5)]
    band = Path().rounded(x + 4, y - 36, 63, 18, 3)
    shapes.append(band.filled(FILL))
    for number, (dx, dy) in enumerate(((16, 66), (38, 72), (58, 65), (27, 82), (48, 83))):
        shapes += lump(x + dx, y - dy, 15, number)
    return shapes


def paper_roll(x: float, y: float, turn: float) -> list[Shape]:
    """Draw the roll of blue paper, lying; `turn` in [0, 1) moves its highlights."""
    body = Path().rounded(x, y - 26, 70, 30, 6)
    lines = Path()
    for number in range(3):
        place = (turn + number / 3) % 1.0
        lines.rectangle(x + 3, y - 24 + 24 * place, 64, 1.8)
    return [
        soft_shadow(x + 40, y + 2, 44, 9, 90),
        body.filled(
            linear((0, y - 26), (0, y + 4), lighter(PAPER, 450), PAPER, darker(PAPER, 380)), darker(PAPER, 450)
        ),
        lines.filled(lighter(PAPER, 560)),
        Path().ellipse(x + 67, y - 11, 7, 14).filled(lighter(PAPER, 350), darker(PAPER, 400)),
        Path().ellipse(x + 67, y - 11, 3, 6).filled(colour("#d9c3a0"), colour("#6d5436")),
    ]


def sheet(x: float, y: float, wide: float, deep: float) -> list[Shape]:
    """Draw a sheet of the paper spread on the table; (x, y) is its front left corner."""
    at = Place(x, y).at
    crease = Path()
    for third in (wide / 3, 2 * wide / 3):
        crease.line((at(third, 2), at(third, deep - 2)))
    return [
        polygon((at(0), at(wide), at(wide, deep), at(0, deep)), lighter(PAPER, 220), darker(PAPER, 350)),
        crease.filled(None, lighter(PAPER, 450), 1.4),
    ]


def blanks(x: float, y: float, kraft: Colour) -> list[Shape]:
    """Draw a stack of flat cartons, tied."""
    shapes = [soft_shadow(x + 40, y - 14, 50, 28, 80)]
    for number in range(4):
        at = Place(x + number % 2, y - 6 * number).at
        edge = (at(0), at(62), at(62, 0, 5), at(0, 0, 5))
        top = (at(0, 0, 5), at(62, 0, 5), at(62, 84, 5), at(0, 84, 5))
        shapes.append(polygon(edge, darker(kraft, 350), darker(kraft, 600), 0.8))
        shapes.append(polygon(top, lighter(kraft, 150), darker(kraft, 450), 1.0))
    at = Place(x + 1, y - 18).at
    strap = (at(26, 0, 5), at(33, 0, 5), at(33, 84, 5), at(26, 84, 5))
    return [*shapes, polygon(strap, colour("#f4f0e4"), darker(kraft, 450), 0.8)]


def fold(foot: Point, size: float, over: float) -> list[Shape]:
    """Draw the paper's free side, turned up and over an item: flat to the right at 0, over the top at 1."""
    x, y = foot
    tip = size * (1.35 - 1.7 * over), -size * 1.15 * over * (2.2 - 1.2 * over)
    root = Path().polygon(
        (
            (x + size * 0.45, y + size * 0.22),
            (x + size * 0.62, y - size * 0.3),
            (x + tip[0] + size * 0.12, y + tip[1] - size * 0.3),
            (x + tip[0], y + tip[1] + size * 0.3),
        )
    )
    return [root.filled(lighter(PAPER, 330 - int(200 * over)), darker(PAPER, 400), 1.5)]
