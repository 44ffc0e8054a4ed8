"""Constrained decoding: only answers that are valid JSON with known labels and 0 <= start < end <= 125 can be said.

A JSON schema cannot say start < end, so the answer is one regular expression that lists, for each start, the ends it
allows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from finetune.tokens import answer_text
from reference.task import CLIP_FRAMES


def answer_regex(labels: Sequence[str]) -> str:
    """Of `answer_text` for all labels and segments."""
    parts = re.split("STOP|7|8|GO", answer_text("STOP", 7, 8, "GO"))
    opening, to_start, to_end, to_next, closing = map(re.escape, parts)
    middle = "|".join(f"{start}{to_end}{_numbers(start + 1, CLIP_FRAMES)}" for start in range(CLIP_FRAMES))
    names = "|".join(re.escape(json.dumps(label)[1:-1]) for label in labels)
    return f"{opening}({names}){to_start}({middle}){to_next}({names}){closing}"


@cache
def _numbers(low: int, high: int) -> str:
    return f"({'|'.join(map(str, range(low, high + 1)))})"


class Grammar:
    """The compiled grammar for a tokenizer; `width` is the width of the logits, which may exceed the vocabulary's."""

    def __init__(self, tokenizer: Any, labels: Sequence[str], width: int):
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        self.end = tokenizer.convert_tokens_to_ids("<|im_end|>")
        self._tokenizer = from_tokenizer(tokenizer, n_vocab=width, eos_token=self.end)
        self._grammar = LLMatcher.grammar_from_regex(answer_regex(labels))
        self.width = width

    def matchers(self, rows: int) -> list[Any]:
        from llguidance import LLMatcher

        return [LLMatcher(self._tokenizer, self._grammar) for _ in range(rows)]


class Constraint:
    """A logits processor for one generation of a batch: what may not follow becomes impossible."""

    def __init__(self, grammar: Grammar, rows: int):
        self.grammar, self.matchers, self.begun = grammar, grammar.matchers(rows), False

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        rows = [self._allowed(matcher, int(last)) for matcher, last in zip(self.matchers, ids[:, -1], strict=True)]
        self.begun = True
        return scores.masked_fill(~torch.from_numpy(np.stack(rows)).to(scores.device), -torch.inf)

    def _allowed(self, matcher: Any, last: int) -> NDArray[np.bool_]:
        """Of one row, after its last token; the end token alone once it has stopped."""
        if self.begun and not matcher.is_stopped():
            matcher.consume_token(last)
        allowed = np.zeros(self.grammar.width, bool)
        if matcher.is_stopped():
            allowed[self.grammar.end] = True
        else:
            bias = np.frombuffer(matcher.compute_logit_bias(), np.uint8)[: self.grammar.width]
            allowed[: len(bias)] = bias != 0
        return allowed
