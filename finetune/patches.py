"""Frames -> what the vision tower reads: the Qwen-VL patch layout, in numpy.

The processors of transformers need torchvision even for pictures; this is their arithmetic. A patch is [channel, time,
row, column] of `patch_size` squared pixels in two frames; patches of one merged token stand together. Frames must have
sides that are multiples of patch x merge: renderings are made to measure, nothing is resized here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finetune.base_models import Base
from harness.errors import UsageError


class Patches(NamedTuple):
    """`values` float32 [t * h * w, channels * 2 * patch * patch]; `grid` the (t, h, w) of each video or image."""

    values: NDArray[np.float32]
    grid: list[tuple[int, int, int]]


def patches(frames: NDArray[np.uint8], base: Base, *, as_video: bool) -> Patches:
    """Of one clip [n, h, w, 3]: one video of pairs of frames (an odd last one doubled), or n images, each doubled."""
    patch, merge = base.vision["patch_size"], base.vision["spatial_merge_size"]
    height, width = frames.shape[1:3]
    if height % (patch * merge) or width % (patch * merge):
        raise UsageError(f"frames of {width} x {height}: {base.id} needs sides that are multiples of {patch * merge}")
    scale, shift = 1 / (255 * np.array(base.std)), np.array(base.mean) / np.array(base.std)
    pixels = frames * scale.astype(np.float32) - shift.astype(np.float32)
    if not as_video:
        pixels = np.repeat(pixels, 2, axis=0)
    elif len(pixels) % 2:
        pixels = np.concatenate([pixels, pixels[-1:]])
    times, rows, columns = len(pixels) // 2, height // patch, width // patch
    blocks = pixels.reshape(times, 2, rows // merge, merge, patch, columns // merge, merge, patch, 3)
    values = blocks.transpose(0, 2, 5, 3, 6, 8, 1, 4, 7).reshape(times * rows * columns, -1)
    grid = [(times, rows, columns)] if as_video else [(1, rows, columns)] * times
    return Patches(np.ascontiguousarray(values, np.float32), grid)


def tokens_of(grid: tuple[int, int, int], base: Base) -> int:
    """Placeholders that a video or image of this grid takes in the text."""
    times, rows, columns = grid
    return times * rows * columns // base.vision["spatial_merge_size"] ** 2
