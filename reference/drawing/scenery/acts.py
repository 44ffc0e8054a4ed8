"""The nine operations as movements: what the hands do, with which tool, and what that adds to the bench.

An act gets the bench at the run's beginning and the milliseconds of work since then. It does not know when the run
ends: work saturates after a few seconds and the hands continue in a loop of the same kind. `hands` says where they are,
`things` draws what they work on, given where the hands have got to.

    Box Setup      a blank rises, its flaps swing             Wrap         paper round items, or round the box
    Inner Packing  crumples from their carton into the box    Label        a label from the printer, pressed on
    Tape           the gun along the seam, tape behind it     Final Check  the scanner sweeps, a list in the other hand
    Put Items      from the crate onto the bench or the box   Idle         hands off, at a mug or a phone
    Pack           from the bench into the box
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

from reference.drawing.camera import Vector
from reference.drawing.scenery import box, goods, tools
from reference.drawing.scenery.box import Carton
from reference.drawing.scenery.motion import Beat, path
from reference.drawing.scenery.person import Hand, Layer
from reference.drawing.scenery.setting import (
    Setting,
    box_layer,
    contents,
    item_in_box,
    items_out,
    open_box,
    standing_box,
)
from reference.drawing.shapes import Shape, clamp, phase, smooth, swing
from reference.drawing.solids import block, over, sheet, spot

Hands = tuple[Hand, Hand]  # the one that works, and the other
GRIP = 3.0  # cm from a thing's middle to the palm that holds it


class Act(NamedTuple):
    """Movement of one operation; `period` is the length of a cycle in ms."""

    period: int
    hands: Callable[[Setting, int, Beat], Hands]
    things: Callable[[Setting, int, Beat, Hand], list[Layer]]
    tools: frozenset[str] = frozenset()  # taken from their places
    free: bool = False  # the other hand may take up something else

    def before(self, setting: Setting) -> list[Layer]:
        """Draw what the work begins with, while the hands still hesitate."""
        return [items_out(setting), *standing_box(setting)]


def _hold(setting: Setting, high: float = 1.5) -> Hand:
    """Return the other hand on the box's rim."""
    carton = setting.carton
    return Hand(carton.world(-setting.main * (carton.wide / 2 - 3.0), -carton.deep * 0.12, carton.high + high), "flat")


def _near_hand(setting: Setting, point: Vector, shapes: list[Shape]) -> Layer:
    """Return what a hand holds as a layer just before it."""
    return Layer(setting.camera.depth(*point) - 2.0, shapes)


# Box Setup


def _rising(setting: Setting, work: int, beat: Beat) -> tuple[Carton, tuple[float, float, float, float]]:
    """Return the box while it is set up, and the angles of its flaps."""
    up = max(0.05, smooth(work / 2600))
    lean = 14.0 * sqrt(1.0 - up * up) + (1.6 * (swing(phase(work, 1300)) - 0.5) if up == 1.0 else 0.0)
    bent = 1.35 * swing((beat.reach + beat.carry + beat.place + beat.back) / 4) if up == 1.0 else 0.0
    long, short = (bent, 0.0) if beat.number % 2 else (0.0, bent)
    flaps = 2.5 - long, 2.4 - short, 2.4 - long, 2.4 - short
    return setting.carton._replace(high=setting.carton.high * up, lean=lean * setting.main), flaps


def _box_setup_hands(setting: Setting, work: int, beat: Beat) -> Hands:
    carton, flaps = _rising(setting, work, beat)
    hands = []
    for side in (setting.main, -setting.main):
        number = 1 if side > 0 else 3
        inward = clamp(2.2 - flaps[number]) * 9.0
        if beat.number % 2 and carton.high == setting.carton.high:  # the flaps at front and back
            y = carton.deep / 2 * (1 if side > 0 else -1)
            y += (5.0 - clamp(2.2 - flaps[0]) * 9.0) * (1 if y > 0 else -1)
            hands.append(Hand(carton.world(side * 6.0, y, carton.high + 4.0), "flat"))
        else:
            x = side * (carton.wide / 2 + 5.0 - inward)
            hands.append(Hand(carton.world(x, -2.0, carton.high + 1.0 + inward * 0.4), "flat"))
    return hands[0], hands[1]


