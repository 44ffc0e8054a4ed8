"""Validation while training, and for ablations: the model answers, the harness reads and judges."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import harness
from finetune.data import Collator, Example, Training
from finetune.generate import ask
from finetune.model import Answerer
from harness.prediction.floors import Floors
from harness.prediction.predictor import Reply
from harness.prediction.replies import Reader
from harness.rules import AA40
from harness.scoring.result import Score
from reference.files import write_atomically
from reference.truth.store import open_truth

BATCH = {"cpu": 16, "cuda": 4}
"""Clips asked at once, by the kind of device."""
METRICS = {"oca": "operation_right", "tiou50": "segment_hit", "aa1": "next_right"}
Ask = Callable[[Sequence[Example]], Sequence[Reply]]


def evaluate(answerer: Answerer, collator: Collator, judging: Training, run: Path) -> dict[str, float]:
    """Unconstrained answers to the validation clips: `score`, `oca`, `tiou50`, `aa1`, `aa1_hidden`, and `valid`, the
    share that could be read as it was said; all over the clips that were asked."""

    def replies(examples: Sequence[Example]) -> list[Reply]:
        return [Reply(said.text) for said in ask(answerer, collator, examples, None)]

    score, sources = judge(replies, judging, run / "validation.jsonl", BATCH[answerer.device.type])
    asked = [judging.names[place] for place in judging.places]
    clips = score.clips.set_index("clip_id").loc[asked]
    found = {name: float(clips[column].mean()) for name, column in METRICS.items()}
    hidden = clips.loc[~clips["next_visible"].astype(bool), "next_right"]
    weights = {"oca": AA40.oca, "tiou50": AA40.tiou50, "aa1": AA40.aa1}
    return {
        "score": sum(weights[name] * found[name] for name in METRICS),
        **found,
        "aa1_hidden": float(hidden.mean()) if len(hidden) else found["aa1"],
        "valid": sources.count("model") / len(sources),
    }


def judge(replies: Ask, judging: Training, path: Path, batch: int) -> tuple[Score, list[str]]:
    """The answers, written to `path`, scored on their split; and the source of each."""
    world, split = judging.request["world"], judging.request["split"]
    with open_truth(world, split) as truth:
        reader = Reader(Floors(truth))
    lines: list[dict[str, Any]] = []
    for begin in range(0, len(judging), batch):
        examples = [judging.example(number) for number in range(begin, min(begin + batch, len(judging)))]
        lines += [
            reader.line(example.clip_id, reply, 0.0) for example, reply in zip(examples, replies(examples), strict=True)
        ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    write_atomically(path, lambda scratch: scratch.write_text(text, encoding="utf-8"))
    return harness.score(path, world=world, split=split), [line["source"] for line in lines]
