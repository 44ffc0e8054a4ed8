"""Light: another lamp over the station, one a session: another colour, dimmer, and falling off to one side."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reference.drawing.films.film import Film, Pixels, draws
from reference.randomness import session_seed

LAMPS = ((1060, 900, 640), (720, 900, 1080), (980, 1000, 700), (820, 780, 900))  # per mille of red, green, blue
DARKEST = 0.40
"""Share of the light that is left in the darkest corner."""


def light(strength: int, seed: int, size: int) -> Film:
    """Return the film of a session under its lamp."""
    gain = _gain(strength, session_seed(seed), size)

    def develop(takes: Pixels, index: int) -> Pixels:
        return np.minimum((takes[0] * gain) >> 7, 255).astype(np.uint8)

    return Film(develop=develop)


@lru_cache(maxsize=2)
def _gain(strength: int, session: int, size: int) -> NDArray[np.uint16]:
    """Return what each channel of each pixel is multiplied by, in 1/128."""
    draw = draws(session)
    lamp = LAMPS[int(draw() * len(LAMPS))]
    dim = strength * (0.08 + 0.22 * draw()) / 1000
    falloff = strength * (0.15 + 0.35 * draw()) / 1000
    across, down = draw() * 2 - 1, draw() * 2 - 1
    ramp = (np.arange(size) + 0.5) / size - 0.5
    shade = 1.0 - dim - falloff * (0.5 + (across * ramp[None, :] + down * ramp[:, None]) / 2)
    tint = np.array([1.0 + (part / 1000 - 1.0) * strength / 1000 for part in lamp])
    return np.floor(np.maximum(shade, DARKEST)[:, :, None] * tint * 128 + 0.5).astype(np.uint16)
