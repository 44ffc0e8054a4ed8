"""Small renderings, tiny runs and examples for the tests of finetune/. Everything is seeded and offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from finetune import config as configs
from finetune.base_models import SPECIALS
from finetune.config import Config
from finetune.data import Example, Target
from finetune.model import Answerer
from finetune.tokens import answer_text
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
MOST_CALLS = 12
"""Calls of the language model that an answer may take: two labels, two numbers, and what is between is forced."""


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


def words_tokenizer(config: Config, folder: Path, operations: Sequence[str]) -> Any:
    """A tokenizer that cuts text as Qwen's does, saved in `folder`: labels and keys of an answer are several tokens."""
    cut = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(cut), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1000, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    bpe.train_from_iterator([answer_text(label, 0, 1, label) for label in operations], trainer)
    bpe.add_special_tokens(list(SPECIALS))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=4096
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


@contextmanager
def counted(answerer: Answerer) -> Iterator[list[int]]:
    """Yield a list to which every call of the language model adds the number of tokens that it read in a row."""
    calls: list[int] = []
    hook = answerer.inner.model.language_model.register_forward_hook(
        lambda module, inputs, output: calls.append(output.last_hidden_state.shape[1])
    )
    yield calls
    hook.remove()
