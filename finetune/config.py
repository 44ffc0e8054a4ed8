"""The configuration of a run: read from TOML, written as TOML beside the checkpoints; unknown keys are refused.

Every field names its unit and the reason for its default. The defaults are the run on one Kaggle T4 (16 GB); those of
the twin are in finetune/runs/cpu.toml.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import Field, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from finetune.base_models import BASES
from harness.errors import UsageError
from reference.files import write_text
from reference.task import DEFAULT_FRAMES, DEFAULT_SAMPLER, DEFAULT_SIZE, DEFAULT_WORLD
from reference.toml import read_toml

NAME = "config.toml"
UPDATE_CLIPS = 32
"""Clips of an update where a config does not name the passes."""


def _(default: Any, why: str) -> Any:
    """Return a dataclass field with its default and the reason for it."""
    return field(default=default, metadata={"why": why})


@dataclass(frozen=True)
class Config:
    """Settings of a run. `python -m finetune.plan --fields` lists them."""

    # Model
    base: str = _("Qwen/Qwen2.5-VL-3B-Instruct", "id in finetune.base_models; this generation has no 2B")
    weights: str = _("", "folder of the base's safetensors and tokenizer; empty: random weights of the tiny shape")
    width: int = _(1, "of random weights: states so many times as wide as the tiny shape's, with as many more heads")
    adapter: str = _("lora", "lora: adapters on the language model's linear layers; full: everything, from random")
    rank: int = _(16, "of the LoRA matrices; 29.9 M parameters on the 3B")
    alpha: int = _(32, "LoRA scale is alpha / rank")
    dropout: float = _(0.05, "share, on the adapters' inputs")
    quantise: bool = _(True, "nf4 with double quantisation for the language model's linear layers: 0.516 bytes each")
    compute: str = _("fp16", "fp16, bf16 or fp32; the T4 has no bf16")
    init_std: float = _(0.1, "standard deviation of random weights; at the usual 0.02 three runs stayed at chance")
    checkpointing: bool = _(True, "recompute activations in the backward pass; 3 B parameters in 15 GB need it")
    plain: bool = _(False, "compute as transformers and PEFT do: slower, the reference of what is computed otherwise")
    # Inputs and answers
    world: str = _(DEFAULT_WORLD, "world of the renderings")
    train: str = _("frames/train", "folder of a rendering with truth.jsonl, in any form")
    validation: str = _("frames/validation", "likewise; early stopping and the choice of the best model use it")
    frames: int = _(DEFAULT_FRAMES, "per clip; `harness predict` renders as many, and the renderings must have them")
    size: int = _(DEFAULT_SIZE, "side of a frame in pixels; a multiple of patch x merge; of a Qwen3-VL it is 352")
    sampler: str = _(DEFAULT_SAMPLER, "uniform, motion, entropy or boundary")
    as_video: bool = _(True, "frames in pairs, as one video: half the tokens of single images")
    prompt: str = _("full", "full: the prompt of clips.jsonl; short: one line, for a model that knows no text")
    frame_numbers: bool = _(True, "frame numbers and times in the prompt")
    clips: int = _(0, "number of training clips, spread evenly over the split; 0: all")
    randomised: bool = _(True, "train on sessions of the flattened grammar too, in which the usual order misleads")
    hard_negatives: bool = _(False, "put each clip beside one that looks alike and continues differently, in one batch")
    augment: bool = _(False, "crop, colour, noise, blur from 168 px on and, in a rendering as video, temporal jitter")
    interpolate: bool = _(False, "blended frames between the sampled ones: twice the frames")
    # Optimization
    label_weight: float = _(1.0, "of the operations' tokens in the loss, which decide the score; 5 for random weights")
    temporal_head: float = _(0.0, "weight of a head for start and end, on the prompt's last state; 0: no head")
    steps_head: float = _(0.0, "weight of a head for the next 3 operations, on the same state; 0: no head")
    batch: int = _(0, "clips per forward pass; 0: as many as plan and a first pass allow; halved when memory runs out")
    accumulation: int = _(0, "passes per update, which has batch x accumulation clips; 0: as many as make 32 clips")
    steps: int = _(540, "updates; 540 x 32 clips is three times the training split")
    optimizer: str = _("paged_adamw_8bit", "or adamw_8bit, adamw; paged: state moves to the host when the GPU is full")
    lr: float = _(2e-4, "peak learning rate; usual for LoRA")
    warmup: float = _(0.05, "share of the steps with a rising rate, before a cosine to a tenth of the peak")
    weight_decay: float = _(0.0, "decoupled; adapters are small")
    beta2: float = _(0.99, "of Adam: short runs need a shorter memory than .999")
    clip_norm: float = _(1.0, "largest gradient norm; longer gradients are scaled to it")
    max_skipped: int = _(20, "updates in a row with infinite gradients before the run stops")
    # Machine
    workers: int = _(2, "processes that read and collate clips ahead; 0: a thread of the training process")
    cache_gb: float = _(16.0, "of disk for what a frozen vision tower says of each clip; 0: computed in every epoch")
    scratch: str = _("", "folder for it; empty: one below the harness's folder for derived files")
    # Checkpoints and evaluation
    seed: int = _(0, "data order, dropout, augmentation and random weights are functions of it and the step")
    checkpoint_every: int = _(30, "updates between checkpoints; about 20 minutes on a T4")
    keep: int = _(2, "newest checkpoints that are kept")
    evaluate_every: int = _(60, "updates between evaluations; 0: at the end only")
    evaluate_clips: int = _(240, "of the validation split, spread evenly")
    patience: int = _(3, "evaluations without a better sum of score and hidden AA@1 before the run stops; 0: never")
    threads: int = _(0, "of the CPU; 0: torch's choice")

    @property
    def clips_per_update(self) -> int:
        """Clips of an update, over all passes and processes."""
        return self.batch * self.accumulation or UPDATE_CLIPS

    @property
    def keeps_vision(self) -> bool:
        """True if what the vision tower says of a clip never changes and is kept."""
        return self.adapter == "lora" and not self.augment and not self.plain and self.cache_gb > 0


CHOICES: dict[str, tuple[str, ...]] = {
    "adapter": ("lora", "full"),
    "compute": ("fp16", "bf16", "fp32"),
    "sampler": ("uniform", "motion", "entropy", "boundary"),
    "prompt": ("full", "short"),
    "optimizer": ("adamw", "adamw_8bit", "paged_adamw_8bit"),
}
POSITIVE = (
    "width",
    "rank",
    "alpha",
    "frames",
    "size",
    "steps",
    "lr",
    "clip_norm",
    "init_std",
    "checkpoint_every",
    "keep",
    "evaluate_clips",
    "max_skipped",
    "label_weight",
)
SHARES = {"dropout": "from 0 to below 1", "beta2": "from 0 to below 1", "warmup": "from 0 to 1"}


def read(path: Path, /, **changes: str) -> Config:
    """Return the config of a file, with changes given as text (`steps="40"`).

    Raises UsageError, naming what is wrong, if the file cannot be read or holds unknown keys or values out of range.
    """
    return override(validate(read_toml(path, UsageError), str(path)), **changes)


def validate(raw: dict[str, Any], where: str) -> Config:
    """Return the config of a table of values; `where` begins the message of a UsageError."""
    known: dict[str, Field] = {entry.name: entry for entry in fields(Config)}
    if raw.get("base") in BASES and "size" not in raw:
        raw = raw | {"size": BASES[raw["base"]].size}
    if unknown := sorted(set(raw) - set(known)):
        raise UsageError(f"{where}: unknown keys {', '.join(unknown)} (python -m finetune.plan --fields)")
    values = {name: _check_type(name, value, str(known[name].type), where) for name, value in raw.items()}
    config = Config(**values)
    for name, allowed in CHOICES.items():
        if getattr(config, name) not in allowed:
            raise UsageError(f"{where}: {name} = {getattr(config, name)!r}, expected one of {', '.join(allowed)}")
    for name, entry in known.items():
        _check_number(name, getattr(config, name), str(entry.type), where)
    for name in POSITIVE:
        if not getattr(config, name) > 0:
            raise UsageError(f"{where}: {name} = {getattr(config, name)!r}, expected more than 0")
    if config.accumulation and not config.batch:
        raise UsageError(f"{where}: accumulation = {config.accumulation} counts passes, so batch must be given too")
    if config.weights and config.width != 1:
        raise UsageError(f"{where}: width = {config.width} is of random weights: those of `weights` have their own")
    if config.quantise and config.adapter == "full":
        raise UsageError(f'{where}: quantised weights cannot be trained: quantise = false, or adapter = "lora"')
    return config


def override(config: Config, /, **changes: str) -> Config:
    """Return the config with other values, given as text in TOML's form or bare."""
    values = asdict(config)
    if "base" in changes and config.base in BASES and config.size == BASES[config.base].size:
        del values["size"]  # another base has another size of its own
    return validate(values | {name: _parse_value(text) for name, text in changes.items()}, "the command line")


