"""Greedy generation of a batch of answers, with the probabilities of the generated labels.

Under a grammar the model is called once for each choice that the grammar leaves: the tokens that it forces are read
together with the choice before them, 5 to 8 calls an answer. Free answers are generated token by token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from transformers import LogitsProcessorList
from transformers.convert_slow_tokenizer import bytes_to_unicode

from finetune.constrained import Grammar
from finetune.data import Collator, Example, label_spans
from finetune.layers.geometry import ON_HOST
from finetune.model import INPUTS, Answerer

MAX_TOKENS = 96
"""Of a free answer, which takes 12 tokens of the tiny tokenizer, about 39 of Qwen's."""
OVERFLOWED = "no answer: the model's scores are not numbers, its compute type has too small a range"
BYTES = {character: byte for byte, character in bytes_to_unicode().items()}
"""Character of a byte-level tokenizer's vocabulary -> the byte that it stands for."""


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


class Answers(NamedTuple):
    """Tokens [b][length] of a batch's answers, log probability of each, and states [b, hidden] of the prompts' ends."""

    tokens: list[list[int]]
    logs: list[list[float]]
    states: torch.Tensor | None


class GreedyProbabilities:
    """Logits processor that changes nothing and collects the log probability of each row's greedy token."""

    def __init__(self) -> None:
        self.steps: list[torch.Tensor] = []

    def __call__(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.steps.append(torch.log_softmax(scores.float(), dim=-1).amax(dim=-1))
        return scores


def answer_grammar(answerer: Answerer, collator: Collator) -> Grammar:
    """Return the grammar of a model's answers; half a second with a vocabulary of Qwen's size."""
    return Grammar(collator.tokenizer, collator.labels, answerer.inner.lm_head.weight.shape[0], answerer.device)


@torch.no_grad()
def generate(
    answerer: Answerer, collator: Collator, examples: Sequence[Example], grammar: Grammar | None
) -> list[Generation]:
    """Return the model's answer to each clip, constrained if there is a grammar."""
    was_training = answerer.training
    answerer.eval()
    batch = collator.prompt_batch(examples)
    if answerer.writer is not None:
        batch |= answerer.writer.cache.look_up([example.frames for example in examples])
    batch = {name: value if name in ON_HOST else value.to(answerer.device) for name, value in batch.items()}
    try:
        with answerer.autocast():
            answers = constrained_answers(answerer, batch, grammar) if grammar else free_answers(answerer, batch)
            heads = _head_answers(answerer, collator, answers)
    finally:
        answerer.train(was_training)
    generations = (to_generation(collator.tokenizer, *row) for row in zip(answers.tokens, answers.logs, strict=True))
    return [generation._replace(**head) for generation, head in zip(generations, heads, strict=True)]


def generate_in_halves(
    answerer: Answerer, collator: Collator, examples: Sequence[Example], grammar: Grammar | None
) -> list[Generation]:
    """Return what `generate` does; out of memory, half of the clips at a time, and so on down to one."""
    try:
        return generate(answerer, collator, examples, grammar)
    except torch.OutOfMemoryError:
        if len(examples) == 1:
            raise
    # Outside of the handler: there the traceback would keep the failed pass's memory alive.
    half = len(examples) // 2
    return [
        generation
        for part in (examples[:half], examples[half:])
        for generation in generate_in_halves(answerer, collator, part, grammar)
    ]


def free_answers(answerer: Answerer, batch: dict[str, torch.Tensor]) -> Answers:
    """Return answers of any text, up to MAX_TOKENS."""
    states = answerer.states(batch)[:, -1] if answerer.heads else None
    probabilities = GreedyProbabilities()
    sequences = answerer.backbone.generate(
        **{name: batch[name].to(answerer.device) for name in INPUTS if name in batch},
        max_new_tokens=MAX_TOKENS,
        logits_processor=LogitsProcessorList([probabilities]),
        use_cache=True,
    )
    tokens = sequences[:, batch["input_ids"].shape[1] :].tolist()
    return Answers(tokens, torch.stack(probabilities.steps, dim=1).tolist(), states)


def constrained_answers(answerer: Answerer, batch: dict[str, torch.Tensor], grammar: Grammar) -> Answers:
    """Return answers that the grammar allows, each to its end."""
    reader = Reader(answerer, batch)
    rows = [Row(grammar) for _ in batch["input_ids"]]
    while not all(row.whole for row in rows):
        scores = reader.read([row.unread for row in rows])
        scores.masked_fill_(~torch.stack([row.mask for row in rows]), -torch.inf)
        chosen, logs = scores.argmax(-1).tolist(), torch.log_softmax(scores, -1).amax(-1).tolist()
        for row, token, log in zip(rows, chosen, logs, strict=True):
            row.choose(token, log)
    return Answers([row.tokens for row in rows], [row.logs for row in rows], reader.prompt_states)


class Row:
    """Answer of one clip as far as it is known: its tokens, the log probability of each, and what comes next.

    `unread` are the tokens that the model has not read yet, `mask` [width] those among which it chooses next. A `whole`
    answer has nothing to read; its mask means nothing.
    """

    def __init__(self, grammar: Grammar):
        self.grammar = grammar
        self.tokens: list[int] = []
        self.logs: list[float] = []
        self._append([], [])

    def choose(self, token: int, log: float) -> None:
        """Append a token that the model chose; a whole answer stays as it is."""
        if not self.whole:
            self._append([token], [log])

    def _append(self, tokens: list[int], logs: list[float]) -> None:
        """Append tokens and those that the grammar forces after them, whose probability is 1."""
        step = self.grammar.step((*self.tokens, *tokens))
        self.unread = [*tokens, *step.forced]
        self.tokens += self.unread
        self.logs += [*logs, *[0.0] * len(step.forced)]
        self.whole = step.mask is None
        if step.mask is None:
            self.unread = []
        else:
            self.mask = step.mask


class Reader:
    """Model that reads a batch of texts piece by piece, each row at a pace of its own.

    The first pieces follow the prompts of `batch`. Pieces are padded on the left, as prompts are: the last place of a
    row is always its newest token, and gaps lie wherever a row had less to read than another. The attention mask leaves
    them out, and positions count what is filled.
    """

    def __init__(self, answerer: Answerer, batch: dict[str, torch.Tensor]):
        self.answerer, self.batch = answerer, batch
        self.filled = batch["attention_mask"].to(answerer.device)
        self.cache: Any = None
        self.prompt_states: torch.Tensor | None = None

    def read(self, pieces: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return the scores [b, width] of the tokens that may follow, in fp32; a row without a piece has any."""
        length = max(map(len, pieces))
        filled = torch.tensor([[0] * (length - len(piece)) + [1] * len(piece) for piece in pieces])
        ids = torch.tensor([[0] * (length - len(piece)) + [*piece] for piece in pieces])
        self.filled = torch.cat([self.filled, filled.to(self.filled.device)], dim=1)
        output = (self._continue if self.cache else self._begin)(ids.to(self.filled.device), filled)
        self.cache = output.past_key_values
        head = self.answerer.inner.lm_head
        return head(output.last_hidden_state[:, -1].to(head.weight.dtype)).float()

    def _begin(self, ids: torch.Tensor, filled: torch.Tensor) -> Any:
        """Read the prompts and what follows them; keep the states of the prompts' last tokens."""
        prompts, mask, kinds = (self.batch[name] for name in ("input_ids", "attention_mask", "mm_token_type_ids"))
        longer = {
            "input_ids": torch.cat([prompts, ids], dim=1),
            "attention_mask": torch.cat([mask, filled], dim=1),
            "mm_token_type_ids": torch.cat([kinds, torch.zeros_like(filled, dtype=kinds.dtype)], dim=1),
        }
        batch = self.answerer.laid_out(self.batch | longer)
        output = self.answerer.read(batch, use_cache=True)
        # Text goes on after the largest position so far: frames have fewer positions than tokens.
        self.next = batch["positions"].amax(dim=(0, 2))[:, None] + 1
        self.prompt_states = output.last_hidden_state[:, prompts.shape[1] - 1]
        return output

    def _continue(self, ids: torch.Tensor, filled: torch.Tensor) -> Any:
        """Read tokens after what the cache holds."""
        counted = filled.to(ids.device).cumsum(-1)
        positions = self.next + counted - 1
        self.next = self.next + counted[:, -1:]
        return self.answerer.inner.model.language_model(
            input_ids=ids,
            attention_mask=self.filled,
            position_ids=positions.expand(3, -1, -1),  # text has one position in time, height and width
            past_key_values=self.cache,
            use_cache=True,
        )


def _head_answers(answerer: Answerer, collator: Collator, answers: Answers) -> list[dict[str, Any]]:
    """Return `segment` and `following` of each row, as far as there are heads, from the prompts' last states."""
    rows: list[dict[str, Any]] = [{} for _ in answers.tokens]
    if answers.states is None:
        return rows
    states = answers.states[:, None]
    first = torch.zeros(len(rows), dtype=torch.long, device=states.device)
    if "segment" in answerer.heads:
        for row, scores in zip(rows, answerer.head("segment", states, first).log_softmax(-1).cpu(), strict=True):
            row["segment"] = best_segment(scores[0], scores[1])
    if "following" in answerer.heads:
        for row, number in zip(rows, answerer.head("following", states, first)[:, 0].argmax(-1).tolist(), strict=True):
            row["following"] = collator.labels[number]
    return rows


def best_segment(start: torch.Tensor, last: torch.Tensor) -> tuple[int, int]:
    """Return the likeliest [start, end) with start < end, from log probabilities [frames] of start and last frame."""
    # triu zeroes what lies below the diagonal (last < start), and 0 is the best log probability there is.
    joint = (start[:, None] + last[None, :]).triu()
    joint[torch.ones_like(joint).tril(-1).bool()] = -torch.inf
    place = int(joint.argmax())
    return place // len(start), place % len(start) + 1


def to_generation(tokenizer: Any, ids: Sequence[int], logs: Sequence[float]) -> Generation:
    """Return the text of generated tokens up to their end, with the confidences of its labels."""
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    answer = list(ids[: ids.index(end)]) if end in ids else list(ids)
    if any(map(math.isnan, logs[: len(answer) + 1])):
        return Generation(OVERFLOWED, None, None)  # a grammar would turn it into a flawless answer
    # A character may take several tokens, but each token holds whole bytes. Read as Latin-1, in which every byte is a
    # character, the text says where a token lies; the labels' surroundings are ASCII and look the same.
    pieces = [_bytes_of(token) for token in tokenizer.convert_ids_to_tokens(answer)]
    ends = list(accumulate(map(len, pieces)))
    places = list(zip([0, *ends], ends, strict=False))
    spans = label_spans(b"".join(pieces).decode("latin-1"))
    confidences = {name: _probability(span, places, logs) for name, span in spans.items()}
    return Generation(tokenizer.decode(answer), confidences.get("dominant"), confidences.get("next"))


def _bytes_of(token: str) -> bytes:
    """Return the bytes of a token as the vocabulary has it; special tokens stand there as themselves."""
    return bytes(BYTES[each] for each in token) if BYTES.keys() >= set(token) else token.encode()


def _probability(span: tuple[int, int], places: Sequence[tuple[int, int]], logs: Sequence[float]) -> float:
    """Return the product of the probabilities of the tokens that overlap a span of bytes."""
    inside = [log for (low, high), log in zip(places, logs, strict=False) if low < span[1] and span[0] < high]
    return min(1.0, math.exp(sum(inside)))
