"""Dry run of a config without weights: the model on the meta device, a batch of one clip, the peak of its update.

A model of published size is counted whole and traced with few layers: all layers are alike, so bytes grow linearly with
their number. A test compares it with the whole model.
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

from finetune.base_models import SPECIALS, Base, find_base
from finetune.config import Config
from finetune.data import IGNORED, Collator, Example, Target
from finetune.layers.unpacking import SimulatedLinear4bit
from finetune.layers.vision_cache import clip_bytes
from finetune.model import DTYPES, LORA_LAYERS, Answerer, prepare, tiny_shape, tiny_tokenizer
from finetune.planning.operators import Tally, add
from finetune.planning.tensor_memory import Traced, repeat_clip, strip_data, trace_update, trace_vision
from finetune.tokens import load_tokenizer
from reference.rendering.prompt import task_prompt
from reference.task import CLIP_FRAMES, UNKNOWN
from reference.truth.catalog import locate

PIECES = re.compile(
    r"<\|\w+\|>|'(?:s|t|re|ve|m|ll|d)|[^\r\n\w]?[^\W\d_]+|_[^\W\d_]+|\d| ?(?:(?!<\|\w+\|>)[^\s\w])+[\r\n]*|_"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen's tokenizer splits text before it merges; words as common as a prompt's are one token each."""
NO_ACTIVATION = ("steps", "optimizer", "lr", "warmup", "weight_decay", "beta2", "clip_norm", "train", "validation",
                 "weights", "evaluate_every", "evaluate_clips", "checkpoint_every", "patience", "threads", "seed",
                 "alpha", "clips", "max_skipped", "keep", "label_weight", "init_std", "randomised",
                 "hard_negatives", "workers", "cache_gb", "scratch")  # fmt: skip
"""Fields that change no activation."""
CHANGES_WEIGHTS = ("base", "world", "frames", "adapter", "rank", "quantise", "compute", "temporal_head", "steps_head")
"""Fields that change a weight; the twin's tokenizer, and so its embedding, depends on the frames of its prompts."""
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Bytes per parameter: four bits, a byte of scale for 64 of them, four bytes for 256 scales (double quantisation)."""
TYPES = {dtype: name for name, dtype in DTYPES.items()}
SMALL = 1024
"""A folder's model of a smaller hidden size is traced whole."""
PADDED = 2
"""Largest batch that is traced at published size, the first with padding; larger ones are scaled up, right to 0.2%."""
FEW, FED = 2, 3
"""Layers of a traced model of published size: FED where the vision tower feeds the first three, as Qwen3-VL's does, or
where all weights learn, because the peak of fewer layers lies elsewhere in the pass."""


class WordTokenizer:
    """Stand-in for a published tokenizer if only lengths matter: a token for every piece of text."""

    model_max_length = 131_072

    def get_vocab(self) -> dict[str, int]:
        return dict(SPECIALS)

    def __call__(self, text: str, **options: Any) -> dict[str, list[Any]]:
        pieces = list(PIECES.finditer(text))
        ids = [SPECIALS.get(piece[0], 0) for piece in pieces]
        return {"input_ids": ids, "offset_mapping": [piece.span() for piece in pieces]}


