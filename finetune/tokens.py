"""Tokenizers: load that of a base model, or train a tiny one on this task's texts.

The tiny one is a byte-level BPE with Qwen's special tokens. Like Qwen's it reads numbers digit by digit. Labels are
never merged with their surroundings: each is one token, so an answer takes 12 tokens instead of about 45.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from finetune.base_models import SPECIALS, TINY_TEXT
from harness.errors import UsageError
from reference.task import CLIP_FRAMES

TINY_VOCABULARY = 1024


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a folder. Raises UsageError if the folder holds none."""
    from transformers import AutoTokenizer

    if not (folder / "tokenizer.json").is_file():
        raise UsageError(f"{folder}: no tokenizer.json, so no base model; name its folder with weights=FOLDER")
    return AutoTokenizer.from_pretrained(folder)


def special_ids(tokenizer: Any) -> dict[str, int]:
    """Return the ids of the SPECIALS in a tokenizer. Raises KeyError if it lacks one."""
    known = tokenizer.get_vocab()
    return {token: known[token] for token in SPECIALS}


def train_tokenizer(folder: Path, operations: Sequence[str], prompts: Sequence[str]) -> Any:
    """Train the tiny tokenizer and save it in `folder`; the same labels and prompts give the same tokenizer."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    labels = "|".join(sorted(operations, key=len, reverse=True))
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(rf"\p{{N}}|{labels}|\n"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TINY_VOCABULARY - len(SPECIALS),
        show_progress=False,
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bpe.train_from_iterator(_training_texts(operations, prompts), trainer)
    bpe.add_special_tokens(list(SPECIALS))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
        model_max_length=TINY_TEXT["max_position_embeddings"],
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def _training_texts(operations: Sequence[str], prompts: Sequence[str]) -> Iterator[str]:
    """Yield an answer for every pair of labels, with segments that use all digits, and the prompts between them."""
    for place, (operation, following) in enumerate(product(operations, repeat=2)):
        start = place * 7 % CLIP_FRAMES
        yield answer_text(operation, start, start + 1 + place * 13 % (CLIP_FRAMES - start), following)
        yield prompts[place % len(prompts)]


def answer_text(operation: str, start: int, end: int, following: str) -> str:
    """Return the text of an answer: one line of JSON in canonical key order."""
    return json.dumps(
        {
            "dominant_operation": operation,
            "temporal_segment": {"start_frame": start, "end_frame": end},
            "next_operation": following,
        }
    )
