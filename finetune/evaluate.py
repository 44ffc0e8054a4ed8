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
from finetune.processes.meeting import Processes
from harness.metrics_table import PARTS
from harness.prediction.predictor import Reply
from harness.rules import AA40
from harness.scoring.result import Score
from reference.files import write_text

BATCH = {"cpu": 16, "cuda": 16}
"""Clips per generated batch, by the kind of device; out of memory, a batch is generated in halves."""
FREE_CLIPS = 48
"""Clips of an evaluation that are answered without the grammar as well, to see what share of the answers is valid."""
Answer = Callable[[Sequence[Example]], Sequence[Reply]]


def evaluate(
    answerer: Answerer, collator: Collator, clips: ClipDataset, run: Path, processes: Processes | None = None
) -> dict[str, float]:
    """Return metrics of constrained answers, as prediction gives them: `score`, `oca`, `tiou50`, `aa1`, `aa1_hidden`.

    They are means over the evaluated clips. `valid` is the share of answers that needed neither repair nor fallback
    among FREE_CLIPS of them, answered without the grammar. Several processes share the clips and get the same values.
    """
    processes = processes or Processes()
    batch, held = BATCH[answerer.device.type], answer_grammar(answerer, collator)

    def answer(examples: Sequence[Example], grammar: Grammar | None = None) -> list[Reply]:
        return [Reply(one.text) for one in generate_in_halves(answerer, collator, examples, grammar)]

    everything = list(range(len(clips)))
    constrained = shared_lines(partial(answer, grammar=held), clips, everything, batch, processes)
    free = shared_lines(answer, clips, spread(everything, FREE_CLIPS), batch, processes)
    if not processes.first:
        return processes.from_first({})
    score = score_lines(constrained, clips, run / "validation.jsonl")
    # The harness counts clips without an answer as wrong; here only the evaluated ones count.
    rows = score.clips.set_index("clip_id").loc[[clips.names[place] for place in clips.places]]
    values = {metric.key: float(rows[metric.right].mean()) for metric in PARTS}
    hidden = rows.loc[~rows["next_visible"].astype(bool), "next_right"]
    return processes.from_first(
        {
            "score": sum(getattr(AA40, key) * value for key, value in values.items()),
            **values,
            "aa1_hidden": float(hidden.mean()) if len(hidden) else values["aa1"],
            "valid": sum(line["source"] == "model" for line in free) / len(free),
        }
    )


def score_answers(answer: Answer, clips: ClipDataset, path: Path, batch: int) -> tuple[Score, list[str]]:
    """Write the answers to `path` and score them on their split; return the score and the source of each answer."""
    lines = answer_lines(answer, clips, range(len(clips)), batch)
    return score_lines(lines, clips, path), [line["source"] for line in lines]


def score_lines(lines: Sequence[dict[str, Any]], clips: ClipDataset, path: Path) -> Score:
    """Write the lines of a prediction file to `path`, and return their score on their split."""
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))
    return harness.score(path, world=clips.request["world"], split=clips.request["split"])


def shared_lines(
    answer: Answer, clips: ClipDataset, numbers: Sequence[int], batch: int, processes: Processes
) -> list[dict[str, Any]]:
    """Return what `answer_lines` does; the processes take turns at the batches.

    Batches stay whole, so that a clip is answered beside the same clips as in one process. Raises MemoryFullError in
    every process if one cannot answer a clip.
    """
    begins = range(processes.rank * batch, len(numbers), processes.count * batch)
    own = [number for begin in begins for number in numbers[begin : begin + batch]]
    lines: list[dict[str, Any]] = []
    with processes.within_memory("answering validation clips one by one"):
        lines = answer_lines(answer, clips, own, batch)
    found = {number: line for part in processes.gather(list(zip(own, lines, strict=True))) for number, line in part}
    return [found[number] for number in numbers]


def answer_lines(answer: Answer, clips: ClipDataset, numbers: Sequence[int], batch: int) -> list[dict[str, Any]]:
    """Return the lines of a prediction file for clips, given by their numbers."""
    lines: list[dict[str, Any]] = []
    for begin in range(0, len(numbers), batch):
        examples = [clips.example(number) for number in numbers[begin : begin + batch]]
        replies = zip(examples, answer(examples), strict=True)
        lines += [clips.reader.line(one.clip_id, reply, 0.0) for one, reply in replies]
    return lines