def _box_setup(setting: Setting, work: int, beat: Beat, main: Hand) -> list[Layer]:
    carton, flaps = _rising(setting, work, beat)
    return [items_out(setting), open_box(setting, [], flaps, carton)]


# Inner Packing


def _stuffed(setting: Setting) -> float:
    """Return the height at which void fill lies."""
    return setting.carton.high - 4.0 if "items" in setting.bench.inside else 4.0


def _inner_packing_hands(setting: Setting, work: int, beat: Beat) -> Hands:
    carton = setting.carton
    x, y = goods.fill_at(carton.wide * 0.8, carton.deep * 0.8, beat.number * 3)
    source, target = setting.at("fill", 17.0), carton.world(x, y, carton.high + 5.0)
    at = path(carton.world(0.0, -4.0, carton.high + 9.0), source, target, beat)
    if 0.0 < beat.place < 1.0 or (beat.place == 1.0 and beat.back == 0.0):
        at = at[0], at[1], at[2] - 7.0 * swing(beat.place / 2 + 0.25)
    return Hand(at), _hold(setting)


def _inner_packing(setting: Setting, work: int, beat: Beat, main: Hand) -> list[Layer]:
    done = min(8, 2 * beat.number + (2 if beat.place == 1.0 else 0))
    layers = [items_out(setting), open_box(setting, contents(setting, None, done, _stuffed(setting)))]
    if beat.reach > 0.9 and beat.place < 1.0:
        x, y, z = main.at
        layers.append(
            _near_hand(
                setting, main.at, goods.paper_balls(setting.camera, [(x, y, z - GRIP)], beat.number, setting.look.fill)
            )
        )
    return layers


# Tape


def _taped(beat: Beat) -> float:
    """Return the share of the seam that the gun has passed."""
    return 1.0 if beat.number else beat.carry


def _gun_mouth(setting: Setting, beat: Beat) -> Vector:
    carton = setting.carton
    share = beat.carry * (1.0 - beat.back)
    lift = 6.0 * swing(beat.back) + 5.0 * (1.0 - beat.reach)
    if "tape" in setting.bench.marks:  # a second strip, from the front to the back
        return carton.world(0.0, carton.deep * (share - 0.5), carton.high + 0.6 + lift)
    return carton.world(setting.main * carton.wide * (share - 0.5), 0.0, carton.high + 0.6 + lift)


_HANDLE = (0.62, -0.78, 0.5)


def _tape_hands(setting: Setting, work: int, beat: Beat) -> Hands:
    x, y, z = _gun_mouth(setting, beat)
    carton, main = setting.carton, setting.main
    hand = Hand((x + 17.0 * _HANDLE[0] * main, y + 17.0 * _HANDLE[1], z + 5.5), "grip", (x, y, z))
    held = carton.world(-main * carton.wide * 0.36, -carton.deep * 0.22, carton.high + 1.0)
    return hand, Hand(held, "flat")


def _tape(setting: Setting, work: int, beat: Beat, main: Hand) -> list[Layer]:
    carton, bench, side = setting.carton, setting.bench, setting.main
    shapes = box.bottom_up(carton, bench.marks) if bench.box == "bottom up" else box.closed(carton, bench.marks)
    laid = _taped(beat)
    if laid > 0.02:
        shapes += box.cross_strip(carton, laid) if "tape" in bench.marks else box.strip(carton, laid, -side)
    x, y, z = main.at
    mouth = x - 17.0 * _HANDLE[0] * side, y - 17.0 * _HANDLE[1], z - 5.5
    look = setting.look
    gun = tools.tape_gun(setting.camera, mouth, (_HANDLE[0] * side, *_HANDLE[1:]), look.tools["tape gun"], look.tape)
    return [items_out(setting), box_layer(setting, shapes), Layer(setting.camera.depth(*main.at) - 8.0, gun)]


