"""Does it anticipate, or recite? AA@1 between prior and ceiling, where the next operation is not yet on screen, off the
script, and the answers by current operation beside what really follows and what the prior would say.

Prior and ceiling of a part of the split are means over its clips, like those of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.report.clips import NO_ANSWER, OTHER_LABEL, Answers, Clips
from harness.report.panels.measure import UNIT, Axis, Measure, measure, plus


@dataclass(frozen=True)
class Part:
    """AA@1 on some of the clips, between its bounds."""

    label: str
    meaning: str
    measure: Measure
    floor: float | None
    prior: float | None
    ceiling: float | None


@dataclass(frozen=True)
class Matrix:
    """Counts [rows, columns] with labels; `marked`: by row the column that the prior answers, or None."""

    rows: list[str]
    columns: list[str]
    counts: list[list[int]]
    marked: list[int | None]


@dataclass(frozen=True)
class Anticipation:
    """Panel data: AA@1 by part, what context adds on hidden clips, both matrices."""

    parts: list[Part]
    context: Measure
    answered: Matrix
    true: Matrix
    axis: Axis
    finding: str


def anticipation(record: dict[str, Any], clips: Clips, answers: Answers) -> Anticipation:
    """Make the panel of one entry."""
    parts = _parts(record, clips)
    context = measure(
        record["own_prior"]["context_gain_hidden"],
        "own_prior.context_gain_hidden",
        record["metrics"]["aa1_hidden"]["n"],
        record["sessions"],
    )
    answered, true = _matrices(clips, answers)
    return Anticipation(parts, context, answered, true, UNIT, _finding(record, context))


def _parts(record: dict[str, Any], clips: Clips) -> list[Part]:
    whole, hidden = record["metrics"]["aa1"], record["metrics"]["aa1_hidden"]
    parts = [Part("all clips", "", measure(whole, "metrics.aa1"), *(whole[role] for role in ROLES))]
    parts.append(
        Part(
            "next not on screen",
            "anticipation",
            measure(hidden, "metrics.aa1_hidden"),
            *(hidden[role] for role in ROLES),
        )
    )
    for dimension, level, label, meaning, chosen in (
        ("next_visible", "visible", "next on screen", "recognition is enough", ~clips.hidden),
        ("script", "on-script", "on script", "the usual operation follows", _script(clips, False)),
        ("script", "off-script", "off script", "another one follows", _script(clips, True)),
    ):
        found = next(
            (
                (i, row)
                for i, row in enumerate(record["slices"])
                if (row["dimension"], row["level"]) == (dimension, level)
            ),
            None,
        )
        if found and chosen is not None:
            place, row = found
            shown = measure(row["metrics"]["aa1"], f"slices.{place}.metrics.aa1", row["n"], row["sessions"])
            parts.append(Part(label, meaning, shown, None, *_bounds(clips, chosen)))
    return parts


ROLES = ("floor", "prior", "ceiling")


def _script(clips: Clips, off: bool) -> np.ndarray | None:
    return None if clips.off_script is None else clips.off_script == off


def _bounds(clips: Clips, chosen: np.ndarray) -> tuple[float | None, float | None]:
    if not chosen.any():
        return None, None
    ceiling = None if clips.ceiling is None else float(clips.ceiling[chosen].mean())
    return float(clips.prior_right[chosen].mean()), ceiling


def _matrices(clips: Clips, answers: Answers) -> tuple[Matrix, Matrix]:
    """By true operation: what was answered as the next one, and what followed. Operations in process order."""
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
    """T(operation); of several folds the commonest."""
    return int(np.bincount(clips["prior_next"][clips["operation"] == operation]).argmax())


def _counts(rows: np.ndarray, columns: np.ndarray, named: list[int], others: list[int]) -> list[list[int]]:
    return [[int(((rows == row) & (columns == column)).sum()) for column in others] for row in named]


def _finding(record: dict[str, Any], context: Measure) -> str:
    hidden = record["metrics"]["aa1_hidden"]
    if hidden["value"] is None:
        return "On every clip the next operation is already on screen: nothing here measures anticipation."
    if context.value is None or hidden["prior"] is None:
        return f"Where the next operation is not yet on screen, {hidden['value']:.0%} of the answers are right."
    gain = "" if context.low is None or context.high is None else f" (95% {plus(context.low)} to {plus(context.high)})"
    return (
        f"Where the next operation is not yet on screen, {hidden['value']:.0%} of the answers are right; knowing only "
        f"the sequence gives {hidden['prior']:.0%}. Context adds {plus(context.value)}{gain} to what its own "
        f"recognised operation would have predicted."
    )
