"""The station without its work: wall, tool rail, table, order slip, item cards, screen, label printer."""

from __future__ import annotations

from typing import NamedTuple

from reference.drawing.scenery.marks import slot
from reference.drawing.scenery.shapes import (
    SIDE,
    Colour,
    Path,
    Shape,
    colour,
    darker,
    faded,
    lighter,
    linear,
    polygon,
)

EDGE = 84.0  # where the table meets the wall
_OVER = 90.0  # drawn beyond the picture, for a camera that stands elsewhere


class Tints(NamedTuple):
    """Colours that differ between clips and mean nothing."""

    wall: Colour
    wood: Colour
    kraft: Colour


WALLS = tuple(map(colour, ("#c9d6d3", "#d6d2c4", "#c8cfda", "#d9cfc6")))
WOODS = tuple(map(colour, ("#e9cfa4", "#e3c597", "#edd8b5", "#dfc3a0")))
KRAFTS = tuple(map(colour, ("#b98a54", "#c0925c", "#b08048", "#c29a68")))

Sign = tuple[str, bool | None]  # an attribute's mark, and whether the order has it (None: not to be known)


def room(tints: Tints) -> list[Shape]:
    """Draw wall and table."""
    return [*_wall(tints), *_table(tints)]


def _wall(tints: Tints) -> list[Shape]:
    low = -_OVER
    wall = Path().rectangle(low, low, SIDE + 2 * _OVER, EDGE + _OVER)
    board = Path().rounded(116, 10, 146, 60, 6)
    pegs = Path()
    for row in range(4):
        for column in range(11):
            pegs.rectangle(124 + 13 * column, 17 + 14 * row, 2.2, 2.2)
    wainscot = Path().rectangle(low, EDGE - 8, SIDE + 2 * _OVER, 8)
    return [
        wall.filled(linear((0, 0), (0, EDGE), lighter(tints.wall, 250), tints.wall)),
        board.filled(lighter(tints.wall, 520), darker(tints.wall, 180), 1.5),
        pegs.filled(darker(tints.wall, 260)),
        wainscot.filled(darker(tints.wall, 200)),
    ]


def _table(tints: Tints) -> list[Shape]:
    low, width, depth = -_OVER, SIDE + 2 * _OVER, SIDE - EDGE + _OVER
    top = Path().rectangle(low, EDGE, width, depth)
    light = linear((0, EDGE), (0, SIDE), darker(tints.wood, 110), tints.wood, lighter(tints.wood, 260))
    joints, grain = Path(), Path()
    for number, y in enumerate((128, 180, 240, 310, 390)):
        joints.rectangle(low, y, width, 1.6)
        for knot in range(4):
            grain.rectangle(-60 + 117 * knot + 53 * (number % 3), y - 21 + 4 * knot, 62, 1.1)
    mat = Path().polygon(((92, 298), (262, 298), (312, 168), (142, 168)))
    rim = Path().rectangle(low, EDGE, width, 5)
    return [
        top.filled(light),
        joints.filled(faded(darker(tints.wood, 420), 90)),
        grain.filled(faded(darker(tints.wood, 300), 70)),
        rim.filled(faded(darker(tints.wood, 600), 70)),
        mat.filled(colour("#5f7a74", 70), colour("#5f7a74", 120), 1.5),
    ]


def slip(signs: tuple[Sign, ...]) -> list[Shape]:
    """Draw the order slip on the wall: a header with bars for lines of writing, then one slot for each attribute."""
    paper = Path().rounded(6, 4, 104, 76, 3)
    head = Path().rectangle(14, 10, 88, 7)
    lines = Path().rectangle(14, 21, 60, 3).rectangle(80, 21, 22, 3)
    shapes = [
        Path().rounded(9, 7, 104, 76, 3).filled((40, 26, 16, 60)),
        paper.filled(colour("#fdfbf5"), colour("#b8b0a0"), 1.2),
        head.filled(colour("#59636b")),
        lines.filled(colour("#c3c6c4")),
    ]
    step = 96 / max(2, len(signs))
    half = min(21.0, step / 2 - 2)
    for number, (mark, shown) in enumerate(signs):
        shapes += slot(mark, shown, 10 + step * (number + 0.5), 53, half)
    pin = Path().ellipse(58, 6, 4.2)
    return [*shapes, pin.filled(colour("#8a4b2f"), colour("#5b2f1c"))]


