"""Weights of frozen layers in the type that they are computed with, unpacked from 4 bits where they are packed."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


@torch.library.custom_op("finetune::unpack", mutates_args=())
def unpack_operator(weight: torch.Tensor) -> torch.Tensor:
    """Stand for unpacking a 4-bit weight in a model without data; `weight` has the shape and type of the result."""
    return weight.clone()


@unpack_operator.register_fake
def _(weight: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(weight)


class SimulatedLinear4bit(nn.Linear):
    """Linear layer with the memory of a Linear4bit: every use makes the weight anew in the compute type."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the product as bitsandbytes and PEFT compute it."""
        product = _UnpackedProduct.apply(x.to(self.weight.dtype), self.weight, self.bias)
        return product.to(x.dtype).clone()  # as PEFT does


class _UnpackedProduct(torch.autograd.Function):
    """Product with a weight that is not saved for the backward pass, but unpacked a second time there."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.weight = weight
        return nn.functional.linear(x, unpack_operator(weight), None if bias is None else bias.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        return grads[0] @ unpack_operator(ctx.weight), None, None


def unpack(layer: nn.Module, dtype: torch.dtype) -> torch.Tensor:
    """Return the weight [out, in] of a linear layer, packed or not."""
    if isinstance(layer, SimulatedLinear4bit):
        return unpack_operator(layer.weight)
    state = getattr(layer.weight, "quant_state", None)
    if state is None:
        return layer.weight.to(dtype)
    from bitsandbytes.functional import dequantize_4bit

    return dequantize_4bit(layer.weight, state).to(dtype)