def parse_changes(texts: Sequence[str]) -> dict[str, str]:
    """Return the changes that texts such as `steps=40` say. Raises UsageError for a text without `=`."""
    for text in texts:
        if "=" not in text:
            raise UsageError(f"--set {text[:80]!r}: expected KEY=VALUE, such as steps=40")
    return dict(text.split("=", 1) for text in texts)


def write(config: Config, folder: Path) -> None:
    """Write `config.toml` with all fields, each with its reason, whole or not at all."""
    text = "".join(f"{line}\n" for line in lines(config))
    write_text(folder / NAME, text)


def lines(config: Config) -> list[str]:
    """Return the lines of `config.toml`."""
    return [
        f"{entry.name} = {json.dumps(getattr(config, entry.name))}  # {entry.metadata['why']}"
        for entry in fields(Config)
    ]


def relative_to(config: Config, folder: Path) -> Config:
    """Return the config with its renderings below `folder`; absolute paths stay."""
    return replace(config, train=str(folder / config.train), validation=str(folder / config.validation))


def _check_type(name: str, value: Any, kind: str, where: str) -> Any:
    """Return a value of the field's type, an integer as float if it is to be one."""
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value).__name__ != kind:
        raise UsageError(f"{where}: {name} = {value!r}, expected {kind}")
    return value


def _check_number(name: str, value: Any, kind: str, where: str) -> None:
    """Raise UsageError for a number that no run can use: not finite, negative, or a share that is none."""
    if kind == "float" and not math.isfinite(value):
        raise UsageError(f"{where}: {name} = {value!r}, expected a finite number")
    if kind in ("int", "float") and value < 0:
        raise UsageError(f"{where}: {name} = {value!r}, expected 0 or more")
    if name in SHARES and not (value < 1 or (value == 1 and name == "warmup")):
        raise UsageError(f"{where}: {name} = {value!r}, expected a share {SHARES[name]}")


def _parse_value(text: str) -> Any:
    """Return the TOML value of a text, the text itself if it is none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
