"""The domains that change pixels, in integer arithmetic: light, noise, motion blur, compression.

Each film tells at which moments before the frame the shutter is open (ms) and makes one picture of these takes.
`strength` is per mille of the greatest effect. Parameters come from the render seed's `random()`, noise from raw words
of a counter-based generator keyed by seed and frame, so that any frame can be made alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reference.process.visible import VisibleState

Pixels = NDArray[np.uint8]
Develop = Callable[[Pixels, int], Pixels]  # takes [k, h, w, 3], frame index -> [h, w, 3]

_KEY = 0x9E3779B97F4A7C15F39CC0605CEDC834  # sets these draws apart from the scene's
_WORD = (1 << 64) - 1


def _plain(takes: Pixels, index: int) -> Pixels:
    return takes[0]


@dataclass(frozen=True)
class Film:
    """Effect of a domain: the moments of exposure before a frame (ms), and how their takes become one picture."""

    exposures: tuple[int, ...] = (0,)
    develop: Develop = _plain


def film(state: VisibleState, seed: int, size: int) -> Film:
    """Return the film of the clip's domain; domains that change no pixels get a plain one."""
    make = _FILMS.get(state.domain)
    return Film() if make is None else make(state.strength, seed, size)


def _draws(seed: int) -> Callable[[], float]:
    return random.Random(seed ^ _KEY).random


_LAMPS = ((1060, 900, 640), (720, 900, 1080), (980, 1000, 700), (820, 780, 900))  # per mille of red, green, blue


def _light(strength: int, seed: int, size: int) -> Film:
    """Return the film of a lamp: another colour, dimmer, and falling off to one side."""
    draw = _draws(seed)
    lamp = _LAMPS[int(draw() * len(_LAMPS))]
    dim = strength * (0.15 + 0.30 * draw()) / 1000
    falloff = strength * (0.25 + 0.4 * draw()) / 1000
    across, down = draw() * 2 - 1, draw() * 2 - 1
    ramp = (np.arange(size) + 0.5) / size - 0.5
    shade = 1.0 - dim - falloff * (0.5 + (across * ramp[None, :] + down * ramp[:, None]) / 2)
    tint = np.array([1.0 + (part / 1000 - 1.0) * strength / 1000 for part in lamp])
    gain = np.floor(shade[:, :, None] * tint * 128 + 0.5).astype(np.uint16)

    def develop(takes: Pixels, index: int) -> Pixels:
        return np.minimum((takes[0] * gain) >> 7, 255).astype(np.uint8)

    return Film(develop=develop)


