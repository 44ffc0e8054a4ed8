"""Constrained decoding: allow only valid JSON answers with known labels and 0 <= start < end <= 125.

A JSON schema cannot express start < end, so the answers are one regular expression that lists, for each start, the ends
that may follow it. Most tokens of an answer follow from those before them: about 30 of Qwen's 39, and no model needs to
be asked for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from finetune.tokens import answer_text
from reference.task import CLIP_FRAMES

STATES = 1 << 16
"""States of an answer whose forced tokens are remembered: some 300 bytes each."""


def answer_regex(labels: Sequence[str]) -> str:
    """Return a regular expression that matches `answer_text` for all labels and segments, and nothing else."""
    parts = re.split("STOP|7|8|GO", answer_text("STOP", 7, 8, "GO"))
    opening, to_start, to_end, to_next, closing = map(re.escape, parts)
    middle = "|".join(f"{start}{to_end}{_alternatives(start + 1, CLIP_FRAMES)}" for start in range(CLIP_FRAMES))
    names = "|".join(re.escape(json.dumps(label)[1:-1]) for label in labels)
    return f"{opening}({names}){to_start}({middle}){to_next}({names}){closing}"


@cache
def _alternatives(low: int, high: int) -> str:
    return f"({'|'.join(map(str, range(low, high + 1)))})"


class Step(NamedTuple):
    """Continuation of an answer: tokens that the grammar forces, then a choice.

    `mask` [width] is true for the tokens among which the model chooses, and lies on the model's device; None where the
    answer is whole after `forced`.
    """

    forced: tuple[int, ...]
    mask: torch.Tensor | None


class Grammar:
    """Compiled grammar of answers for a tokenizer.

    `width` is the width of the logits, which may exceed the vocabulary's; `device` is where they are computed.
    """

    def __init__(self, tokenizer: Any, labels: Sequence[str], width: int, device: torch.device | str = "cpu"):
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        self.end = tokenizer.convert_tokens_to_ids("<|im_end|>")
        self.width, self.device = width, device
        grammar = LLMatcher.grammar_from_regex(answer_regex(labels))
        self._start = LLMatcher(from_tokenizer(tokenizer, n_vocab=width, eos_token=self.end), grammar)
        self._masks: dict[bytes, torch.Tensor] = {}
        self.step = lru_cache(STATES)(self._step)

    def _step(self, tokens: tuple[int, ...]) -> Step:
        """Return what follows the first tokens of an answer. Raises ValueError for tokens that begin none."""
        matcher = self._start.deep_copy()
        if not matcher.consume_tokens(list(tokens)):
            raise ValueError(f"tokens {tokens} begin no answer")
        forced: list[int] = []
        while not matcher.is_stopped():
            run = matcher.compute_ff_tokens()
            if not run:
                bits = matcher.compute_bitmask()
                run = _set_bits(bits)
                if len(run) > 1:
                    return Step(tuple(forced), self._mask(bits, run))
            matcher.consume_tokens(run)
            forced += run
        return Step((*forced, self.end), None)

    def _mask(self, bits: bytes, allowed: list[int]) -> torch.Tensor:
        """Return the mask of the allowed tokens; states that allow the same share one."""
        if bits not in self._masks:
            mask = torch.zeros(self.width, dtype=torch.bool)
            mask[allowed] = True
            self._masks[bits] = mask.to(self.device)
        return self._masks[bits]


def _set_bits(bits: bytes) -> list[int]:
    """Return the numbers of the bits that are 1, the lowest of each byte first."""
    return np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little").nonzero()[0].tolist()
