"""Signs of an order's attributes, printed as stickers: 20 px wide at 336, told apart by shape, never by colour or text.

    glass     fragile: a wine glass on a diamond           bolt   express: a lightning bolt on a disc
    cluster   insured, or several items: three discs       bow    gift: a parcel with a ribbon
    arrows    oversized: a double arrow

A surface shows a sign, an empty slot, or (attribute unknown or painted out) a blank that tells nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from reference.drawing.shapes import Colour, Path, Point, Shape, colour, darker, lighter, polygon

_WHITE = colour("#fbf8f0")
HALF = 11.0
"""Half the width of a sign in pixels at 336."""


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
    return [disc.filled(ink, darker(ink)), polygon(_points(x, y, half, *bolt), _WHITE)]


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


def sign(mark: str, x: float, y: float, half: float, ink: Colour) -> list[Shape]:
    """Draw the sign around (x, y), 2 x half wide."""
    return _SIGNS[mark](x, y, half, ink)


def slot(mark: str, shown: bool | None, x: float, y: float, half: float, ink: Colour) -> list[Shape]:
    """Draw the place for a sign: the sign, an empty frame, or a blank patch where the attribute is not known."""
    if shown:
        return sign(mark, x, y, half, ink)
    if shown is None:
        return [Path().rounded(x - half, y - half, 2 * half, 2 * half, 3).filled(colour("#b9b2a6"))]
    frame = Path().rounded(x - half * 0.85, y - half * 0.85, half * 1.7, half * 1.7, 3)
    return [frame.filled(None, lighter(ink, 700), 1.0)]
