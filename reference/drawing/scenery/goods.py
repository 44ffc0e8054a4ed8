"""Goods and packing material: items by the order's marks, crate, void fill, wrapping paper, blanks.

An item's form follows the marks on the items' surface: glass ware (`glass`), three of them (`cluster`), large ones
(`arrows`). When an occluder or a blank hides that surface, the items lie in one grey bag that tells nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from reference.drawing.camera import Camera, Vector
from reference.drawing.shapes import Colour, Path, Shape, colour, darker, faded, lighter, mix, polygon
from reference.drawing.solids import Spot, block, circle, crumples, cylinder, faces_camera, lying, shadow, sheet, spot

_GLASS = colour("#c4dde2", 150)
_BAG = colour("#a3a5a6")


class Goods(NamedTuple):
    """Appearance of an order's items."""

    tints: tuple[Colour, Colour, Colour]
    paper: Colour
    glass: bool = False
    several: bool = False
    large: bool = False
    hidden: bool = False

    @property
    def pieces(self) -> int:
        """Return the number of items: three of an order of several, else two; a bag is one."""
        return 1 if self.hidden else 3 if self.several else 2

    @property
    def size(self) -> float:
        """Return the scale of an item: large ones are half again as big."""
        return 1.35 if self.large and not self.hidden else 0.92


_AROUND = ((-5.5, 3.0), (5.5, -3.5), (-1.0, -8.5))


def lying_at(place: tuple[float, float], goods: Goods, number: int) -> Vector:
    """Return where item `number` lies on the bench (the middle of its foot)."""
    if goods.pieces == 1:
        return place[0], place[1], 0.0
    x, y = _AROUND[number]
    return place[0] + x * goods.size, place[1] + y * goods.size, 0.0


def item(camera: Camera, foot: Vector, goods: Goods, number: int = 0, wrapped: bool = False) -> list[Shape]:
    """Draw one item standing with the middle of its foot at that point."""
    size, tint = goods.size, goods.tints[number % 3]
    here = spot(camera, foot, 0.2 * number - 0.2)
    if goods.hidden:
        return _bundle(here, 1.25, _BAG)
    if wrapped:
        return _bundle(here, size, goods.paper)
    if goods.glass:
        return _bottle(here, size, tint)
    if number % 2:
        return cylinder(here, 4.6 * size, 10.5 * size, tint, lighter(tint, 420))
    return _pack(here, size, tint)


def _pack(here: Spot, size: float, tint: Colour) -> list[Shape]:
    """Draw a small printed carton."""
    wide, deep, high = 11.0 * size, 7.5 * size, 11.0 * size
    shapes = block(here, wide, deep, high, tint)
    for x, y, x2, y2 in ((-wide / 2, -deep / 2, wide / 2, -deep / 2), (wide / 2, deep / 2, -wide / 2, deep / 2)):
        band = tuple(here.at(*corner) for corner in ((x, y, high * 0.3), (x2, y2, high * 0.3)))
        band += tuple(here.at(*corner) for corner in ((x2, y2, high * 0.62), (x, y, high * 0.62)))
        if faces_camera(here.camera, band):
            shapes.append(polygon(band, lighter(tint, 620)))
    return shapes


def _bottle(here: Spot, size: float, tint: Colour) -> list[Shape]:
    """Draw glass ware: see-through, with a highlight, a coloured stopper and something in it."""
    line = colour("#6f939c")
    body = cylinder(here, 4.8 * size, 9.0 * size, _GLASS, _GLASS)
    neck = cylinder(here.moved(0, 0, 9.0 * size), 2.0 * size, 4.0 * size, _GLASS, _GLASS)
    content = Path().blob(circle(here, 4.2 * size, 2.5 * size)).filled(faded(mix(tint, _GLASS, 300), 190))
    shine = Path().capsule(here.at(-2.6 * size, -2.6 * size, 2.5), here.at(-2.6 * size, -2.6 * size, 7.5 * size), 1.3)
    return [
        *(shape._replace(stroke=shape.stroke._replace(colour=line) if shape.stroke else None) for shape in body),
        content,
        *neck,
        shine.filled(colour("#ffffff", 230)),
        *cylinder(here.moved(0, 0, 12.5 * size), 2.3 * size, 2.2 * size, tint),
    ]


