"""The geometric side of the domains: clutter, a second worker, occluders, the camera's view.

`strength` is per mille of the greatest effect. Light, noise, blur and compression change pixels and are in `effects`.
Nothing here depends on the runs or the orders: where a thing stands tells nothing about the work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reference.drawing.scenery import clutter
from reference.drawing.scenery.hands import LEFT, RIGHT, Hand, Worker, arm
from reference.drawing.scenery.shapes import Path, Shape, colour, darker, lighter, linear, phase, polygon, swing
from reference.process.visible import VisibleState

View = tuple[float, float, float, float, float, float]
IDENTITY: View = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
NextRandom = Callable[[], float]


def _nothing(ms: int) -> tuple[Shape, ...]:
    return ()


@dataclass(frozen=True)
class Extras:
    """Additions of a domain to the station."""

    behind: tuple[Shape, ...] = ()  # on the table and the wall, behind the work
    front: tuple[Shape, ...] = ()  # before everything else
    moving: Callable[[int], tuple[Shape, ...]] = _nothing  # by ms since the clip began
    view: View = IDENTITY


def extras(state: VisibleState, draw: NextRandom) -> Extras:
    """Return the additions of the clip's domain. An occluder stands wherever the state says so, in any domain."""
    make = _EXTRAS.get(state.domain)
    found = Extras() if make is None else make(state, draw)
    covers = tuple(shape for surface in state.occluded for shape in _COVERS[surface]())
    return Extras(found.behind, covers + found.front, found.moving, found.view)


def _clutter(state: VisibleState, draw: NextRandom) -> Extras:
    return Extras(behind=tuple(clutter.objects(state.strength, draw)))


def _camera(state: VisibleState, draw: NextRandom) -> Extras:
    """Return a view that is farther, turned, lower and shifted; never so far that a sign leaves the picture."""
    most = state.strength / 1000
    across = 1.0 - most * (0.06 + 0.16 * draw())
    down = across * (1.0 - most * 0.10 * draw())
    turn = most * 0.11 * (draw() * 2 - 1)
    shift_x, shift_y = most * 12 * (draw() * 2 - 1), most * 10 * (draw() * 2 - 1)
    a, b, c, d = across, across * turn, -down * turn, down
    return Extras(view=(a, b, c, d, 168 - 168 * (a + c) + shift_x, 168 - 168 * (b + d) + shift_y))


_SLEEVES = tuple(map(colour, ("#2f8f83", "#8c8f3a", "#b5651d", "#5a6f8f")))
_SKINS = tuple(map(colour, ("#e3b08c", "#a86f4a", "#f1c9ab", "#6d4630")))


def _second_worker(state: VisibleState, draw: NextRandom) -> Extras:
    """Draw someone at the next place: arms from the right edge or from behind the table, sorting envelopes."""
    other = Worker(_SLEEVES[int(draw() * 4)], _SKINS[int(draw() * 4)])
    right = draw() < 0.5
    start = int(draw() * 5000)
    near = state.strength / 1000

    def moving(ms: int) -> tuple[Shape, ...]:
        return tuple(_at_the_right(other, ms + start, near) if right else _behind(other, ms + start, near))

    return Extras(moving=moving)


def _at_the_right(other: Worker, ms: int, near: float) -> list[Shape]:
    move = swing(phase(ms, 2100))
    x = 298.0 - 46.0 * near + 24.0 * move
    first, second = Hand((x, 118.0 + 10 * move)), Hand((x + 12.0, 160.0 - 8 * move))
    return [
        *_envelope(x - 12, 140.0),
        *arm(other, (452.0, 60.0), first, LEFT, 0.85),
        *arm(other, (452.0, 180.0), second, RIGHT, 0.85),
    ]


def _behind(other: Worker, ms: int, near: float) -> list[Shape]:
    """Draw the second worker from the front: the arm on the picture's left is the right one."""
    move = swing(phase(ms, 1900))
    x, y = 194.0 + 10 * move, 96.0 + 20.0 * near
    apron = darker(other.sleeve, 620)
    body = Path().blob(((150, -40), (252, -40), (262, 40), (254, 84), (148, 84), (140, 40)))
    return [
        body.filled(linear((140, 0), (262, 0), lighter(apron, 120), apron), darker(apron, 500), 1.5),
        *_envelope(x, y),
        *arm(other, (152.0, -50.0), Hand((x - 26, y - 2 + 6 * move)), RIGHT, 0.72),
        *arm(other, (250.0, -50.0), Hand((x + 28, y + 4 - 6 * move)), LEFT, 0.72),
    ]


def _envelope(x: float, y: float) -> list[Shape]:
    paper = colour("#d8cdb8")
    flap = ((x - 22, y - 14), (x + 22, y - 14), (x, y + 4))
    return [
        Path().rounded(x - 22, y - 14, 44, 28, 2).filled(paper, darker(paper, 400)),
        polygon(flap, lighter(paper, 300), darker(paper, 400)),
    ]


def _cover_slip() -> list[Shape]:
    """Draw a work coat on a hook, over the whole order slip."""
    cloth = colour("#6f7f8c")
    coat = Path().blob(((20, -12), (98, -12), (120, 30), (117, 88), (60, 93), (-2, 90), (-6, 30)))
    folds = Path().line(((34, -5), (28, 88))).line(((60, -5), (60, 92))).line(((86, -5), (92, 88)))
    return [
        coat.filled(linear((0, 0), (118, 0), lighter(cloth, 150), cloth, darker(cloth, 250)), darker(cloth, 500), 1.5),
        folds.filled(None, darker(cloth, 330), 1.6),
        Path().rounded(48, 2, 26, 6, 3).filled(darker(cloth, 500)),
        Path().rounded(70, 40, 30, 24, 3).filled(darker(cloth, 120), darker(cloth, 400)),
    ]


def _cover_items() -> list[Shape]:
    """Draw sacks of packing material, stacked before the rack of item cards."""
    sack = colour("#a9a294")
    shapes: list[Shape] = [Path().ellipse(28, 236, 36, 9).filled((40, 26, 16, 60))]
    for number, y in enumerate((186, 136, 84)):
        tint = darker(sack, 60 * number)
        body = Path().blob(((-6, y), (26, y - 4), (58, y + 2), (61, y + 26), (57, y + 51), (26, y + 55), (-6, y + 52)))
        seam = Path().line(((-4, y + 10), (57, y + 12)))
        shapes += [
            body.filled(linear((0, y), (0, y + 54), lighter(tint, 300), tint), darker(tint, 450), 1.5),
            seam.filled(None, darker(tint, 280), 1.6),
        ]
    return shapes


def _occlusion(state: VisibleState, draw: NextRandom) -> Extras:
    """Draw things in the foreground that hide nothing, beside the covers that the state names."""
    return Extras(front=tuple(clutter.foreground(plant=draw() < 0.5)))


_COVERS: dict[str, Callable[[], list[Shape]]] = {"slip": _cover_slip, "items": _cover_items}
_EXTRAS: dict[str, Callable[[VisibleState, NextRandom], Extras]] = {
    "clutter": _clutter,
    "camera": _camera,
    "second-worker": _second_worker,
    "occlusion": _occlusion,
}
