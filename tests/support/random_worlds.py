"""Random truth to import, random answers to it, and both as the oracle reads them. Everything is seeded.

Answers are kept as the oracle's dicts and written as canonical JSON lines, so that oracle and harness are given the
same thing in two forms. Confidences and latencies are decimal text, exact in both.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from reference.task import CLIP_FRAMES, OPERATIONS
from reference.truth.imported import import_world
from reference.truth.store import open_truth
from tests.support.oracle import Truth

CONFIDENCES = ("0", "0.2", "0.333333", "0.4", "0.6", "0.600001", "0.733333", "0.8", "0.95", "0.999999", "1")
UNKNOWN_LABELS = ("Taping", "Kitting", "?")

Answer = dict[str, Any]
Answers = dict[str, Answer]


@dataclass(frozen=True)
class Shape:
    """A random world: clips of each session, its labels, and what its rows say besides."""

    sizes: tuple[int, ...]
    labels: tuple[str, ...] = OPERATIONS[:-1]
    share_hidden: float = 0.4
    domains: tuple[str | None, ...] = (None,)
    workers: tuple[str | None, ...] = (None,)
    crew: bool = False  # every clip has a worker of its own
    cuts: tuple[str, ...] = ("mid", "boundary", "dense")


SHAPES = {
    "plain": Shape(
        (9, 10, 11, 10, 9, 10, 11, 10, 10, 10, 9, 11), domains=("clean", "blur", "noise"), workers=("ana", "bo")
    ),
    "uneven": Shape((1, 2, 40, 3, 17, 1, 25, 8), OPERATIONS[:4], domains=("clean", None), share_hidden=0.1),
    "half known": Shape((6,) * 24, OPERATIONS[:3], domains=("clean", "blur", None)),
    "alone": Shape((35,)),
    "few": Shape((12, 12, 12, 12)),
    "many labels": Shape((33,) * 8, tuple(f"step {i}" for i in range(140)), cuts=("mid", "elsewhere"), crew=True),
    "singles": Shape((1,) * 50),
}


def random_truth(shape: Shape, seed: int) -> list[dict[str, Any]]:
    """Rows of a truth file."""
    rng = random.Random(seed)
    rows = []
    for number, size in enumerate(shape.sizes):
        facts = {
            "session": f"s{number:03d}",
            "domain": shape.domains[number % len(shape.domains)],
            "worker": shape.workers[number % len(shape.workers)],
        }
        rows += [facts | random_clip(rng, shape, f"{number:03d}-{place:02d}", place) for place in range(size)]
    return [row | ({"worker": row["clip_id"]} if shape.crew else {}) for row in rows]


def random_clip(rng: random.Random, shape: Shape, clip_id: str, place: int) -> dict[str, Any]:
    operation, *others = rng.sample(shape.labels, 3)
    beyond = random.Random(clip_id + operation)  # so that what is drawn for the other fields stays the same
    end = CLIP_FRAMES if rng.random() < shape.share_hidden else rng.randint(1, CLIP_FRAMES - 1)
    return {
        "clip_id": clip_id,
        "clip_index": place,
        "dominant_operation": operation,
        "start_frame": rng.randrange(end),
        "end_frame": end,
        "next_operation": others[0],
        "next_operations": [others[0], *beyond.choices(shape.labels, k=beyond.randrange(3))],
        "previous_operation": rng.choice((None, *others)),
        "cut_kind": rng.choice(shape.cuts),
    }


def make_world(name: str, rows: Iterable[Mapping[str, Any]], folder: Path, home: Path) -> None:
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    import_world([file], home, name=name)


def oracle_truth(world: str, split: str, home: Path) -> Truth:
    """What the store holds, in labels. The fits are taken as they are; test_oracle works them out a second time."""
    with open_truth(world, split, home=home) as opened:
        labels = opened.operations

        def rows(table: str, order: str) -> list[dict[str, Any]]:
            found = opened.connection.execute(f"SELECT * FROM truth.{table} ORDER BY {order}")
            columns = [column[0] for column in found.description]
            return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]

        def label(code: int | None) -> str | None:
            return None if code is None else labels[code]

        coded = ("dominant_operation", "next_operation", "previous_operation", "state_prior")
        clips = [
            row
            | {key: label(row[key]) for key in coded}
            | {"next_operations": [label(code) for code in row["next_operations"]]}
            for row in rows("clips", "session_index, clip_index")
        ]
        constants = {
            row["fold"]: {
                "operation": label(row["dominant_operation"]),
                "segment": (row["start_frame"], row["end_frame"]),
                "next_operation": label(row["next_operation"]),
                "later": [label(code) for code in row["later_operations"]],
            }
            for row in rows("constants", "fold")
        }
        transition: dict[int, dict[str, str]] = {}
        for row in rows("transition", "fold, operation"):
            transition.setdefault(row["fold"], {})[labels[row["operation"]]] = labels[row["next_operation"]]
        script = {labels[code]: labels[after] for code, after in enumerate(opened.script) if after is not None}
    return Truth(labels, clips, constants, transition, script)


def random_answers(
    truth: Truth, seed: int, *, skilled: float = 0.6, missing: float = 0.08, rare: float = 0.04
) -> Answers:
    """Answers of a model that is right in a field with probability `skilled`; `rare` is the chance of each oddity."""
    rng = random.Random(seed)
    return {
        clip["clip_id"]: random_answer(rng, truth, clip, skilled, rare)
        for clip in truth.clips
        if rng.random() >= missing
    }


def random_answer(rng: random.Random, truth: Truth, clip: Mapping[str, Any], skilled: float, rare: float) -> Answer:
    def label(right: str) -> str | None:
        if rng.random() < rare:
            return rng.choice((None, *UNKNOWN_LABELS))
        if rng.random() < skilled:
            return right
        near = [clip[key] for key in ("previous_operation", "next_operation", "dominant_operation")]
        near = [other for other in (*near, truth.script.get(clip["dominant_operation"])) if other is not None]
        return rng.choice((*truth.operations, *near, *near))

    start, end = random_segment(rng, clip, skilled, rare)
    return {
        "operation": label(clip["dominant_operation"]),
        "start_frame": start,
        "end_frame": end,
        "next_operation": label(clip["next_operation"]),
        "confidence": rng.choice((None, *map(Fraction, CONFIDENCES))),
        "next_confidence": rng.choice((None, *map(Fraction, CONFIDENCES))),
        "latency_ms": rng.choice((None, Fraction(rng.randrange(20_000_000), 1000), Fraction(10_000))),
        "source": rng.choice((None, "model", "model", "repaired", "fallback")),
    }


def with_later_operations(truth: Truth, answers: Answers, seed: int) -> Answers:
    """Return the answers, four of five with what follows the next operation: right, another label, or none further."""
    rng = random.Random(seed)
    named = {}
    for clip in truth.clips:
        answer = answers.get(clip["clip_id"])
        if answer is None or answer["next_operation"] is None or rng.random() < 0.2:
            continue
        right = [*clip["next_operations"][1:], *rng.choices(truth.operations, k=2)][:2]
        later = [each if rng.random() < 0.6 else rng.choice((*truth.operations, *UNKNOWN_LABELS)) for each in right]
        given = [answer["next_operation"], *later[: rng.randrange(3)]]
        named[clip["clip_id"]] = answer | {"next_operations": given}
    return answers | named


def random_segment(
    rng: random.Random, clip: Mapping[str, Any], skilled: float, rare: float
) -> tuple[int | None, int | None]:
    """Exact, shifted by some frames, the whole clip, anywhere, none, or with its ends swapped."""
    start, end = clip["start_frame"], clip["end_frame"]
    kind = rng.random()
    if kind < rare:
        return None, None
    if kind < 2 * rare:
        return (end, start) if rng.random() < 0.5 else (start, start)
    if kind < 3 * rare:
        return 0, CLIP_FRAMES
    if kind < 3 * rare + 0.2:
        first, last = sorted(rng.sample(range(CLIP_FRAMES + 1), 2))
        return first, last
    if rng.random() < skilled / 2:
        return start, end
    spread = rng.choice((3, 12, 40))
    shift = [max(0, min(CLIP_FRAMES, frame + rng.randint(-spread, spread))) for frame in (start, end)]
    return shift[0], shift[1]


def line(clip_id: str, answer: Answer) -> str:
    """One canonical prediction line; a field that the answer does not have is left out where it may be."""
    start, end = answer["start_frame"], answer["end_frame"]
    row = {
        "clip_id": clip_id,
        "dominant_operation": answer["operation"],
        "temporal_segment": None if start is None else {"start_frame": start, "end_frame": end},
        "next_operation": answer["next_operation"],
    }
    numbers = {key: answer.get(key) for key in ("confidence", "next_confidence", "latency_ms")}
    row |= {key: float(value) for key, value in numbers.items() if value is not None}
    row |= {"source": answer["source"]} if answer.get("source") else {}
    row |= {"next_operations": answer["next_operations"]} if answer.get("next_operations") else {}
    return json.dumps(row) + "\n"


def write_answers(path: Path, answers: Answers, seed: int = 0) -> Path:
    """In random order: the order of lines means nothing."""
    ids = sorted(answers)
    random.Random(seed).shuffle(ids)
    path.write_text("".join(line(clip_id, answers[clip_id]) for clip_id in ids), encoding="utf-8")
    return path
