"""Tools that a worker takes in hand: tape gun, scanner, clipboard, mug, printer; on the bench, or in use."""

from __future__ import annotations

from reference.drawing.camera import Camera, Vector
from reference.drawing.shapes import Colour, Path, Point, Shape, colour, darker, faded, lighter, polygon
from reference.drawing.solids import Spot, block, cylinder, shadow, sheet, spot

_STEEL = colour("#c3c9cc")
_WHITE = colour("#f6f3ea")
_BEAM = colour("#f0483e")


def tape_gun(camera: Camera, mouth: Vector, along: Vector, tint: Colour, roll: Colour) -> list[Shape]:
    """Draw the tape gun with its roll; the tape leaves it at `mouth`, its handle points `along` (horizontally)."""
    x, y, z = mouth
    ax, ay, az = along
    scale = camera.scale(*mouth)
    tip = camera.at(x, y, z)
    middle = camera.at(x + 6.5 * ax, y + 6.5 * ay, z + 7.5)
    neck = camera.at(x + 10.0 * ax, y + 10.0 * ay, z + 4.5)
    end = camera.at(x + 19.0 * ax, y + 19.0 * ay, z + 3.5 + 3.0 * az)
    line = darker(tint, 480)
    return [
        Path().capsule(neck, end, 1.7 * scale + 1, 1.5 * scale + 1).filled(line),
        Path().capsule(neck, end, 1.7 * scale, 1.5 * scale).filled(darker(tint, 250)),
        Path().ellipse(*middle, 5.6 * scale).filled(roll, darker(roll, 380), 1.2),
        Path().ellipse(*middle, 2.7 * scale).filled(lighter(roll, 420), darker(roll, 300), 1.0),
        Path().capsule(tip, neck, 1.9 * scale, 2.1 * scale).filled(tint, line, 1.0),
        Path().capsule(tip, middle, 1.1 * scale, 0.9 * scale).filled(tint, line, 0.8),
        Path().ellipse(*tip, 1.4 * scale).filled(_STEEL, line, 0.8),
    ]


def scanner(camera: Camera, window: Vector, back: Vector, tint: Colour) -> list[Shape]:
    """Draw a hand scanner: its window at one point, its handle at the other."""
    front, grip, scale = camera.at(*window), camera.at(*back), camera.scale(*window)
    line = darker(tint, 520)
    x, y = front
    body = (x + (grip[0] - x) * 0.3, y + (grip[1] - y) * 0.3)
    return [
        Path().capsule(body, grip, 2.0 * scale, 1.6 * scale).filled(darker(tint, 260), line, 1.0),
        Path().capsule(front, body, 3.4 * scale, 3.0 * scale).filled(tint, line, 1.0),
        Path().ellipse(*front, 2.3 * scale, 1.9 * scale).filled(colour("#c2363a"), line, 0.8),
    ]


def beam(start: Point, left: Point, right: Point) -> list[Shape]:
    """Draw the scanner's fan of light, ending in a line on what it scans."""
    return [polygon((start, left, right), faded(_BEAM, 70)), Path().capsule(left, right, 1.3).filled(_BEAM)]


def clipboard(foot: Spot, ticks: int, tint: Colour) -> list[Shape]:
    """Draw a clipboard with a check list, lying at the spot's height; `ticks` of four rows are ticked."""
    at = foot.at
    w, d = 7.5, 10.0
    rows, marks = Path(), Path()
    for number in range(4):
        y = d - 4.5 - 3.6 * number
        rows.polygon(
            (
                at(-w + 4.4, y),
                at(w - 1.6 - number % 2 * 3, y),
                at(w - 1.6 - number % 2 * 3, y + 1.1),
                at(-w + 4.4, y + 1.1),
            )
        )
        if number < ticks:
            marks.line((at(-w + 1.2, y + 1.0), at(-w + 2.0, y - 0.2), at(-w + 3.6, y + 2.2)))
    board = polygon((at(-w, -d), at(w, -d), at(w, d), at(-w, d)), tint, darker(tint, 450), 1.2)
    paper = polygon(
        (at(-w + 0.8, -d + 0.8), at(w - 0.8, -d + 0.8), at(w - 0.8, d - 1.8), at(-w + 0.8, d - 1.8)), _WHITE
    )
    clip = polygon(
        (at(-2.8, d - 1.8), at(2.8, d - 1.8), at(2.8, d + 0.8), at(-2.8, d + 0.8)), _STEEL, darker(_STEEL, 400), 0.8
    )
    shapes = [board, paper, rows.filled(colour("#9aa0a3")), clip]
    return [*shapes, marks.filled(None, colour("#3d4a45"), 1.6)] if ticks else shapes


def mug(camera: Camera, foot: Vector, tint: Colour) -> list[Shape]:
    """Draw a mug with something dark in it."""
    here = spot(camera, foot)
    x, y = here.at(5.2, 0.0, 4.5)
    size = here.scale()
    handle = Path().ellipse(x, y, 2.2 * size, 2.6 * size)
    return [
        handle.filled(None, darker(tint, 420), 1.5 * size),
        handle.filled(None, tint, 0.9 * size),
        *cylinder(here, 4.2, 9.0, tint, colour("#4a3226")),
    ]


def printer(camera: Camera, place: tuple[float, float], tint: Colour) -> list[Shape]:
    """Draw the label printer, with a tongue of labels."""
    foot = spot(camera, (*place, 0.0))
    x, y = place
    return [
        shadow(foot, 11.0, 9.0),
        *block(foot, 16.0, 13.0, 9.0, tint),
        sheet(spot(camera, (x, y - 2.0, 9.2)), 10.0, 2.0, darker(tint, 620)),
        sheet(spot(camera, (x, y - 5.0, 9.6)), 9.0, 5.0, _WHITE),
    ]


def resting(
    camera: Camera, tool: str, place: tuple[float, float], tint: Colour, roll: Colour, up: float = 0.0
) -> list[Shape]:
    """Draw a tool at its place on the bench, lying or lifted so many cm."""
    x, y = place
    foot = spot(camera, (x, y, up))
    if tool == "tape gun":
        return [shadow(foot, 9.0, 6.0), *tape_gun(camera, (x - 6.0, y, 1.2 + up), (1.0, 0.15, 0.0), tint, roll)]
    if tool == "scanner":
        return [
            shadow(foot, 8.0, 5.0),
            *scanner(camera, (x - 4.0, y + 2.0, 2.2 + up), (x + 6.0, y - 3.0, 1.6 + up), tint),
        ]
    if tool == "clipboard":
        return clipboard(foot.moved(0.0, 0.0, 0.4), 0, tint)
    if tool == "mug":
        return [shadow(foot, 5.5, 5.0), *mug(camera, (x, y, up), tint)]
    return printer(camera, place, tint)


def phone(camera: Camera, middle: Vector) -> list[Shape]:
    """Draw a phone held flat, its face up."""
    here = spot(camera, middle, 0.1)
    case = colour("#23272b")
    return [*block(here, 7.0, 13.0, 1.0, case), sheet(here, 5.8, 11.0, colour("#aebfca"), 1.1)]