def _bundle(here: Spot, size: float, paper: Colour) -> list[Shape]:
    """Draw an item in paper, tied at the top."""
    camera = here.camera
    x, y = here.at(0, 0, 11.0 * size)
    scale = here.scale() * size
    tuft = Path().polygon(
        ((x, y + scale), (x - 4 * scale, y - 3.4 * scale), (x, y - 1.6 * scale), (x + 4 * scale, y - 3.6 * scale))
    )
    lower, upper = circle(here, 6.0 * size), circle(here, 4.6 * size, 9.0 * size)
    folds = Path().line((here.at(0, 0, 10.5 * size), lower[8])).line((here.at(0, 0, 10.5 * size), lower[10]))
    return [
        *crumples(camera, [here.world(0, 0, 5.0 * size)], 7.2 * size, 1, paper),
        Path().blob(upper).filled(lighter(paper, 160), darker(paper, 330), 0.8),
        folds.filled(None, darker(paper, 260), 0.9),
        tuft.filled(lighter(paper, 230), darker(paper, 380), 0.8),
    ]


def on_bench(camera: Camera, place: tuple[float, float], goods: Goods, numbers: range, wrapped: int = 0) -> list[Shape]:
    """Draw these items on the bench, the first `wrapped` of them in paper, the farthest first."""
    feet = [(lying_at(place, goods, number), number) for number in numbers]
    shapes: list[Shape] = []
    for foot, number in sorted(feet, key=lambda one: -camera.depth(*one[0])):
        shapes.append(shadow(spot(camera, foot), 6.5 * goods.size, 5.5 * goods.size))
        shapes += item(camera, foot, goods, number, number < wrapped)
    return shapes


