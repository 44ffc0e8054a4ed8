"""The geometric side of the domains: clutter, a second worker, occluders.

`strength` is per mille of the greatest effect. Light, sensor, lens, glare and stutter change pixels or time and are in
`effects`. Nothing here depends on the runs or the orders: where a thing stands tells nothing about the work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reference.drawing.camera import Vector
from reference.drawing.look import GLOVES, HAIRS, PAINTS, SKINS, Person, SessionLook, pick
from reference.drawing.scenery import boards, clutter
from reference.drawing.scenery.person import LEFT, RIGHT, Hand, Layer, arm
from reference.drawing.shapes import Shape, colour, darker, lighter, phase, swing
from reference.drawing.solids import block, spot
from reference.process.visible import VisibleState
from reference.randomness import NextRandom


def _nothing(ms: int) -> tuple[Layer, ...]:
    return ()


@dataclass(frozen=True)
class Extras:
    """Additions of a domain to the station."""

    things: tuple[Layer, ...] = ()  # on the bench
    front: tuple[Shape, ...] = ()  # before everything else
    moving: Callable[[int], tuple[Layer, ...]] = _nothing  # by ms since the clip began


def extras(state: VisibleState, look: SessionLook, draw: NextRandom) -> Extras:
    """Return the additions of the clip's domain. An occluder stands wherever the state says so, in any domain."""
    make = _EXTRAS.get(state.domain)
    found = Extras() if make is None else make(state, look, draw)
    covers = tuple(shape for surface in state.occluded for shape in _covers(look, surface))
    return Extras(found.things, covers + found.front, found.moving)


def _clutter(state: VisibleState, look: SessionLook, draw: NextRandom) -> Extras:
    return Extras(things=tuple(clutter.objects(look.camera, state.strength, draw)))


def _second_worker(state: VisibleState, look: SessionLook, draw: NextRandom) -> Extras:
    """Draw someone whose arms reach over the work from another side of the bench, with something in one hand."""
    camera = look.camera
    sleeve = pick(PAINTS, draw())
    glove = pick(GLOVES, draw()) if draw() < 0.4 else None
    other = Person(pick(SKINS, draw()), sleeve, sleeve, pick(HAIRS, draw()), glove, 0.95 + 0.15 * draw(), 1.0, 0.4)
    # never from the side of the camera, nor from the worker's own
    sides = [side for side in ("left", "right", "far") if side != camera.side]
    side = sides[int(draw() * len(sides))]
    start, pace = int(draw() * 5000), 2300 + int(900 * draw())
    reach, kraft = state.strength / 1000, pick(PAINTS, draw())

    def seen_from(along: float, across: float, high: float) -> Vector:
        """Return a point so far into the bench from the second worker's edge."""
        if side == "far":
            return -across, 74.0 - along, high
        return (-68.0 + along if side == "left" else 68.0 - along), 34.0 + (-across if side == "left" else across), high

    def moving(ms: int) -> tuple[Layer, ...]:
        move = swing(phase(ms + start, pace))
        away = (16.0 + 44.0 * move) * reach
        first, second = seen_from(away, 7.0, 12.0 + 5.0 * move), seen_from(away * 0.5 + 8.0, -12.0, 9.0)
        held = spot(camera, (first[0], first[1], first[2] - 7.0), 0.3)
        return (
            *arm(camera, other, 0, RIGHT, Hand(first), seen_from(-62.0, 24.0, 34.0)),
            *arm(camera, other, 0, LEFT, Hand(second), seen_from(-62.0, -24.0, 34.0)),
            Layer(held.depth() - 3.0, block(held, 12.0, 9.0, 5.0, lighter(kraft, 200))),
        )

    return Extras(moving=moving)


def _occlusion(state: VisibleState, look: SessionLook, draw: NextRandom) -> Extras:
    """Draw things in the foreground that hide nothing, beside the covers that the state names."""
    return Extras(front=tuple(clutter.foreground(plant=draw() < 0.5, right=draw() < 0.5)))


_CLOTHS = {"slip": colour("#7a858c"), "items": colour("#a49c8c")}


def _covers(look: SessionLook, surface: str) -> list[Shape]:
    """Draw what hides a surface for the whole clip: a coat over both slips, a sack over the items' cards."""
    at, cloth = boards.places(look), darker(_CLOTHS[surface], 60)
    if surface == "items":
        return boards.cover(at["cards"], 34.0, 56.0, cloth)
    return [shape for name in ("slip 1", "slip 2") for shape in boards.cover(at[name], 32.0, 64.0, cloth)]


_EXTRAS: dict[str, Callable[[VisibleState, SessionLook, NextRandom], Extras]] = {
    "clutter": _clutter,
    "second-worker": _second_worker,
    "occlusion": _occlusion,
}
