"""Small renderings, tiny runs and examples for the tests of finetune/. Everything is seeded and offline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from finetune import config as configs
from finetune.config import Config
from finetune.data import Example, Target
from reference.rendering.prompt import task_prompt
from reference.rendering.render_split import render
from reference.rendering.request import Request
from reference.task import DEFAULT_INDICES, OPERATIONS
from tests.support import ROOT

SIDE = 84
TWIN = replace(
    configs.read(ROOT / "finetune" / "runs" / "cpu.toml"),
    size=SIDE,
    checkpoint_every=1,
    evaluate_every=0,
    patience=0,
    workers=0,
)
"""The twin's config, as runs/cpu.sh has it, for runs of a few updates."""
QLORA = replace(
    TWIN,
    adapter="lora",
    quantise=True,
    compute="fp16",
    checkpointing=True,
    optimizer="adamw_8bit",
    prompt="full",
    rank=4,
    dropout=0.0,
    label_weight=1.0,
    batch=2,
    accumulation=2,
    lr=1e-3,
)
"""What runs on the T4, but for the size and the paging."""


def rendering(folder: Path, split: str, clips: int, *, form: str = "frames") -> Path:
    """The first clips of a split as 8 frames of SIDE x SIDE."""
    render(Request(split=split, form=form, size=SIDE, limit=clips), folder / split, workers=1)
    return folder / split


def renderings(folder: Path, **clips: int) -> Path:
    """`train=`, `validation=`, `test=`: so many clips of each split, in folders of their names."""
    for split, count in clips.items():
        rendering(folder, split, count)
    return folder


def placed(config: Config, folder: Path, **changes: object) -> Config:
    """Learning from `folder`/train, judged on `folder`/validation."""
    return replace(config, train=str(folder / "train"), validation=str(folder / "validation"), **changes)


def example(seed: int = 0, *, frames: int = 8, side: int = SIDE) -> Example:
    """A clip of noise with an answer."""
    random = np.random.default_rng(seed)
    indices = np.array(DEFAULT_INDICES) if frames == 8 else np.linspace(0, 124, frames).astype(int)
    labels = [OPERATIONS[int(place)] for place in random.permutation(9)[:4]]
    start = int(random.integers(0, 100))
    target = Target(labels[0], start, start + 1 + int(random.integers(0, 25)), tuple(labels[1:]))
    pixels = random.integers(0, 256, (frames, side, side, 3), np.uint8)
    return Example(f"clip-{seed}", pixels, indices, task_prompt(OPERATIONS, indices.tolist()), target)
