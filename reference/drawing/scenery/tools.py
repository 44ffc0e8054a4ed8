"""The tools that a worker takes in hand: tape gun, scanner, clipboard, mug; on the rail, in use, or laid down."""

from __future__ import annotations

from reference.drawing.scenery.shapes import (
    Path,
    Place,
    Point,
    Shape,
    colour,
    darker,
    faded,
    lighter,
    linear,
    polygon,
    soft_shadow,
)

ORANGE = colour("#f25c05")
BOARD = colour("#8a5a34")
BEAM = colour("#ff1744")


def tape_gun(x: float, y: float, scale: float = 1.0) -> list[Shape]:
    """Draw the orange tape gun with its roll; the tape leaves it at (x, y)."""
    s = scale
    corners = ((-4, 3), (4, -12), (40, -26), (46, -14), (14, 4))
    frame = Path().polygon([(x + s * across, y + s * down) for across, down in corners])
    grip = Path().capsule((x + 34 * s, y - 14 * s), (x + 48 * s, y + 16 * s), 7.5 * s, 6.5 * s)
    grip_rim = Path().capsule((x + 34 * s, y - 14 * s), (x + 48 * s, y + 16 * s), 9 * s, 8 * s)
    return [
        grip_rim.filled(darker(colour("#3a3f45"), 500)),
        grip.filled(colour("#4a5058")),
        Path().ellipse(x + 22 * s, y - 27 * s, 17 * s).filled(colour("#ffb26b"), darker(ORANGE, 400), 1.6),
        Path().ellipse(x + 22 * s, y - 27 * s, 8 * s).filled(colour("#fff3e0"), darker(ORANGE, 300), 1.4),
        frame.filled(ORANGE, darker(ORANGE, 450), 1.5),
        Path().capsule((x - 5 * s, y + 2 * s), (x + 5 * s, y + 2 * s), 2.6 * s).filled(colour("#d5dade")),
    ]


def scanner(x: float, y: float, scale: float = 1.0) -> list[Shape]:
    """Draw a black hand scanner; (x, y) is its window."""
    s = scale
    grip = Path().capsule((x + 14 * s, y + 10 * s), (x + 26 * s, y + 36 * s), 7 * s, 6 * s)
    head = Path().rounded(x - 8 * s, y - 9 * s, 36 * s, 20 * s, 7 * s)
    dark = colour("#2b2f36")
    return [
        grip.filled(dark, colour("#101215")),
        head.filled(linear((x, y - 9 * s), (x, y + 11 * s), lighter(dark, 300), dark), colour("#101215")),
        Path().rounded(x - 8 * s, y - 5 * s, 7 * s, 12 * s, 2 * s).filled(BEAM),
        Path().ellipse(x + 18 * s, y - 3 * s, 3 * s).filled(colour("#7dff9b")),
    ]


def beam(start: Point, left: Point, right: Point) -> list[Shape]:
    """Draw the scanner's red fan, ending in a bright line on the box."""
    line = Path().capsule(left, right, 2.4)
    return [polygon((start, left, right), faded(BEAM, 95)), line.filled(BEAM)]


def clipboard(x: float, y: float, ticks: int, scale: float = 1.0) -> list[Shape]:
    """Draw a clipboard with a check list; (x, y) is the middle of its lower edge, `ticks` of four rows are ticked."""
    s = scale
    wide, high = 60 * s, 76 * s
    left, top = x - wide / 2, y - high
    boxes, rows, marks = Path(), Path(), Path()
    for number in range(4):
        line = top + (15 + 14.5 * number) * s
        boxes.rectangle(left + 8 * s, line, 10 * s, 10 * s)
        rows.rectangle(left + 23 * s, line + 3 * s, (28 - 5 * (number % 2)) * s, 3.4 * s)
        if number < ticks:
            marks.line(((left + 8 * s, line + 4 * s), (left + 12 * s, line + 9 * s), (left + 20 * s, line - 3 * s)))
    shapes = [
        Path().rounded(left, top, wide, high, 5 * s).filled(BOARD, darker(BOARD, 500), 1.5),
        Path().rounded(left + 4 * s, top + 8 * s, wide - 8 * s, high - 12 * s, 2 * s).filled(colour("#fffdf6")),
        boxes.filled(colour("#ffffff"), colour("#59636b"), 1.2),
        rows.filled(colour("#9aa3a8")),
        Path().rounded(x - 12 * s, top - 3 * s, 24 * s, 10 * s, 3 * s).filled(colour("#b9c0c6"), colour("#5c646b")),
    ]
    return shapes if ticks <= 0 else [*shapes, marks.filled(None, colour("#118a3c"), 3.2 * s)]


def mug(x: float, y: float, steam: float, scale: float = 1.3) -> list[Shape]:
    """Draw a big white mug with a red heart; (x, y) is the middle of its foot, `steam` in [0, 1) lets it rise."""
    s, red, white = scale, colour("#d6336c"), colour("#e9e5dc")
    left, top = x - 19 * s, y - 38 * s
    heart = ((0, -6), (10, -17), (6, -25), (0, -20), (-6, -25), (-10, -17))
    puffs = Path()
    for number in range(3):
        place = (steam + number / 3) % 1.0
        puffs.ellipse(
            x + (8 * number - 9 + 3 * place) * s, y - (46 + 28 * place) * s, (3 + 3 * place) * s, (4 + 5 * place) * s
        )
    return [
        soft_shadow(x + 3, y, 26 * s, 8 * s, 90),
        Path().ellipse(x + 21 * s, y - 16 * s, 10 * s, 11 * s).filled(None, darker(white, 400), 6.5 * s),
        Path().ellipse(x + 21 * s, y - 16 * s, 10 * s, 11 * s).filled(None, white, 4.5 * s),
        Path()
        .rounded(left, top, 38 * s, 40 * s, 8 * s)
        .filled(linear((left, y), (left + 38 * s, y), colour("#ffffff"), darker(white, 60)), darker(white, 500), 1.5),
        Path().blob([(x + s * across, y + s * down) for across, down in heart]).filled(red),
        Path().ellipse(x, y - 37 * s, 18 * s, 6.5 * s).filled(colour("#5a3420"), darker(white, 250), 1.8),
        puffs.filled(colour("#ffffff", 130)),
    ]


def rail(out: frozenset[str]) -> list[Shape]:
    """Draw the tools that hang on the rail: all but those in `out`."""
    shapes = [Path().rounded(120, 18, 138, 5, 2).filled(colour("#6b7378"), colour("#474d52"), 0.8)]
    if "tape gun" not in out:
        shapes += tape_gun(128, 56, 0.62)
    if "clipboard" not in out:
        shapes += clipboard(190, 66, 0, 0.55)
    if "scanner" not in out:
        shapes += scanner(226, 34, 0.72)
    return shapes


def laid_down(tool: str, x: float, y: float) -> list[Shape]:
    """Draw a tool lying on the table after use."""
    place = Place(x, y)
    foot = place.at(34, 30)
    shadow = soft_shadow(foot[0], foot[1] + 16, 38, 10, 80)
    if tool == "tape gun":
        return [shadow, *tape_gun(x + 6, y - 16, 1.05)]
    return [*clipboard(x + 32, y - 4, 4, 0.95), *scanner(x + 44, y - 22, 0.9)]
