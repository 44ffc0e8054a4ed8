"""The setting of an act: the bench of its run, the order's goods, the worker; and how these stand on the table."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from reference.drawing.scenery import box, goods
from reference.drawing.scenery.bench import Bench
from reference.drawing.scenery.box import HIGH, OPEN, Flaps, Walls
from reference.drawing.scenery.goods import Goods
from reference.drawing.scenery.hands import Worker
from reference.drawing.scenery.shapes import Colour, Place, Shape


@dataclass(frozen=True)
class Setting:
    """Everything that an act depends on beside the time."""

    place: Place  # of the box
    kraft: Colour
    bench: Bench
    goods: Goods
    worker: Worker

    def wrapped(self) -> int:
        """Return how many items are in paper: all or none."""
        return self.goods.pieces if self.bench.wrapped else 0


def items_out(setting: Setting) -> list[Shape]:
    """Draw the items that lie on the table."""
    shown = setting.goods.pieces if setting.bench.items_out else 0
    return goods.on_table(setting.goods, shown, setting.wrapped())


def contents(setting: Setting, items: bool = True) -> list[Shape]:
    """Draw the contents of the open box, from the bottom up."""
    bench, place = setting.bench, setting.place
    shapes = goods.fill_in_box(place, 8, 22.0) if "padding" in bench.inside else []
    if items and "items" in bench.inside:
        shapes += goods.in_box(place, setting.goods, setting.goods.pieces, bench.wrapped)
    if "filling" in bench.inside:
        shapes += goods.fill_in_box(place, 8, HIGH - 14.0)
    return shapes


def open_box(setting: Setting, content: list[Shape], flaps: Flaps = OPEN) -> list[Shape]:
    """Draw the open box around its content."""
    walls = Walls(setting.place)
    return [*box.back(walls, flaps, setting.kraft), *content, *box.front(walls, flaps, setting.kraft)]


def standing_box(setting: Setting) -> list[Shape]:
    """Return the shapes of the box in the state of `setting.bench.box`; none where the bench has no box."""
    bench, place, kraft = setting.bench, setting.place, setting.kraft
    if bench.box == "none":
        return []
    if bench.box == "closed":
        return box.closed(place, kraft, bench.marks)
    if bench.box == "bottom up":
        return box.bottom_up(place, kraft, bench.marks)
    if bench.box == "flat":
        walls, flaps = walls_of(setting, 0.0), (2.0, 2.0, 2.0, 2.0)
        return [*box.back(walls, flaps, kraft), *box.front(walls, flaps, kraft)]
    return open_box(setting, contents(setting))


def walls_of(setting: Setting, raised: float, lean: float = 0.0) -> Walls:
    """Return the walls of a box that rises from flat (0) to upright (1): they turn up from lying to the right."""
    up = max(0.04, raised)
    return Walls(setting.place, HIGH * up, 46.0 * sqrt(1.0 - up * up) + lean)
