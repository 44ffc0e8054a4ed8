"""Augmentation for training, in numpy integers: equal (seed, epoch, clip id) give equal bytes on every machine.

Pictures: random crop, colour jitter, Gaussian blur, noise, frames interpolated between the sampled ones. Time: a shift
that moves the truth along. All frames of a clip get the same treatment, noise aside.

A shift by d moves the content d frames later: frame f shows what was frame f - d, and beyond an edge the edge's frame
is repeated. The truth moves along. It stays the truth by the task's definitions where that is certain from the segment
alone: it still has most of the clip's frames, or it lost none and the repeated frames are its own. `shifts` lists
those. A next operation that was on screen stays there, one that was not stays off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference.randomness import digest, stream
from reference.rendering.prompt import prompt_of_frames, task_prompt, times_s
from reference.task import CLIP_FRAMES

Pixels = NDArray[np.uint8]
MAJORITY = CLIP_FRAMES // 2 + 1


@dataclass(frozen=True)
class Augmentation:
    """Strength of each augmentation; 0 is none.

    Shares and percentages are upper ends, drawn for each clip and epoch.
    """

    crop_percent: int = 12  # of the side, cut away
    colour_percent: int = 20  # brightness, contrast and saturation, up or down
    blur: int = 2  # passes of the binomial kernel 1 4 6 4 1
    noise: int = 6  # standard deviation in grey levels, about
    interpolate: bool = False  # a frame between each two sampled ones
    shift: int = 8  # frames of temporal jitter, where the pictures are videos
    seed: int = 0

    def draw_shift(self, epoch: int, clip_id: str, truth: Mapping[str, Any]) -> int:
        """Return the temporal jitter of a clip in frames: one of the shifts that keep its truth certain."""
        segment = truth["temporal_segment"]
        allowed = shifts(segment["start_frame"], segment["end_frame"], self.shift)
        share = stream(str(self.seed).encode(), "shift", epoch, clip_id).random()
        return allowed[int(share * len(allowed))]

    def __call__(self, sample: Mapping[str, Any], epoch: int, operations: Sequence[str]) -> dict[str, Any]:
        """Return a sample of `reference.training.datasets` with other pictures; added frames get times and a prompt."""
        share = stream(str(self.seed).encode(), "picture", epoch, sample["clip_id"]).random
        frames = crop(sample["frames"], int(share() * (self.crop_percent + 1)), share(), share())
        spread = [100 + int((2 * share() - 1) * self.colour_percent) for _ in range(3)]
        frames = colour(frames, *spread)
        frames = blur(frames, int(share() * (self.blur + 1)))
        key = digest(str(self.seed).encode(), "noise", epoch, sample["clip_id"])
        frames = noise(frames, int(share() * (self.noise + 1)), key)
        if not self.interpolate:
            return {**sample, "frames": frames}
        frames, indices = interpolate_frames(frames, sample["indices"])
        shown = indices.tolist()
        return {
            **sample,
            "frames": frames,
            "indices": indices,
            "times": np.array(times_s(shown)),
            "prompt": prompt_of_frames(sample["prompt"], shown) or task_prompt(operations, shown),
        }


def crop(frames: Pixels, percent: int, down: float, right: float) -> Pixels:
    """Cut `percent` of the height and width away, at a place given by two shares, and scale back (bilinear)."""
    height, width = frames.shape[1:3]
    tall, wide = (side - side * percent // 100 for side in (height, width))
    top, left = int(down * (height - tall + 1)), int(right * (width - wide + 1))
    part = frames[:, top : top + tall, left : left + wide].astype(np.int32)
    rows = _resize(part, height, axis=1)
    return _resize(rows, width, axis=2).astype(np.uint8)


def _resize(pictures: NDArray[np.int32], size: int, axis: int) -> NDArray[np.int32]:
    """Return the pictures scaled to `size` along an axis; weights in 1/256."""
    old = pictures.shape[axis]
    place = np.arange(size, dtype=np.int64) * (old - 1) * 256 // max(1, size - 1)
    low = place // 256
    shape = [1] * pictures.ndim
    shape[axis] = size
    weight = (place % 256).reshape(shape).astype(np.int32)
    near, far = (np.take(pictures, index, axis=axis) for index in (low, np.minimum(low + 1, old - 1)))
    return (near * (256 - weight) + far * weight + 128) >> 8


def colour(frames: Pixels, brightness: int, contrast: int, saturation: int) -> Pixels:
    """Change brightness, contrast and saturation, each in per cent of its value."""
    pixels = frames.astype(np.int32) * brightness // 100
    pixels = 128 + (pixels - 128) * contrast // 100
    grey = ((pixels @ np.array([77, 150, 29], np.int32)) >> 8)[..., None]
    return np.clip(grey + (pixels - grey) * saturation // 100, 0, 255).astype(np.uint8)


def blur(frames: Pixels, passes: int) -> Pixels:
    """Convolve with the binomial kernel 1 4 6 4 1 along both axes, `passes` times; its variance is `passes`."""
    pixels = frames.astype(np.int32)
    for axis in [1, 2] * passes:
        around = [_move(pixels, step, axis) for step in (-2, -1, 0, 1, 2)]
        pixels = (around[0] + around[4] + 4 * (around[1] + around[3]) + 6 * around[2] + 8) >> 4
    return pixels.astype(np.uint8)


def _move(pictures: NDArray[np.int32], step: int, axis: int) -> NDArray[np.int32]:
    """Return the pictures moved by `step` pixels along an axis, edges repeated."""
    size = pictures.shape[axis]
    return np.take(pictures, np.clip(np.arange(size) + step, 0, size - 1), axis=axis)


def noise(frames: Pixels, strength: int, key: bytes) -> Pixels:
    """Add near-Gaussian grain of `strength` grey levels: sums of four bytes of raw PRNG words, of deviation 148."""
    if not strength:
        return frames
    words = np.random.Philox(key=int.from_bytes(key[:16], "big")).random_raw((frames.size + 1) // 2)
    grain = words.astype("<u8").view(np.uint8)[: 4 * frames.size].reshape(*frames.shape, 4).sum(axis=-1, dtype=np.int32)
    return np.clip(frames.astype(np.int32) + (grain - 510) * strength // 148, 0, 255).astype(np.uint8)


def interpolate_frames(frames: Pixels, indices: Sequence[int]) -> tuple[Pixels, NDArray[np.int64]]:
    """Add a frame halfway between each two sampled ones that are apart, blended by distance."""
    found, places = [frames[0]], [int(indices[0])]
    for number, (before, after) in enumerate(pairwise(map(int, indices))):
        middle = (before + after) // 2
        if middle > before:
            weights = after - middle, middle - before
            mixed = frames[number].astype(np.int32) * weights[0] + frames[number + 1].astype(np.int32) * weights[1]
            found.append((mixed // (after - before)).astype(np.uint8))
            places.append(middle)
        found.append(frames[number + 1])
        places.append(after)
    return np.stack(found), np.array(places)


def shifts(start: int, end: int, most: int) -> list[int]:
    """Return the shifts of at most `most` frames after which the moved segment is certainly the truth."""
    return [shift for shift in range(-most, most + 1) if _certain(start, end, shift)]


def _certain(start: int, end: int, shift: int) -> bool:
    low, high = shift_segment(start, end, shift)
    if high - low < 1 or (end < CLIP_FRAMES) != (high < CLIP_FRAMES):
        return False
    held = shift == 0 or (start == 0 if shift > 0 else end == CLIP_FRAMES)
    return high - low >= MAJORITY or (held and high - low >= end - start)


def shift_segment(start: int, end: int, shift: int) -> tuple[int, int]:
    """Return the segment after a shift, cut to the clip; at an edge with repeated frames it grows."""
    low = 0 if start == 0 and shift > 0 else start + shift
    high = CLIP_FRAMES if end == CLIP_FRAMES and shift < 0 else end + shift
    return max(0, low), min(CLIP_FRAMES, high)


def source_frames(indices: Sequence[int], shift: int) -> list[int]:
    """Return the frames of the unshifted clip that stand at `indices` after a shift."""
    return [min(CLIP_FRAMES - 1, max(0, int(index) - shift)) for index in indices]


def shift_truth(truth: Mapping[str, Any], shift: int) -> dict[str, Any]:
    """Return the truth after a shift that `shifts` lists."""
    segment = truth["temporal_segment"]
    low, high = shift_segment(segment["start_frame"], segment["end_frame"], shift)
    return {**truth, "temporal_segment": {"start_frame": low, "end_frame": high}}
