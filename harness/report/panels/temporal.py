"""Panel "How well does it time?": overlap with the true segments, and the errors of their ends."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from harness.report.clips import Answers, Clips
from harness.report.panels.measure import Axis, Measure, axis_over, measure
from harness.scoring.known_failures import BOUNDARY_LINE_FRAMES

ERROR_LIMIT, ERROR_BIN = 60, 5
LENGTHS = (0, 15, 30, 45, 62, 80, 100, 125)
"""Bounds of the classes of true length, in frames; a clip is dense up to 62."""


@dataclass(frozen=True)
class Point:
    """Share of clips that reach a tIoU, and the constant segment's share."""

    tiou: float
    measure: Measure
    floor: float | None


@dataclass(frozen=True)
class Errors:
    """Errors of the segments' start or end, in frames: answered minus true.

    `counts` holds clips by signed error in classes of ERROR_BIN frames (the outermost are open), `within` the share
    within ten frames, `median` the median size.
    """

    end: str
    counts: list[int]
    mean: Measure
    within: Measure
    median: int | None
    n: int


@dataclass(frozen=True)
class Length:
    """Clips whose true segment has `low` to `high` frames: their tIoU, and the constant segment's mean."""

    low: int
    high: int
    n: int
    quartiles: tuple[float, float, float]
    mean: float
    floor: float


@dataclass(frozen=True)
class Temporal:
    """Panel data: curve over tIoU, errors of both ends, overlap by length."""

    curve: list[Point]
    errors: list[Errors]
    bins: list[int]
    line_frames: int
    lengths: list[Length]
    mean_tiou: Measure
    count_axis: Axis
    finding: str


def temporal(
    record: dict[str, Any], clips: Clips, answers: Answers, floor: dict[str, Any], constant: Answers
) -> Temporal:
    """Make the panel; `floor` and `constant` are record and answers of the constant submission."""
    curve = _curve(record, floor)
    errors = [_errors(record, answers, end) for end in ("start", "end")]
    most = max((count for row in errors for count in row.counts), default=0)
    mean = measure(record["temporal"]["mean_tiou"], "temporal.mean_tiou", record["n"], record["sessions"])
    bins = list(range(-ERROR_LIMIT, ERROR_LIMIT + 1, ERROR_BIN))
    return Temporal(
        curve=curve,
        errors=errors,
        bins=bins,
        line_frames=BOUNDARY_LINE_FRAMES,
        lengths=_lengths(clips, answers, constant),
        mean_tiou=mean,
        count_axis=axis_over([0, most], zero=True, least=1),
        finding=_finding(record, curve),
    )


def _curve(record: dict[str, Any], floor: dict[str, Any]) -> list[Point]:
    rows = zip(record["temporal"]["thresholds"], floor["temporal"]["thresholds"], strict=True)
    n = record["metrics"]["tiou50"]["n"]
    return [
        Point(mine["tiou"], measure(mine, f"temporal.thresholds.{i}", n, record["sessions"]), other["value"])
        for i, (mine, other) in enumerate(rows)
    ]


def _errors(record: dict[str, Any], answers: Answers, end: str) -> Errors:
    found = record["temporal"]["boundary_errors"]
    frames = np.asarray(answers[f"{end}_error"][answers.has_segment], int)
    held = np.clip(frames, -ERROR_LIMIT, ERROR_LIMIT)
    counts = np.bincount((held + ERROR_LIMIT + ERROR_BIN // 2) // ERROR_BIN, minlength=2 * ERROR_LIMIT // ERROR_BIN + 1)
    within, mean = (
        measure(found[f"{end}_{name}"], f"temporal.boundary_errors.{end}_{name}", found["n"], record["sessions"])
        for name in ("within_10", "mean")
    )
    median = found[f"{end}_median_abs"]
    return Errors(end, counts.tolist(), mean, within, median, found["n"])


def _lengths(clips: Clips, answers: Answers, constant: Answers) -> list[Length]:
    frames = np.asarray(clips["end_frame"], int) - clips["start_frame"]
    found = []
    for low, high in pairwise(LENGTHS):
        chosen = (frames > low) & (frames <= high)
        mine, other = (column["tiou_permille"][chosen] / 1000 for column in (answers, constant))
        if not len(mine):
            continue
        quarter, half, most = (float(value) for value in np.quantile(mine, (0.25, 0.5, 0.75), method="inverted_cdf"))
        found.append(Length(low + 1, high, len(mine), (quarter, half, most), float(mine.mean()), float(other.mean())))
    return found


def _finding(record: dict[str, Any], curve: list[Point]) -> str:
    half = next(point for point in curve if point.tiou == 0.5)
    strict = next(point for point in curve if point.tiou == 0.75)
    if half.measure.value is None:
        return "No answer holds a segment that counts."
    shares = half.measure.value, strict.measure.value
    text = f"{shares[0]:.0%} of the segments overlap the true one by half, {shares[1]:.0%} by three quarters"
    bound = record["temporal"]["boundary_errors"]
    if not bound["n"]:
        return f"{text}."
    start, end = bound["start_within_10"]["value"], bound["end_within_10"]["value"]
    return f"{text}; {start:.0%} of the starts and {end:.0%} of the ends lie within 10 frames (0.4 s)."
