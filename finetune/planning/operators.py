"""Operators of a pass: which of them launch work on a device, their operations and the bytes that they move.

A tally is made from tensors without data, whose shapes say all of it. Views, detachments and queries launch nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from finetune.layers import unpacking

aten = torch.ops.aten
ATTENTION = {
    aten._scaled_dot_product_flash_attention_for_cpu.default: 2,
    aten._scaled_dot_product_flash_attention_for_cpu_backward.default: 5,
}
"""Attention as a trace on the CPU sees it -> products of length x length in it."""
PRODUCTS = {aten.mm.default, aten.addmm.default, aten.bmm.default, aten.baddbmm.default, aten.convolution.default,
            aten.convolution_backward.default}  # fmt: skip
GATHERS = {aten.embedding.default, aten.index.Tensor, aten.index_select.default, aten.gather.default}
"""Operators that read as much as they write, whatever the size of the table that they read."""
NO_LAUNCH = {
    aten.detach.default,
    aten.alias.default,
    aten._local_scalar_dense.default,
    aten.empty.memory_format,
    aten.empty_like.default,
    aten.empty_strided.default,
    aten.new_empty.default,
    aten.new_empty_strided.default,
    aten._unsafe_view.default,
    aten._reshape_alias.default,
}


UNPACK = unpacking.unpack_operator._opoverload
PACKED = 0.516
"""Bytes of a parameter in nf4 with double quantisation."""


class Operator(NamedTuple):
    """One launching operator: `kind` is "product", "attention" or "memory", `bits` are those of a number."""

    name: str
    kind: str
    bits: int
    flops: int
    bytes: int


Tally = Counter[Operator]


def operator_of(func: Any, inputs: Sequence[torch.Tensor], outputs: Sequence[torch.Tensor]) -> Operator | None:
    """Return what a call with these tensors launches, None for views and queries."""
    if func.namespace == "prim" or func in NO_LAUNCH or func.is_view:
        return None
    written = sum(one.numel() * one.element_size() for one in outputs)
    read = written if func in GATHERS else sum(one.numel() * one.element_size() for one in inputs)
    if func is UNPACK:
        read = int(PACKED * inputs[0].numel())
    kind = "attention" if func in ATTENTION else "product" if func in PRODUCTS else "memory"
    bits = 8 * (outputs[0].element_size() if outputs else 4)
    return Operator(str(func), kind, bits, count_flops(func, inputs, outputs), read + written)


def count_flops(func: Any, inputs: Sequence[torch.Tensor], outputs: Sequence[torch.Tensor]) -> int:
    """Return the operations of a product or of attention: a multiplication and an addition are two."""
    if func in ATTENTION:
        batch, heads, length, size = inputs[0].shape
        # Inputs are query, key, value; in the backward pass the gradient comes before them.
        keys = inputs[1 if ATTENTION[func] == 2 else 2].shape[2]
        return 2 * ATTENTION[func] * batch * heads * length * keys * size
    if func in (aten.mm.default, aten.bmm.default):
        return 2 * math.prod(inputs[0].shape) * inputs[1].shape[-1]
    if func in (aten.addmm.default, aten.baddbmm.default):
        return 2 * math.prod(inputs[1].shape) * inputs[2].shape[-1]
    if func is aten.convolution.default:
        return 2 * math.prod(outputs[0].shape) * math.prod(inputs[1].shape[1:])
    if func is aten.convolution_backward.default:
        return 2 * math.prod(inputs[0].shape) * math.prod(inputs[2].shape[1:])
    return 0


def add(one: Tally, other: Tally, factor: int = 1) -> Tally:
    """Return a tally plus another one so many times over; unlike Counter's own sum, counts may be negative between."""
    total = Counter(one)
    for operator, count in other.items():
        total[operator] += factor * count
    return Counter({operator: count for operator, count in total.items() if count})


def launches(tally: Tally, kind: str = "") -> int:
    """Return the number of launching operators, of all or of one kind."""
    return sum(count for operator, count in tally.items() if kind in ("", operator.kind))