# Put Items


def _put_items_target(setting: Setting, number: int) -> Vector:
    if "items" in setting.bench.inside:
        x, y, z = setting.carton.world(0.0, 0.0, setting.carton.high)
        return x, y, z + 6.0
    x, y, z = goods.lying_at(setting.look.places["items"], setting.goods, number % setting.pieces)
    return x, y, z + 10.0 * setting.goods.size


def _put_items_hands(setting: Setting, work: int, beat: Beat) -> Hands:
    into_box = "items" in setting.bench.inside
    source, target = setting.at("crate", 16.0), _put_items_target(setting, beat.number)
    start = over(source, target, 0.4, 6.0)
    at = path(start, source, target, beat)
    other = _hold(setting) if into_box else Hand((target[0] * 0.55, target[1] - 6.0, 5.0), "flat")
    return Hand(at), other


def _put_items(setting: Setting, work: int, beat: Beat, main: Hand) -> list[Layer]:
    bench, pieces = setting.bench, setting.pieces
    placed = min(pieces, beat.number + (1 if beat.place > 0.5 else 0))
    into_box = "items" in bench.inside
    if into_box:
        extra = [item_in_box(setting, 0)] if placed else []
        content = contents(setting)
        for x, y, z in extra:
            content += goods.item(setting.camera, (x, y, z + 5.0), setting.goods, 2)
        layers = [open_box(setting, content)]
    else:
        layers = [items_out(setting, range(max(placed, pieces if bench.items_out else 0))), *standing_box(setting)]
    if beat.reach > 0.9 and beat.place <= 0.5:
        layers.append(_carried(setting, main, beat.number, False) if beat.number < pieces else _small(setting, main))
    return layers


def _small(setting: Setting, main: Hand) -> Layer:
    """Draw a small part that hangs from the hand: accessories are carried when all items have been."""
    x, y, z = main.at
    foot = spot(setting.camera, (x, y, max(0.0, z - 6.0)), 0.3)
    return Layer(setting.camera.depth(x, y, z) - 1.0, block(foot, 7.0, 5.0, 5.0, setting.goods.tints[2]))


def _carried(setting: Setting, main: Hand, number: int, wrapped: bool) -> Layer:
    """Draw the item that hangs from the hand."""
    x, y, z = main.at
    foot = x, y, max(0.0, z - 10.0 * setting.goods.size)
    return Layer(setting.camera.depth(x, y, z) - 1.0, goods.item(setting.camera, foot, setting.goods, number, wrapped))


# Pack


def _pack_hands(setting: Setting, work: int, beat: Beat) -> Hands:
    carton, things = setting.carton, setting.goods
    x, y, z = goods.lying_at(setting.look.places["items"], things, beat.number % setting.pieces)
    source = x, y, z + 10.0 * things.size
    inside = item_in_box(setting, beat.number % setting.pieces)
    high = max(carton.high + 2.0, inside[2] + 9.0 * things.size)
    target = inside[0], inside[1], high
    at = path(over(source, target, 0.5, 8.0), source, target, beat, 13.0)
    return Hand(at), _hold(setting)


def _pack(setting: Setting, work: int, beat: Beat, main: Hand) -> list[Layer]:
    pieces, wrapped = setting.pieces, setting.bench.wrapped
    taken = min(pieces, beat.number + (1 if beat.reach > 0.9 else 0))
    packed = min(pieces, beat.number + (1 if beat.place > 0.5 else 0))
    layers = [items_out(setting, range(taken, pieces)), open_box(setting, contents(setting, packed))]
    if beat.reach > 0.9 and beat.place <= 0.5:
        layers.append(_carried(setting, main, beat.number, wrapped) if beat.number < pieces else _small(setting, main))
    return layers


# Wrap


def _wrap_spot(setting: Setting, beat: Beat) -> Vector:
    return goods.lying_at(setting.look.places["items"], setting.goods, beat.number % setting.pieces)


def _folded(beat: Beat) -> float:
    """Return how far the paper's free side is turned over the item."""
    return clamp(beat.carry - beat.back)


