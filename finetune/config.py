"""The one configuration of a run: TOML in, TOML out beside the checkpoints, unknown keys refused.

Every field says its unit and why it has this default. The defaults are the run on one Kaggle T4 (16 GB); the twin's
are finetune/runs/cpu.toml.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import Field, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from reference.files import write_text
from reference.task import DEFAULT_FRAMES, DEFAULT_SAMPLER, DEFAULT_SIZE, DEFAULT_WORLD
from reference.toml import read_toml

NAME = "config.toml"


def _(default: Any, why: str) -> Any:
    return field(default=default, metadata={"why": why})


@dataclass(frozen=True)
class Config:
    # What is trained
    base: str = _("Qwen/Qwen2.5-VL-3B-Instruct", "id of finetune.base_models; a 2B of this generation does not exist")
    weights: str = _("", "folder of the base's safetensors and tokenizer; empty: random weights of the tiny shape")
    adapter: str = _("lora", "lora: adapters on the language model's linear layers; full: everything, from random")
    rank: int = _(16, "of the LoRA matrices; 29.9 M parameters on the 3B")
    alpha: int = _(32, "LoRA scale is alpha / rank")
    dropout: float = _(0.05, "share, on the adapters' inputs")
    quantise: bool = _(True, "nf4 with double quantisation for the language model's linear layers: 0.516 bytes each")
    compute: str = _("fp16", "fp16, bf16 or fp32; the T4 has no bf16")
    init_std: float = _(0.1, "deviation of random weights; the usual 0.02 stayed at chance in three runs")
    checkpointing: bool = _(True, "recompute activations in the backward pass: needed beside 3 B parameters in 15 GB")
    # What it sees and says
    world: str = _(DEFAULT_WORLD, "whose rendering is learned from")
    train: str = _("frames/train", "folder of a rendering with truth.jsonl, whatever its form")
    validation: str = _("frames/validation", "likewise; early stopping judges on it")
    frames: int = _(DEFAULT_FRAMES, "a clip; what `harness predict` renders, and train must hold")
    size: int = _(DEFAULT_SIZE, "side of a frame in pixels; a multiple of patch x merge")
    sampler: str = _(DEFAULT_SAMPLER, "uniform, motion, entropy or boundary")
    as_video: bool = _(True, "frames in pairs, as one video: half the tokens of single images")
    prompt: str = _("full", "full: what clips.jsonl asks; short: one line, for a model that knows no text")
    frame_numbers: bool = _(True, "frame numbers and times in the prompt")
    clips: int = _(0, "learn from the first so many clips (evenly spread); 0 is all")
    randomised: bool = _(True, "learn from sessions of the flattened grammar too: order alone misleads there")
    hard_negatives: bool = _(False, "each clip beside one that looks alike and goes on differently, in the same batch")
    augment: bool = _(False, "crop, colour, noise, blur from 168 px on and, in a rendering as video, temporal jitter")
    interpolate: bool = _(False, "blended frames between the sampled ones: twice the frames")
    # What is optimised
    label_weight: float = _(1.0, "of the operations' tokens in the loss; 5 for random weights, they decide the score")
    temporal_head: float = _(0.0, "weight of start and end distributions, from the prompt's last state; 0: none")
    steps_head: float = _(0.0, "weight of the next 1 to 3 operations from the same state; 0: none")
    batch: int = _(2, "clips a forward pass; halved when memory runs out")
    accumulation: int = _(16, "passes a step; batch x accumulation clips make an update")
    steps: int = _(540, "updates; 540 x 32 clips is three times the training split")
    optimizer: str = _("paged_adamw_8bit", "or adamw; paged: state moves to host memory under pressure")
    lr: float = _(2e-4, "peak learning rate; usual for LoRA")
    warmup: float = _(0.05, "share of the steps with a rising rate; then cosine to a tenth of the peak")
    weight_decay: float = _(0.0, "decoupled; adapters are small")
    beta2: float = _(0.99, "of Adam: short runs need a shorter memory than .999")
    clip_norm: float = _(1.0, "gradient norm at most")
    max_skipped: int = _(20, "updates in a row with infinite gradients, until the run stops")
    # How it is watched
    seed: int = _(0, "data order, dropout, augmentation and random weights follow from it and the step")
    checkpoint_every: int = _(30, "updates; about 20 minutes on a T4")
    keep: int = _(2, "checkpoints")
    evaluate_every: int = _(60, "updates; 0: at the end alone")
    evaluate_clips: int = _(240, "of the validation split, evenly spread")
    patience: int = _(3, "evaluations without a better sum of composite and hidden AA@1, until the run stops; 0: never")
    threads: int = _(0, "of the CPU; 0: as torch chooses")

    @property
    def clips_a_step(self) -> int:
        return self.batch * self.accumulation


CHOICES: dict[str, tuple[str, ...]] = {
    "adapter": ("lora", "full"),
    "compute": ("fp16", "bf16", "fp32"),
    "sampler": ("uniform", "motion", "entropy", "boundary"),
    "prompt": ("full", "short"),
    "optimizer": ("adamw", "adamw_8bit", "paged_adamw_8bit"),
}
POSITIVE = (
    "rank",
    "alpha",
    "frames",
    "size",
    "batch",
    "accumulation",
    "steps",
    "lr",
    "clip_norm",
    "init_std",
    "checkpoint_every",
    "keep",
    "evaluate_clips",
    "max_skipped",
)


def read(path: Path, **changes: str) -> Config:
    """A config file, with changes given as text (`steps="40"`). UsageError says what is wrong with it."""
    return changed(checked(read_toml(path, UsageError), str(path)), **changes)


def checked(raw: dict[str, Any], where: str) -> Config:
    known: dict[str, Field] = {entry.name: entry for entry in fields(Config)}
    if unknown := sorted(set(raw) - set(known)):
        raise UsageError(f"{where}: unknown keys {', '.join(unknown)} (python -m finetune.plan --fields)")
    values = {name: _typed(name, value, str(known[name].type), where) for name, value in raw.items()}
    config = Config(**values)
    for name, allowed in CHOICES.items():
        if getattr(config, name) not in allowed:
            raise UsageError(f"{where}: {name} = {getattr(config, name)!r}, expected one of {', '.join(allowed)}")
    for name in POSITIVE:
        if not getattr(config, name) > 0:
            raise UsageError(f"{where}: {name} = {getattr(config, name)!r}, expected more than 0")
    if config.quantise and config.adapter == "full":
        raise UsageError(f'{where}: quantised weights cannot be trained: quantise = false, or adapter = "lora"')
    return config


def changed(config: Config, **changes: str) -> Config:
    """With values given as text, in TOML's form or bare."""
    return checked(asdict(config) | {name: _value(text) for name, text in changes.items()}, "the command line")


def write(config: Config, folder: Path) -> None:
    """As `config.toml`, all fields, each with its reason; there whole or not at all."""
    text = "".join(f"{line}\n" for line in lines(config))
    write_text(folder / NAME, text)


def lines(config: Config) -> list[str]:
    return [
        f"{entry.name} = {json.dumps(getattr(config, entry.name))}  # {entry.metadata['why']}"
        for entry in fields(Config)
    ]


def relative_to(config: Config, folder: Path) -> Config:
    """With its renderings looked for in `folder`, unless their paths are absolute."""
    return replace(config, train=str(folder / config.train), validation=str(folder / config.validation))


def _typed(name: str, value: Any, kind: str, where: str) -> Any:
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value).__name__ != kind:
        raise UsageError(f"{where}: {name} = {value!r}, expected {kind}")
    return value


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