@dataclass(frozen=True, eq=False)
class Blueprint:
    """A config with everything that its memory depends on. `tiny`: the twin's shape, not the published one."""

    config: Config
    base: Base
    tiny: bool
    shape: Any
    tokenizer: Any
    operations: tuple[str, ...]

    def example_batch(self) -> dict[str, Any]:
        """Return the training batch of one clip with the longest of answers."""
        collator = Collator(self.config, self.tokenizer, self.operations)
        labels = sorted(collator.labels, key=len)
        count = self.config.frames * (2 if self.config.interpolate else 1) - self.config.interpolate
        indices = np.linspace(0, CLIP_FRAMES - 1, count).astype(int)
        frames = np.zeros((count, self.config.size, self.config.size, 3), np.uint8)
        target = Target(labels[-1], 100, CLIP_FRAMES, (labels[-2],))
        return collator([Example("", frames, indices, task_prompt(collator.labels, indices.tolist()), target)])

    def build(self, shape: Any) -> Answerer:
        """Return a model of this shape, ready to train, on the meta device."""
        config, shape = self.config, copy.deepcopy(shape)
        dtype = DTYPES[config.compute] if config.adapter == "lora" else torch.float32
        shape._attn_implementation = "sdpa"
        with torch.device("meta"):
            backbone = self.base.model_class()(shape)
            for parameter in backbone.parameters():
                parameter.data = parameter.data.to(dtype)
            for name, module in backbone.named_modules():
                if config.quantise and re.fullmatch(LORA_LAYERS, name):
                    module.__class__ = SimulatedLinear4bit
            return prepare(config, backbone, sum(label != UNKNOWN for label in self.operations))


def make_blueprint(config: Config, *, tiny: bool, folder: Path | None = None) -> Blueprint:
    """Return the blueprint of a config; `folder` may hold a base's config.json and tokenizer, which then count."""
    base, operations = find_base(config.base), locate(config.world).operations()
    has_base = folder is not None and (folder / "config.json").is_file() and (folder / "tokenizer.json").is_file()
    if has_base and folder is not None:
        shape = base.model_class().config_class.from_pretrained(folder)
        small = shape.text_config.hidden_size < SMALL
        return Blueprint(config, base, small, shape, load_tokenizer(folder), operations)
    if not tiny:
        return Blueprint(config, base, False, base.config(tiny=False), WordTokenizer(), operations)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = tiny_tokenizer(config, Path(scratch), operations)
    return Blueprint(config, base, True, tiny_shape(config, tokenizer), tokenizer, operations)


def _few_layers(config: Config, shape: Any) -> int:
    """Return the layers of either stack that are traced of a shape."""
    return FED if config.adapter == "full" or hasattr(shape.vision_config, "deepstack_visual_indexes") else FEW


def _shallow(blueprint: Blueprint, *, more_layers: int = 0, more_depth: int = 0, more_whole: int = 0) -> Answerer:
    """Return a model without data that has few layers in either stack, and so many more.

    All blocks of the few but one attend to whole frames, and as many more as `more_whole` says.
    """
    shape, few = copy.deepcopy(blueprint.shape), _few_layers(blueprint.config, blueprint.shape)
    shape.text_config.num_hidden_layers = few + more_layers
    if getattr(shape.text_config, "layer_types", None):
        shape.text_config.layer_types = shape.text_config.layer_types[: few + more_layers]
    shape.vision_config.depth = few + more_depth
    whole = list(range(few - 1 + more_whole))
    for name, value in (("fullatt_block_indexes", whole), ("deepstack_visual_indexes", list(range(FED)))):
        if hasattr(shape.vision_config, name):
            setattr(shape.vision_config, name, value)
    return strip_data(blueprint.build(shape))


class PassTrace(NamedTuple):
    """A pass without data: its peak in bytes above the weights, and the operators that it launches.

    `vision` is the part of a frozen tower, `rest` the others; of a tower that learns all is `rest`.
    """

    peak_bytes: int
    vision: Tally
    rest: Tally

    @property
    def tally(self) -> Tally:
        """All operators of the pass."""
        return add(self.vision, self.rest)


def activation_bytes(config: Config, *, tiny: bool, folder: Path | None = None, whole: bool = False) -> int:
    """Return the peak bytes above the weights in a pass: of a twin with what is kept from pass to pass.

    That are gradients and the adapters in the compute type, which at published size are parts of their own.

    `whole`: trace all layers at published size, too, which takes longer.
    """
    if tiny or whole or config.batch <= PADDED:
        return _trace(_traced_config(config), tiny, folder, whole).peak_bytes
    traced = _trace(_traced_config(replace(config, batch=PADDED)), tiny, folder, whole)
    return traced.peak_bytes * config.batch // PADDED