def slips(left: tuple[Sign, ...] | None, right: tuple[Sign, ...] | None) -> list[Shape]:
    """Draw two order slips side by side on the wall, each with its signs, or (None) laid down on its face."""
    shapes: list[Shape] = []
    for x, signs in ((6.0, left), (60.0, right)):
        shapes.append(Path().rounded(x + 3, 7, 49, 76, 3).filled((40, 26, 16, 60)))
        paper = Path().rounded(x, 4, 49, 76, 3)
        if signs is None:
            shapes.append(paper.filled(colour("#cfc9bb"), colour("#a59d8c"), 1.2))
            continue
        step = 66 / max(2, len(signs))
        shapes += [
            paper.filled(colour("#fdfbf5"), colour("#b8b0a0"), 1.2),
            Path().rectangle(x + 6, 8, 37, 4).filled(colour("#59636b")),
        ]
        for number, (mark, shown) in enumerate(signs):
            shapes += slot(mark, shown, x + 24.5, 13 + step * (number + 0.5), min(14.0, step / 2 - 1.5))
    return shapes


_TOTES = (colour("#d9a520"), colour("#2f6fb3"))


def tote(right: bool) -> list[Shape]:
    """Draw the tote of the order at hand: yellow where the left slip is its own, blue where the right one is."""
    body = _TOTES[right]
    return [
        Path().rounded(5, 226, 46, 34, 4).filled((40, 26, 16, 60)),
        Path().rounded(2, 220, 46, 34, 4).filled(body, darker(body, 400), 1.5),
        Path().rounded(7, 224, 36, 12, 3).filled(darker(body, 320)),
    ]


def cards(signs: tuple[Sign, ...]) -> list[Shape]:
    """Draw the cards of the order's items, in a rack at the table's left edge."""
    if not signs:
        return []
    step = 120 / max(3, len(signs))
    half = min(19.0, step / 2 - 2.0)
    shapes = [
        Path().rounded(5, 91, 48, 126, 5).filled((40, 26, 16, 60)),
        Path().rounded(2, 86, 48, 126, 5).filled(colour("#8d6a45"), colour("#5f4429"), 1.5),
    ]
    for number, (mark, shown) in enumerate(signs):
        middle = 89 + step * (number + 0.5)
        card = Path().rounded(5, middle - step / 2 + 1, 42, step - 2, 3)
        shapes += [card.filled(colour("#fdfbf5")), *slot(mark, shown, 26, middle, half)]
    return shapes


def screen(result: str, signs: tuple[Sign, ...] = ()) -> list[Shape]:
    """Draw the screen on the wall with the result of a finished check, or with the signs that it shows for a moment."""
    if signs:
        return _screen_of_signs(signs)
    face = {"off": "#33414b", "pass": "#1c9a4b", "fail": "#c9302c"}[result]
    shapes = [
        Path().rectangle(299, 60, 8, 22).filled(colour("#4b4f54")),
        Path().rounded(272, 10, 60, 54, 5).filled(colour("#23282d"), colour("#14181b"), 1.2),
        Path().rounded(277, 15, 50, 44, 3).filled(colour(face)),
    ]
    if result == "off":
        bars = Path().rectangle(283, 24, 30, 3).rectangle(283, 32, 38, 3).rectangle(283, 40, 22, 3)
        return [*shapes, bars.filled(colour("#5a6d7a"))]
    white = colour("#ffffff")
    if result == "pass":
        return [*shapes, polygon(((287, 37), (293, 31), (299, 38), (313, 22), (319, 28), (300, 50)), white)]
    cross = Path().polygon(
        (
            (289, 26),
            (294, 21),
            (302, 31),
            (310, 21),
            (315, 26),
            (307, 37),
            (315, 48),
            (310, 53),
            (302, 43),
            (294, 53),
            (289, 48),
            (297, 37),
        )
    )
    return [*shapes, cross.filled(white)]


def _screen_of_signs(signs: tuple[Sign, ...]) -> list[Shape]:
    step = 46 / len(signs)
    shapes = [
        Path().rectangle(299, 60, 8, 22).filled(colour("#4b4f54")),
        Path().rounded(272, 10, 60, 54, 5).filled(colour("#23282d"), colour("#14181b"), 1.2),
        Path().rounded(277, 15, 50, 44, 3).filled(colour("#e8f0f2")),
    ]
    for number, (mark, shown) in enumerate(signs):
        shapes += slot(mark, shown, 279 + step * (number + 0.5), 37, min(18.0, step / 2 - 1.5))
    return shapes


def printer() -> list[Shape]:
    """Draw the label printer at the back right, with a tongue of labels."""
    body = colour("#4d545b")
    return [
        Path().rounded(272, 134, 66, 8, 4).filled((40, 26, 16, 60)),
        polygon(((270, 108), (283, 92), (336, 92), (332, 108)), lighter(body, 240), darker(body)),
        Path()
        .rounded(268, 107, 66, 32, 4)
        .filled(linear((0, 107), (0, 139), body, darker(body, 400)), darker(body, 500)),
        Path().rectangle(276, 121, 44, 4).filled(colour("#1b1e21")),
        Path().ellipse(326, 114, 2.6).filled(colour("#5be07d")),
    ]
