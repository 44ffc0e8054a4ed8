"""Evaluation on validation clips, in training and for ablations: the model answers, the harness reads and scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import harness
from finetune.constrained import Grammar
from finetune.data import ClipDataset, Collator, Example, spread
from finetune.generate import answer_grammar, generate_in_halves
from finetune.model import Answerer
from harness.metrics_table import PARTS
from harness.prediction.floors import Floors
from harness.prediction.predictor import Reply
from harness.prediction.replies import Reader
from harness.rules import AA40
from harness.scoring.result import Score
from reference.files import write_text
from reference.truth.store import open_truth

BATCH = {"cpu": 16, "cuda": 16}
"""Clips per generated batch, by the kind of device; out of memory, a batch is generated in halves."""
FREE_CLIPS = 48
"""Clips of an evaluation that are answered without the grammar as well, to see what share of the answers is valid."""
Answer = Callable[[Sequence[Example]], Sequence[Reply]]


def evaluate(answerer: Answerer, collator: Collator, clips: ClipDataset, run: Path) -> dict[str, float]:
    """Return metrics of constrained answers, as prediction gives them: `score`, `oca`, `tiou50`, `aa1`, `aa1_hidden`.

    They are means over the evaluated clips. `valid` is the share of answers that needed neither repair nor fallback
    among FREE_CLIPS of them, answered without the grammar.
    """
    batch, held = BATCH[answerer.device.type], answer_grammar(answerer, collator)

    def answer(examples: Sequence[Example], grammar: Grammar | None = None) -> list[Reply]:
        return [Reply(one.text) for one in generate_in_halves(answerer, collator, examples, grammar)]

    score, _ = score_answers(partial(answer, grammar=held), clips, run / "validation.jsonl", batch)
    free = answer_lines(answer, clips, spread(list(range(len(clips))), FREE_CLIPS), batch)
    # The harness counts clips without an answer as wrong; here only the evaluated ones count.
    rows = score.clips.set_index("clip_id").loc[[clips.names[place] for place in clips.places]]
    values = {metric.key: float(rows[metric.right].mean()) for metric in PARTS}
    hidden = rows.loc[~rows["next_visible"].astype(bool), "next_right"]
    return {
        "score": sum(getattr(AA40, key) * value for key, value in values.items()),
        **values,
        "aa1_hidden": float(hidden.mean()) if len(hidden) else values["aa1"],
        "valid": sum(line["source"] == "model" for line in free) / len(free),
    }


def score_answers(answer: Answer, clips: ClipDataset, path: Path, batch: int) -> tuple[Score, list[str]]:
    """Write the answers to `path` and score them on their split; return the score and the source of each answer."""
    lines = answer_lines(answer, clips, range(len(clips)), batch)
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))
    score = harness.score(path, world=clips.request["world"], split=clips.request["split"])
    return score, [line["source"] for line in lines]


def answer_lines(answer: Answer, clips: ClipDataset, numbers: Sequence[int], batch: int) -> list[dict[str, Any]]:
    """Return the lines of a prediction file for clips, given by their numbers."""
    with open_truth(clips.request["world"], clips.request["split"]) as truth:
        reader = Reader(Floors(truth))
    lines: list[dict[str, Any]] = []
    for begin in range(0, len(numbers), batch):
        examples = [clips.example(number) for number in numbers[begin : begin + batch]]
        lines += [reader.line(one.clip_id, reply, 0.0) for one, reply in zip(examples, answer(examples), strict=True)]
    return lines
