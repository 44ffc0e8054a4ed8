"""Boards at the bench's edge: order slips, the screen, the items' cards, and the tote of the order at hand.

Each stands on a foot at the edge opposite to the camera and is turned to it, so that its signs are as large in every
picture. Slips carry one dot or two; the tote's plate says which of the two slips is of the order at hand.
"""

from __future__ import annotations

from collections.abc import Sequence

from reference.drawing.camera import Camera
from reference.drawing.look import SessionLook
from reference.drawing.scenery.marks import HALF, slot
from reference.drawing.shapes import SIDE, Colour, Path, Point, Shape, colour, darker, lighter, polygon

Sign = tuple[str, bool | None]  # an attribute's mark, and whether the order has it (None: not to be known)

_FOOT = {"worker": 20.0, "overhead": 13.0, "far": 36.0, "left": 24.0, "right": 24.0}
"""Height of a board's lower edge above the bench in cm: no arm comes before it, seen from that side."""
_WIDEST = 36.0  # pixels from the middle of a board to the next one's, at least
_MARGIN = 20.0  # pixels from the picture's side to the middle of a board, at least
_HIGHEST = 68.0  # pixels of the highest board
_CASE, _DARK, _LIT = colour("#3a3f44"), colour("#59636a"), colour("#eef1ec")
_CARD = colour("#f7f4ea")


def feet_of(camera: Camera) -> tuple[tuple[float, float], ...]:
    """Return four places for boards on the bench's edge, opposite to where the camera stands."""
    if camera.side == "left":
        return (68.0, 13.0), (68.0, 34.0), (68.0, 58.0), (68.0, 79.0)
    if camera.side == "right":
        return (-68.0, 13.0), (-68.0, 34.0), (-68.0, 58.0), (-68.0, 79.0)
    if camera.side == "far":
        return (-62.0, -6.0), (-45.0, -6.0), (45.0, -6.0), (62.0, -6.0)
    y = 71.0
    return (-57.0, y), (-40.0, y), (40.0, y), (57.0, y)


def places(look: SessionLook) -> dict[str, Point]:
    """Return the pixel of the middle of each board's lower edge: "slip 1", "slip 2", "tote", "screen", "cards"."""
    feet = _apart([look.camera.at(*foot, _FOOT[look.camera.side]) for foot in feet_of(look.camera)])
    found: dict[str, Point] = {}
    for name in look.boards:
        if name == "slips":
            one, other = feet.pop(0), feet.pop(0)
            found["slip 1"], found["slip 2"] = one, other
            found["tote"] = (one[0] + other[0]) / 2, (one[1] + other[1]) / 2 + 15.0
        else:
            found[name] = feet.pop(0)
    return found


def _apart(feet: Sequence[Point]) -> list[Point]:
    """Return the feet moved so far that each board lies in the picture and hides no other."""
    order = sorted(range(len(feet)), key=lambda place: feet[place])
    found = list(feet)
    least, most = _MARGIN, SIDE - _MARGIN
    for place in order:
        x = max(feet[place][0], least)
        found[place], least = (x, max(feet[place][1], _HIGHEST)), x + _WIDEST
    for place in reversed(order):
        x = min(found[place][0], most)
        found[place], most = (x, found[place][1]), x - _WIDEST
    return found


def poles(look: SessionLook) -> Shape:
    """Draw the poles that carry the boards."""
    path, at = Path(), places(look)
    feet = iter(feet_of(look.camera))
    for name in look.boards:
        for board in ("slip 1", "slip 2") if name == "slips" else (name,):
            x, y = at[board]
            path.band((x, y - 2.0), look.camera.at(*next(feet), 0.0), 1.6, 1.6)
    return path.filled(darker(look.bench, 520))


def _dots(at: Point, count: int, ink: Colour, radius: float = 3.4) -> Shape:
    x, y = at
    path = Path()
    for number in range(count):
        path.ellipse(x + (number - (count - 1) / 2) * radius * 2.7, y, radius)
    return path.filled(ink)