def crate(camera: Camera, place: tuple[float, float], tint: Colour, goods: Goods | None) -> list[Shape]:
    """Draw the picking crate, with items of the order in it."""
    foot = spot(camera, (*place, 0.0))
    w, d, high, line = 14.0, 11.0, 13.0, darker(tint, 450)
    low = [foot.at(*corner) for corner in ((-w, -d, 0.0), (w, -d, 0.0), (w, d, 0.0), (-w, d, 0.0))]
    top = [foot.at(*corner) for corner in ((-w, -d, high), (w, -d, high), (w, d, high), (-w, d, high))]
    walls = [(low[a], low[b], top[b], top[a]) for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    seen = [faces_camera(camera, wall) for wall in walls]
    shapes = [shadow(foot, 18.0, 15.0), polygon(low, darker(tint, 560))]
    shapes += [polygon(wall, darker(tint, 380), line, 0.9) for wall, near in zip(walls, seen, strict=True) if not near]
    if goods is not None:
        small = goods._replace(large=False)
        places = [
            (foot.world(x, y, 2.0), number) for number, (x, y) in enumerate(((-7.0, 3.0), (6.0, 4.0), (0.0, -4.0)))
        ]
        for point, number in sorted(places[: max(2, goods.pieces)], key=lambda one: -camera.depth(*one[0])):
            shapes += item(camera, point, small, number)
    for number, (wall, near) in enumerate(zip(walls, seen, strict=True)):
        if near:
            shapes.append(polygon(wall, darker(tint, (0, 170, 230, 150)[number]), line, 1.0))
            (x, y), (x2, y2), (x3, y3), (x4, y4) = wall
            left, right = ((x * 0.6 + x2 * 0.4), (y * 0.6 + y2 * 0.4)), ((x * 0.4 + x2 * 0.6), (y * 0.4 + y2 * 0.6))
            up = ((x4 * 0.6 + x3 * 0.4), (y4 * 0.6 + y3 * 0.4)), ((x4 * 0.4 + x3 * 0.6), (y4 * 0.4 + y3 * 0.6))
            grip = [
                (one[0] + (other[0] - one[0]) * share, one[1] + (other[1] - one[1]) * share)
                for one, other, share in (
                    (left, up[0], 0.6),
                    (right, up[1], 0.6),
                    (right, up[1], 0.8),
                    (left, up[0], 0.8),
                )
            ]
            shapes.append(polygon(grip, darker(tint, 600)))
    return shapes


def fill_sack(camera: Camera, place: tuple[float, float], tint: Colour) -> list[Shape]:
    """Draw the carton of void fill: crumpled paper looks out of it."""
    foot = spot(camera, (*place, 0.0))
    body = mix(tint, colour("#8f7a5c"), 350)
    shapes = [shadow(foot, 15.0, 14.0), *block(foot, 22.0, 19.0, 11.0, body)]
    heap = ((-6.0, 5.0), (4.0, 6.0), (8.0, -1.0), (-7.0, -3.0), (0.0, -4.0), (1.0, 2.0))
    middles = [foot.world(x, y, 11.5 + number * 0.6) for number, (x, y) in enumerate(heap)]
    return [*shapes, *crumples(camera, middles, 5.4, 0, tint)]


def paper_roll(camera: Camera, place: tuple[float, float], tint: Colour) -> list[Shape]:
    """Draw the roll of wrapping paper, lying, with its end pulled out."""
    x, y = place
    foot = spot(camera, (x, y, 0.0))
    return [
        shadow(foot, 14.0, 9.0),
        sheet(spot(camera, (x, y - 6.0, 0.0)), 21.0, 10.0, lighter(tint, 180)),
        *lying(camera, (x - 12.0, y + 2.0, 5.0), (x + 12.0, y + 2.0, 5.0), 5.0, tint),
    ]


def blanks(camera: Camera, tint: Colour) -> list[Shape]:
    """Draw the stack of flat cartons at the back of the bench."""
    foot = spot(camera, (0.0, 62.0, 0.0))
    shapes = [shadow(foot, 22.0, 9.0)]
    for number in range(3):
        shapes += block(
            foot.moved(0.6 * (number % 2), 0.0, 1.5 * number), 38.0, 15.0, 1.5, mix(tint, darker(tint), 120)
        )
    return shapes


def fold(camera: Camera, foot: Vector, size: float, over: float, tint: Colour) -> list[Shape]:
    """Draw a sheet under an item, its free side turned up and over: flat at 0, over the top at 1."""
    here = spot(camera, foot)
    at, half = here.at, 9.0 * size
    reach = half + 7.0 - (half + 5.0) * over
    high = 17.0 * size * over * (1.6 - 0.6 * over)
    flap = polygon(
        (
            at(half * 0.6, -half, 0.4),
            at(half * 0.6, half, 0.4),
            at(reach, half * 0.9, high),
            at(reach, -half * 0.9, high),
        ),
        lighter(tint, 260),
        darker(tint, 380),
        1.0,
    )
    return [flap]


_LUMPS = (
    (-0.3, 0.3),
    (0.05, 0.34),
    (0.32, 0.28),
    (-0.18, 0.02),
    (0.2, 0.0),
    (-0.32, -0.28),
    (0.02, -0.3),
    (0.33, -0.26),
)


def fill_at(wide: float, deep: float, number: int) -> tuple[float, float]:
    """Return where crumple `number` lies in a box of that size."""
    x, y = _LUMPS[number % 8]
    return x * wide, y * deep


def paper_balls(camera: Camera, middles: Sequence[Vector], turn: int, tint: Colour) -> list[Shape]:
    """Draw crumples of void fill as a hand carries them, the first one below the others."""
    return crumples(camera, middles, 6.2, turn, tint)
