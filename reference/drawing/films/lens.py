"""Lens: a camera that bends straight lines, stands askew, and is dark towards its edge; one a session.

Each pixel of the picture looks up one place of the undistorted one, between four of its pixels. The places are found
once a session; the weights of the four hold the darkness, so that a frame is four look-ups and one sum.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reference.drawing.films.film import Film, Pixels, draws
from reference.randomness import session_seed

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

FINE = 8
"""Places between two pixels."""
BRIGHT = 64
"""Weights of a pixel that is not darkened sum to FINE * FINE * BRIGHT, 12 bits."""
LANE = 20
"""Bits of a channel in a word that holds all three: 8 of the colour and 12 of the weights."""
INSIDE = 0.92
"""All of the scene but this margin stays in the picture, because the signs must."""


class Lookup(NamedTuple):
    """Where each pixel of a picture looks: the upper left one of four pixels, flat [n], and their weights [4, n]."""

    place: NDArray[np.intp]
    weights: tuple[Words, ...]


def lens(strength: int, seed: int, size: int) -> Film:
    """Return the film of the session's lens."""
    found = _lookup(strength, session_seed(seed), size)

    def develop(takes: Pixels, index: int) -> Pixels:
        flat = takes[0].reshape(-1, 3).astype(np.uint64)
        words = flat[:, 0] | flat[:, 1] << np.uint64(LANE) | flat[:, 2] << np.uint64(2 * LANE)
        total = np.zeros(size * size, np.uint64)
        for first, weight in zip((0, 1, size, size + 1), found.weights, strict=True):
            total += words[first:].take(found.place, mode="clip") * weight
        out = np.empty((size * size, 3), np.uint8)
        for channel in range(3):
            out[:, channel] = total >> np.uint64(LANE * channel + 12) & np.uint64(255)
        return out.reshape(size, size, 3)

    return Film(develop=develop)


class _Shape(NamedTuple):
    """Shape of a lens: the distortion's centre in [-1, 1], its bend, the turn as sine and cosine, its darkness."""

    x: float
    y: float
    bend: float  # above 0 like a barrel, below 0 like a pincushion
    sine: float
    cosine: float
    dark: float

    def source(self, u: Floats, v: Floats, zoom: float) -> tuple[Floats, Floats, Floats]:
        """Return where places of the picture look, all in [-1, 1], and their squared distance from the centre."""
        across, down = u - self.x, v - self.y
        square = across * across + down * down
        stretch = 1.0 + self.bend * square if self.bend > 0 else 1.0 / (1.0 - self.bend * square)
        across, down = across * stretch * zoom, down * stretch * zoom
        x = self.x + self.cosine * across - self.sine * down
        return x, self.y + self.sine * across + self.cosine * down, square


def _shape(strength: int, session: int) -> _Shape:
    draw, most = draws(session), strength / 1000
    x, y = 0.5 * most * (draw() - 0.5), 0.5 * most * (draw() - 0.5)
    bend = most * (0.40 + 0.35 * draw()) if draw() < 0.6 else -most * (0.12 + 0.08 * draw())
    half = most * (0.10 + 0.09 * draw()) * (1 if draw() < 0.5 else -1)  # tangent of half the turn: 11 to 22 degrees
    sine, cosine = 2 * half / (1 + half * half), (1 - half * half) / (1 + half * half)
    return _Shape(x, y, bend, sine, cosine, most * (0.55 + 0.35 * draw()))


def _zoom(shape: _Shape) -> float:
    """Return the least zoom at which the picture's border looks past all that must stay inside."""
    run = np.arange(-64, 65) / 64
    edge = np.ones_like(run)
    u, v = np.concatenate((run, run, edge, -edge)), np.concatenate((edge, -edge, run, run))
    for step in range(50, 200):
        x, y, _ = shape.source(u, v, step / 100)
        if (np.maximum(np.abs(x), np.abs(y)) >= INSIDE).all():
            return step / 100
    raise AssertionError("no lens is that strong")


@lru_cache(maxsize=2)
def _lookup(strength: int, session: int, size: int) -> Lookup:
    shape = _shape(strength, session)
    middle = (np.arange(size) * 2 + 1) / size - 1
    x, y, square = shape.source(middle[None, :], middle[:, None], _zoom(shape))
    light = np.maximum(1.0 - shape.dark * square * square / 2, 0.12)
    light = np.where(np.maximum(np.abs(x), np.abs(y)) < 1.0, light, 0.0)
    bright = np.floor(light * BRIGHT + 0.5).astype(np.int64)
    column, right = _between(x, size)
    row, low = _between(y, size)
    shares = ((FINE - low) * (FINE - right), (FINE - low) * right, low * (FINE - right), low * right)
    weights = tuple((share * bright).ravel().astype(np.uint64) for share in shares)
    return Lookup((row * size + column).ravel().astype(np.intp), weights)


def _between(place: Floats, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pixel before a place in [-1, 1], and how far behind it the place is, in 1 / FINE."""
    fine = np.floor(((place + 1) * size / 2 - 0.5) * FINE + 0.5).astype(np.int64)
    fine = np.clip(fine, 0, (size - 1) * FINE - 1)
    return fine // FINE, fine % FINE
