"""VisibleState + seed + frame -> Scene: a picture of the packing station as pure data.

A scene depends on the VisibleState and the seed and on nothing else, and frame f only on the runs up to f: a run is
drawn from its step, the runs before it and the time since it began. Work saturates and hands move in loops at the
worker's tempo, so that no picture tells when a run will end. What is hidden behind an occluder is None in the state,
hence not in the scene. The seed's high bits are the session's: its look. The low ones are the clip's: motion, clutter.

`layers` lie still: ground, things on the bench, boards at its edge; each is one object for as long as nothing in it
changes, so that it is drawn once. `moving` lies over them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from reference.drawing.camera import Vector
from reference.drawing.look import SMALL_THINGS, SessionLook, draw_look
from reference.drawing.scenery import boards, domains, goods, person, room, tools
from reference.drawing.scenery.acts import ACTS, Hands
from reference.drawing.scenery.bench import benches
from reference.drawing.scenery.boards import Sign
from reference.drawing.scenery.box import Carton
from reference.drawing.scenery.goods import Goods
from reference.drawing.scenery.motion import Rhythm
from reference.drawing.scenery.person import Hand, Layer
from reference.drawing.scenery.setting import Setting
from reference.drawing.shapes import Shape
from reference.drawing.solids import between, spot
from reference.process.visible import VisibleState
from reference.process.world import IDLE, World
from reference.randomness import NextRandom, clip_seed, session_seed
from reference.task import CLIP_FRAMES, FRAME_MS

Shown = tuple[str, int]
"""Surface and order: what a window shows."""
PAINT_OUT = ("slip", "items", "table")
"""What can be painted over: the slip's signs, the looks of the items, the item cards on the table."""
_LIFTED = ("tape gun", "scanner", "mug")
"""What a free hand takes up and lays down again."""


class Scene(NamedTuple):
    """Picture of one moment: three layers of shapes that lie still, and the shapes that move."""

    layers: tuple[tuple[Shape, ...], ...]
    moving: tuple[Shape, ...]


class Moment(NamedTuple):
    """What the hands do at a moment: where they are, what lies round them, which tools they hold, one lifted idly."""

    hands: Hands
    layers: list[Layer]
    held: frozenset[str]


@lru_cache(maxsize=64)
def session_look(seed: int) -> SessionLook:
    """Return the look of the session that a clip's seed belongs to."""
    return draw_look(seed)


@lru_cache(maxsize=64)
def session_ground(seed: int) -> tuple[Shape, ...]:
    """Return floor and bench of a session: one object, so that they are drawn once for all its clips."""
    look = session_look(seed)
    return (*room.floor(look), *room.bench(look))


