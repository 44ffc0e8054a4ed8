"""Greedy generation of a batch of answers, with the probabilities of the generated labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from transformers import LogitsProcessorList

from finetune.constrained import Constraint, Grammar
from finetune.data import Collator, Example, label_spans
from finetune.model import INPUTS, Answerer

MAX_TOKENS = 96
"""An answer takes 12 tokens of the tiny tokenizer, about 45 of Qwen's."""
OVERFLOWED = "no answer: the model's scores are not numbers, its compute type has too small a range"


class Generation(NamedTuple):
    """Generated answer of a clip.

    `confidence` and `next_confidence` are products of the probabilities of the label's tokens, each given the text
    before it and among the tokens that the grammar allows, if there is one; None if the text holds no such label.
    `segment` [start, end) and `following` are the heads' answers, None without heads.
    """

    text: str
    confidence: float | None
    next_confidence: float | None
    segment: tuple[int, int] | None = None
    following: str | None = None


class GreedyProbabilities:
    """Logits processor that changes nothing and collects the log probability of each row's greedy token."""

    def __init__(self) -> None:
        self.steps: list[torch.Tensor] = []

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.steps.append(torch.log_softmax(scores.float(), dim=-1).amax(dim=-1))
        return scores


@torch.no_grad()
def generate(
    answerer: Answerer, collator: Collator, examples: Sequence[Example], grammar: Grammar | None
) -> list[Generation]:
    """Return the model's answer to each clip, constrained if there is a grammar."""
    was_training = answerer.training
    answerer.eval()
    batch = {name: value.to(answerer.device) for name, value in collator.prompt_batch(examples).items()}
    probabilities = GreedyProbabilities()
    processors = [*([Constraint(grammar, len(examples))] if grammar else []), probabilities]
    with answerer.autocast():
        heads = _head_answers(answerer, collator, batch)
        sequences = answerer.backbone.generate(
            **{name: batch[name] for name in INPUTS if name in batch},
            max_new_tokens=MAX_TOKENS,
            logits_processor=LogitsProcessorList(processors),
            use_cache=True,
        )
    answerer.train(was_training)
    tokens = sequences[:, batch["input_ids"].shape[1] :].tolist()
    logs = torch.stack(probabilities.steps, dim=1).tolist()
    generations = (_to_generation(collator.tokenizer, *row) for row in zip(tokens, logs, strict=True))
    return [generation._replace(**head) for generation, head in zip(generations, heads, strict=True)]


def _head_answers(answerer: Answerer, collator: Collator, batch: dict[str, torch.Tensor]) -> list[dict[str, Any]]:
    """Return `segment` and `following` of each row, as far as there are heads."""
    rows: list[dict[str, Any]] = [{} for _ in batch["input_ids"]]
    if not answerer.heads:
        return rows
    states = answerer.states(batch)
    last = torch.full((len(rows),), states.shape[1] - 1, device=states.device)
    if "segment" in answerer.heads:
        for row, scores in zip(rows, answerer.head("segment", states, last).log_softmax(-1), strict=True):
            row["segment"] = best_segment(scores[0], scores[1])
    if "following" in answerer.heads:
        for row, number in zip(rows, answerer.head("following", states, last)[:, 0].argmax(-1).tolist(), strict=True):
            row["following"] = collator.labels[number]
    return rows


def best_segment(start: torch.Tensor, last: torch.Tensor) -> tuple[int, int]:
    """Return the likeliest [start, end) with start < end, from log probabilities [frames] of start and last frame."""
    # triu zeroes what lies below the diagonal (last < start), and 0 is the best log probability there is.
    joint = (start[:, None] + last[None, :]).triu()
    joint[torch.ones_like(joint).tril(-1).bool()] = -torch.inf
    place = int(joint.argmax())
    return place // len(start), place % len(start) + 1


def _to_generation(tokenizer: Any, ids: Sequence[int], logs: Sequence[float]) -> Generation:
    """Return the text of generated tokens up to their end, with the confidences of its labels."""
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    answer = list(ids[: ids.index(end)]) if end in ids else list(ids)
    if any(map(math.isnan, logs[: len(answer) + 1])):
        return Generation(OVERFLOWED, None, None)  # a grammar would turn it into a flawless answer
    # Tokens hold bytes, and a character may take several: only the decoded prefix says where a token's text lies.
    text, places = "", []
    for count in range(1, len(answer) + 1):
        longer = tokenizer.decode(answer[:count])
        places.append((len(text), len(longer)))
        text = longer
    confidences = {name: _probability(span, places, logs) for name, span in label_spans(text).items()}
    return Generation(text, confidences.get("dominant"), confidences.get("next"))


def _probability(span: tuple[int, int], places: Sequence[tuple[int, int]], logs: Sequence[float]) -> float:
    """Return the product of the probabilities of the tokens that overlap a span of characters."""
    inside = [log for (low, high), log in zip(places, logs, strict=False) if low < span[1] and span[0] < high]
    return min(1.0, float(torch.tensor(inside).sum().exp()))
