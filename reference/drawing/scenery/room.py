"""The station without its work: floor and bench, seen from the session's camera."""

from __future__ import annotations

from reference.drawing.look import SessionLook
from reference.drawing.shapes import SIDE, Path, Shape, darker, faded, lighter, linear, polygon
from reference.drawing.solids import block, spot

WIDE, FRONT, BACK, THICK, FLOOR = 134.0, -3.0, 71.0, 5.0, -88.0


def floor(look: SessionLook) -> list[Shape]:
    """Draw the floor with its joints, over the whole picture."""
    ground = Path().rectangle(-4, -4, SIDE + 8, SIDE + 8)
    light = linear((0, 0), (0, SIDE), lighter(look.floor, 160), look.floor, darker(look.floor, 160))
    joints = Path()
    at = look.camera.at
    for number in range(-4, 5):
        joints.line((at(60.0 * number, -240.0, FLOOR), at(60.0 * number, 260.0, FLOOR)))
        joints.line((at(-240.0, 60.0 * number, FLOOR), at(240.0, 60.0 * number, FLOOR)))
    return [ground.filled(light), joints.filled(None, faded(darker(look.floor, 350), 110), 1.0)]


def bench(look: SessionLook) -> list[Shape]:
    """Draw the bench: its top with joints, its edges, and the dark below it."""
    camera, tint = look.camera, look.bench
    deep = BACK - FRONT
    foot = spot(camera, (0.0, (FRONT + BACK) / 2, -THICK))
    under = [camera.at(x, y, FLOOR) for x, y in ((-70, -8), (70, -8), (70, 76), (-70, 76))]
    legs = Path()
    for x, y in _corners(4.0):
        legs.capsule(camera.at(x, y, FLOOR), camera.at(x, y, -THICK), 2.6 * camera.scale(x, y, FLOOR), 3.2)
    steel = darker(look.floor, 480)
    shapes = [polygon(under, (30, 24, 20, 70)), legs.filled(steel, darker(steel, 300))]
    shapes += block(foot, WIDE, deep, THICK, darker(tint, 60), darker(tint, 500))
    top = [camera.at(x, y, 0.0) for x, y in _corners(0.0)]
    light = linear(top[3], top[0], lighter(tint, 120), tint, lighter(tint, 180))
    joints = Path()
    for number in range(1, 5):
        y = FRONT + deep * number / 5
        joints.line((camera.at(-WIDE / 2, y, 0.0), camera.at(WIDE / 2, y, 0.0)))
    mat = [camera.at(x, y, 0.1) for x, y in ((-31, 10), (31, 10), (31, 55), (-31, 55))]
    return [
        *shapes,
        polygon(top, light, darker(tint, 380), 1.0),
        joints.filled(None, faded(darker(tint, 350), 90), 0.9),
        polygon(mat, faded(darker(look.floor, 120), 70), faded(darker(tint, 400), 120), 0.9),
    ]


def _corners(inset: float) -> tuple[tuple[float, float], ...]:
    w = WIDE / 2 - inset
    return (-w, FRONT + inset), (w, FRONT + inset), (w, BACK - inset), (-w, BACK - inset)
