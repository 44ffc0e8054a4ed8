"""Panel "Does it anticipate, or recite?": AA@1 between prior and ceiling on parts of the split, and the answers.

The parts are clips whose next operation is or is not on screen, and clips on and off the script. The answers stand by
current operation beside what really follows and what the prior would say. Priors and ceiling of a part are means over
its clips, like those of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.metrics_table import FURTHER
from harness.report.clips import NO_ANSWER, OTHER_LABEL, Answers, Clips
from harness.report.panels.measure import UNIT, Axis, Measure, measure
from harness.report.typography import signed
from harness.report.verdict import context_words


@dataclass(frozen=True)
class Part:
    """AA@1 on some of the clips, with its bounds."""

    label: str
    meaning: str
    measure: Measure
    floor: float | None
    prior: float | None
    state_prior: float | None
    ceiling: float | None


@dataclass(frozen=True)
class Matrix:
    """Counts [rows, columns] with labels; `marked` holds for each row the column that the prior answers, or None."""

    rows: list[str]
    columns: list[str]
    counts: list[list[int]]
    marked: list[int | None]


@dataclass(frozen=True)
class Anticipation:
    """Panel data: AA@1 by part, what context adds on hidden clips, both matrices, AA@2 and AA@3 where answered."""

    parts: list[Part]
    context: Measure
    answered: Matrix
    true: Matrix
    axis: Axis
    finding: str
    further: list[Part]


def anticipation(record: dict[str, Any], clips: Clips, answers: Answers) -> Anticipation:
    """Make the panel of one entry."""
    parts = _parts(record, clips)
    hidden = record["metrics"]["aa1_hidden"]
    context = measure(record["context_gain"], "context_gain", hidden["n"], hidden["sessions"])
    answered, true = _matrices(clips, answers)
    return Anticipation(parts, context, answered, true, UNIT, _finding(record, context), _further(record))


PARTS = (
    ("next_visible", "visible", "next on screen", "recognition is enough"),
    ("script", "on-script", "on script", "the usual operation follows"),
    ("script", "off-script", "off script", "another one follows"),
)
"""Slices that become parts: dimension and level in the record, label and meaning on the page."""


def _parts(record: dict[str, Any], clips: Clips) -> list[Part]:
    metrics = record["metrics"]
    parts = [
        _headline(metrics, "aa1", "all clips", ""),
        _headline(metrics, "aa1_hidden", "next not on screen", "anticipation"),
    ]
    places = {(row["dimension"], row["level"]): place for place, row in enumerate(record["slices"])}
    for dimension, level, label, meaning in PARTS:
        place, chosen = places.get((dimension, level)), _clips_of(clips, level)
        if place is not None and chosen is not None:
            row = record["slices"][place]
            aa1 = measure(row["metrics"]["aa1"], f"slices.{place}.metrics.aa1", row["n"], row["sessions"])
            parts.append(Part(label=label, meaning=meaning, measure=aa1, floor=None, **_bounds(clips, chosen)))
    return parts


def _headline(metrics: dict[str, Any], key: str, label: str, meaning: str) -> Part:
    row = metrics[key]
    bounds = {role: row[role] for role in ("floor", "prior", "state_prior", "ceiling")}
    return Part(label=label, meaning=meaning, measure=measure(row, f"metrics.{key}"), **bounds)


def _further(record: dict[str, Any]) -> list[Part]:
    """Return AA@2 and AA@3, each where some answer names the operation."""
    return [
        Part(
            label=FURTHER[key],
            meaning=f"{row['answered']:,} answers name it",
            measure=measure(row, f"further.{key}", sessions=record["sessions"]),
            floor=row["floor"],
            prior=None,
            state_prior=None,
            ceiling=row["ceiling"],
        )
        for key, row in record["further"].items()
        if row["answered"]
    ]


def _clips_of(clips: Clips, level: str) -> np.ndarray | None:
    """Return which clips a level of PARTS holds, bool [N]; None where the world has no script."""
    if level == "visible":
        return ~clips.hidden
    if clips.off_script is None:
        return None
    return clips.off_script if level == "off-script" else ~clips.off_script


def _bounds(clips: Clips, chosen: np.ndarray) -> dict[str, float | None]:
    """Return both priors and the ceiling of some clips; None over no clip, and for what the world does not know."""
    columns = {"prior": clips.prior_right, "state_prior": clips.state_prior_right, "ceiling": clips.ceiling}
    known = {name: column if chosen.any() else None for name, column in columns.items()}
    return {name: None if column is None else float(column[chosen].mean()) for name, column in known.items()}


def _matrices(clips: Clips, answers: Answers) -> tuple[Matrix, Matrix]:
    """Return two matrices by true operation, in process order: next operations answered, and those that followed."""
    classes = len(clips.operations)
    rows = [code for code in range(classes) if (clips["operation"] == code).any()]
    seen = {int(code) for code in np.union1d(clips["next_operation"], answers["next_operation"])}
    columns = [code for code in range(classes) if code in seen]
    marked = [_usual(clips, code) for code in rows]
    places = [columns.index(code) if code in columns else None for code in marked]
    names = [clips.operations[code] for code in rows], [clips.operations[code] for code in columns]
    extra = [code for code in (NO_ANSWER, OTHER_LABEL) if code in seen]
    said = _counts(clips["operation"], answers["next_operation"], rows, columns + extra)
    true = _counts(clips["operation"], clips["next_operation"], rows, columns)
    titles = {NO_ANSWER: "(no answer)", OTHER_LABEL: "(other label)"}
    return (
        Matrix(names[0], names[1] + [titles[code] for code in extra], said, places),
        Matrix(names[0], names[1], true, places),
    )


def _usual(clips: Clips, operation: int) -> int:
    """Return the usual successor of an operation; where folds differ, the most frequent one."""
    return int(np.bincount(clips["prior_next"][clips["operation"] == operation]).argmax())


def _counts(rows: np.ndarray, columns: np.ndarray, named: list[int], others: list[int]) -> list[list[int]]:
    return [[int(((rows == row) & (columns == column)).sum()) for column in others] for row in named]


def _finding(record: dict[str, Any], context: Measure) -> str:
    hidden = record["metrics"]["aa1_hidden"]
    if hidden["value"] is None:
        return "On every clip the next operation is already on screen: nothing here measures anticipation."
    if context.value is None:
        return f"Where the next operation is not yet on screen, {hidden['value']:.0%} of the answers are right."
    gain = (
        "" if context.low is None or context.high is None else f" (95% {signed(context.low)} to {signed(context.high)})"
    )
    return (
        f"Where the next operation is not yet on screen, {hidden['value']:.0%} of the answers are right. Memory gives "
        f"{hidden['prior']:.0%} for whoever recognises the operation, and {hidden['state_prior']:.0%} for whoever sees "
        f"the state of the box, too. Context adds {signed(context.value)}{gain} to that: "
        f"{context_words(context.low, context.high)}."
    )