def trace_pass(config: Config, *, tiny: bool, folder: Path | None = None, whole: bool = False) -> PassTrace:
    """Return the trace of a forward and backward pass of a config's batch; options as in `activation_bytes`."""
    return _trace_with_tower(_traced_config(config), tiny, folder, whole)


def _traced_config(config: Config) -> Config:
    """Return a config with the default in every field that changes no trace, so that one serves all that are alike."""
    return _activating(config, accumulation=min(2, config.accumulation))


def _activating(config: Config, **changes: object) -> Config:
    """Return a config with the default in every field that changes no activation, and with these changes."""
    default = Config()
    same = {name: getattr(default, name) for name in NO_ACTIVATION}
    return replace(config, **(same | changes))


@lru_cache
def _trace_with_tower(config: Config, tiny: bool, folder: Path | None, whole: bool) -> PassTrace:
    """Return trace_pass of a config whose other fields have their defaults."""
    traced = _trace(config, tiny, folder, whole)
    if not traced.vision:
        return traced
    blueprint = make_blueprint(config, tiny=tiny, folder=folder)
    batch, few = repeat_clip(blueprint.example_batch(), config.batch), _few_layers(config, blueprint.shape)
    # Blocks that attend to whole frames come first here: the number of either kind is that of the whole tower.
    unwindowed = len(getattr(blueprint.shape.vision_config, "fullatt_block_indexes", range(few - 1))) - (few - 1)
    windowed = blueprint.shape.vision_config.depth - few - unwindowed
    tower = traced.vision
    for count, whole_blocks in ((windowed, 0), (unwindowed, 1)):
        if count:
            more, _ = trace_vision(_shallow(blueprint, more_depth=1, more_whole=whole_blocks), batch)
            tower = add(tower, add(more.tally, traced.vision, -1), count)
    return traced._replace(vision=tower)


@lru_cache
def _trace(config: Config, tiny: bool, folder: Path | None, whole: bool) -> PassTrace:
    """Return _trace_with_tower, but `vision` of the few blocks alone that are traced: searches need the peak only."""
    blueprint = make_blueprint(config, tiny=tiny, folder=folder)
    if not blueprint.tiny and config.accumulation < 2:
        # At published size the gradients are a part of the plan of their own; they must exist from the beginning, so
        # that subtracting them leaves the activations. A twin is small enough for the peak to depend on when they are
        # made.
        return _trace(replace(config, accumulation=2), tiny, folder, whole)
    batch: dict[str, Any] = repeat_clip(blueprint.example_batch(), config.batch)
    if blueprint.tiny or whole:
        answerer = strip_data(blueprint.build(blueprint.shape))
        gradients = 0 if blueprint.tiny else _kept_bytes(answerer)
        traced = trace_update(answerer, batch, accumulating=config.accumulation > 1)
        return PassTrace(traced.peak_bytes - gradients, Counter(), traced.tally)

    def traced_without_gradients(answerer: Answerer) -> Traced:
        peak, tally = trace_update(answerer, batch, accumulating=True)
        return Traced(peak - _kept_bytes(answerer), tally)

    # With checkpointing a layer keeps its input alone, without it all that its backward pass needs; either way the next
    # layer adds as much as the last one. A frozen tower keeps nothing, so its peak does not grow with its depth, and
    # what it outputs is given to the language model as an input.
    answerer, vision = _shallow(blueprint), Traced(0, Counter())
    if config.adapter == "lora":
        vision, batch = trace_vision(answerer, batch)
    layers = blueprint.shape.text_config.num_hidden_layers - _few_layers(config, blueprint.shape)
    few, more = traced_without_gradients(answerer), traced_without_gradients(_shallow(blueprint, more_layers=1))
    peak = few.peak_bytes + layers * (more.peak_bytes - few.peak_bytes)
    rest = add(few.tally, add(more.tally, few.tally, -1), layers)
    if config.adapter == "full":
        depth = blueprint.shape.vision_config.depth - _few_layers(config, blueprint.shape)
        deeper = traced_without_gradients(_shallow(blueprint, more_depth=1))
        peak += depth * (deeper.peak_bytes - few.peak_bytes)
        rest = add(rest, add(deeper.tally, few.tally, -1), depth)
    return PassTrace(max(vision.peak_bytes, peak), vision.tally, rest)


