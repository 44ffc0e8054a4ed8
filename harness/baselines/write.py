"""Reference models: floors, prior and ceiling as ordinary submissions, all three fields answered on every clip.

`constant` and `whole-clip` know the training split only, `random` nothing. `transition-prior` and `oracle` read the
truth's visible part (`uses_truth` in their cards): a perfect recogniser that has memorised the sequence, and the best
possible answer given what each clip shows. `truth-copy` answers the truth and is for tests.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness import disclosure
from harness.errors import UsageError
from harness.scoring.request import Request
from reference.files import write_text
from reference.resources import sql
from reference.task import CLIP_FRAMES, UNKNOWN
from reference.truth.store import Truth


class Baseline(NamedTuple):
    """Reference model and what its entry's card says of it."""

    name: str
    kind: str  # "baseline": ranked like a model; "reference": uses truth, never ranked
    description: str


BASELINES = {
    baseline.name: baseline
    for baseline in (
        Baseline(
            "constant", "baseline", "the training split's majority operation, best constant segment, majority next"
        ),
        Baseline("whole-clip", "baseline", "majority operation and next, and the whole clip as the segment"),
        Baseline("random", "baseline", "uniformly random operation, segment and next operation, seeded"),
        Baseline("transition-prior", "reference", "the true operation and the training split's usual successor of it"),
        Baseline("oracle", "reference", "the true operation and segment, and the likeliest next given what is visible"),
        Baseline("truth-copy", "reference", "the truth itself, for tests"),
    )
}

ON_FRAMES = {
    baseline.name: baseline
    for baseline in (
        Baseline("histogram", "baseline", "boosted trees on the colours of 8 frames, trained on the train split"),
        Baseline(
            "thumbnail", "baseline", "a linear classifier on 8 frames of 16 x 16 pixels, trained on the train split"
        ),
        Baseline("probe", "baseline", "a small classifier on 8 frames of 168 x 168, trained on the train split"),
        Baseline("probe-16", "baseline", "a small classifier on 16 frames of 168 x 168, trained on the train split"),
        Baseline(
            "last-frame", "baseline", "the probe's classifier on the last frame alone, trained on the train split"
        ),
    )
}
"""Models on frames, which learn before they answer (`on_frames`)."""


def answers(truth: Truth, name: str, seed: int = 0, *, later: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the prediction lines of a baseline for every clip of the truth's split, ordered by clip_id.

    `later`: also name the second and third next operation, in the field next_operations.
    Raises UsageError for an unknown name, and for the oracle of a world without a process.
    """
    if name not in BASELINES:
        raise UsageError(f"unknown baseline {name!r}; there are {', '.join(BASELINES)}")
    rows = truth.connection.execute(sql(__package__, "baseline"))
    column = {description[0]: i for i, description in enumerate(rows.description)}
    generator, beyond = random.Random(seed), random.Random(f"later {seed}")  # apart, so that `later` changes no answer
    while batch := rows.fetchmany(10_000):
        for row in batch:
            known = None if name == "random" else row[column[name.replace("-", "_")]]
            answer: Mapping[str, Any] = known or random_answer(generator, truth.operations)
            if answer["next_operation"] is None:
                raise UsageError(f"world {truth.world} has no process, so there is no {name}")
            found = line(row[0], truth.operations, answer)
            if later:
                codes = answer["later"] if known else random_labels(beyond, truth.operations, 2)
                found["next_operations"] = [found["next_operation"], *(truth.operations[code] for code in codes)]
            yield found


def line(clip_id: str, operations: tuple[str, ...], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the canonical prediction line of an answer in codes."""
    return {
        "clip_id": clip_id,
        "dominant_operation": operations[answer["operation"]],
        "temporal_segment": {"start_frame": answer["start_frame"], "end_frame": answer["end_frame"]},
        "next_operation": operations[answer["next_operation"]],
    }


def random_answer(generator: random.Random, operations: tuple[str, ...]) -> dict[str, int]:
    """Draw labels other than Unknown, and two distinct frame boundaries, each equally likely; an answer in codes."""
    # of the 126 boundaries the second is one of the other 125: stepping over the first keeps all pairs equally likely
    first, second = int(generator.random() * (CLIP_FRAMES + 1)), int(generator.random() * CLIP_FRAMES)
    second += second >= first
    operation, following = random_labels(generator, operations, 2)
    return {
        "operation": operation,
        "start_frame": min(first, second),
        "end_frame": max(first, second),
        "next_operation": following,
    }


def random_labels(generator: random.Random, operations: tuple[str, ...], count: int) -> list[int]:
    """Draw codes of labels other than Unknown, each equally likely."""
    labels = [code for code, label in enumerate(operations) if label != UNKNOWN]
    return [labels[int(generator.random() * len(labels))] for _ in range(count)]


def write_baseline(
    name: str,
    path: str | Path,
    *,
    seed: int = 0,
    next_operations: bool = False,
    request: Request | None = None,
    **choices: Any,
) -> int:
    """Write a baseline's submission as JSONL ("-": standard output); return the number of lines.

    `next_operations`: also name the second and third next operation.
    `choices`: fields of a Request, of which `world`, `split`, `home`, `truth` and `organiser` matter here; `request`:
    the Request that they change. Raises UsageError for an unknown baseline, and for one that would tell a sealed truth.
    """
    request = Request.of(request, **choices)
    with request.open(answers=uses_truth(name, request)) as truth:
        return write_lines(path, answers(truth, name, seed, later=next_operations))


def uses_truth(name: str, request: Request) -> bool:
    """Return whether a baseline answers from the truth. Raises UsageError where that would tell a sealed one."""
    if name not in BASELINES or BASELINES[name].kind != "reference":
        return False
    disclosure.refuse(request.world, f"the answers of {name}", organiser=request.organiser, home=request.home)
    return True


def write_lines(path: str | Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write prediction lines, to standard output for "-"; return how many."""
    lines = [json.dumps(row) + "\n" for row in rows]
    if str(path) == "-":
        sys.stdout.writelines(lines)
    else:
        write_text(Path(path), "".join(lines))
    return len(lines)
