"""Validation while training: the model answers, the harness judges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import harness
from finetune.data import Collator, Training
from finetune.generate import ask
from finetune.model import Answerer
from harness.rules import AA40

BATCH = 16
METRICS = {"oca": "operation_right", "tiou50": "segment_hit", "aa1": "next_right"}


def evaluate(answerer: Answerer, collator: Collator, judging: Training, run: Path) -> dict[str, float]:
    """Unconstrained answers to the validation clips: `score`, `oca`, `tiou50`, `aa1`, `aa1_hidden`, `valid` (shares)."""
    path = run / "validation.jsonl"
    rows: list[dict[str, Any]] = []
    for begin in range(0, len(judging), BATCH):
        examples = [judging.example(number) for number in range(begin, min(begin + BATCH, len(judging)))]
        for example, said in zip(examples, ask(answerer, collator, examples, None), strict=True):
            rows.append({"clip_id": example.clip_id} | _answer(said.text))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    request = judging.request
    score = harness.score(path, world=request["world"], split=request["split"], lenient=True)
    clips = score.clips.set_index("clip_id").loc[[row["clip_id"] for row in rows]]
    found = {name: float(clips[column].mean()) for name, column in METRICS.items()}
    weights = {"oca": AA40.oca, "tiou50": AA40.tiou50, "aa1": AA40.aa1}
    hidden = clips.loc[~clips["next_visible"].astype(bool), "next_right"]
    return {
        "score": sum(weights[name] * found[name] for name in METRICS), **found,
        "aa1_hidden": float(hidden.mean()) if len(hidden) else found["aa1"],
        "valid": sum(len(row) == 4 for row in rows) / len(rows),
    }  # fmt: skip


def _answer(text: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except ValueError:
        return {"raw_output": text}
    return read if isinstance(read, dict) and len(read) == 3 else {"raw_output": text}


