"""Things without meaning: on the bench, between the work, and one before the camera.

They have the colours of goods and tools on purpose.
"""

from __future__ import annotations

from collections.abc import Callable

from reference.drawing.camera import Camera
from reference.drawing.look import PAINTS, PAPERS, pick, shuffled
from reference.drawing.scenery.person import Layer
from reference.drawing.shapes import SIDE, Colour, Path, Shape, darker, lerp, lighter, linear, polygon
from reference.drawing.solids import Spot, block, cylinder, shadow, sheet, spot
from reference.randomness import NextRandom

_PLACES = (
    (-34.0, 13.0),
    (34.0, 13.0),
    (-36.0, 30.0),
    (36.0, 30.0),
    (-34.0, 47.0),
    (34.0, 48.0),
    (-14.0, 57.0),
    (15.0, 58.0),
    (-46.0, 65.0),
    (46.0, 65.0),
    (57.0, 31.0),
    (0.0, 8.0),
)


def objects(camera: Camera, strength: int, draw: NextRandom) -> list[Layer]:
    """Draw 3 to 10 things by strength, each with a random kind, tint and place."""
    layers = []
    for x, y in shuffled(_PLACES, draw)[: 3 + 7 * strength // 1000]:
        make, tint = pick(_KINDS, draw()), pick(PAINTS + PAPERS, draw())
        foot = spot(camera, (x + 4.0 * draw() - 2.0, y + 4.0 * draw() - 2.0, 0.0), draw() - 0.5)
        layers.append(Layer(foot.depth(), make(foot, tint)))
    return layers


def _pen_cup(foot: Spot, tint: Colour) -> list[Shape]:
    pens = Path()
    for x, y, x2, y2 in ((-1.0, 0.5, -3.0, 2.0), (1.0, -0.5, 3.0, -1.0), (0.5, 1.0, 1.0, 3.0)):
        pens.capsule(foot.at(x, y, 7.0), foot.at(x2, y2, 15.0), 1.2)
    return [shadow(foot, 4.5, 4.0), pens.filled(darker(tint, 480)), *cylinder(foot, 3.2, 8.0, tint)]


def _binder(foot: Spot, tint: Colour) -> list[Shape]:
    return [
        shadow(foot, 11.0, 9.0),
        *block(foot, 17.0, 13.0, 3.0, tint),
        sheet(foot, 8.0, 5.0, lighter(tint, 650), 3.1),
    ]


def _notes(foot: Spot, tint: Colour) -> list[Shape]:
    return [sheet(foot, 9.0, 8.0, lighter(tint, 500)), sheet(foot.moved(2.5, 1.5), 8.0, 8.0, lighter(tint, 350), 0.5)]


def _parcel(foot: Spot, tint: Colour) -> list[Shape]:
    kraft = PAPERS[0]
    return [shadow(foot, 9.0, 7.0), *block(foot, 13.0, 9.0, 6.5, kraft), sheet(foot, 2.2, 9.0, tint, 6.6)]


def _bottle(foot: Spot, tint: Colour) -> list[Shape]:
    neck = foot.moved(0.0, 0.0, 11.0)
    return [shadow(foot, 4.0, 3.6), *cylinder(foot, 3.2, 11.0, tint), *cylinder(neck, 1.4, 3.5, lighter(tint, 500))]


def _ruler(foot: Spot, tint: Colour) -> list[Shape]:
    marks = Path()
    for number in range(8):
        x = -11.0 + 3.0 * number
        marks.polygon(
            (foot.at(x, 0.2, 0.5), foot.at(x + 0.4, 0.2, 0.5), foot.at(x + 0.4, 1.6, 0.5), foot.at(x, 1.6, 0.5))
        )
    return [sheet(foot, 26.0, 3.6, lighter(tint, 480)), marks.filled(darker(tint, 500))]


_KINDS: tuple[Callable[[Spot, Colour], list[Shape]], ...] = (_pen_cup, _binder, _notes, _parcel, _bottle, _ruler)


def foreground(plant: bool, right: bool) -> list[Shape]:
    """Draw leaves or a piece of cardboard in a lower corner of the picture, close to the camera."""
    near, away = (SIDE, -1.0) if right else (0.0, 1.0)
    if not plant:
        kraft = PAPERS[0]
        edge = [(near + away * x, y) for x, y in ((-20.0, 292.0), (30.0, 308.0), (48.0, 360.0), (-20.0, 360.0))]
        return [polygon(edge, linear((0, 290), (0, 350), kraft, darker(kraft, 300)), darker(kraft, 500), 1.5)]
    leaves, veins, green = Path(), Path(), PAINTS[3]
    for x, y in ((10.0, 284.0), (30.0, 298.0), (44.0, 318.0), (-4.0, 268.0)):
        tip, root = (near + away * x, y), (near - away * 12.0, 352.0)
        middle = lerp(tip, root, 0.5)
        leaves.blob((tip, (middle[0] - 9, middle[1] - 3), root, (middle[0] + 9, middle[1] + 3)))
        veins.line((tip, root))
    return [leaves.filled(green, darker(green, 400), 1.2), veins.filled(None, lighter(green, 200), 1.0)]
