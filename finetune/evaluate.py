"""Evaluation on validation clips, in training and for ablations: the model answers, the harness reads and scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import harness
from finetune.data import ClipDataset, Collator, Example
from finetune.generate import generate
from finetune.model import Answerer
from harness.metrics_table import PARTS
from harness.prediction.floors import Floors
from harness.prediction.predictor import Reply
from harness.prediction.replies import Reader
from harness.rules import AA40
from harness.scoring.result import Score
from reference.files import write_text
from reference.truth.store import open_truth

BATCH = {"cpu": 16, "cuda": 4}
"""Clips per generated batch, by the kind of device."""
Answer = Callable[[Sequence[Example]], Sequence[Reply]]


def evaluate(answerer: Answerer, collator: Collator, clips: ClipDataset, run: Path) -> dict[str, float]:
    """Return metrics of unconstrained answers: `score`, `oca`, `tiou50`, `aa1`, `aa1_hidden`, `valid`.

    All are means over the evaluated clips; `valid` is the share of answers that needed neither repair nor fallback.
    """

    def answer(examples: Sequence[Example]) -> list[Reply]:
        return [Reply(generation.text) for generation in generate(answerer, collator, examples, None)]

    score, sources = score_answers(answer, clips, run / "validation.jsonl", BATCH[answerer.device.type])
    # The harness counts clips without an answer as wrong; here only the evaluated ones count.
    rows = score.clips.set_index("clip_id").loc[[clips.names[place] for place in clips.places]]
    values = {metric.key: float(rows[metric.right].mean()) for metric in PARTS}
    hidden = rows.loc[~rows["next_visible"].astype(bool), "next_right"]
    return {
        "score": sum(getattr(AA40, key) * value for key, value in values.items()),
        **values,
        "aa1_hidden": float(hidden.mean()) if len(hidden) else values["aa1"],
        "valid": sources.count("model") / len(sources),
    }


def score_answers(answer: Answer, clips: ClipDataset, path: Path, batch: int) -> tuple[Score, list[str]]:
    """Write the answers to `path` and score them on their split; return the score and the source of each answer."""
    world, split = clips.request["world"], clips.request["split"]
    with open_truth(world, split) as truth:
        reader = Reader(Floors(truth))
    lines: list[dict[str, Any]] = []
    for begin in range(0, len(clips), batch):
        examples = [clips.example(number) for number in range(begin, min(begin + batch, len(clips)))]
        replies = answer(examples)
        lines += [reader.line(example.clip_id, reply, 0.0) for example, reply in zip(examples, replies, strict=True)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    write_text(path, text)
    return harness.score(path, world=world, split=split), [line["source"] for line in lines]