def slip(look: SessionLook, at: Point, number: int, signs: Sequence[Sign] | None) -> list[Shape]:
    """Draw an order slip with its dots, lines of print and signs, or (None) its back."""
    x, y = at
    wide, high = 31.0, 18.0 + 23.0 * max(2, len(signs or ()))
    top = y - high
    paper = Path().rounded(x - wide / 2, top, wide, high, 2)
    shapes = [Path().rounded(x - wide / 2 + 2, top + 2, wide, high, 2).filled((30, 24, 20, 60))]
    if signs is None:
        back = darker(look.paper, 160)
        return [*shapes, paper.filled(back, darker(back, 350), 1.0), _dots((x, top + 8), number, darker(back, 520))]
    lines = Path().rectangle(x - 12, top + 13.5, 24, 1.4)
    shapes += [paper.filled(_CARD, darker(_CARD, 380), 1.0), _dots((x, top + 7), number, colour("#2b2e31"))]
    step = (high - 18.0) / max(1, len(signs))
    for place, (mark, shown) in enumerate(signs):
        middle = top + 17.0 + step * (place + 0.5)
        shapes += slot(mark, shown, x, middle - 0.5, min(HALF, step / 2 - 1.0), look.ink)
        if place + 1 < len(signs):
            lines.rectangle(x - 12, middle + step / 2 - 0.8, 18, 1.0)
    return [*shapes, lines.filled(lighter(look.ink, 520))]


def tote(look: SessionLook, at: Point, number: int) -> list[Shape]:
    """Draw the tote of the order at hand, with one dot or two on its plate."""
    x, y = at
    body = look.crate
    tub = ((x - 21, y - 11), (x + 21, y - 11), (x + 18, y + 9), (x - 18, y + 9))
    return [
        Path().ellipse(x + 2, y + 9, 21, 4).filled((30, 24, 20, 70)),
        polygon(tub, body, darker(body, 450), 1.2),
        Path().rounded(x - 23, y - 14, 46, 5, 2).filled(lighter(body, 150), darker(body, 450), 1.0),
        Path().rounded(x - 13, y - 7, 26, 13, 2).filled(_CARD, darker(_CARD, 380), 0.8),
        _dots((x, y - 0.5), number, colour("#2b2e31"), 4.0),
    ]


def cards(look: SessionLook, at: Point, signs: Sequence[Sign]) -> list[Shape]:
    """Draw the cards of the order's items, one below the other, on a holder."""
    if not signs:
        return []
    x, y = at
    step = min(25.0, 66.0 / len(signs))
    high = step * len(signs) + 6
    holder = darker(look.bench, 330)
    shapes = [
        Path().rounded(x - 16, y - high, 32, high, 2).filled(holder, darker(holder, 400), 1.0),
    ]
    for number, (mark, shown) in enumerate(signs):
        middle = y - high + 3 + step * (number + 0.5)
        card = Path().rounded(x - 13, middle - step / 2 + 1, 26, step - 2, 2)
        shapes += [card.filled(_CARD), *slot(mark, shown, x, middle, min(HALF, step / 2 - 2), look.ink)]
    return shapes


def screen(look: SessionLook, at: Point, result: str, signs: Sequence[Sign]) -> list[Shape]:
    """Draw the screen: dark, lit with signs of the order, or with the result of a finished check."""
    x, y = at
    wide = max(36.0, 24.0 * len(signs) + 10)
    left, top = x - wide / 2, y - 36.0
    lit = bool(signs) or result != "off"
    shapes = [
        Path().rounded(left, top, wide, 36, 4).filled(_CASE, darker(_CASE, 500), 1.0),
        Path().rounded(left + 3, top + 3, wide - 6, 28, 2).filled(_LIT if lit else _DARK),
        Path().ellipse(x, top + 33.2, 1.1).filled(_LIT),
    ]
    step = (wide - 8) / max(1, len(signs))
    for number, (mark, shown) in enumerate(signs):
        shapes += slot(mark, shown, left + 4 + step * (number + 0.5), top + 17, HALF, look.ink)
    if not signs and result == "pass":
        tick = Path().line(((x - 9, top + 17), (x - 3, top + 23), (x + 9, top + 9)))
        shapes.append(tick.filled(None, look.ink, 4.0))
    if not signs and result == "fail":
        cross = Path().line(((x - 8, top + 9), (x + 8, top + 25))).line(((x + 8, top + 9), (x - 8, top + 25)))
        shapes.append(cross.filled(None, look.ink, 4.0))
    return shapes


def cover(at: Point, wide: float, high: float, cloth: Colour) -> list[Shape]:
    """Draw a coat or a sack that hangs over a board and hides all of it."""
    x, y = at
    w = wide / 2 + 5
    rim = (
        (x - w * 0.6, y - high - 9),
        (x, y - high - 12),
        (x + w * 0.6, y - high - 9),
        (x + w, y - high * 0.5),
        (x + w * 1.05, y + 12),
        (x, y + 16),
        (x - w * 1.05, y + 12),
        (x - w, y - high * 0.5),
    )
    folds = Path()
    for share in (-0.45, 0.05, 0.5):
        folds.line(((x + w * share * 0.7, y - high), (x + w * share, y + 11)))
    return [
        Path().blob(rim).filled(cloth, darker(cloth, 450), 1.2),
        folds.filled(None, darker(cloth, 260), 1.3),
    ]
