"""VisibleState + render seed + frame -> Scene: a picture of the packing station as pure data.

A scene depends on the VisibleState and the seed and on nothing else, and frame f only on the runs up to f: a run is
drawn from its step, the runs before it and the time since it began. Work saturates and hands move in loops at the
worker's tempo, so that no picture tells when a run will end. What is hidden behind an occluder is None in the state,
hence not in the scene.

Layers, from back to front: `still` (one object for all frames of a run, so that it can be drawn once), `moving`,
`front` (one object for the clip). `view` maps the station's 336 x 336 pixels to the picture's: x' = a x + c y + e, y' =
b x + d y + f.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import NamedTuple

from reference.drawing.scenery import domains, room
from reference.drawing.scenery.acts import ACTS, IN_HAND
from reference.drawing.scenery.bench import benches
from reference.drawing.scenery.goods import Goods
from reference.drawing.scenery.hands import Worker
from reference.drawing.scenery.room import Sign, Tints
from reference.drawing.scenery.setting import Setting
from reference.drawing.scenery.shapes import Colour, Place, Shape, colour
from reference.drawing.scenery.tools import rail
from reference.process.visible import VisibleState
from reference.process.world import World
from reference.task import CLIP_FRAMES, FRAME_MS

Shown = tuple[str, int]
"""Surface and order: what a window shows."""
PAINT_OUT = ("slip", "items", "table")
"""What can be painted over: the slip's signs, the looks of the items, the item cards on the table."""


class Scene(NamedTuple):
    """Picture of one moment: three layers of shapes, and the view of the camera."""

    still: tuple[Shape, ...]
    moving: tuple[Shape, ...]
    front: tuple[Shape, ...]
    view: domains.View


class Stage:
    """All scenes of one clip. Raises ValueError for a surface that cannot be painted out."""

    def __init__(self, world: World, state: VisibleState, seed: int, paint_out: Iterable[str] = ()):
        self.state = state
        self.hidden = frozenset(paint_out)
        if unknown := self.hidden - set(PAINT_OUT):
            raise ValueError(f"cannot paint out {', '.join(sorted(unknown))}; there are {', '.join(PAINT_OUT)}")
        self.world = world
        draw = random.Random(seed).random
        self.tints = Tints(*(_pick(choices, draw()) for choices in (room.WALLS, room.WOODS, room.KRAFTS)))
        self.place = Place(122.0 + _jitter(draw(), 5), 273.0 + _jitter(draw(), 4))
        self.worker, self.tempo = _worker(world, state.worker)
        self.extras = domains.extras(state, draw)
        self.view = self.extras.view
        self.benches = benches(world, state.runs)
        self._settings = [self._setting(number) for number in range(len(state.runs))]
        self._stills: dict[tuple[int, frozenset[Shown]], tuple[Shape, ...]] = {}

    def scene(self, index: int, earlier_ms: int = 0) -> Scene:
        """Return frame `index`, or the moment that many ms before it (but not before its run began)."""
        if not 0 <= index < CLIP_FRAMES:
            raise ValueError(f"a clip has frames 0 to {CLIP_FRAMES - 1}, not {index}")
        number = self._run_at(index)
        run = self.state.runs[number]
        ms = (index - run.start_frame) * FRAME_MS + (0 if number else self.state.elapsed_ms)
        ms = max(0, ms - earlier_ms) * 100 // self.tempo
        moving = ACTS[run.operation].moving(self._settings[number], ms)
        around = self.extras.moving(max(0, index * FRAME_MS - earlier_ms))
        return Scene(self._still(number, self._shown_at(index)), (*moving, *around), self.extras.front, self.view)

    def _run_at(self, index: int) -> int:
        return next(number for number, run in enumerate(self.state.runs) if index < run.end_frame)

    def _shown_at(self, index: int) -> frozenset[Shown]:
        """Return what the surfaces with a window show at this frame."""
        return frozenset(
            (window.surface, window.order)
            for window in self.state.windows
            if window.start_frame <= index < window.end_frame
        )

    def _still(self, number: int, shown: frozenset[Shown]) -> tuple[Shape, ...]:
        if (number, shown) not in self._stills:
            self._stills[number, shown] = tuple(self._draw_still(number, shown))
        return self._stills[number, shown]

    def _draw_still(self, number: int, shown: frozenset[Shown]) -> list[Shape]:
        run, setting = self.state.runs[number], self._settings[number]
        out = IN_HAND.get(run.operation) or IN_HAND.get(setting.bench.working, frozenset())
        return [
            *room.room(self.tints),
            *rail(out),
            *room.screen(setting.bench.screen, self._on_screen(run.order, shown)),
            *room.printer(),
            *self._slips(run.order, shown),
            *room.cards(self._signs(run.order, "items", "table")),
            *self.extras.behind,
            *ACTS[run.operation].still(setting),
        ]

    def _on_screen(self, order: int, shown: frozenset[Shown]) -> tuple[Sign, ...]:
        """Return the signs of the order that the screen shows now."""
        facing = ("screen", order) in shown or not self.world.surfaces["screen"].window
        return self._signs(order, "screen") if facing else ()

    def _slips(self, order: int, shown: frozenset[Shown]) -> list[Shape]:
        """Draw the order's slip, or it and the next order's side by side, with the tote that says which is which."""
        slip = self.world.surfaces["slip"]
        if not (slip.window or slip.next_beside):
            return room.slip(self._signs(order, "slip", "slip"))
        here, beside = (
            self._signs(each, "slip", "slip") if ("slip", each) in shown or not slip.window else None
            for each in (order, order + 1)
        )
        if not slip.next_beside:
            return room.slip(self._blank("slip") if here is None else here)
        pair = (beside, here) if self.state.swapped else (here, beside)
        return [*room.slips(*pair), *room.tote(self.state.swapped)]

    def _blank(self, surface: str) -> tuple[Sign, ...]:
        return tuple((attribute.mark, None) for attribute in self.world.attributes if attribute.shown_by == surface)

    def _signs(self, order: int, surface: str, painted: str = "") -> tuple[Sign, ...]:
        shown = self.state.orders[order]
        return tuple(
            (attribute.mark, None if painted in self.hidden else value)
            for attribute, value in zip(self.world.attributes, shown, strict=True)
            if attribute.shown_by == surface
        )

    def _setting(self, number: int) -> Setting:
        signs = dict(self._signs(self.state.runs[number].order, "items", "items"))
        look = Goods(
            glass=bool(signs.get("glass")),
            several=bool(signs.get("cluster")),
            large=bool(signs.get("arrows")),
            hidden=None in signs.values(),
        )
        return Setting(self.place, self.tints.kraft, self.benches[number], look, self.worker)


def _pick(choices: tuple[Colour, ...], share: float) -> Colour:
    return choices[int(share * len(choices))]


def _jitter(share: float, most: int) -> float:
    """Return a whole number of half pixels from -most to most."""
    return int(share * (4 * most + 1)) / 2 - most


def _worker(world: World, name: str) -> tuple[Worker, int]:
    found = next(worker for worker in world.workers if worker.name == name)
    return Worker(colour(found.sleeve), colour(found.skin)), found.tempo_percent
