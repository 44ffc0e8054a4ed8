"""Samplers: functions from low-resolution luma to the indices of the frames that a model sees.

`luma` is an integer array [frames, h, w]; the answer is n sorted, different indices in [0, frames). Everything is
integer arithmetic with ties broken by the earlier frame, so equal pictures give equal indices on every processor.

uniform    floor(linspace(0, frames - 1, n)): does not depend on the pictures
motion     equal shares of the summed frame difference: many frames where much moves (a still clip gives even spacing)
entropy    the frames whose brightness is most spread out, at least a little apart; ranked by the collision (Renyi-2)
           entropy -log2 sum p^2 of 32 grey levels, whose order is that of the integer sum of squares
boundary   half of them uniform, the others in pairs just before and after the sharpest changes between the mean
           pictures of half a second before and after
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Luma = NDArray[Any]
Sampler = Callable[[Luma, int], tuple[int, ...]]

LUMA_SIDE = 42
"""Samplers look at pictures of about this size."""
LEVELS = 32
WINDOW = 12  # frames: about half a second


def uniform_indices(frames: int, n: int) -> tuple[int, ...]:
    """Return floor(linspace(0, frames - 1, n)), in integers. Raises ValueError for more indices than frames."""
    if not 1 <= n <= frames:
        raise ValueError(f"{n} different frames of {frames} cannot be chosen")
    return tuple(place * (frames - 1) // max(1, n - 1) for place in range(n))


def uniform(luma: Luma, n: int) -> tuple[int, ...]:
    """Return n evenly spaced frames, both ends among them."""
    return uniform_indices(len(luma), n)


def motion(luma: Luma, n: int) -> tuple[int, ...]:
    """Return the frames at which the summed difference reaches (2 i + 1) / 2n of its total."""
    uniform_indices(len(luma), n)
    change = differences(luma)
    # An eighth of the summed difference is added, spread evenly: still stretches get frames too, and a clip without
    # any motion gets even spacing. Multiplied by the number of frames, the shares stay integers.
    change = change * len(luma) + max(1, int(change.sum()) // 8)
    reached = np.cumsum(change)
    wanted = (2 * np.arange(n) + 1) * reached[-1]
    return _make_distinct(np.searchsorted(2 * n * reached, wanted).tolist(), len(luma))


def entropy(luma: Luma, n: int) -> tuple[int, ...]:
    """Return the n highest-ranked frames of which no two are nearer than a third of the even spacing."""
    uniform_indices(len(luma), n)
    grey = (luma.reshape(len(luma), -1) // (256 // LEVELS)).astype(np.int64)
    offset = np.arange(len(luma))[:, None] * LEVELS
    counts = np.bincount((grey + offset).ravel(), minlength=len(luma) * LEVELS).reshape(len(luma), LEVELS)
    # The smaller sum p^2 is, the larger the entropy; all frames have equally many pixels, so counts rank like p.
    ranked = np.argsort((counts * counts).sum(axis=1), kind="stable")
    return _spaced(ranked.tolist(), n, gap=max(1, len(luma) // (3 * n)))


def boundary(luma: Luma, n: int) -> tuple[int, ...]:
    """Return half the frames uniform, the others in pairs before and after the sharpest changes."""
    frames = len(luma)
    chosen = dict.fromkeys(uniform_indices(frames, n)[:: max(1, n - 1)] if n < 4 else uniform_indices(frames, n // 2))
    sharpness = changes(luma)
    peaks = np.argsort(-sharpness, kind="stable").tolist()
    # A peak is the first frame of the new picture: it and the one before show both sides of the change.
    for peak in _spaced(peaks, min(n, frames // WINDOW), gap=WINDOW // 2, in_order=False):
        for index in (peak, peak - 1):
            if len(chosen) < n and 0 <= index < frames:
                chosen[index] = None
    return _make_distinct(list(chosen) + list(uniform_indices(frames, n))[len(chosen) :], frames)


SAMPLERS: dict[str, Sampler] = {"uniform": uniform, "motion": motion, "entropy": entropy, "boundary": boundary}


def differences(luma: Luma) -> NDArray[np.int64]:
    """Return [frames]: the summed absolute difference to the frame before; 0 for the first."""
    flat = luma.reshape(len(luma), -1).astype(np.int32)
    return np.concatenate([[0], np.abs(np.diff(flat, axis=0)).sum(axis=1, dtype=np.int64)])


def changes(luma: Luma) -> NDArray[np.int64]:
    """Return [frames]: how much the mean picture of the WINDOW frames from here on differs from the WINDOW before."""
    frames = len(luma)
    total = np.cumsum(luma.reshape(frames, -1), axis=0, dtype=np.int64)
    total = np.concatenate([np.zeros_like(total[:1]), total])
    sharpness = np.zeros(frames, np.int64)
    for index in range(1, frames):
        wide = min(WINDOW, index, frames - index)  # equally many frames on both sides, fewer near the ends
        before, after = total[index] - total[index - wide], total[index + wide] - total[index]
        sharpness[index] = int(np.abs(after - before).sum()) // wide
    return sharpness


def luma_of(rgb: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return luma [n, h, w] of RGB pictures by the integer weights 77, 150, 29 of 256, reduced to about LUMA_SIDE."""
    weighted = rgb.astype(np.int32) @ np.array([77, 150, 29], np.int32)
    return reduce_luma(weighted >> 8)


def reduce_luma(luma: Luma) -> NDArray[np.int32]:
    """Return block means, so that the shorter side has about LUMA_SIDE pixels; a remainder at the edges is cut."""
    block = max(1, min(luma.shape[-2:]) // LUMA_SIDE)
    height, width = (side // block * block for side in luma.shape[-2:])
    wide = np.uint16 if block <= 16 else np.uint32  # sums of block * block bytes fit
    rows = _sum([luma[..., start:height:block, :width] for start in range(block)], wide)
    total = _sum([rows[..., start::block] for start in range(block)], wide)
    return (total // (block * block)).astype(np.int32)


def _sum(parts: list[Luma], wide: type) -> Luma:
    """Return the sum of the parts; eight times as fast as a sum over an axis of a reshaped array."""
    total: Luma = parts[0].astype(wide)
    for part in parts[1:]:
        total += part.astype(wide)
    return total


def _make_distinct(indices: Iterable[int], frames: int) -> tuple[int, ...]:
    """Return sorted, different indices: a repeated one moves to the nearest free frame, the earlier of two."""
    taken: set[int] = set()
    for index in indices:
        near = range(frames) if index in taken else (index,)
        taken.add(min((other for other in near if other not in taken), key=lambda other: (abs(other - index), other)))
    return tuple(sorted(taken))


def _spaced(ranked: Iterable[int], n: int, gap: int, in_order: bool = True) -> tuple[int, ...]:
    """Return the first n of `ranked` that are at least `gap` from one another; sorted, or by rank."""
    chosen: list[int] = []
    for index in ranked:
        if len(chosen) < n and all(abs(index - other) >= gap for other in chosen):
            chosen.append(index)
    return tuple(sorted(chosen)) if in_order else tuple(chosen)