def _wrap_hands(setting: Setting, work: int, beat: Beat) -> Hands:
    if not setting.bench.items_out:
        return _gift_hands(setting, work, beat)
    x, y, _ = _wrap_spot(setting, beat)
    size, share = setting.goods.size, _folded(beat)
    side = setting.main
    main = x + side * (16.0 - 14.0 * share) * size, y - 3.0, 3.0 + 13.0 * share * size
    other = x - side * 8.0 * size, y - 4.0, 7.0 * size
    return Hand(main, "flat"), Hand(other, "grip", (x, y, 6.0))


def _wrap(setting: Setting, work: int, beat: Beat, main: Hand) -> list[Layer]:
    if not setting.bench.items_out:
        return _gift(setting, work, beat)
    done = max(setting.wrapped(), min(setting.pieces, beat.number))
    foot, look = _wrap_spot(setting, beat), setting.look
    under = sheet(spot(setting.camera, (*look.places["items"], 0.0)), 32.0, 30.0, look.paper)
    depth = setting.camera.depth(*foot)
    flap = goods.fold(setting.camera, foot, setting.goods.size, _folded(beat), look.paper)
    return [
        Layer(depth + 40.0, [under]),
        *standing_box(setting),
        items_out(setting, range(setting.pieces), done),
        Layer(depth - 3.0, flap),
    ]


def _covered(work: int) -> float:
    return max(0.1, smooth(work / 2800))


def _gift_hands(setting: Setting, work: int, beat: Beat) -> Hands:
    carton, share = setting.carton, _covered(work)
    rub = 10.0 * swing(beat.carry) if share == 1.0 else 0.0
    x = carton.wide * (share - 0.5)
    main = carton.world(x - rub, -3.0, carton.high + 1.5)
    other = carton.world(-carton.wide * 0.42 + rub * 0.6, 3.0, carton.high + 1.5)
    return (Hand(main, "flat"), Hand(other, "flat")) if setting.main > 0 else (Hand(other, "flat"), Hand(main, "flat"))


def _gift(setting: Setting, work: int, beat: Beat) -> list[Layer]:
    shapes = box.closed(setting.carton, setting.bench.marks, _covered(work))
    if work > 4000:
        shapes += box.ribbon(setting.carton)
    return [box_layer(setting, shapes)]


# Label


def _label_target(setting: Setting) -> Vector:
    number = 1 if "label" in setting.bench.marks else 0
    foot = box.label_spot(setting.carton, number)
    return foot.x, foot.y, foot.z


def _label_hands(setting: Setting, work: int, beat: Beat) -> Hands:
    source, target = setting.at("printer", 10.5), _label_target(setting)
    if beat.number:  # pressed flat, stroke by stroke
        x, y, z = target
        return Hand((x - 5.0 + 10.0 * swing(beat.carry), y - 2.0, z + 1.5), "flat"), _hold(setting, 1.0)
    start = over(source, target, 0.3, 8.0)
    x, y, z = path(start, source, target, beat)
    return Hand((x, y - 2.0, z + 1.5), "flat"), _hold(setting, 1.0)


def _label(setting: Setting, work: int, beat: Beat, main: Hand) -> list[Layer]:
    layers = [items_out(setting), *standing_box(setting)]
    number = 1 if "label" in setting.bench.marks else 0
    if beat.number or beat.carry == 1.0:
        foot = box.label_spot(setting.carton, number)
        return [*layers, Layer(setting.camera.depth(foot.x, foot.y, foot.z) - 12.0, box.label(foot))]
    if beat.reach > 0.95:
        x, y, z = main.at
        in_hand = setting.carton.foot._replace(x=x, y=y + 3.0, z=z - 1.0)
        layers.append(Layer(setting.camera.depth(x, y, z) + 1.0, box.label(in_hand)))
    return layers


# Final Check