class Stage:
    """All scenes of one clip. Raises ValueError for a surface that cannot be painted out."""

    def __init__(self, world: World, state: VisibleState, seed: int, paint_out: Iterable[str] = ()):
        self.state = state
        self.hidden = frozenset(paint_out)
        if unknown := self.hidden - set(PAINT_OUT):
            raise ValueError(f"cannot paint out {', '.join(sorted(unknown))}; there are {', '.join(PAINT_OUT)}")
        self.world = world
        self.look = session_look(session_seed(seed))
        self.seed = clip_seed(seed)
        draw = random.Random(self.seed).random
        self.carton = _carton(self.look, draw)
        self.stripes, self.tempo = _worker(world, state.worker)
        self.extras = domains.extras(state, self.look, draw)
        self.benches = benches(world, state.runs)
        self._settings = [self._setting(number) for number in range(len(state.runs))]
        self._ground = session_ground(session_seed(seed))
        self._things: dict[tuple[Goods, frozenset[str]], tuple[Shape, ...]] = {}
        self._boards: dict[tuple[int, str, frozenset[Shown]], tuple[Shape, ...]] = {}

    def scene(self, index: int, earlier_ms: int = 0) -> Scene:
        """Return frame `index`, or the moment that many ms before it (but not before its run began)."""
        if not 0 <= index < CLIP_FRAMES:
            raise ValueError(f"a clip has frames 0 to {CLIP_FRAMES - 1}, not {index}")
        number = self._run_at(index)
        moment = self.moment(index, earlier_ms)
        layers = [*moment.layers, *self.extras.moving(max(0, index * FRAME_MS - earlier_ms))]
        camera, who, sway = self.look.camera, self.look.person, person.sway_of(moment.hands)
        layers += person.body(camera, who, sway)
        for side, hand in zip((-who.main, who.main), reversed(moment.hands), strict=True):
            begin = person.shoulder(camera, who, side, sway)
            layers += self._before_box(hand, person.arm(camera, who, self.stripes, side, hand, begin))
        layers.sort(key=lambda layer: -layer.depth)
        moving = (*(shape for layer in layers for shape in layer.shapes), *self.extras.front)
        still = self._ground, self._things_on_bench(number, moment.held), self._boards_at(number, index)
        return Scene(still, moving)

    def _before_box(self, hand: Hand, layers: list[Layer]) -> list[Layer]:
        """Return an arm's layers with a hand above the rim before the box, so that no flap hides it."""
        if hand.at[2] < self.carton.high - 1.0:
            return layers
        *limb, palm = layers
        depth = self.look.camera.depth(*self.carton.world(0.0, 0.0, 8.0))
        return [*limb, palm._replace(depth=min(palm.depth, depth - 3.0))]

    def moment(self, index: int, earlier_ms: int = 0) -> Moment:
        """Return what the hands do in frame `index`, or that many ms before it."""
        number = self._run_at(index)
        return self._moment(number, self._ms(number, index, earlier_ms))

    def _ms(self, number: int, index: int, earlier_ms: int) -> int:
        """Return the ms since the run began, at the worker's tempo."""
        run = self.state.runs[number]
        ms = (index - run.start_frame) * FRAME_MS + (0 if number else self.state.elapsed_ms)
        return max(0, ms - earlier_ms) * 100 // self.tempo

    def _run_at(self, index: int) -> int:
        return next(number for number, run in enumerate(self.state.runs) if index < run.end_frame)

    def _shown_at(self, index: int) -> frozenset[Shown]:
        """Return what the surfaces with a window show at this frame."""
        return frozenset(
            (window.surface, window.order)
            for window in self.state.windows
            if window.start_frame <= index < window.end_frame
        )

    # Motion

    def _moment(self, number: int, ms: int) -> Moment:
        """Return what the hands do so many ms after the run began: hesitate first, then work."""
        run, setting = self.state.runs[number], self._settings[number]
        act, rhythm = ACTS[run.operation], setting.rhythm
        work = rhythm.worked(ms)
        beat = rhythm.beat(work)
        hands = act.hands(setting, work, beat)
        held = act.tools if work else frozenset()
        if run.operation == IDLE and work and rhythm.drinks:
            held = frozenset({"mug"})
        lifted: list[Layer] = []
        if act.free and (aside := rhythm.lifting(work)):
            tool = _LIFTED[int(aside.choice * len(_LIFTED))]
            hands, lifted = self._lift(hands, tool, aside.share)
            held = held | {tool}
        hands = self._blend(number, hands, ms)
        layers = [*act.things(setting, work, beat, hands[0]), *lifted] if work else act.before(setting)
        return Moment(hands, layers, held)

    def _blend(self, number: int, hands: Hands, ms: int) -> Hands:
        """Return hands that come from what they did before, over the hesitation, to the work."""
        setting = self._settings[number]
        rhythm = setting.rhythm
        started = rhythm.started(ms)
        if started == 1.0:
            return hands
        main = setting.main
        astray = self.look.places[_LIFTED[int(rhythm.aside * 2.999)]]
        hover: Vector = (*astray, 7.0) if rhythm.astray else (main * 12.0, 10.0, 19.0)
        points = [hover, setting.rest(-main)]
        settled = rhythm.settled(ms)
        if number and settled < 1.0:
            last = self.state.runs[number - 1].end_frame - 1
            before = ACTS[self.state.runs[number - 1].operation]
            other = self._settings[number - 1]
            late = other.rhythm.worked(self._ms(number - 1, last, 0))
            come = before.hands(other, late, other.rhythm.beat(late))
            points = [between(hand.at, point, settled) for hand, point in zip(come, points, strict=True)]
        found = [hand._replace(at=between(point, hand.at, started)) for hand, point in zip(hands, points, strict=True)]
        return found[0], found[1]

    def _lift(self, hands: Hands, tool: str, share: float) -> tuple[Hands, list[Layer]]:
        """Return the hands with the other one at a tool that it lifts and lays down, and the tool."""
        camera, look = self.look.camera, self.look
        x, y = look.places[tool]
        up = 9.0 * min(1.0, 4.0 * share, 4.0 * (1.0 - share))
        shapes = tools.resting(camera, tool, (x, y), look.tools[tool], look.tape, up)
        other = Hand((x, y - 1.0, 4.0 + up))
        return (hands[0], other), [Layer(camera.depth(x, y, 4.0 + up) + 1.0, shapes)]

    # What stands there

    def _things_on_bench(self, number: int, held: frozenset[str]) -> tuple[Shape, ...]:
        """Draw all that lies on the bench whatever is being done, but for the tools in the hands."""
        things = self._settings[number].goods
        if (things, held) not in self._things:
            self._things[things, held] = tuple(self._draw_things(things, held))
        return self._things[things, held]

    def _draw_things(self, ordered: Goods, held: frozenset[str]) -> list[Shape]:
        look, camera, places = self.look, self.look.camera, self.look.places
        things = [
            Layer(camera.depth(*places["crate"], 5.0), goods.crate(camera, places["crate"], look.crate, ordered)),
            Layer(camera.depth(*places["roll"], 3.0), goods.paper_roll(camera, places["roll"], look.paper)),
            Layer(camera.depth(*places["fill"], 5.0), goods.fill_sack(camera, places["fill"], look.fill)),
            Layer(camera.depth(0.0, 62.0, 2.0), goods.blanks(camera, look.kraft)),
            *self.extras.things,
        ]
        for name in SMALL_THINGS:
            if name not in held:
                x, y = places[name]
                shapes = tools.resting(camera, name, (x, y), look.tools[name], look.tape)
                things.append(Layer(camera.depth(x, y, 2.0), shapes))
        things.sort(key=lambda layer: -layer.depth)
        return [shape for layer in things for shape in layer.shapes]

    def _boards_at(self, number: int, index: int) -> tuple[Shape, ...]:
        """Draw the boards as they stand at a frame of that run."""
        order, result, shown = self.state.runs[number].order, self.benches[number].screen, self._shown_at(index)
        if (order, result, shown) not in self._boards:
            self._boards[order, result, shown] = tuple(self._draw_boards(order, result, shown))
        return self._boards[order, result, shown]

    def _draw_boards(self, order: int, result: str, shown: frozenset[Shown]) -> list[Shape]:
        look, at = self.look, boards.places(self.look)
        return [
            boards.poles(look),
            *boards.screen(look, at["screen"], result, self._on_screen(order, shown)),
            *boards.cards(look, at["cards"], self._signs(order, "items", "table")),
            *self._slips(order, shown),
        ]

    def _on_screen(self, order: int, shown: frozenset[Shown]) -> tuple[Sign, ...]:
        """Return the signs of the order that the screen shows now."""
        facing = ("screen", order) in shown or not self.world.surfaces["screen"].window
        return self._signs(order, "screen") if facing else ()

    def _slips(self, order: int, shown: frozenset[Shown]) -> list[Shape]:
        """Draw the order's slip, or it and the next order's, with the tote that says which is which."""
        slip, look, at = self.world.surfaces["slip"], self.look, boards.places(self.look)

        def facing(each: int) -> tuple[Sign, ...] | None:
            return self._signs(each, "slip", "slip") if ("slip", each) in shown or not slip.window else None

        if not slip.next_beside:
            return boards.slip(look, at["slip 1"], 1, facing(order))
        here, beside = facing(order), facing(order + 1)
        first, second = (beside, here) if self.state.swapped else (here, beside)
        return [
            *boards.slip(look, at["slip 1"], 1, first),
            *boards.slip(look, at["slip 2"], 2, second),
            *boards.tote(look, at["tote"], 2 if self.state.swapped else 1),
        ]

    def _signs(self, order: int, surface: str, painted: str = "") -> tuple[Sign, ...]:
        shown = self.state.orders[order]
        return tuple(
            (attribute.mark, None if painted in self.hidden else value)
            for attribute, value in zip(self.world.attributes, shown, strict=True)
            if attribute.shown_by == surface
        )

    def _setting(self, number: int) -> Setting:
        run = self.state.runs[number]
        signs = dict(self._signs(run.order, "items", "items"))
        things = Goods(
            self.look.goods,
            self.look.paper,
            glass=bool(signs.get("glass")),
            several=bool(signs.get("cluster")),
            large=bool(signs.get("arrows")),
            hidden=None in signs.values(),
        )
        rhythm = Rhythm(self.seed, number, ACTS[run.operation].period)
        return Setting(self.look, self.carton, self.benches[number], things, rhythm)


def _carton(look: SessionLook, draw: NextRandom) -> Carton:
    """Return the box of a clip: the session's size, turned and moved a little."""
    turn = look.turn + 0.05 * (draw() * 2 - 1)
    foot = spot(look.camera, (3.0 * (draw() * 2 - 1), 33.0 + 2.0 * (draw() * 2 - 1), 0.0), turn)
    return Carton(foot, *look.box, look.kraft, look.tape, look.printed, look.paper, look.ink)


def _worker(world: World, name: str) -> tuple[int, int]:
    """Return the stripes on the sleeve that tell who works, and the tempo in percent."""
    number, found = next((place, one) for place, one in enumerate(world.workers, 1) if one.name == name)
    return number, found.tempo_percent
