"""Positions, windows and places of a batch, computed on the host from its shapes.

transformers computes them inside the model, where each count and each mask that it reads waits for the card. A batch's
token types and grids are known on the host, so all of it is known there before the pass begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.utils.generic import is_flash_attention_requested
from transformers.vision_utils import (
    get_vision_attention_seqlens,
    get_vision_interpolation_indices_and_weights,
    get_vision_position_ids,
    get_vision_window_index,
)

from finetune.base_models import Base
from finetune.data import IGNORED

ON_HOST = ("attention_mask", "mm_token_type_ids", "image_grid_thw", "video_grid_thw", "second_per_grid_ts", "labels",
           "inside", "weights", "digests")  # fmt: skip
"""Parts of a batch that the model reads as numbers; the others are computed with."""


def lay_out(batch: Mapping[str, torch.Tensor], base: Base, shape: Any) -> dict[str, torch.Tensor]:
    """Return what a pass needs beside the tensors of a batch, on the host.

    `positions` [3, b, length]; `places` of the vision tokens among all b x length tokens. Of a training batch also
    `answered`, the places of the states that predict answer tokens, and for each of them `targets`, `target_weights`
    and `target_inside`. `shape` is the transformers config of the model.
    """
    laid_out = {}
    if "mm_token_type_ids" in batch:
        laid_out["positions"] = torch.from_numpy(token_positions(batch, base, shape))
        laid_out["places"] = (batch["mm_token_type_ids"].cpu().flatten() > 0).nonzero().flatten()
    if "labels" in batch:
        # The state at a position predicts the token after it: labels are shifted by one.
        labels = torch.nn.functional.pad(batch["labels"][:, 1:], (0, 1), value=IGNORED).flatten()
        places = (labels != IGNORED).nonzero().flatten()
        after = places + 1
        laid_out |= {
            "answered": places,
            "targets": labels[places],
            "target_weights": batch["weights"].flatten()[after],
            "target_inside": batch["inside"].flatten()[after],
        }
    return laid_out


def token_positions(batch: Mapping[str, torch.Tensor], base: Base, shape: Any) -> NDArray[np.int64]:
    """Return positions [3, b, length] in time, height and width, as transformers' `get_rope_index` does; 0 for padding.

    Text goes on one by one; a video or image spans its grid, and the text after it goes on from its larger side.
    """
    kinds, mask = batch["mm_token_type_ids"].cpu().numpy(), batch["attention_mask"].cpu().numpy().astype(bool)
    merge = shape.vision_config.spatial_merge_size
    grids = {kind: _grids(batch, name, base) for kind, name in ((1, "image_grid_thw"), (2, "video_grid_thw"))}
    intervals = iter(_intervals(batch, base, shape))
    positions = np.zeros((3, *kinds.shape), np.int64)
    for row, (kind, filled) in enumerate(zip(kinds, mask, strict=True)):
        positions[:, row, filled] = _row_positions(kind[filled], grids, intervals, merge)
    return positions


def _grids(batch: Mapping[str, torch.Tensor], name: str, base: Base) -> Iterator[tuple[int, int, int]]:
    """Yield the grids of a batch's images or videos; pairs of frames one by one where a base has them apart."""
    for time, height, width in batch[name].tolist() if name in batch else []:
        apart = name == "video_grid_thw" and base.pairs_apart
        yield from [(1, height, width)] * time if apart else [(time, height, width)]


def _intervals(batch: Mapping[str, torch.Tensor], base: Base, shape: Any) -> list[Any]:
    """Return the distance in time between the pairs of each video, 1 where positions do not scale with seconds."""
    if not base.seconds_in_positions or "second_per_grid_ts" not in batch:
        return [1] * (1 << 16)
    return list(np.float32(shape.vision_config.tokens_per_second) * batch["second_per_grid_ts"].cpu().numpy())


def _row_positions(
    kinds: NDArray[Any], grids: Mapping[int, Iterator[tuple[int, int, int]]], intervals: Iterator[Any], merge: int
) -> NDArray[np.int64]:
    """Return the positions [3, n] of one row's tokens."""
    borders = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
    parts, begin = [], 0
    for first, end in pairwise(borders):
        kind = int(kinds[first])
        if kind == 0:
            parts.append(np.tile(np.arange(begin, begin + end - first), (3, 1)))
            begin += end - first
            continue
        time, height, width = next(grids[kind])
        interval = next(intervals) if kind == 2 else 1
        times = (np.arange(time).astype(np.float32) * np.float32(interval)).astype(np.int64)
        grid = np.meshgrid(times, np.arange(height // merge), np.arange(width // merge), indexing="ij")
        parts.append(np.stack(grid).reshape(3, -1) + begin)
        begin += max(height, width) // merge
    return np.concatenate(parts, axis=1)


def tower_geometry(visual: Any, grid: torch.Tensor, device: torch.device) -> dict[str, Any]:
    """Return the arguments that a vision tower would otherwise compute from its grids [n, 3], which lie on the host.

    Positions and orders are on the device; the ends of windows stay on the host, where attention reads them.
    """
    shape, merge = visual.config, visual.spatial_merge_size
    found: dict[str, Any] = {"position_ids": get_vision_position_ids(grid, merge).to(device)}
    found["cu_seqlens"], found["max_seqlen"] = get_vision_attention_seqlens(grid, shape)
    if hasattr(visual, "window_size"):
        order, ends = get_vision_window_index(
            grid, spatial_merge_size=merge, window_size=visual.window_size, patch_size=visual.patch_size
        )
        found |= {"window_index": order.to(device), "cu_window_seqlens": ends}
        if is_flash_attention_requested(shape):
            found["max_window_seqlen"] = int(ends.diff().max())
    if hasattr(visual, "num_grid_per_side"):
        indices, weights = get_vision_interpolation_indices_and_weights(
            grid,
            num_grid_per_side=visual.num_grid_per_side,
            mode=visual.interpolation_mode,
            align_corners=visual.interpolation_align_corners,
            spatial_merge_size=merge,
        )
        found |= {"interp_indices": indices.to(device), "interp_weights": weights.to(device)}
    return found
