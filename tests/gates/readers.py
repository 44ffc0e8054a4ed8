"""What readers of sheets got right: the committed entry `sheet-readers`, clips read from 16 frames of 336 pixels.

The sheets are those of `reference.drawing.reading_sheet`: the frames at which signs face the camera are among them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reference.process.split import build_split
from reference.process.world import load_world
from reference.task import OPERATIONS, Clip
from tests.gates.answers import MILLION, Demand, state_prior
from tests.gates.gate import table
from tests.support import ROOT

ENTRY = ROOT / "submissions" / "sheet-readers"
OPERATION, ABOVE_PRIOR = 0.85, 0.10


class Readers(NamedTuple):
    """Shares of the clips that were read; of the hidden ones also what `state_prior` gets, all in [0, 1]."""

    clips: int
    operation: float
    following: float
    hidden: int
    hidden_following: float
    hidden_expected: float  # each answer counts its exact probability
    hidden_prior: float  # expected AA@1 of the usual successor of operation and look


def read(world: str, split: str, folder: Path = ENTRY) -> Readers | None:
    """Return what the entry in `folder` got right, or None where there is none."""
    if not (folder / "predictions.jsonl").exists():
        return None
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    answers = {row["clip_id"]: row for row in map(json.loads, lines)}
    definition = load_world(world)
    clips = [clip for clip in build_split(definition, split) if clip.clip_id in answers]
    return measure(list(build_split(definition, "train")), clips, answers)


def measure(train: list[Clip], clips: list[Clip], answers: dict[str, dict[str, str]]) -> Readers:
    """Return what answers to these clips are worth; the prior is fitted on `train`."""
    hidden = np.array([not clip.next_visible for clip in clips])
    operation = np.array([answers[clip.clip_id]["dominant_operation"] == clip.dominant_operation for clip in clips])
    following = np.array([answers[clip.clip_id]["next_operation"] == clip.next_operation for clip in clips])
    expected = np.array([_chance(clip, answers[clip.clip_id]["next_operation"]) for clip in clips])
    prior = state_prior(train, clips)[hidden].mean() / MILLION
    shares = (operation.mean(), following.mean(), hidden.sum(), following[hidden].mean(), expected[hidden].mean())
    return Readers(len(clips), *map(float, shares[:2]), int(shares[2]), *map(float, (*shares[3:], prior)))


def _chance(clip: Clip, label: str) -> float:
    """Return the exact probability of a next operation; 0 for what is no operation."""
    return clip.next_ppm[OPERATIONS.index(label)] / MILLION if label in OPERATIONS else 0.0


def demands(found: Readers | None) -> list[Demand]:
    """Return the demands on readers; without an entry nothing is shown, and they do not hold."""
    operation, gain = (
        (float("nan"),) * 2 if found is None else (found.operation, found.hidden_following - found.hidden_prior)
    )
    return [
        Demand("readers of sheets: operation right", operation, ">=", OPERATION),
        Demand("readers of sheets: hidden AA@1 - state prior", gain, ">=", ABOVE_PRIOR),
    ]


def describe(found: Readers | None) -> str:
    if found is None:
        return "No entry `sheet-readers` is committed yet."
    header = ("clips", "OCA", "AA@1", "hidden clips", "hidden AA@1", "the same, expected", "state prior there")
    shares = (found.hidden_following, found.hidden_expected, found.hidden_prior)
    row = (str(found.clips), f"{found.operation:.3f}", f"{found.following:.3f}", str(found.hidden))
    return table(header, [(*row, *(f"{share:.3f}" for share in shares))])