def _noise(strength: int, seed: int, size: int) -> Film:
    """Return the film of a noisy sensor: grain of its own in each frame, the sum of two bytes, scaled."""
    most = 130 * strength // 1000

    def develop(takes: Pixels, index: int) -> Pixels:
        count = size * size * 3
        words = np.random.Philox(key=(seed & _WORD) ^ index).random_raw((count + 3) // 4)
        grain = words.view(np.uint8)[: 2 * count].reshape(2, size, size, 3)
        noise = grain[0].astype(np.int16)
        noise += grain[1]
        noise -= 255
        noise *= most
        noise >>= 8
        noise += takes[0]
        return np.clip(noise, 0, 255).astype(np.uint8)

    return Film(develop=develop)


def _motion_blur(strength: int, seed: int, size: int) -> Film:
    """Return the film of a long exposure with a shaking hand: four takes, moved along one line in eight steps."""
    draw = _draws(seed)
    reach = 24 * strength * size // (1000 * 336)
    across, down = int((draw() * 2 - 1) * reach), int((draw() * 2 - 1) * reach)
    exposures = tuple(400 * strength // 1000 * take // 3 for take in range(4))

    def develop(takes: Pixels, index: int) -> Pixels:
        total = np.zeros(takes.shape[1:], np.uint16)
        for step in range(8):
            total += _shift(takes[step // 2], across * step // 7, down * step // 7)
        total >>= 3
        return total.astype(np.uint8)

    return Film(exposures, develop)


def _shift(picture: Pixels, across: int, down: int) -> Pixels:
    """Return the picture moved by whole pixels, edges repeated."""
    most = max(abs(across), abs(down))
    if not most:
        return picture
    size = len(picture)
    wide = np.empty((size + 2 * most, size + 2 * most, 3), np.uint8)
    wide[most:-most, most:-most] = picture
    wide[most:-most, :most], wide[most:-most, -most:] = picture[:, :1], picture[:, -1:]
    wide[:most], wide[-most:] = wide[most], wide[-most - 1]
    return wide[most - down : most - down + size, most - across : most - across + size]


_SEQUENCY = np.array([0, 7, 3, 4, 1, 6, 2, 5])  # of the rows of the 8 x 8 Hadamard matrix
_Plane = NDArray[np.int16]


def _compression(strength: int, seed: int, size: int) -> Film:
    """Return the film of a codec: 8 x 8 blocks of luma and halved chroma, coarse after a Walsh-Hadamard transform."""
    full = -(-size // 16) * 16
    bits = _bits(1500 * strength // 1000)

    def develop(takes: Pixels, index: int) -> Pixels:
        picture = np.pad(takes[0], ((0, full - size), (0, full - size), (0, 0)), "edge") if full > size else takes[0]
        red, green, blue = (picture[:, :, channel].astype(np.int16) for channel in range(3))
        bright = (red + 2 * green + blue) >> 2
        reddish, bluish = (_double(_quantise(_halve(part - bright), bits), full) for part in (red, blue))
        bright = _quantise(bright, bits)
        out = np.empty((full, full, 3), np.uint8)
        planes = (bright + reddish, bright - ((reddish + bluish) >> 1), bright + bluish)
        for channel, plane in enumerate(planes):
            out[:, :, channel] = np.clip(plane, 0, 255)
        return out[:size, :size]

    return Film(develop=develop)


def _bits(rise: int) -> _Plane:
    """Return how many low bits each coefficient loses: more, the higher its two sequencies."""
    steps = 64 + (_SEQUENCY[:, None] + _SEQUENCY[None, :]) * rise
    return np.array([[int(step).bit_length() - 1 for step in row] for row in steps], np.int16)[:, :, None, None]


def _halve(plane: _Plane) -> _Plane:
    half = (plane[0::2, 0::2] + plane[1::2, 0::2] + plane[0::2, 1::2] + plane[1::2, 1::2]) >> 2
    ragged = -len(half) % 8
    return np.pad(half, ((0, ragged), (0, ragged)), "edge") if ragged else half


def _double(plane: _Plane, side: int) -> _Plane:
    return plane.repeat(2, 0).repeat(2, 1)[:side, :side]


def _quantise(plane: _Plane, bits: _Plane) -> _Plane:
    side = len(plane)
    blocks = plane.reshape(side // 8, 8, side // 8, 8).transpose(1, 3, 0, 2).copy()
    _hadamard(blocks)
    blocks += np.left_shift(np.int16(1), bits - 1)
    blocks >>= bits
    blocks <<= bits
    wide = blocks.astype(np.int32)
    _hadamard(wide)
    return ((wide + 32) >> 6).transpose(2, 0, 3, 1).reshape(side, side).astype(np.int16)


def _hadamard(blocks: NDArray[np.signedinteger]) -> None:
    """Apply the 8 x 8 Hadamard transform in place along the first two axes; applied twice it multiplies by 64."""
    for turned in (blocks, blocks.swapaxes(0, 1)):
        for half in (1, 2, 4):
            for low in (place for place in range(8) if not place & half):
                one, other = turned[low], turned[low + half]
                difference = one - other
                one += other
                other[:] = difference


_FILMS: dict[str, Callable[[int, int, int], Film]] = {
    "light": lru_cache(maxsize=2)(_light),
    "noise": _noise,
    "motion-blur": _motion_blur,
    "compression": _compression,
}
