"""The worker's arms: sleeve, forearm and hand, seen from above the shoulder. Sleeve and skin tell who works."""

from __future__ import annotations

from typing import NamedTuple

from reference.drawing.scenery.shapes import Colour, Path, Point, Shape, darker, lerp, lighter, linear, unit

LEFT, RIGHT = -1.0, 1.0
SHOULDERS = {LEFT: (118.0, 452.0), RIGHT: (262.0, 452.0)}


class Worker(NamedTuple):
    """Appearance of a worker."""

    sleeve: Colour
    skin: Colour


class Hand(NamedTuple):
    """Position of a hand (its palm), its pose, and the point it is turned to (None: along the arm)."""

    at: Point
    pose: str = "grip"  # "grip", "open" or "point"
    towards: Point | None = None


_FINGERS = {"grip": (9.0, 10.0, 10.0, 8.5), "open": (15.0, 17.5, 17.0, 14.0), "point": (19.0, 9.0, 9.0, 8.0)}


def arms(worker: Worker, left: Hand | None, right: Hand | None) -> list[Shape]:
    """Draw the arms of a worker who stands before the table."""
    shapes: list[Shape] = []
    for side, hand in ((LEFT, left), (RIGHT, right)):
        if hand is not None:
            shapes += arm(worker, SHOULDERS[side], hand, side)
    return shapes


def arm(worker: Worker, shoulder: Point, hand: Hand, side: float, size: float = 1.0) -> list[Shape]:
    """Draw one arm; `side` tells where elbow and thumb are: the elbow outside, the thumb inside."""
    elbow = _elbow(shoulder, hand.at, side * size)
    ux, uy = unit(hand.at[0] - elbow[0], hand.at[1] - elbow[1])
    wrist = (hand.at[0] - ux * 13 * size, hand.at[1] - uy * 13 * size)
    cuff = lerp(elbow, wrist, 0.66)
    line, skin_line = darker(worker.sleeve, 480), darker(worker.skin, 480)
    forearm = Path().capsule(lerp(elbow, wrist, 0.55), wrist, 12.5 * size, 9.0 * size)
    sleeve = Path().band(elbow, cuff, 19 * size, 14.5 * size).capsule(shoulder, elbow, 27 * size, 19 * size)
    outline = Path().band(elbow, lerp(elbow, cuff, 1.03), 20.4 * size, 16 * size)
    outline.capsule(shoulder, elbow, 28.4 * size, 20.4 * size)
    nx, ny = -uy, ux
    light = linear(
        (elbow[0] - nx * 20 * size, elbow[1] - ny * 20 * size),
        (elbow[0] + nx * 20 * size, elbow[1] + ny * 20 * size),
        lighter(worker.sleeve, 130),
        worker.sleeve,
        darker(worker.sleeve, 230),
    )
    edge = (lerp(elbow, cuff, 0.86), lerp(elbow, cuff, 1.02))
    return [
        Path().capsule(lerp(elbow, wrist, 0.55), wrist, 13.8 * size, 10.3 * size).filled(skin_line),
        forearm.filled(worker.skin),
        *_hand(hand, (ux, uy), worker, side, size),
        outline.filled(line),
        sleeve.filled(light),
        Path().band(*edge, 16.4 * size, 15.8 * size).filled(lighter(worker.sleeve, 380), line),
    ]


def _elbow(shoulder: Point, hand: Point, side: float) -> Point:
    """Return a point halfway to the hand, pushed outwards."""
    dx, dy = hand[0] - shoulder[0], hand[1] - shoulder[1]
    ux, uy = unit(dx, dy)
    middle = lerp(shoulder, hand, 0.5)
    push = 30.0 * side
    return middle[0] - uy * push, middle[1] + ux * push


def _hand(hand: Hand, along: Point, worker: Worker, side: float, size: float) -> list[Shape]:
    x, y = hand.at
    ux, uy = along if hand.towards is None else unit(hand.towards[0] - x, hand.towards[1] - y)
    vx, vy = uy * side, -ux * side  # to the thumb's side
    line = darker(worker.skin, 480)

    def point(forward: float, inward: float) -> Point:
        return x + size * (ux * forward + vx * inward), y + size * (uy * forward + vy * inward)

    outer, inner = Path(), Path()
    lengths = _FINGERS[hand.pose]
    for number, length in enumerate(lengths):
        across = 8.4 - 5.6 * number
        root, tip = point(6, across), point(6 + length, across * 1.12)
        outer.capsule(root, tip, 4.7 * size)
        inner.capsule(root, tip, 3.3 * size)
    for path, grown in ((outer, 1.3), (inner, 0.0)):
        path.capsule(point(-6, 0), point(5, 0), (9.5 + grown) * size, (11.5 + grown) * size)
        path.capsule(point(-2, 8), point(8, 15), (4.6 + grown) * size, (3.6 + grown) * size)
    knuckles = Path()
    for number in range(3):
        knuckles.capsule(
            point(7, 5.6 - 5.6 * number), point(9.5 + lengths[number] * 0.4, (5.6 - 5.6 * number) * 1.08), 0.8 * size
        )
    return [outer.filled(line), inner.filled(worker.skin), knuckles.filled(darker(worker.skin, 300))]
