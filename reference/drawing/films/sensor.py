"""Sensor: what a cheap camera does to a picture, one of noise, motion blur and compression a session."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reference.drawing.films.film import Film, Pixels, draws
from reference.randomness import session_seed

_WORD = (1 << 64) - 1
BLOTCHES, ROWS = 42, 84
"""Blotches of noise along a side of a picture, and its uneven rows. Finer grain makes files three times as large."""


def sensor(strength: int, seed: int, size: int) -> Film:
    """Return the film of the session's camera: noise, motion blur or compression."""
    kinds = (noise, motion_blur, compression)
    return kinds[int(draws(session_seed(seed))() * len(kinds))](strength, seed, size)


def noise(strength: int, seed: int, size: int) -> Film:
    """Return the film of a small sensor in the dark: blotches of wrong colour, rows brighter or darker than others."""
    wide, high = max(1, size // BLOTCHES), max(1, size // ROWS)
    cells, rows = -(-size // wide), -(-size // high)
    count = 3 * cells * cells + rows

    def develop(takes: Pixels, index: int) -> Pixels:
        words = np.random.Philox(key=(seed & _WORD) ^ index).random_raw((2 * count + 7) // 8)
        grain = words.view(np.uint8)[: 2 * count].reshape(2, count).astype(np.int32)
        drawn = (grain[0] + grain[1] - 255) * strength // 1000  # the sum of two bytes: peaked at 0
        blotches = (drawn[rows:].reshape(cells, cells, 3) * 30 >> 8).astype(np.int16)
        wrong = blotches.repeat(wide, 0).repeat(wide, 1)[:size, :size]
        wrong += (drawn[:rows] * 30 >> 8).astype(np.int16).repeat(high)[:size, None, None]
        wrong += takes[0]
        return np.clip(wrong, 0, 255).astype(np.uint8)

    return Film(develop=develop)


def motion_blur(strength: int, seed: int, size: int) -> Film:
    """Return the film of a long exposure with a shaking hand: four takes, moved along one line in eight steps."""
    draw = draws(seed)
    reach = 10 * strength * size // (1000 * 336)
    far, aside = int((0.6 + 0.4 * draw()) * reach), int((draw() * 2 - 1) * reach)
    across, down = (far, aside) if draw() < 0.5 else (aside, far)
    exposures = tuple(240 * strength // 1000 * take // 3 for take in range(4))

    def develop(takes: Pixels, index: int) -> Pixels:
        total = np.zeros(takes.shape[1:], np.uint16)
        for step in range(8):
            total += _shift(takes[step // 2], across * step // 7, down * step // 7)
        total >>= 3
        return total.astype(np.uint8)

    return Film(lambda index: exposures, develop)


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


def compression(strength: int, seed: int, size: int) -> Film:
    """Return the film of a codec: 8 x 8 blocks of luma and halved chroma, coarse after a Walsh-Hadamard transform."""
    full = -(-size // 16) * 16
    bits = _bits(420 * strength // 1000)

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
