"""Merge base and adapter into one model: `python -m finetune.merge RUN -o DIR [--weights BASE]`.

An adapter trained on nf4 weights is merged into weights of full precision, loaded anew; the result differs from the
trained model by the quantisation's error. A model computed in fp16 is written as bf16, which has the range that this
family needs. Tokenizer, processor settings of the base's folder, and heads are written beside it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch
from torch import nn
from torch.nn import functional

from finetune import config as configs
from finetune import fail
from finetune.model import HEADS, Answerer, ensure_base, load_model, read_operations
from harness.errors import HarnessError

PROCESSORS = (
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
    "chat_template.json",
    "chat_template.jinja",
)
"""Files that other programs read beside weights and tokenizer, copied if the base has them."""


def fold_adapters(answerer: Answerer, dtype: torch.dtype) -> None:
    """Add the adapters to the weights that they stand beside, in place; the sums are rounded to `dtype` once.

    4-bit weights are unpacked as every pass of training unpacks them. PEFT's own merge would quantise the sums anew,
    and lose most of what was learned. A model without adapters stays as it is.
    """
    from peft.tuners.lora import LoraLayer

    model = answerer.inner
    for name in [name for name, module in model.named_modules() if isinstance(module, LoraLayer)]:
        layer: Any = model.get_submodule(name)
        model.set_submodule(name, _folded_layer(layer, dtype))
        del layer.get_base_layer().weight  # who else knows the layer must not keep its weights in memory
    answerer.backbone = model


@torch.no_grad()
def _folded_layer(layer: Any, dtype: torch.dtype) -> nn.Linear:
    """Return the linear layer that gives what a layer and its adapter give together."""
    base = layer.get_base_layer()
    weight = base.weight
    if hasattr(weight, "quant_state"):
        from bitsandbytes.functional import dequantize_4bit

        weight = dequantize_4bit(weight.data, weight.quant_state)
    total = weight.float() + sum(layer.get_delta_weight(name).float() for name in layer.active_adapters)
    folded = nn.Linear(base.in_features, base.out_features, bias=False, device="meta")
    folded.weight = nn.Parameter(total.to(dtype), requires_grad=False)
    if base.bias is not None:
        folded.bias = nn.Parameter(base.bias.to(dtype), requires_grad=False)
    return folded.train(layer.training)


def fuse_norms(answerer: Answerer, dtype: torch.dtype) -> None:
    """Compute the norms of the language layers in one operator each, rounded to `dtype` once for all that read them.

    Values stay what they were: in fp32 from fp32 states, and under autocast every layer behind a norm would round them.
    """
    for layer in answerer.inner.model.language_model.layers:
        for norm in (layer.input_layernorm, layer.post_attention_layernorm):
            norm.forward = _fused_norm(norm, dtype)


def _fused_norm(norm: Any, dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    def forward(states: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(states, norm.weight.shape, norm.weight, norm.variance_epsilon).to(dtype)

    return forward


def merge(run: Path, folder: Path, weights: str | None = None) -> None:
    """Write the best model of `run` to `folder` in transformers' form, all in one type: fp32, or bf16 for half of it.

    `weights` is the base's folder, if it is not where the run had it.
    """
    config = replace(configs.read(run / configs.NAME), quantise=False, checkpointing=False)
    config = replace(config, weights=weights or config.weights)
    labels = read_operations(run / "best")
    base = ensure_base(config, run / "base", labels)
    answerer, tokenizer = load_model(config, base, labels, "cpu")
    answerer.restore(run / "best")
    dtype = torch.float32 if config.compute == "fp32" else torch.bfloat16
    fold_adapters(answerer, dtype)
    answerer.inner.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for file in (run / "best" / HEADS, *(base / name for name in PROCESSORS)):
        if file.is_file():
            shutil.copyfile(file, folder / file.name)


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("-o", "--output", "folder", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--weights", help="Folder of the base model, if it is not where the run had it.")
def main(run: Path, folder: Path, weights: str | None) -> None:
    """Write the best model of RUN, merged with its base, to a folder."""
    try:
        merge(run, folder, weights)
    except HarnessError as error:
        fail(error)
    click.echo(f"{folder}: merged; any program that loads models of transformers can load it")


if __name__ == "__main__":
    main()
