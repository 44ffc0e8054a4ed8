"""Asking a model: greedy generation of a batch, and how sure it was of the labels it said."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from finetune.constrained import Constraint, Grammar
from finetune.data import Collator, Example, label_spans
from finetune.model import INPUTS, Answerer

MAX_TOKENS = 96
"""An answer takes 12 tokens of the tiny tokenizer, about 45 of Qwen's."""


OVERFLOWED = "no answer: the model's scores are not numbers, its compute type has too small a range"


class Said(NamedTuple):
    """`confidence`, `next_confidence`: product of the probabilities of the label's tokens, given that the answer has
    got so far and among the tokens that the grammar allows, if there is one; None where the text holds no such label.
    `segment`, `following`: what the heads say, if any."""

    text: str
    confidence: float | None
    next_confidence: float | None
    segment: tuple[int, int] | None = None
    following: str | None = None


class Probabilities:
    """A logits processor that changes nothing and notes how probable each row's greedy token is."""

    def __init__(self) -> None:
        self.steps: list[torch.Tensor] = []

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.steps.append(torch.log_softmax(scores.float(), dim=-1).amax(dim=-1))
        return scores


@torch.no_grad()
def ask(answerer: Answerer, collator: Collator, examples: Sequence[Example], grammar: Grammar | None) -> list[Said]:
    """What the model says of each clip; constrained where a grammar is given."""
    from transformers import LogitsProcessorList

    was_training = answerer.training
    answerer.eval()
    batch = {name: value.to(answerer.device) for name, value in collator.ask(examples).items()}
    noted = Probabilities()
    processors = [*([Constraint(grammar, len(examples))] if grammar else []), noted]
    with answerer.autocast():
        heads = _heads(answerer, collator, batch)
        found = answerer.backbone.generate(
            **{name: batch[name] for name in INPUTS if name in batch},
            max_new_tokens=MAX_TOKENS,
            logits_processor=LogitsProcessorList(processors),
            use_cache=True,
        )
    answerer.train(was_training)
    new = found[:, batch["input_ids"].shape[1] :].tolist()
    sure = torch.stack(noted.steps, dim=1).tolist()
    texts = (_said(collator.tokenizer, ids, logs) for ids, logs in zip(new, sure, strict=True))
    return [said._replace(**head) for said, head in zip(texts, heads, strict=True)]


def _heads(answerer: Answerer, collator: Collator, batch: dict[str, torch.Tensor]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _ in batch["input_ids"]]
    if not answerer.heads:
        return rows
    states = answerer.states(batch)
    last = torch.full((len(rows),), states.shape[1] - 1, device=states.device)
    if "segment" in answerer.heads:
        for row, scores in zip(rows, answerer.head("segment", states, last).log_softmax(-1), strict=True):
            row["segment"] = best_segment(scores[0], scores[1])
    if "following" in answerer.heads:
        for row, place in zip(rows, answerer.head("following", states, last)[:, 0].argmax(-1).tolist(), strict=True):
            row["following"] = collator.labels[place]
    return rows


def best_segment(start: torch.Tensor, last: torch.Tensor) -> tuple[int, int]:
    """The likeliest [start, end) with start < end, from log probabilities [frames] of start and of the last frame."""
    joint = (start[:, None] + last[None, :]).triu()
    joint[torch.ones_like(joint).tril(-1).bool()] = -torch.inf
    place = int(joint.argmax())
    return place // len(start), place % len(start) + 1


def _said(tokenizer: Any, ids: Sequence[int], logs: Sequence[float]) -> Said:
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    kept = list(ids[: ids.index(end)]) if end in ids else list(ids)
    if any(map(math.isnan, logs[: len(kept) + 1])):
        return Said(OVERFLOWED, None, None)  # a grammar would make a flawless answer of it
    text, places = "", []
    for count in range(1, len(kept) + 1):
        longer = tokenizer.decode(kept[:count])
        places.append((len(text), len(longer)))
        text = longer
    sure = {name: _probability(span, places, logs) for name, span in label_spans(text).items()}
    return Said(text, sure.get("dominant"), sure.get("next"))


def _probability(span: tuple[int, int], places: Sequence[tuple[int, int]], logs: Sequence[float]) -> float:
    inside = [log for (low, high), log in zip(places, logs, strict=False) if low < span[1] and span[0] < high]
    return min(1.0, float(torch.tensor(inside).sum().exp()))
