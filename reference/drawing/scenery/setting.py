"""The setting of an act: the session's look, the bench of its run, the order's goods, the rhythm of the work."""

from __future__ import annotations

from dataclasses import dataclass

from reference.drawing.camera import Camera, Vector
from reference.drawing.look import SessionLook
from reference.drawing.scenery import box, goods
from reference.drawing.scenery.bench import Bench
from reference.drawing.scenery.box import OPEN, Carton, Flaps
from reference.drawing.scenery.goods import Goods
from reference.drawing.scenery.motion import Rhythm
from reference.drawing.scenery.person import Layer
from reference.drawing.shapes import Shape


@dataclass(frozen=True)
class Setting:
    """Everything that an act depends on beside the time."""

    look: SessionLook
    carton: Carton
    bench: Bench
    goods: Goods
    rhythm: Rhythm

    @property
    def camera(self) -> Camera:
        """Return the session's camera."""
        return self.look.camera

    @property
    def main(self) -> float:
        """Return the side of the hand that works: 1.0 right, -1.0 left."""
        return self.look.person.main

    @property
    def pieces(self) -> int:
        """Return the number of items of the order."""
        return self.goods.pieces

    def at(self, thing: str, high: float) -> Vector:
        """Return the point so many cm above the place of a thing on the bench."""
        return (*self.look.places[thing], high)

    def wrapped(self) -> int:
        """Return how many items are in paper: all or none."""
        return self.pieces if self.bench.wrapped else 0

    def rest(self, side: float) -> Vector:
        """Return where an idle hand lies: on the bench's front edge."""
        return side * 17.0, 2.0, 3.5


def items_out(setting: Setting, numbers: range | None = None, wrapped: int | None = None) -> Layer:
    """Draw these items on the bench, by default all if the bench has them out."""
    if numbers is None:
        numbers = range(setting.pieces if setting.bench.items_out else 0)
    place = setting.look.places["items"]
    shapes = goods.on_bench(
        setting.camera, place, setting.goods, numbers, setting.wrapped() if wrapped is None else wrapped
    )
    return Layer(setting.camera.depth(*place, 3.0), shapes)


def contents(setting: Setting, packed: int | None = None, fill: int = 0, level: float = 4.0) -> list[Shape]:
    """Draw what is in the open box: padding, the first `packed` items (by default all that are in), void fill."""
    inside, box_ = setting.bench.inside, setting.carton
    if packed is None:
        packed = setting.pieces if "items" in inside else 0
    shapes = crumples(setting, 8, 4.0) if "padding" in inside else []
    feet = [(item_in_box(setting, number), number) for number in range(packed)]
    for foot, number in sorted(feet, key=lambda one: -setting.camera.depth(*one[0])):
        shapes += goods.item(setting.camera, foot, setting.goods, number, setting.bench.wrapped)
    if "filling" in inside:
        shapes += crumples(setting, 8, box_.high - 4.0)
    return shapes + crumples(setting, fill, level)


def item_in_box(setting: Setting, number: int) -> Vector:
    """Return where item `number` stands in the box."""
    carton = setting.carton
    across = (-0.24, 0.24, 0.0)[number] if setting.pieces > 1 else 0.0
    high = max(2.0, carton.high - 3.0 - 10.5 * setting.goods.size)  # so high that they are seen over the rim
    return carton.world(across * carton.wide, (0.1, -0.08, 0.0)[number] * carton.deep, high)


def crumples(setting: Setting, count: int, level: float) -> list[Shape]:
    """Draw so many crumples of void fill in the box at that height."""
    if not count:
        return []
    carton = setting.carton
    middles = [carton.world(*goods.fill_at(carton.wide, carton.deep, number), level) for number in range(count)]
    middles.sort(key=lambda middle: -setting.camera.depth(*middle))
    return goods.paper_balls(setting.camera, middles, 0, setting.look.fill)


def open_box(setting: Setting, content: list[Shape], flaps: Flaps = OPEN, carton: Carton | None = None) -> Layer:
    """Draw the open box around its content."""
    carton = setting.carton if carton is None else carton
    return box_layer(setting, [*box.far_side(carton, flaps), *content, *box.near_side(carton, flaps)])


def box_layer(setting: Setting, shapes: list[Shape]) -> Layer:
    """Return the box as one layer, at the distance of its middle."""
    return Layer(setting.camera.depth(*setting.carton.world(0.0, 0.0, 8.0)), shapes)


def standing_box(setting: Setting) -> list[Layer]:
    """Draw the box in the state of `setting.bench.box`; no layer where the bench has no box."""
    state, carton = setting.bench.box, setting.carton
    if state == "none":
        return []
    if state == "closed":
        return [box_layer(setting, box.closed(carton, setting.bench.marks))]
    if state == "bottom up":
        return [box_layer(setting, box.bottom_up(carton, setting.bench.marks))]
    if state == "flat":
        return [open_box(setting, [], (2.0, 2.0, 2.0, 2.0), carton._replace(high=0.8))]
    return [open_box(setting, contents(setting))]
