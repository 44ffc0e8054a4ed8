"""Attention of both towers with few kernels: windows of the vision tower together, and causality without a mask.

transformers cuts the patches of a batch into windows (or frame pairs) and calls attention once for each, unless flash
attention is there, which a T4 has not: 2,048 calls a pass for two clips of 336 px, 8,192 for eight. To a function whose
name contains "flash" it gives all patches and the places where windows end. Here windows of one length are a batch of
one call.

A language model's rows are padded on the right in training. Nothing before the padding sees it, so no mask is needed,
and attention takes its cheaper causal path. Key and value heads are repeated first: asked to share them, torch would
take its slowest kernel on a T4.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

WINDOWS = "windows_without_flash_attention"
"""Name of `attend_in_windows`; transformers looks for "flash" in it."""
CAUSAL = "causal_without_mask"
"""Name of `attend_causally`."""


def set_attention(backbone: Any, *, plain: bool = False) -> None:
    """Let a loaded model's towers use the attention of this module, or transformers' own if `plain`."""
    names = ("sdpa", "sdpa") if plain else (WINDOWS, CAUSAL)
    # from_pretrained refuses the first name: it looks for a package of flash attention.
    backbone.set_attn_implementation(dict(zip(("vision_config", "text_config"), names, strict=True)))


def attend_in_windows(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None = None,
    *,
    cu_seq_lens_q: torch.Tensor,
    scaling: float,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return attention within each window, [1, patches, heads, size], of parts [1, heads, patches, size].

    `cu_seq_lens_q` [windows + 1] are the places where windows begin and end; on the host, or reading them waits.
    """
    lengths = cu_seq_lens_q.diff().tolist()
    parts = [tensor[0].transpose(0, 1) for tensor in (query, key, value)]
    if len(set(lengths)) == 1:
        return _attend_batch(parts, lengths[0], scaling)[None], None
    groups, inverse = _places_by_length(tuple(lengths), query.device)
    found = [_attend_batch([part[places] for part in parts], length, scaling) for length, places in groups]
    return torch.cat(found)[inverse][None], None


def _attend_batch(parts: Sequence[torch.Tensor], length: int, scaling: float) -> torch.Tensor:
    """Return attention in windows of one length; all tensors are [patches, heads, size]."""
    query, key, value = (part.unflatten(0, (-1, length)).transpose(1, 2) for part in parts)
    return scaled_dot_product_attention(query, key, value, scale=scaling).transpose(1, 2).flatten(0, 1)


@lru_cache(maxsize=32)
def _places_by_length(
    lengths: tuple[int, ...], device: torch.device
) -> tuple[list[tuple[int, torch.Tensor]], torch.Tensor]:
    """Return each window length with its patches' places, and the places of all patches in the joined outputs."""
    each = torch.tensor(lengths)
    of_patch = each.repeat_interleave(each)
    groups = [(length, (of_patch == length).nonzero().flatten()) for length in sorted(set(lengths))]
    inverse = torch.cat([places for _, places in groups]).argsort()
    return [(length, places.to(device)) for length, places in groups], inverse.to(device)


def attend_causally(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return causal attention [b, length, heads, size]; with a mask or a cache as transformers computes it."""
    if attention_mask is not None or query.shape[2] != key.shape[2] or query.shape[2] == 1:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    groups = query.shape[1] // key.shape[1]
    found = scaled_dot_product_attention(
        query, repeat_kv(key, groups), repeat_kv(value, groups), scale=options.get("scaling"), is_causal=True
    )
    return found.transpose(1, 2).contiguous(), None


AttentionInterface.register(WINDOWS, attend_in_windows)
AttentionInterface.register(CAUSAL, attend_causally)
AttentionMaskInterface.register(CAUSAL, sdpa_mask)
