"""A linear layer with its adapter as one function: unpack the weight, multiply, add the adapter's product.

PEFT computes them apart and under autocast: a cast of both adapter matrices at every use, results in fp32, a copy. Here
the matrices are cast once a pass, everything between two norms is in the compute type, and the backward pass of all of
it is written out. Residuals and norms stay as they are, in fp32.

Dropout draws random bytes once a pass for each clip, from the update and the clip's place in it, and a layer's mask is
a window into them: what is dropped depends neither on the batch nor on the number of passes. A window's rows overlap,
moved by STRIDE; masks of two layers begin at different bytes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from finetune.layers.unpacking import unpack

STRIDE = 2053
"""Bytes by which the mask of a token is moved against that of the token before: a prime, as are no sizes of layers."""
SPREAD = 16_411
"""Bytes within which the masks of the layers begin."""


class Noise(NamedTuple):
    """Random bytes [b, n] of a pass, and the byte below which a place is dropped."""

    bytes: torch.Tensor
    threshold: int

    def kept(self, shape: torch.Size, layer: int) -> torch.Tensor:
        """Return a mask of shape [b, length, size] for one layer, true where a place is kept."""
        begin = layer * 7919 % SPREAD
        window = self.bytes.as_strided(shape, (self.bytes.stride(0), STRIDE, 1), begin)
        return window >= self.threshold


def draw_bytes(seeds: Sequence[int], count: int, device: torch.device) -> torch.Tensor:
    """Return random bytes [b, count], each row from a generator with its seed."""
    drawn = torch.empty(len(seeds), count, dtype=torch.uint8, device=device)
    for row, seed in zip(drawn, seeds, strict=True):
        row.random_(0, 256, generator=torch.Generator(device).manual_seed(seed))
    return drawn


class Adapters:
    """The adapters of a model: their matrices in the compute type, and the noise of the pass under way.

    `draw` makes that noise; a model without data needs none that is random.
    """

    def __init__(self, backbone: nn.Module, dtype: torch.dtype, dropout: float):
        self.dtype, self.threshold = dtype, round(256 * dropout)
        self.noise: Noise | None = None
        self.draw = draw_bytes
        self.layers = [module for module in backbone.modules() if hasattr(module, "lora_A") and module.lora_A]
        self.widest = max(layer.in_features for layer in self.layers)
        for number, layer in enumerate(self.layers):
            layer.forward = Projection(self, layer, number)
        self.casts: list[torch.Tensor] = []
        self._shared: tuple[Any, torch.Tensor] | None = None

    def cast(self, x: torch.Tensor) -> torch.Tensor:
        """Return x in the compute type; layers that read one tensor after another share one cast."""
        if x.dtype == self.dtype:
            self._shared = None
            return x
        if self._shared is None or self._shared[0]() is not x:
            self._shared = weakref.ref(x), x.to(self.dtype)
        return self._shared[1]

    def begin_pass(self, seeds: Sequence[int], length: int) -> None:
        """Cast the matrices, and draw the noise of rows with these seeds and `length` tokens."""
        parameters = [matrix["default"].weight for layer in self.layers for matrix in (layer.lora_A, layer.lora_B)]
        if not self.casts or self.casts[0].device != parameters[0].device:
            self.casts = [torch.empty_like(one, dtype=self.dtype, requires_grad=False) for one in parameters]
        with torch.no_grad():
            torch._foreach_copy_(self.casts, parameters)
        if self.threshold:
            count = length * STRIDE + self.widest + SPREAD
            self.noise = Noise(self.draw(seeds, count, parameters[0].device), self.threshold)


class Projection:
    """Forward of a layer of PEFT in training; without gradients it is PEFT's own."""

    def __init__(self, adapters: Adapters, layer: Any, number: int):
        self.adapters, self.layer, self.number = adapters, layer, number
        self.original: Callable[..., torch.Tensor] = layer.forward

    def __call__(self, x: torch.Tensor, *rest: Any, **options: Any) -> torch.Tensor:
        adapters, layer = self.adapters, self.layer
        if not (layer.training and torch.is_grad_enabled() and adapters.casts):
            return self.original(x, *rest, **options)
        first, second = adapters.casts[2 * self.number : 2 * self.number + 2]
        return _Adapted.apply(
            adapters.cast(x),
            layer.lora_A["default"].weight,
            layer.lora_B["default"].weight,
            (first, second, layer.get_base_layer(), layer.scaling["default"], adapters.noise, self.number),
        )


class _Adapted(torch.autograd.Function):
    """x W' + bias + scale * (dropped x) A' B', with gradients for x, A and B; all products in the type of x."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, frozen: tuple[Any, ...]) -> torch.Tensor:
        first, second, base, scale, noise, number = frozen
        kept, scale = _mask(noise, x.shape, number, scale)
        inner = functional.linear(x if kept is None else x * kept, first)
        bias = None if base.bias is None else base.bias.to(x.dtype)
        result = functional.linear(x, unpack(base, x.dtype), bias)
        result.flatten(0, -2).addmm_(inner.flatten(0, -2), second.t(), alpha=scale)
        ctx.save_for_backward(x, inner, *([] if kept is None else [kept]))
        ctx.frozen = first, second, base, scale
        return result

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        x, inner, *kept = ctx.saved_tensors
        first, second, base, scale = ctx.frozen
        grad = grads[0].flatten(0, -2)
        to_inner = _scaled_product(grad, second, scale)
        of_x = grad @ unpack(base, x.dtype)
        if kept:
            of_x.addcmul_(to_inner @ first, kept[0].flatten(0, -2))
        else:
            of_x.addmm_(to_inner, first)
        of_a = to_inner.t() @ (x * kept[0] if kept else x).flatten(0, -2)
        of_b = _scaled_product(grad.t(), inner.flatten(0, -2), scale)
        return of_x.view(x.shape), of_a.float(), of_b.float(), None


def _scaled_product(one: torch.Tensor, other: torch.Tensor, scale: float) -> torch.Tensor:
    """Return the product of two matrices times a number, in one kernel."""
    return torch.addmm(one.new_empty(1), one, other, beta=0, alpha=scale)


def _mask(noise: Noise | None, shape: torch.Size, number: int, scale: float) -> tuple[torch.Tensor | None, float]:
    """Return a layer's mask and its scale, larger where a share is dropped; without noise None and the scale."""
    if noise is None:
        return None, scale
    return noise.kept(shape, number), scale * 256 / (256 - noise.threshold)
