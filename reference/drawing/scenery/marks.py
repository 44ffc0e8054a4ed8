"""Signs of an order's attributes: each at least 30 px wide at 336, told apart by colour and by shape, never by text.

    glass     fragile: a cyan diamond with a wine glass      bolt   express: a red disc with a lightning bolt
    cluster   several items: three lime discs                bow    gift: a magenta parcel with a white ribbon
    arrows    oversized: a violet double arrow

Slip and cards show a sign, an empty slot, or (attribute unknown or painted out) a blank that tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from reference.drawing.scenery.shapes import Colour, Path, Point, Shape, colour, darker, polygon

_WHITE = colour("#ffffff")
COLOURS = {
    "glass": colour("#10b6d2"),
    "cluster": colour("#a4d307"),
    "arrows": colour("#7d2fd0"),
    "bolt": colour("#e5231f"),
    "bow": colour("#f23aa6"),
}


def _points(x: float, y: float, half: float, *corners: Point) -> list[Point]:
    """Return corners, given in a 2 x 2 square around the middle, in pixels."""
    return [(x + half * across, y + half * down) for across, down in corners]


def _glass(x: float, y: float, half: float, ink: Colour) -> list[Shape]:
    diamond = _points(x, y, half, (0, -1.05), (1.05, 0), (0, 1.05), (-1.05, 0))
    bowl = _points(
        x,
        y,
        half,
        (-0.36, -0.46),
        (0.36, -0.46),
        (0.3, -0.1),
        (0.07, 0.08),
        (0.07, 0.42),
        (0.3, 0.46),
        (0.3, 0.58),
        (-0.3, 0.58),
        (-0.3, 0.46),
        (-0.07, 0.42),
        (-0.07, 0.08),
        (-0.3, -0.1),
    )
    return [polygon(diamond, ink, darker(ink)), polygon(bowl, _WHITE)]


def _cluster(x: float, y: float, half: float, ink: Colour) -> list[Shape]:
    discs = Path()
    for across, down in ((0, -0.48), (-0.52, 0.44), (0.52, 0.44)):
        discs.ellipse(x + half * across, y + half * down, half * 0.47)
    return [discs.filled(ink, darker(ink, 420), 1.5)]


def _arrows(x: float, y: float, half: float, ink: Colour) -> list[Shape]:
    right = ((0.25, -0.72), (1.05, 0), (0.25, 0.72), (0.25, 0.3))
    left = ((-0.25, 0.3), (-0.25, 0.72), (-1.05, 0), (-0.25, -0.72), (-0.25, -0.3), (0.25, -0.3))
    return [polygon(_points(x, y, half, *right, *left), ink, darker(ink))]


def _bolt(x: float, y: float, half: float, ink: Colour) -> list[Shape]:
    bolt = ((0.2, -0.74), (-0.5, 0.12), (-0.06, 0.12), (-0.2, 0.74), (0.5, -0.16), (0.06, -0.16))
    disc = Path().ellipse(x, y, half)
    return [disc.filled(ink, darker(ink)), polygon(_points(x, y, half, *bolt), colour("#fff3a8"))]


def _bow(x: float, y: float, half: float, ink: Colour) -> list[Shape]:
    parcel = Path().rounded(x - half * 0.92, y - half * 0.5, half * 1.84, half * 1.44, half * 0.16)
    ribbon = Path().rectangle(x - half * 0.16, y - half * 0.5, half * 0.32, half * 1.44)
    ribbon.rectangle(x - half * 0.92, y + half * 0.04, half * 1.84, half * 0.3)
    loops = Path().polygon(_points(x, y, half, (0, -0.5), (-0.72, -1.0), (-0.72, -0.42)))
    loops.polygon(_points(x, y, half, (0, -0.5), (0.72, -1.0), (0.72, -0.42)))
    return [parcel.filled(ink, darker(ink)), ribbon.filled(_WHITE), loops.filled(ink, darker(ink))]


_SIGNS: dict[str, Callable[[float, float, float, Colour], list[Shape]]] = {
    "glass": _glass,
    "cluster": _cluster,
    "arrows": _arrows,
    "bolt": _bolt,
    "bow": _bow,
}


def sign(mark: str, x: float, y: float, half: float) -> list[Shape]:
    """Draw the sign around (x, y), 2 x half wide."""
    return _SIGNS[mark](x, y, half, COLOURS[mark])


def slot(mark: str, shown: bool | None, x: float, y: float, half: float) -> list[Shape]:
    """Draw the place for a sign: the sign, an empty frame, or a blank patch where the attribute is not known."""
    if shown:
        return sign(mark, x, y, half)
    if shown is None:
        return [Path().rounded(x - half, y - half, 2 * half, 2 * half, 4).filled(colour("#b9b2a6"))]
    frame = Path().rounded(x - half * 0.8, y - half * 0.8, half * 1.6, half * 1.6, 4)
    return [frame.filled(colour("#ece7dc"), colour("#d2cabb"), 1.5)]
