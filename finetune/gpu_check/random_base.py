"""Checkpoints of a base's published shape with random weights, and a tokenizer with Qwen's ids and lengths.

What is counted or timed on them holds for the real weights; what they answer means nothing.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import torch

from finetune.base_models import SPECIALS, find_base
from finetune.data import SYSTEM, world_operations
from finetune.gpu_check.setup import Line, Setup, figure
from finetune.gpu_check.steps import MAIN, OTHERS
from finetune.tokens import answer_text
from reference.rendering.prompt import task_prompt
from reference.task import CLIP_FRAMES, DEFAULT_INDICES, DEFAULT_WORLD, UNKNOWN

TOKENS, WIDTH = 151_665, 151_936
"""Tokens of Qwen's tokenizers, and rows of the embedding."""
TRAINED = 4000
"""Tokens that are trained, at most; special ones follow at their places, and the others are filled up."""
FEWER = 147_000
"""Tokens that a rehearsal has less: a CPU takes minutes for their logits in fp16."""
PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen's tokenizers split text before they merge."""
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate")


def make_main(setup: Setup) -> Iterator[Line]:
    """Say what the machine is, and make the checkpoint that most steps read."""
    yield figure("machine", "device", "the CPU" if setup.rehearsal else torch.cuda.get_device_name())
    yield figure("machine", "processors", os.cpu_count() or 0)
    yield figure("machine", "Python", platform.python_version())
    for name in PACKAGES:
        yield figure("machine", name, version(name))
    yield from _make(setup, MAIN)


def make_others(setup: Setup) -> Iterator[Line]:
    """Make the checkpoints of the other bases."""
    for name in OTHERS:
        yield from _make(setup, name)


def _make(setup: Setup, name: str) -> Iterator[Line]:
    begun, base, folder = time.monotonic(), find_base(name), setup.folder(name)
    labels = [label for label in world_operations(DEFAULT_WORLD, "train") if label != UNKNOWN]
    fewer = FEWER if setup.rehearsal else 0
    make_tokenizer(folder, labels, fewer)
    ids = shifted_specials(fewer)
    shape = base.config(
        tiny=setup.rehearsal,
        ids=ids,
        vocab_size=WIDTH - fewer,
        pad_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|im_end|>"],
        bos_token_id=None,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(setup.device):
            model = base.model_class()(shape)
    finally:
        torch.set_default_dtype(torch.float32)
    yield figure(f"checkpoint {name}", "parameters", sum(one.numel() for one in model.parameters()))
    model.save_pretrained(folder)
    yield figure(f"checkpoint {name}", "made and written in, s", time.monotonic() - begun)


def shifted_specials(fewer: int) -> dict[str, int]:
    """Return the special tokens' ids where so many tokens before them are left out."""
    return {token: number - fewer for token, number in SPECIALS.items()}


def make_tokenizer(folder: Path, labels: Sequence[str], fewer: int = 0) -> Any:
    """Train a tokenizer on this task's texts, fill it up to Qwen's tokens but for `fewer`, and save it in `folder`."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    pieces = pre_tokenizers.Split(Regex(PIECES), "isolated")
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pieces, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TRAINED, show_progress=False, min_frequency=1, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    texts = [SYSTEM, "system\n", "user\n", "assistant\n", task_prompt(labels, list(DEFAULT_INDICES))]
    half = CLIP_FRAMES // 2
    for place, (operation, following) in enumerate(product(labels, repeat=2)):
        texts.append(answer_text(operation, place % half, half + place % half, following))
    bpe.train_from_iterator(texts, trainer)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_fill(json.loads(bpe.to_str()), fewer)),
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
        model_max_length=131_072,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def _fill(raw: dict[str, Any], fewer: int) -> str:
    """Return a tokenizer's JSON with special tokens at their ids and a word that no text holds at each free id.

    The grammar of answers needs every id of the vocabulary to be known.
    """
    known, specials = raw["model"]["vocab"], shifted_specials(fewer)
    taken = {*known.values(), *specials.values()}
    free = {f"zq{number:x}": number for number in range(TOKENS - fewer) if number not in taken}
    raw["model"]["vocab"] = known | specials | free
    raw["added_tokens"] = [
        {"id": number, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        | {"special": True}
        for token, number in specials.items()
    ]
    return json.dumps(raw)