def _kept_bytes(answerer: Answerer) -> int:
    """Return the bytes of gradients and of adapters in the compute type, which are parts of a plan of their own."""
    gradients = sum(parameter.nbytes for parameter in answerer.trainable().values())
    return gradients + (sum(cast.nbytes for cast in answerer.adapters.casts) if answerer.adapters else 0)


class ClipSize(NamedTuple):
    """Sizes of one clip in a model, and of the model itself."""

    tokens: int  # in all
    vision_tokens: int
    answer: int  # tokens of the answer
    patches: int  # of the vision tower
    grid: int  # pixels that a frame's side is a multiple of
    hidden: int  # of the language model, as the next two
    layers: int
    vocabulary: int
    feature_bytes: int  # of the vision tower's output in fp16, deep features included
    split: int  # clips of the world's training split, 0 if it is not known


def clip_size(config: Config, *, tiny: bool, folder: Path | None = None) -> ClipSize:
    """Return the sizes of a clip with the longest of answers."""
    return _clip_size(_activating(config, batch=1, accumulation=1), tiny, folder)


@lru_cache
def _clip_size(config: Config, tiny: bool, folder: Path | None) -> ClipSize:
    """Return clip_size of a config whose other fields have their defaults."""
    blueprint = make_blueprint(config, tiny=tiny, folder=folder)
    batch, text, vision = blueprint.example_batch(), blueprint.shape.text_config, blueprint.base.vision
    grid = batch["video_grid_thw" if config.as_video else "image_grid_thw"]
    vision_tokens = int((batch["mm_token_type_ids"] > 0).sum())
    deep = len(getattr(blueprint.shape.vision_config, "deepstack_visual_indexes", ()))
    process = locate(config.world).process
    return ClipSize(
        tokens=batch["input_ids"].shape[1],
        vision_tokens=vision_tokens,
        answer=int((batch["labels"] != IGNORED).sum()),
        patches=int(grid.prod(-1).sum()),
        grid=vision["patch_size"] * vision["spatial_merge_size"],
        hidden=text.hidden_size,
        layers=text.num_hidden_layers,
        vocabulary=text.vocab_size,
        feature_bytes=clip_bytes(vision_tokens, text.hidden_size * (1 + deep)),
        split=0 if process is None else process.split("train").sessions * process.split("train").clips,
    )


class Weights(NamedTuple):
    """Weights of a model by kind and type ("language layers, nf4", "norms and biases, fp32", ...)."""

    bytes: dict[str, int]
    counts: dict[str, int]  # parameters
    trainable: tuple[int, ...]  # elements of each tensor that is trained


def model_weights(config: Config, *, tiny: bool, folder: Path | None = None) -> Weights:
    """Return the weights of the whole model."""
    return _weights(replace(Config(), **{name: getattr(config, name) for name in CHANGES_WEIGHTS}), tiny, folder)


@lru_cache
def _weights(config: Config, tiny: bool, folder: Path | None) -> Weights:
    """Return model_weights of a config whose other fields have their defaults."""
    blueprint = make_blueprint(config, tiny=tiny, folder=folder)
    answerer = blueprint.build(blueprint.shape)
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
    trainable = tuple(parameter.numel() for parameter in answerer.trainable().values())
    return Weights(dict(sizes), dict(counts), trainable)


def _kind(name: str, parameter: torch.Tensor) -> str:
    """Return the part of the model that a parameter belongs to."""
    if "lora_" in name:
        return "adapters"
    if name.startswith("heads."):
        return "heads"
    if parameter.ndim == 1:
        return "norms and biases"
    if ".visual." in name:
        return "vision tower"
    return "embedding" if "embed_tokens" in name else "language layers"
