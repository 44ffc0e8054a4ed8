"""Convert frames to patches, the input of the vision tower: Qwen-VL's layout.

The processors of transformers need torchvision even for images; this is their arithmetic. A patch is [channel, time,
row, column] of `patch_size` squared pixels in two frames; the patches that are merged into one token are adjacent.
Frames must have sides that are multiples of patch x merge: they are rendered in that size, nothing is resized here.

A clip's frames travel to the model as bytes, a quarter of what its patches take, and become patches there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
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
    grid, shown = patch_grid(frames, base, as_video=as_video), whole_pairs(frames, as_video=as_video)
    return Patches(patch_values(torch.from_numpy(shown), base, as_video=as_video).numpy(), grid)


def patch_grid(frames: NDArray[np.uint8], base: Base, *, as_video: bool) -> list[tuple[int, int, int]]:
    """Return (t, h, w) of each video or image in patches. Raises UsageError for sides that do not fit the base."""
    patch, merge = base.vision["patch_size"], base.vision["spatial_merge_size"]
    count, height, width = frames.shape[:3]
    if height % (patch * merge) or width % (patch * merge):
        raise UsageError(f"frames of {width} x {height}: {base.id} needs sides that are multiples of {patch * merge}")
    rows, columns = height // patch, width // patch
    return [(-(-count // 2), rows, columns)] if as_video else [(1, rows, columns)] * count


def whole_pairs(frames: NDArray[np.uint8], *, as_video: bool) -> NDArray[np.uint8]:
    """Return frames [n, h, w, 3] as they are, an odd last frame of a video twice."""
    return np.concatenate([frames, frames[-1:]]) if as_video and len(frames) % 2 else frames


def patch_values(frames: torch.Tensor, base: Base, *, as_video: bool) -> torch.Tensor:
    """Return the patches [t * h * w, 3 * 2 * patch * patch] in fp32 of frames [n, h, w, 3] in bytes, on their device.

    Frames of several clips follow each other; those of a video are whole pairs.
    """
    patch, merge = base.vision["patch_size"], base.vision["spatial_merge_size"]
    scale, shift = _pixel_scale(base.mean, base.std, frames.device)
    pixels = frames * scale - shift
    # The tower's first convolution spans two frames, so an image is doubled.
    pairs = pixels.unflatten(0, (-1, 2)) if as_video else pixels[:, None].expand(-1, 2, -1, -1, -1)
    times, _, height, width, _ = pairs.shape
    # Axes: 0 pair, 1 frame of the pair, 2 block row, 3 patch row in its block, 4 pixel row, 5 block column, 6 patch
    # column in its block, 7 pixel column, 8 channel. A block of merge x merge patches becomes one token, so its patches
    # come one after another; inside a patch the order is channel, frame, row, column, that of the convolution.
    rows, columns = height // (patch * merge), width // (patch * merge)
    blocks = pairs.reshape(times, 2, rows, merge, patch, columns, merge, patch, 3)
    return blocks.permute(0, 2, 5, 3, 6, 8, 1, 4, 7).reshape(times * rows * columns * merge * merge, -1)


@lru_cache
def _pixel_scale(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return factor and offset [3] that turn bytes into a base's pixel values; kept on the device."""
    scale, shift = 1 / (255 * np.array(std)), np.array(mean) / np.array(std)
    return tuple(torch.from_numpy(one.astype(np.float32)).to(device) for one in (scale, shift))


def count_tokens(grid: tuple[int, int, int], base: Base) -> int:
    """Return the number of placeholder tokens that a video or image of this grid takes in the text."""
    times, rows, columns = grid
    return times * rows * columns // base.vision["spatial_merge_size"] ** 2
