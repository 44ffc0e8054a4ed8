"""Panels "Where clips are lost" and "What repairing one failure would gain"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.report.panels.measure import Axis, Measure, axis_over


@dataclass(frozen=True)
class Stage:
    """Stage of the funnel: clips that pass it, clips lost at it, and the share that passes."""

    name: str
    meaning: str
    passed: int
    lost: int
    share: float


@dataclass(frozen=True)
class Mode:
    """Failure mode with the score that repairing it would gain."""

    name: str
    title: str
    meaning: str
    n: int
    gain: Measure
    field_gain: float


@dataclass(frozen=True)
class Losses:
    """Panel data: funnel and failure modes, the costliest first."""

    stages: list[Stage]
    modes: list[Mode]
    axis: Axis
    finding: str


MEANINGS = {
    "expected": "clips of the split",
    "present": "with a line",
    "parsed": "with a readable answer",
    "valid": "with an accepted line",
    "operation": "with the right operation",
    "segment": "and a segment that hits",
    "next": "and the right next operation",
}


def losses(record: dict[str, Any]) -> Losses:
    """Make the panels of one entry."""
    total = record["n"]
    stages = [
        Stage(row["stage"], MEANINGS[row["stage"]], row["passed"], row["lost"], row["passed"] / total)
        for row in record["funnel"]
    ]
    modes = [
        Mode(
            name=row["mode"],
            title=row["title"],
            meaning=row["meaning"],
            n=row["n"],
            gain=Measure(row["gain"], row["gain_low"], row["gain_high"], row["n"], at=f"modes.{i}.gain"),
            field_gain=row["field_gain"],
        )
        for i, row in enumerate(record["modes"])
    ]
    axis = axis_over([end for mode in modes for end in (mode.gain.value, mode.gain.high)], zero=True)
    return Losses(stages, modes, axis, _finding(modes, total))


def _finding(modes: list[Mode], n: int) -> str:
    if not modes or not modes[0].gain.value:
        return "Nothing is lost: every clip is right in all three fields."
    worst = modes[0]
    return (
        f"The costliest failure is “{worst.title}” ({worst.meaning}): {worst.n:,} of {n:,} clips, "
        f"worth {worst.gain.value:+.3f} if it were repaired."
    )
