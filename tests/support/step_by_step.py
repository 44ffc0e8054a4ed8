"""Oracle of constrained decoding: an answer token by token, by transformers' own generation and a matcher for each row.

It asks the model for every token, forced or not, and takes the likeliest that the grammar allows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import LogitsProcessorList

from finetune.constrained import answer_regex
from finetune.data import Collator
from finetune.model import INPUTS, Answerer


class Held:
    """Logits processor that forbids what the grammar does; it collects the best log probability and the choices."""

    def __init__(self, collator: Collator, width: int, rows: int):
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        self.end, self.width = collator.ids["<|im_end|>"], width
        tokenizer = from_tokenizer(collator.tokenizer, n_vocab=width, eos_token=self.end)
        grammar = LLMatcher.grammar_from_regex(answer_regex(collator.labels))
        self.matchers = [LLMatcher(tokenizer, grammar) for _ in range(rows)]
        self.logs: list[torch.Tensor] = []
        self.choices: list[torch.Tensor] = []

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        # At the first call the last token is the prompt's.
        last = ids[:, -1].tolist() if self.logs else [None] * len(ids)
        allowed = torch.from_numpy(np.stack([self.allowed(*row) for row in zip(self.matchers, last, strict=True)]))
        held = scores.masked_fill(~allowed, -torch.inf)
        self.choices.append(allowed.sum(-1))
        self.logs.append(torch.log_softmax(held, -1).amax(-1))
        return held

    def allowed(self, matcher: Any, last: int | None) -> np.ndarray:
        if last is not None and not matcher.is_stopped():
            assert matcher.consume_token(last)
        if matcher.is_stopped():
            return np.arange(self.width) == self.end
        bias = np.frombuffer(matcher.compute_logit_bias(), np.uint8)
        return np.pad(bias != 0, (0, max(0, self.width - len(bias))))[: self.width]


class Token(NamedTuple):
    """Token of an answer, its log probability, and the number of tokens that the grammar allowed there."""

    id: int
    log: float
    choices: int


@torch.no_grad()
def answers(answerer: Answerer, collator: Collator, batch: dict[str, torch.Tensor]) -> list[list[Token]]:
    """Return each answer to its end."""
    held = Held(collator, answerer.inner.lm_head.weight.shape[0], len(batch["input_ids"]))
    inputs = {name: batch[name] for name in INPUTS if name in batch}
    with answerer.autocast():
        found = answerer.backbone.generate(
            **inputs, max_new_tokens=96, logits_processor=LogitsProcessorList([held]), use_cache=True
        )
    ids = found[:, batch["input_ids"].shape[1] :].tolist()
    logs, choices = (torch.stack(each, dim=1).tolist() for each in (held.logs, held.choices))
    rows = [[Token(*each) for each in zip(*row, strict=True)] for row in zip(ids, logs, choices, strict=True)]
    return [row[: [token.id for token in row].index(held.end) + 1] for row in rows]
