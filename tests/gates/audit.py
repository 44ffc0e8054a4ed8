"""How often is an answer from the frames alone suspected of knowing more, and how often is a leak found?

In each of 200 worlds (other seeds of warehouse-v2) three answers are honest: the oracle, the usual successor of the
operation, and that of operation and look. A fourth is the second prior with a share of the hidden clips answered from
the truth. `harness.scoring.audit.knows_more` judges each from the same sums as a submission.

Run from the repository root: `python -m tests.gates.audit`. Exit code 1 where an honest answer is flagged in more than
1% of worlds; how often a leak is found is reported.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from harness.scoring.audit import knows_more
from reference.process.priors import fit
from reference.process.split import build_split, labelled_clips
from reference.process.world import Split, World, load_world
from reference.task import OPERATIONS, Clip
from tests.gates.gate import Gate, percent, table

WORLDS, SESSIONS, CLIPS = 200, 72, 20
HONEST = ("oracle", "usual next of the operation", "usual next of operation and look")
LEAKS = (0.05, 0.1, 0.2)
ALLOWED = 0.01


class Row(NamedTuple):
    """Worlds in which one kind of answer was flagged, and its largest and mean z."""

    name: str
    flagged: int
    mean: float
    largest: float


def suspicions(worlds: int = WORLDS, sessions: int = SESSIONS, clips: int = CLIPS, leaks: Sequence[float] = ()):
    """Return a Row for each honest answer, then for each share of hidden answers taken from the truth."""
    world = load_world("warehouse-v2")
    usual = fit(list(labelled_clips(world, "train")), OPERATIONS)
    split = Split("small", sessions, clips, world.splits["test"].domains)
    found: dict[str, list[dict]] = {}
    for seed in range(worlds):
        drawn = [clip for clip in build_split(_other(world, split, seed), "small") if not clip.next_visible]
        for name, answers in _answers(drawn, usual, leaks, random.Random(seed)).items():
            found.setdefault(name, []).append(_judge(drawn, answers))
    return [_row(name, flags) for name, flags in found.items()]


def _other(world: World, split: Split, seed: int) -> World:
    name = f"audit-{seed}"
    return replace(world, seed=name, key=name.encode(), splits=world.splits | {"small": split})


def _answers(clips: list[Clip], usual, leaks: Sequence[float], rng: random.Random) -> dict[str, list[int]]:
    operation = [OPERATIONS.index(clip.dominant_operation) for clip in clips]
    by_look = [usual.state_next(code, clip.look) for code, clip in zip(operation, clips, strict=True)]
    honest = ([OPERATIONS.index(clip.oracle_next) for clip in clips], [usual.transition[code] for code in operation])
    answers = dict(zip(HONEST, (*honest, by_look), strict=True))
    for share in leaks:
        mixed = [
            OPERATIONS.index(clip.next_operation) if rng.random() < share else answer
            for clip, answer in zip(clips, by_look, strict=True)
        ]
        answers[f"the same, {share:.0%} from the truth"] = mixed
    return answers


def _judge(clips: list[Clip], answers: list[int]) -> dict:
    chance = [clip.next_ppm[answer] for clip, answer in zip(clips, answers, strict=True)]
    right = sum(OPERATIONS[answer] == clip.next_operation for clip, answer in zip(clips, answers, strict=True))
    variance = sum(ppm * (1_000_000 - ppm) for ppm in chance)
    sums = {"n_hidden": len(clips), "hidden_next_right": right, "hidden_expected_ppm": sum(chance)}
    totals = {name: np.float64(value) for name, value in sums.items()}
    return knows_more(totals | {"hidden_expected_variance_e12": np.float64(variance)})


def _row(name: str, flags: list[dict]) -> Row:
    z = [flag["number"] for flag in flags]
    return Row(name, sum(bool(flag["raised"]) for flag in flags), float(np.mean(z)), max(z))


def run_gate(worlds: int = WORLDS) -> Gate:
    rows = suspicions(worlds, leaks=LEAKS)
    shown = [(row.name, percent(row.flagged / worlds), f"{row.mean:+.2f}", f"{row.largest:.2f}") for row in rows]
    holds = all(row.flagged <= ALLOWED * worlds for row in rows[: len(HONEST)])
    text = (
        f"{worlds} worlds of {SESSIONS} sessions of {CLIPS} clips. Demanded: honest answers flagged in at most "
        f"{percent(ALLOWED)}. Reported: how often it finds the second prior with some hidden answers from the truth."
    )
    return Gate(
        "Knows more than the frames", text, [table(("answers", "flagged", "mean z", "largest z"), shown)], holds
    )


if __name__ == "__main__":
    gate = run_gate()
    print(gate.markdown())
    raise SystemExit(0 if gate.holds else 1)
