"""The probe: linear features of small pictures and of their signs' hues, with a linear recogniser of frames.

It exists to show that the answer is in the pictures: whatever it gets right, it read there. It is a `frame_model` of
this design:

1. Features of a frame, reduced to 42 x 42 and to equal mean red, green and blue over its clip: principal components of
   the 21 x 21 picture, and how much of each strong hue the corner of the order's signs holds.
2. The recogniser is a multinomial logistic regression, the anticipator has one hidden layer.

Each training clip is used twice, as it is and disturbed (moved, turned, dimmed, tinted, blurred, noisy), so that a
camera or lamp that was never seen does less harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.baselines import frame_model
from harness.baselines.frame_model import Design, Floats, Pixels

SIDE = 42
SIGNS = (slice(0, 28), slice(0, 16))
"""Rows and columns of the reduced picture that the order's signs lie in."""
HUES, CHROMA = 12, 0.12
COMPONENTS, LEARNED_FROM = 80, 6_000
HIDDEN, EPOCHS = 64, 10


def reduce(frames: Pixels, side: int = SIDE) -> Pixels:
    """Return block means: uint8 [..., h, w, 3] to [..., side, side, 3]. Raises ValueError for smaller pictures."""
    height, width = frames.shape[-3:-1]
    if min(height, width) < side:
        raise ValueError(f"pictures of {width} x {height} pixels; at least {side} x {side} are needed")
    total = _block_sums(_block_sums(frames, height, side, -3), width, side, -2)
    area = (height // side) * (width // side)
    return ((total + area // 2) // area).astype(np.uint8)  # the mean, rounded half up, in integers


def _block_sums(pixels: NDArray[Any], pixel_count: int, blocks: int, axis: int) -> NDArray[np.uint32]:
    """Sum so many blocks along one axis, by adding slices: six times as fast as numpy's reduceat."""
    # where the number of blocks does not divide that of pixels, the last pixels between two blocks are left out
    begin = np.arange(blocks) * pixel_count // blocks
    total = np.take(pixels, begin, axis=axis).astype(np.uint32)
    for place in range(1, pixel_count // blocks):
        total += np.take(pixels, begin + place, axis=axis)
    return total


def disturb(frames: Pixels, random: np.random.Generator) -> Pixels:
    """Disturb one clip [n, 42, 42, 3], all its frames alike but for the noise."""
    found = _move(frames, random) if random.random() < 0.6 else frames.astype(np.float32)
    if random.random() < 0.3:  # blur: each pixel becomes the mean of a 2 x 2 block
        for axis in (1, 2):
            found += np.roll(found, 1, axis=axis)
        found *= np.float32(0.25)
    if random.random() < 0.5:
        found *= random.uniform(0.5, 1.1, 3).astype(np.float32)
    if random.random() < 0.3:
        found += random.uniform(2, 10) * random.standard_normal(found.shape, np.float32)
    return np.clip(found + 0.5, 0, 255).astype(np.uint8)


def _move(frames: Pixels, random: np.random.Generator) -> Floats:
    """Scale, turn and shift the pictures a little, as another camera would show them.

    Each pixel is fetched from its place in the old picture (inverse mapping), bilinear between four of them.
    """
    across, down = random.uniform(0.95, 1.3, 2)
    turn, shift = random.uniform(-0.1, 0.1), random.uniform(-2, 2, 2)
    middle = (SIDE - 1) / 2
    y, x = np.mgrid[:SIDE, :SIDE] - middle
    from_x = np.clip(across * (x + turn * y) + shift[0] + middle, 0, SIDE - 1.001)
    from_y = np.clip(down * (y - turn * x) + shift[1] + middle, 0, SIDE - 1.001)
    left, top = from_x.astype(int), from_y.astype(int)
    right_share, low_share = ((part - part.astype(int)).astype(np.float32)[:, :, None] for part in (from_x, from_y))
    upper = frames[:, top, left] * (1 - right_share) + frames[:, top, left + 1] * right_share
    lower = frames[:, top + 1, left] * (1 - right_share) + frames[:, top + 1, left + 1] * right_share
    return upper * (1 - low_share) + lower * low_share


def describe(frames: Pixels) -> tuple[Floats, Floats]:
    """Return of one clip [n, 42, 42, 3] its balanced pictures [n, 1323] and the hues of their signs [n, 12]."""
    balanced = frames.astype(np.float32)
    # equal mean red, green and blue over the clip (grey world), so that the lamp's tint and dimming drop out
    balanced *= 0.6 / (balanced.mean(axis=(0, 1, 2)) + 0.5)
    rows = balanced[:, 0::2] + balanced[:, 1::2]
    half: Floats = (rows[:, :, 0::2] + rows[:, :, 1::2]) * np.float32(0.25)
    return half.reshape(len(frames), -1), hues(balanced[:, *SIGNS].reshape(len(frames), -1, 3))


def hues(pixels: Floats) -> Floats:
    """Return the root of the mean strength of each hue, weak ones left out: [n, pixels, 3] -> [n, 12].

    The root keeps a sign's few pixels from vanishing beside a large coloured surface.
    """
    strength = pixels.max(axis=-1) - pixels.min(axis=-1) - CHROMA
    row, place = np.nonzero(strength > 0)
    bins = row * HUES + _sector(pixels[row, place])  # one histogram for all frames: frame and hue in one number
    total = np.bincount(bins, strength[row, place], len(pixels) * HUES)
    return np.sqrt(total.reshape(-1, HUES) / pixels.shape[1]).astype(np.float32)


def _sector(pixels: Floats) -> NDArray[np.int64]:
    """Return the part of the colour circle, 0 to 11, that each pixel [n, 3] lies in; red begins the first (HSV hue)."""
    red, green, blue = pixels.T
    most, chroma = pixels.max(axis=-1), np.ptp(pixels, axis=-1)
    after_green = np.where(most == green, 2 + (blue - red) / chroma, 4 + (red - green) / chroma)
    angle = np.where(most == red, (green - blue) / chroma % 6, after_green)
    return (angle * (HUES / 6)).astype(np.int64) % HUES


@dataclass
class Basis:
    """Principal components of pictures, and scales of hues, learned from some of the training frames."""

    middle: Floats
    components: Floats  # [1323, k], each divided by its standard deviation
    hue_middle: Floats
    hue_scale: Floats

    @classmethod
    def of(cls, pictures: Floats, strengths: Floats) -> Basis:
        """Learn from pictures [n, 1323] and hues [n, 12]."""
        middle = pictures.mean(axis=0)
        away = pictures - middle
        variance, vectors = np.linalg.eigh(away.T @ away / len(away))
        best = slice(None, -COMPONENTS - 1, -1)  # eigh sorts by rising variance: the last ones, backwards
        scaled = vectors[:, best] / np.sqrt(np.maximum(variance[best], 1e-8))
        spread = strengths.std(axis=0) + 1e-3
        return cls(middle, scaled.astype(np.float32), strengths.mean(axis=0), spread)

    def features(self, pictures: Floats, strengths: Floats) -> Floats:
        """Return features [n, 80 + 12] of unit variance of pictures [n, 1323] and hues [n, 12]."""
        return np.hstack([(pictures - self.middle) @ self.components, (strengths - self.hue_middle) / self.hue_scale])


def learn(small: Sequence[Pixels], random: np.random.Generator) -> Callable[[Pixels], Floats]:
    """Learn the features' basis from some training clips, disturbed."""
    chosen = random.permutation(len(small))[: LEARNED_FROM // len(small[0])]
    pictures, strengths = zip(*(describe(disturb(small[place], random)) for place in chosen), strict=True)
    basis = Basis.of(np.concatenate(pictures), np.concatenate(strengths))
    return lambda frames: basis.features(*describe(frames))


def _recogniser(seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=0.1, max_iter=60)


def _anticipator(seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((HIDDEN,), alpha=1.0, max_iter=EPOCHS, n_iter_no_change=EPOCHS, random_state=seed)


PROBE = Design(reduce, learn, _recogniser, _anticipator, disturb)


train = partial(frame_model.train, PROBE)
"""Train the probe: `frame_model.train` of its design."""
