"""The nine operations as movements: what the hands do, with which tool, and what that adds to the bench.

An act gets the bench at the run's beginning and the milliseconds since then, at the worker's tempo. It does not know
when the run ends: work saturates after a few seconds and the hands continue in a loop of the same kind.

    Box Setup      a blank rises, its flaps swing; stack of blanks      Wrap         blue paper round it, from a roll
    Inner Packing  green crumples from a sack into the box              Label        printer, white label pressed on
    Tape           orange gun along the seam, strip behind it           Final Check  clipboard, red fan of a scanner
    Put Items      from the yellow crate onto the table (or the box)    Idle         hands off, round a mug
    Pack           from the table into the box
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from reference.drawing.scenery import box, goods, tools
from reference.drawing.scenery.box import DEEP, HIGH, WIDE, Walls
from reference.drawing.scenery.goods import Goods
from reference.drawing.scenery.hands import Hand, arms
from reference.drawing.scenery.setting import Setting, contents, items_out, open_box, standing_box, walls_of
from reference.drawing.scenery.shapes import (
    Point,
    Shape,
    arc,
    between,
    clamp,
    lerp,
    phase,
    smooth,
    swing,
)

SPOT = (254.0, 300.0)  # where the tool of an operation stands: the table's right front


class Act(NamedTuple):
    """Drawing of one operation: `still` lies under `moving` and stays the same for the whole run."""

    still: Callable[[Setting], list[Shape]]
    moving: Callable[[Setting, int], list[Shape]]


def _box_setup_still(setting: Setting) -> list[Shape]:
    return [*goods.blanks(SPOT[0] - 4, SPOT[1] + 2, setting.kraft), *items_out(setting)]


def _box_setup(setting: Setting, ms: int) -> list[Shape]:
    raised = smooth(ms / 2400)
    loop = phase(max(0, ms - 2400), 2600)
    fold = 0.0 if ms < 2400 else 1.0
    ends = 2.3 - 1.25 * fold * swing(clamp(loop * 2))
    sides = 2.4 - 1.25 * fold * swing(clamp(loop * 2 - 1))
    lean = 7.0 * fold * (swing(phase(ms, 1300)) - 0.5)
    walls = walls_of(setting, raised, lean)
    flaps = (ends + 0.2, ends, sides, sides)
    left, right = _flap_tip(walls, -1, sides), _flap_tip(walls, 1, sides)
    things = [*box.back(walls, flaps, setting.kraft), *box.front(walls, flaps, setting.kraft)]
    return things + arms(setting.worker, Hand(left, "open"), Hand(right, "open"))


def _flap_tip(walls: Walls, side: int, angle: float) -> Point:
    """Return the point at which a hand holds a side flap."""
    x = -26.0 if side < 0 else WIDE + 26.0
    inward = clamp(2.0 - angle) * 20.0
    return walls.place.at(x - side * inward + walls.lean, 26.0, walls.height + inward * 1.1)


def _inner_packing_still(setting: Setting) -> list[Shape]:
    return [*goods.fill_sack(SPOT[0], SPOT[1] - 6), *items_out(setting)]


def _inner_packing(setting: Setting, ms: int) -> list[Shape]:
    period = 1500
    loop, done = phase(ms, period), min(8, 2 * (ms // period))
    bench, place = setting.bench, setting.place
    over = "items" in bench.inside
    level = HIGH - 14.0 if over else 22.0
    sack, target = (SPOT[0] + 32, SPOT[1] - 76), place.at(22.0 + 34.0 * (ms // period % 3), 40.0, HIGH + 4)
    carry, stuff = between(loop, 0.2, 0.6), swing(clamp((loop - 0.6) / 0.4))
    x, y = arc(sack, target, carry, 26.0) if loop < 0.6 else (target[0], target[1] + 14.0 * stuff)
    held = goods.lump(x - 4, y - 8, 17, ms // period) if 0.1 < loop < 0.8 else []
    inside = [*contents(setting), *goods.fill_in_box(place, 2 + done if done < 8 else 8, level)]
    things = open_box(setting, [*inside, *(held if loop > 0.6 else [])])
    hold = place.at(4.0, 6.0, HIGH + 4)
    things += held if loop <= 0.6 else []
    return things + arms(setting.worker, Hand(hold), Hand((x + 4, y + 6)))


def _tape_still(setting: Setting) -> list[Shape]:
    return [*items_out(setting), *_shut_box(setting)]


def _shut_box(setting: Setting) -> list[Shape]:
    bench = setting.bench
    draw = box.bottom_up if bench.box == "bottom up" else box.closed
    return draw(setting.place, setting.kraft, bench.marks)


def _tape(setting: Setting, ms: int) -> list[Shape]:
    """Draw the taping: along the seam, back through the air, again; a second taping goes across the first."""
    period, place = 1700, setting.place
    loop = phase(ms, period)
    stroke = clamp((loop - 0.02) / 0.68)
    laid = 1.0 if ms >= period * 0.7 else max(0.06, stroke)
    again = "tape" in setting.bench.marks
    home = between(loop, 0.72, 1.0)
    share = stroke * (1.0 - home)
    if again:
        at = place.at(WIDE / 2, DEEP * share, HIGH)
        strip = box.cross_tape(place, laid)
    else:
        at, strip = box.seam(place, share), box.tape(place, laid)
    x, y = at[0], at[1] - 22.0 * swing(home)
    gun = tools.tape_gun(x, y, 1.15)
    hold = place.at(2.0, 10.0, HIGH - 8) if not again else place.at(6.0, 4.0, HIGH - 12)
    return [*strip, *gun, *arms(setting.worker, Hand(hold, "open"), Hand((x + 50, y + 4)))]


def _put_items_still(setting: Setting) -> list[Shape]:
    crate = goods.crate(SPOT[0], SPOT[1] - 10, setting.goods)
    return crate if "items" in setting.bench.inside else [*standing_box(setting), *crate]


def _put_items(setting: Setting, ms: int) -> list[Shape]:
    """Draw the items leaving the crate one by one; then the hands sort them, one hand in the crate."""
    period, bench, things = 1700, setting.bench, setting.goods
    number, loop = ms // period, phase(ms, period)
    into_box = "items" in bench.inside
    crate = (SPOT[0] + 34, SPOT[1] - 52)
    missing = 1 if into_box else things.pieces
    busy = number < missing
    target = goods.on_top(setting.place, things) if into_box else goods.spot(things, min(number, missing - 1))
    carry = between(loop, 0.22, 0.66) * (1.0 - between(loop, 0.78, 1.0))
    foot = arc((crate[0], crate[1] + 16), target, carry, 34.0)
    held: list[Shape] = []
    if busy and loop < 0.7:
        held = goods.item(foot, things, number % things.pieces)
    placed = min(missing, number + (1 if loop >= 0.7 else 0))
    right = Hand((foot[0] + 0.6 * things.half, foot[1] - 2.0), "grip", (foot[0] - 6.0, foot[1] - 24.0 * things.size))
    left = Hand(setting.place.at(2.0, 8.0, HIGH + 2) if into_box else setting.place.at(-2.0, -6.0), "open")
    if not busy:
        right = Hand((crate[0] + 16.0 * (swing(phase(ms, 900)) - 0.5), crate[1] + 7.0 * swing(phase(ms, 700))))
    if into_box:
        extra = goods.item(target, things) if placed else []
        shapes = open_box(setting, [*contents(setting), *extra])
    else:
        shapes = goods.on_table(things, placed, setting.wrapped())
    return [*shapes, *held, *arms(setting.worker, left, right)]


def _hand_beside(foot: Point, things: Goods, side: int) -> Hand:
    """Return a hand at the side of an item that stands there: 1 right, -1 left."""
    middle = (foot[0], foot[1] - 16.0 * things.size)
    return Hand((foot[0] + side * (things.half + 5.0), middle[1] + 6.0), "grip", middle)


def _pack_still(setting: Setting) -> list[Shape]:
    return []


def _pack(setting: Setting, ms: int) -> list[Shape]:
    """Draw the items going from the table into the box one by one; then one is lifted and set again until it fits."""
    period, things, place = 1800, setting.goods, setting.place
    number, loop = ms // period, phase(ms, period)
    busy = number < things.pieces
    turn = min(number, things.pieces - 1)
    start, target = goods.spot(things, turn), goods.within(place, things, turn)
    if busy:
        lowered = between(loop, 0.62, 0.9)
        over = (target[0], target[1] - 34.0)
        foot = lerp(arc(start, over, between(loop, 0.1, 0.62), 22.0), target, lowered)
    else:
        foot = (target[0], target[1] - 30.0 * swing(phase(ms, 1500)))
    wrapped = setting.bench.wrapped
    on_table = [] if number + 1 >= things.pieces else _items_left(setting, number + 1)
    packed = goods.in_box(place, things, min(turn, things.pieces), wrapped)
    moving = goods.item(foot, things, turn, wrapped)
    boxed = open_box(setting, [*contents(setting, items=False), *packed, *moving])
    return [*on_table, *boxed, *arms(setting.worker, _hand_beside(foot, things, -1), _hand_beside(foot, things, 1))]


def _items_left(setting: Setting, first: int) -> list[Shape]:
    """Draw the items that still lie on the table."""
    shapes: list[Shape] = []
    for number in range(first, setting.goods.pieces):
        foot = goods.spot(setting.goods, number)
        shapes += goods.item(foot, setting.goods, number, setting.bench.wrapped, shadow=True)
    return shapes


def _wrap_still(setting: Setting) -> list[Shape]:
    return standing_box(setting) if setting.bench.items_out else []


def _wrap(setting: Setting, ms: int) -> list[Shape]:
    return _wrap_items(setting, ms) if setting.bench.items_out else _wrap_gift(setting, ms)


def _wrap_items(setting: Setting, ms: int) -> list[Shape]:
    """Draw a sheet from the roll: paper is folded over one item after the other, then each is rolled tight."""
    period, things = 2000, setting.goods
    number, loop = ms // period, phase(ms, period)
    done = min(things.pieces, number)
    turn = min(number, things.pieces - 1)
    roll = goods.paper_roll(SPOT[0] + 2, SPOT[1] + 8, phase(ms, 1100))
    shapes = goods.sheet(10, 330, 246, 92)
    shapes += goods.on_table(things, things.pieces, done)
    foot = goods.spot(things, turn if number < things.pieces else number % things.pieces)
    over = swing(loop)
    size = 34.0 * things.size
    flap = goods.fold(foot, size, over)
    left = Hand((foot[0] - 0.9 * things.half, foot[1] - 2.0 - 8.0 * over), "grip", (foot[0], foot[1] - 16.0))
    right = Hand((foot[0] + size * (1.2 - 1.1 * over), foot[1] - size * 0.9 * over), "open")
    return [*roll, *shapes, *flap, *arms(setting.worker, left, right)]


def _wrap_gift(setting: Setting, ms: int) -> list[Shape]:
    """Draw paper over the closed box from the left; then the hands smooth it and tie the ribbon."""
    place = setting.place
    share = smooth(ms / 2600)
    roll = goods.paper_roll(SPOT[0] + 2, SPOT[1] + 8, phase(ms, 1100))
    shapes = box.closed(place, setting.kraft, setting.bench.marks, max(0.12, share))
    if ms > 3600:
        shapes += box.ribbon(place)
    rub = swing(phase(ms, 1200)) if ms > 2600 else 0.0
    right = place.at(WIDE * max(0.12, share) - 50.0 * rub, 30.0, HIGH + 2)
    left = place.at(10.0 + 40.0 * rub, 12.0, HIGH)
    return [*roll, *shapes, *arms(setting.worker, Hand(left, "open"), Hand(right, "open"))]


def _label_still(setting: Setting) -> list[Shape]:
    return [*items_out(setting), *standing_box(setting)]


def _label(setting: Setting, ms: int) -> list[Shape]:
    """Draw the label on its arc from the printer onto the box; then the hand presses it flat, stroke by stroke."""
    number = 1 if "label" in setting.bench.marks else 0
    x, y = box.label_spot(setting.place, number)
    start, carry = (292.0, 152.0), between(ms / 900, 0.1, 0.9)
    at = arc(start, (x, y), carry, 14.0)
    label = box.label(*at, 1.0 + 0.25 * (1.0 - carry))
    rub = swing(phase(ms, 760)) if ms > 900 else 0.0
    hand = (at[0] + 20.0 - 34.0 * rub, at[1] + 14.0 + 4.0 * rub)
    left = setting.place.at(-2.0, 16.0, HIGH - 10)
    return [*label, *arms(setting.worker, Hand(left, "open"), Hand(hand, "open"))]


def _final_check_still(setting: Setting) -> list[Shape]:
    return [*items_out(setting), *standing_box(setting)]


def _final_check(setting: Setting, ms: int) -> list[Shape]:
    """Draw the red fan as it sweeps the box, and the list as it fills up with ticks."""
    place = setting.place
    sweep = swing(phase(ms, 1500))
    window = (SPOT[0] - 14.0 - 14.0 * sweep, 214.0 + 26.0 * sweep)
    depth = DEEP * (0.95 - 0.9 * sweep)
    fan = tools.beam(window, place.at(6.0, depth, HIGH), place.at(WIDE - 6.0, depth, HIGH))
    ticks = min(4, 1 + ms // 900)
    board = tools.clipboard(66.0, 308.0, ticks, 1.05)
    gun = tools.scanner(*window, 1.1)
    left = Hand((66.0, 306.0), "grip")
    return [*fan, *board, *gun, *arms(setting.worker, left, Hand((window[0] + 24, window[1] + 28)))]


_LEFT_LYING = {
    "Box Setup": lambda setting: goods.blanks(SPOT[0] - 4, SPOT[1] + 2, setting.kraft),
    "Inner Packing": lambda setting: goods.fill_sack(SPOT[0], SPOT[1] - 6),
    "Tape": lambda setting: tools.laid_down("tape gun", SPOT[0], SPOT[1] - 40),
    "Put Items": lambda setting: goods.crate(SPOT[0], SPOT[1] - 10, None),
    "Wrap": lambda setting: goods.paper_roll(SPOT[0] + 2, SPOT[1] + 8, 0.0),
    "Final Check": lambda setting: tools.laid_down("clipboard", SPOT[0], SPOT[1]),
}


def _idle_still(setting: Setting) -> list[Shape]:
    rest = _LEFT_LYING.get(setting.bench.working)
    return [*items_out(setting), *standing_box(setting), *(rest(setting) if rest else [])]


def _idle(setting: Setting, ms: int) -> list[Shape]:
    """Draw both hands round a mug at the table's edge; now and then they lift it."""
    lift = 16.0 * swing(clamp(phase(ms, 3600) * 2.0 - 0.5))
    x, y = 190.0, 310.0 - lift
    cup = tools.mug(x, y, phase(ms, 2400))
    around = (x, y - 26)
    return [*cup, *arms(setting.worker, Hand((x - 31, y - 12), "grip", around), Hand((x + 31, y - 12), "grip", around))]


ACTS: dict[str, Act] = {
    "Box Setup": Act(_box_setup_still, _box_setup),
    "Inner Packing": Act(_inner_packing_still, _inner_packing),
    "Tape": Act(_tape_still, _tape),
    "Put Items": Act(_put_items_still, _put_items),
    "Pack": Act(_pack_still, _pack),
    "Wrap": Act(_wrap_still, _wrap),
    "Label": Act(_label_still, _label),
    "Final Check": Act(_final_check_still, _final_check),
    "Idle": Act(_idle_still, _idle),
}

IN_HAND = {"Tape": frozenset({"tape gun"}), "Final Check": frozenset({"clipboard", "scanner"})}
"""Tools that an operation takes off the rail."""
