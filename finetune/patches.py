"""Convert frames to patches, the input of the vision tower: Qwen-VL's layout, in numpy.

The processors of transformers need torchvision even for images; this is their arithmetic. A patch is [channel, time,
row, column] of `patch_size` squared pixels in two frames; the patches that are merged into one token are adjacent.
Frames must have sides that are multiples of patch x merge: they are rendered in that size, nothing is resized here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from finetune.base_models import Base
from harness.errors import UsageError


class Patches(NamedTuple):
    """Patches of a clip."""

    values: NDArray[np.float32]  # [t * h * w, 3 * 2 * patch * patch]
    grid: list[tuple[int, int, int]]  # (t, h, w) of each video or image


def patchify(frames: NDArray[np.uint8], base: Base, *, as_video: bool) -> Patches:
    """Return the patches of a clip's frames [n, h, w, 3].

    As video they form one grid of ceil(n / 2) pairs of frames, as images n grids. Raises UsageError if a side is no
    multiple of patch x merge.
    """
    patch, merge = base.vision["patch_size"], base.vision["spatial_merge_size"]
    height, width = frames.shape[1:3]
    if height % (patch * merge) or width % (patch * merge):
        raise UsageError(f"frames of {width} x {height}: {base.id} needs sides that are multiples of {patch * merge}")
    scale, shift = 1 / (255 * np.array(base.std)), np.array(base.mean) / np.array(base.std)
    pixels = frames * scale.astype(np.float32) - shift.astype(np.float32)
    # The tower's first convolution spans two frames, so an image and an odd last frame of a video are doubled.
    if not as_video:
        pixels = np.repeat(pixels, 2, axis=0)
    elif len(pixels) % 2:
        pixels = np.concatenate([pixels, pixels[-1:]])
    times, rows, columns = len(pixels) // 2, height // patch, width // patch
    # Axes: 0 pair, 1 frame of the pair, 2 block row, 3 patch row in its block, 4 pixel row, 5 block column, 6 patch
    # column in its block, 7 pixel column, 8 channel. A block of merge x merge patches becomes one token, so its patches
    # come one after another; inside a patch the order is channel, frame, row, column, that of the convolution.
    blocks = pixels.reshape(times, 2, rows // merge, merge, patch, columns // merge, merge, patch, 3)
    values = blocks.transpose(0, 2, 5, 3, 6, 8, 1, 4, 7).reshape(times * rows * columns, -1)
    grid = [(times, rows, columns)] if as_video else [(1, rows, columns)] * times
    return Patches(np.ascontiguousarray(values, np.float32), grid)


def count_tokens(grid: tuple[int, int, int], base: Base) -> int:
    """Return the number of placeholder tokens that a video or image of this grid takes in the text."""
    times, rows, columns = grid
    return times * rows * columns // base.vision["spatial_merge_size"] ** 2
