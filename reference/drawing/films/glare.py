"""Glare: a lamp that shines into the camera: a bright veil, streaks and spots that wander slowly over the picture.

The light has one shape and colour a session; each clip has its own way from one place of the picture to another.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reference.drawing.films.film import Film, Pixels, draws
from reference.randomness import NextRandom, session_seed
from reference.task import CLIP_FRAMES

Floats = NDArray[np.float64]

COLOURS = ((255, 246, 222), (232, 243, 255), (255, 250, 250), (255, 232, 196))
BRIGHTEST = 0.80
"""Share of a pixel that the light takes at most: what lies behind stays readable."""


class Veil(NamedTuple):
    """Light around its middle [2 size, 2 size, 3]: what is left of a pixel, in 1/256, and 256 times what is added."""

    left: NDArray[np.uint16]
    added: NDArray[np.uint16]


def glare(strength: int, seed: int, size: int) -> Film:
    """Return the film of the session's light on the clip's way."""
    veil, draw = _veil(strength, session_seed(seed), size), draws(seed)
    begin, end = _place(draw, size), _place(draw, size)

    def develop(takes: Pixels, index: int) -> Pixels:
        x, y = (
            (a * (CLIP_FRAMES - 1 - index) + b * index) // (CLIP_FRAMES - 1) for a, b in zip(begin, end, strict=True)
        )
        window = slice(size - y, 2 * size - y), slice(size - x, 2 * size - x)
        return ((takes[0] * veil.left[window] + veil.added[window]) >> 8).astype(np.uint8)

    return Film(develop=develop)


def _place(draw: NextRandom, size: int) -> tuple[int, int]:
    return int(draw() * size), int(draw() * size)


@lru_cache(maxsize=2)
def _veil(strength: int, session: int, size: int) -> Veil:
    draw = draws(session)
    colour = COLOURS[int(draw() * len(COLOURS))]
    side = (np.arange(2 * size) + 0.5) / size - 1.0
    x, y = side[None, :], side[:, None]
    share = 0.30 + 0.12 * draw() + 0.45 / (1.0 + (x * x + y * y) / (0.05 + 0.05 * draw()))
    share = share + _streaks(x, y, draw) + _spots(x, y, draw)
    share = np.minimum(share, BRIGHTEST) * (strength / 1000)
    taken = np.floor(share * 256 + 0.5).astype(np.uint16)
    left = np.repeat((256 - taken)[:, :, None], 3, axis=2)
    return Veil(left, taken[:, :, None] * np.array(colour, np.uint16))


def _streaks(x: Floats, y: Floats, draw: NextRandom) -> Floats:
    """Return the light of four streaks through the middle."""
    total = np.zeros((len(y), x.shape[1]))
    for _ in range(4):
        slope = draw() * 2 - 1
        along, beside = (x + slope * y, y - slope * x) if draw() < 0.5 else (y + slope * x, x - slope * y)
        thin = 0.00012 + 0.0006 * draw()
        total += (0.25 + 0.3 * draw()) * thin / (thin + beside * beside) / (1.0 + along * along / 0.3)
    return total


def _spots(x: Floats, y: Floats, draw: NextRandom) -> Floats:
    """Return the light of seven discs on a line through the middle, bright at their rims as a lens shows them."""
    total = np.zeros((len(y), x.shape[1]))
    across, down = draw() * 2 - 1, draw() * 2 - 1
    for number in range(7):
        far, radius = (number - 3) * (0.12 + 0.1 * draw()), 0.03 + 0.07 * draw()
        square = ((x - far * across) * (x - far * across) + (y - far * down) * (y - far * down)) / (radius * radius)
        total += np.where(square < 1.0, (0.10 + 0.15 * draw()) * (0.6 + 0.4 * square), 0.0)
    return total