def _scanned(setting: Setting, work: int) -> tuple[Vector, Vector, Vector]:
    """Return the ends of the line that the scanner draws, and the middle above which it is held."""
    sweep = swing(phase(work, 1500))
    if setting.bench.box == "none":
        x, y = setting.look.places["items"]
        y, half, z = y - 8.0 + 14.0 * sweep, 10.0, 8.0
        return (x - half, y, z), (x + half, y, z), (x, y - 5.0, z + 17.0)
    carton = setting.carton
    z = carton.high if setting.bench.box in ("closed", "bottom up") else carton.high * 0.5
    if setting.bench.box == "flat":
        z = 1.0
    y, w = carton.deep * (0.42 - 0.84 * sweep), carton.wide * 0.4
    above = carton.world(setting.main * 7.0, y - 7.0, carton.high + 15.0)
    return carton.world(-w, y, z), carton.world(w, y, z), above


def _final_check_hands(setting: Setting, work: int, beat: Beat) -> Hands:
    _, _, (x, y, z) = _scanned(setting, work)
    main = Hand((x + setting.main * 3.0, y - 9.0, z), "grip", (x, y, z - 4.0))
    return main, Hand((-setting.main * 27.0, 6.0, 11.0), "grip")


def _final_check(setting: Setting, work: int, beat: Beat, main: Hand) -> list[Layer]:
    camera, look = setting.camera, setting.look
    left, right, _ = _scanned(setting, work)
    x, y, z = main.at
    window, back = (x - setting.main * 3.0, y + 9.0, z - 2.0), (x, y - 2.0, z - 1.0)
    shapes = tools.beam(camera.at(*window), camera.at(*left), camera.at(*right)) if work > 0 else []
    shapes += tools.scanner(camera, window, back, look.tools["scanner"])
    board = spot(camera, (-setting.main * 27.0, 12.0, 10.0), 0.12 * setting.main)
    ticks = min(4, 1 + work // 900)
    return [
        items_out(setting),
        *standing_box(setting),
        Layer(camera.depth(board.x, board.y, board.z) + 2.0, tools.clipboard(board, ticks, look.tools["clipboard"])),
        Layer(camera.depth(*main.at) - 6.0, shapes),
    ]


# Idle


def _idle_hands(setting: Setting, work: int, beat: Beat) -> Hands:
    side = setting.main
    lift = 8.0 * swing(clamp(phase(work, 3600) * 2.0 - 0.5))
    if setting.rhythm.drinks:
        return Hand((side * 13.0, 6.0 - lift, 8.0 + lift)), Hand((-side * 19.0, 4.0, 3.0), "flat")
    touch = 3.0 * swing(phase(work, 800))
    return Hand((side * 9.0, 5.0, 12.0 + 0.4 * touch), "point", (side * 2.0, 10.0, 12.0)), Hand((-side * 4.0, 4.0, 9.0))


def _idle(setting: Setting, work: int, beat: Beat, main: Hand) -> list[Layer]:
    camera, side = setting.camera, setting.main
    x, y, z = main.at
    if setting.rhythm.drinks:
        held = tools.mug(camera, (x - side * 5.0, y + 4.0, z - 4.0), setting.look.tools["mug"])
    else:
        held = tools.phone(camera, (-side * 1.0, 10.0, 10.5))
    return [items_out(setting), *standing_box(setting), Layer(camera.depth(x, y + 4.0, z + 4.0), held)]


ACTS: dict[str, Act] = {
    "Box Setup": Act(1900, _box_setup_hands, _box_setup),
    "Inner Packing": Act(1700, _inner_packing_hands, _inner_packing, free=True),
    "Tape": Act(1900, _tape_hands, _tape, frozenset({"tape gun"})),
    "Put Items": Act(1900, _put_items_hands, _put_items, free=True),
    "Pack": Act(1900, _pack_hands, _pack, free=True),
    "Wrap": Act(2100, _wrap_hands, _wrap),
    "Label": Act(1500, _label_hands, _label, free=True),
    "Final Check": Act(1700, _final_check_hands, _final_check, frozenset({"scanner", "clipboard"})),
    "Idle": Act(2400, _idle_hands, _idle),
}
