"""Constrained decoding: allow only valid JSON answers with known labels and 0 <= start < end <= 125.

A JSON schema cannot express start < end, so the answers are one regular expression that lists, for each start, the ends
that may follow it.
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
    """Return a regular expression that matches `answer_text` for all labels and segments, and nothing else."""
    parts = re.split("STOP|7|8|GO", answer_text("STOP", 7, 8, "GO"))
    opening, to_start, to_end, to_next, closing = map(re.escape, parts)
    middle = "|".join(f"{start}{to_end}{_alternatives(start + 1, CLIP_FRAMES)}" for start in range(CLIP_FRAMES))
    names = "|".join(re.escape(json.dumps(label)[1:-1]) for label in labels)
    return f"{opening}({names}){to_start}({middle}){to_next}({names}){closing}"


@cache
def _alternatives(low: int, high: int) -> str:
    return f"({'|'.join(map(str, range(low, high + 1)))})"


class Grammar:
    """Compiled grammar of answers for a tokenizer.

    `width` is the width of the logits, which may exceed the vocabulary's.
    """

    def __init__(self, tokenizer: Any, labels: Sequence[str], width: int):
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        self.end = tokenizer.convert_tokens_to_ids("<|im_end|>")
        self._tokenizer = from_tokenizer(tokenizer, n_vocab=width, eos_token=self.end)
        self._grammar = LLMatcher.grammar_from_regex(answer_regex(labels))
        self.width = width

    def matchers(self, rows: int) -> list[Any]:
        """Return a matcher in its initial state for each row."""
        from llguidance import LLMatcher

        return [LLMatcher(self._tokenizer, self._grammar) for _ in range(rows)]


class Constraint:
    """Logits processor for one generation of a batch: sets tokens that the grammar forbids to minus infinity."""

    def __init__(self, grammar: Grammar, rows: int):
        self.grammar, self.matchers, self.started = grammar, grammar.matchers(rows), False

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        rows = [
            self._allowed_tokens(matcher, int(last)) for matcher, last in zip(self.matchers, ids[:, -1], strict=True)
        ]
        self.started = True
        return scores.masked_fill(~torch.from_numpy(np.stack(rows)).to(scores.device), -torch.inf)

    def _allowed_tokens(self, matcher: Any, last: int) -> NDArray[np.bool_]:
        """Return a mask [width] of the tokens that may follow `last` in one row."""
        # At the first call `last` is the prompt's last token, which is none of the answer's. A row whose answer is
        # whole waits for the longer ones of its batch: it is stopped, consumes nothing, and may repeat the end alone.
        if self.started and not matcher.is_stopped():
            matcher.consume_token(last)
        allowed = np.zeros(self.grammar.width, bool)
        if matcher.is_stopped():
            allowed[self.grammar.end] = True
        else:
            # llguidance's own torch kernel would be compiled at its first call, which takes seconds and a compiler.
            bias = np.frombuffer(matcher.compute_logit_bias(), np.uint8)[: self.grammar.width]
            allowed[: len(bias)] = bias != 0
        return allowed
