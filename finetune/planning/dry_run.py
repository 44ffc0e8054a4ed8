"""What a config would train, without its weights: the prepared model on the meta device, a batch of one clip, and the
peak of an update of it.

A model of a checkpoint's shape is counted whole and traced with few layers: all layers are alike, so bytes grow in a
straight line with their number. Tested against the whole model.
"""

from __future__ import annotations

import copy
import re
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from finetune.base_models import SPECIALS, Base, find_base
from finetune.config import Config
from finetune.data import IGNORED, Collator, Example, Lesson
from finetune.model import DTYPES, PIXELS, TARGETS, Answerer, prepared, tiny_shape, tiny_tokenizer
from finetune.planning.tensor_memory import repeated, seeing_peak, update_peak, without_data
from finetune.tokens import load_tokenizer
from reference.process.world import load_world
from reference.rendering.prompt import task_prompt
from reference.task import CLIP_FRAMES, UNKNOWN

PIECES = re.compile(
    r"<\|\w+\|>|'(?:s|t|re|ve|m|ll|d)|[^\r\n\w]?[^\W\d_]+|_[^\W\d_]+|\d| ?(?:(?!<\|\w+\|>)[^\s\w])+[\r\n]*|_"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen's tokenizer cuts text before it merges; words as common as a prompt's are one token each."""
IRRELEVANT = ("steps", "optimizer", "lr", "warmup", "weight_decay", "beta2", "clip_norm", "train", "validation",
              "weights", "evaluate_every", "evaluate_clips", "checkpoint_every", "patience", "threads", "seed",
              "alpha", "clips", "max_skipped", "keep", "label_weight", "init_std", "randomised",
              "hard_negatives")  # fmt: skip
"""Fields that change no activation."""
WEIGHED = ("base", "world", "frames", "adapter", "rank", "quantise", "compute", "temporal_head", "steps_head")
"""Fields that change a weight; the twin's tokenizer, and so its embedding, knows the frames of its prompts."""
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes a parameter: four bits, a byte of scale for 64 of them, and four bytes for 256 scales (double quantisation)."""
TYPES = {dtype: name for name, dtype in DTYPES.items()}
SMALL = 1024
"""A folder's model with fewer hidden numbers is traced whole."""
PADDED = 2
"""The largest batch of a checkpoint that is traced, the first with padding; larger ones take as much more as they have
clips, to 0.2 %."""
FEW = 3
"""Layers of a traced checkpoint; Qwen3-VL feeds its first three from the vision tower."""


class WordTokenizer:
    """Stands in for a checkpoint's tokenizer where only lengths matter: a token for every piece of text."""

    model_max_length = 131_072

    def get_vocab(self) -> dict[str, int]:
        return dict(SPECIALS)

    def __call__(self, text: str, **options: Any) -> dict[str, list[Any]]:
        found = list(PIECES.finditer(text))
        ids = [SPECIALS.get(piece[0], 0) for piece in found]
        return {"input_ids": ids, "offset_mapping": [piece.span() for piece in found]}


@dataclass(frozen=True, eq=False)
class Subject:
    """A config with all that its memory depends on. `tiny`: the twin's shape, not the checkpoint's."""

    config: Config
    base: Base
    tiny: bool
    shape: Any
    tokenizer: Any
    operations: tuple[str, ...]

    def collated(self) -> dict[str, torch.Tensor]:
        """One clip with the longest of answers."""
        collator = Collator(self.config, self.tokenizer, self.operations)
        labels = sorted(collator.labels, key=len)
        count = self.config.frames * (2 if self.config.interpolate else 1) - self.config.interpolate
        indices = np.linspace(0, CLIP_FRAMES - 1, count).astype(int)
        frames = np.zeros((count, self.config.size, self.config.size, 3), np.uint8)
        lesson = Lesson(labels[-1], 100, CLIP_FRAMES, (labels[-2],))
        return collator([Example("", frames, indices, task_prompt(collator.labels, indices.tolist()), lesson)])

    def built(self, shape: Any) -> Answerer:
        """The prepared model of this shape, on the meta device."""
        config, shape = self.config, copy.deepcopy(shape)
        dtype = DTYPES[config.compute] if config.adapter == "lora" else torch.float32
        shape._attn_implementation = "sdpa"
        with torch.device("meta"):
            backbone = self.base.model_class()(shape)
            for parameter in backbone.parameters():
                parameter.data = parameter.data.to(dtype)
            for name, module in backbone.named_modules():
                if config.quantise and re.fullmatch(TARGETS, name):
                    module.__class__ = Dequantised
            return prepared(config, backbone, sum(label != UNKNOWN for label in self.operations))


def subject(config: Config, *, tiny: bool, folder: Path | None = None) -> Subject:
    """`folder`: of a base's config.json and tokenizer, read where they are there."""
    base, operations = find_base(config.base), tuple(load_world(config.world).operations)
    there = folder is not None and (folder / "config.json").is_file() and (folder / "tokenizer.json").is_file()
    if there and folder is not None:
        shape = base.model_class().config_class.from_pretrained(folder)
        small = shape.text_config.hidden_size < SMALL
        return Subject(config, base, small, shape, load_tokenizer(folder), operations)
    if not tiny:
        return Subject(config, base, False, base.config(tiny=False), WordTokenizer(), operations)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = tiny_tokenizer(config, Path(scratch), operations)
    return Subject(config, base, True, tiny_shape(config, tokenizer), tokenizer, operations)


class Dequantised(nn.Linear):
    """As memory sees a Linear4bit: the weight is made anew, in the compute type, for every use of it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = _Product.apply(x.to(self.weight.dtype), self.weight, self.bias)
        return made.to(x.dtype).clone()  # PEFT clones, too


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        ctx.weight = weight
        return nn.functional.linear(x, torch.empty_like(weight), None if bias is None else bias.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> Any:
        return grads[0] @ torch.empty_like(ctx.weight), None, None


def _shallow(shape: Any, layers: int, depth: int) -> Any:
    made = copy.deepcopy(shape)
    made.text_config.num_hidden_layers = layers
    if getattr(made.text_config, "layer_types", None):
        made.text_config.layer_types = made.text_config.layer_types[:layers]
    made.vision_config.depth = depth
    for name, value in (("fullatt_block_indexes", [0, 1]), ("deepstack_visual_indexes", list(range(FEW)))):
        if hasattr(made.vision_config, name):
            setattr(made.vision_config, name, value)
    return made


def activation_bytes(config: Config, *, tiny: bool, folder: Path | None = None, whole: bool = False) -> int:
    """Most bytes above the weights in a pass. Gradients are among them for the twin, for a checkpoint they are not.

    `whole`: with all layers of a checkpoint, too, which takes longer.
    """
    plain = Config()
    same = {name: getattr(plain, name) for name in IRRELEVANT} | {"accumulation": min(2, config.accumulation)}
    config = replace(config, **same)
    if tiny or whole or config.batch <= PADDED:
        return _peak(config, tiny, folder, whole)
    return _peak(replace(config, batch=PADDED), tiny, folder, whole) * config.batch // PADDED


@lru_cache
def _peak(config: Config, tiny: bool, folder: Path | None, whole: bool) -> int:
    what = subject(config, tiny=tiny, folder=folder)
    batch: dict[str, Any] = repeated(what.collated(), config.batch)
    accumulating = config.accumulation > 1 or not what.tiny

    if what.tiny or whole:
        answerer = without_data(what.built(what.shape))
        return update_peak(answerer, batch, accumulating=accumulating) - (0 if what.tiny else _gradients(answerer))
    layers, depth = what.shape.text_config.num_hidden_layers, what.shape.vision_config.depth

    def shallow(more_layers: int = 0, more_depth: int = 0) -> Answerer:
        return without_data(what.built(_shallow(what.shape, FEW + more_layers, FEW + more_depth)))

    def traced(answerer: Answerer) -> int:
        return update_peak(answerer, batch, accumulating=True) - _gradients(answerer)

    answerer, seeing = shallow(), 0
    if config.adapter == "lora":
        seeing, batch["seen"] = seeing_peak(answerer, batch)
    few = traced(answerer)
    peak = few + (layers - FEW) * (traced(shallow(more_layers=1)) - few)
    if config.adapter == "full":
        peak += (depth - FEW) * (traced(shallow(more_depth=1)) - few)
    return max(seeing, peak)


def _gradients(answerer: Answerer) -> int:
    return sum(parameter.nbytes for parameter in answerer.trained().values())


class Clip(NamedTuple):
    """Sizes of one clip in a model: `tokens` in all, `pictures` and `answer` among them; `patches` of the vision tower;
    `grid`: pixels that a frame's side is a multiple of; of the language model `hidden`, `layers`, `vocabulary`."""

    tokens: int
    pictures: int
    answer: int
    patches: int
    grid: int
    hidden: int
    layers: int
    vocabulary: int


def clip_of(config: Config, *, tiny: bool, folder: Path | None = None) -> Clip:
    what = subject(config, tiny=tiny, folder=folder)
    batch, text, vision = what.collated(), what.shape.text_config, what.base.vision
    pixels = next(batch[name] for name in PIXELS[::2] if name in batch)
    pictures, answer = batch["mm_token_type_ids"] > 0, batch["labels"] != IGNORED
    return Clip(
        batch["input_ids"].shape[1],
        int(pictures.sum()),
        int(answer.sum()),
        len(pixels),
        vision["patch_size"] * vision["spatial_merge_size"],
        text.hidden_size,
        text.num_hidden_layers,
        text.vocab_size,
    )


class Weights(NamedTuple):
    """`bytes` and `counts` of parameters by kind, and the elements of each trained tensor."""

    bytes: dict[str, int]
    counts: dict[str, int]
    trained: tuple[int, ...]


def weights(config: Config, *, tiny: bool, folder: Path | None = None) -> Weights:
    """Of the whole model, by kind and type: "language layers, nf4", "norms and biases, fp32", ..."""
    return _weights(replace(Config(), **{name: getattr(config, name) for name in WEIGHED}), tiny, folder)


@lru_cache
def _weights(config: Config, tiny: bool, folder: Path | None) -> Weights:
    what = subject(config, tiny=tiny, folder=folder)
    answerer = what.built(what.shape)
    sizes, counts = Counter[str](), Counter[str]()
    for name, parameter in answerer.named_parameters():
        kind, size = _kind(name, parameter), parameter.nbytes
        if kind == "language layers" and config.quantise and parameter.ndim > 1:
            kind, size = "language layers, nf4", round(parameter.numel() * NF4)
        else:
            kind = f"{kind}, {TYPES[parameter.dtype]}"
        sizes[kind] += size
        counts[kind] += parameter.numel()
    sizes[f"norms and biases, {TYPES[torch.float32]}"] += sum(buffer.nbytes for buffer in answerer.buffers())
    return Weights(dict(sizes), dict(counts), tuple(one.numel() for one in answerer.trained().values()))


def _kind(name: str, parameter: torch.Tensor) -> str:
    if "lora_" in name:
        return "adapters"
    if name.startswith("heads."):
        return "heads"
    if parameter.ndim == 1:
        return "norms and biases"
    if ".visual." in name:
        return "vision tower"
    return "embedding" if "embed_tokens" in name else "language layers"
