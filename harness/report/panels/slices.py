"""Panel "Where is it worse?": every metric on every part of the split, which parts differ, and the worst of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from harness.report.panels.measure import Measure, measure
from harness.report.typography import p_in_a_sentence, signed
from harness.scoring.slices import MIN_CLIPS

TITLES = {
    "operation": "operation", "next_operation": "next operation", "cut": "cut", "next_visible": "next operation is",
    "dense": "segment", "script": "script", "session_kind": "session", "domain": "domain", "worker": "worker",
    "session": "single sessions",
}  # fmt: skip
WORST, SESSIONS_SHOWN = 5, 10
STEP = 0.05


@dataclass(frozen=True)
class Cell:
    """One metric on one slice.

    `difference` is to the rest of the split, give or take `difference_half` (95%); `star` marks a significant one
    (after Holm); `shade` runs from lo5 (far below the rest) over mid to hi5.
    """

    measure: Measure
    difference: float | None
    difference_half: float | None
    p_adjusted: float | None
    star: bool
    shade: str


@dataclass(frozen=True)
class Row:
    """Slice of the split with its metrics; `small` where it has too few clips to be tested."""

    dimension: str
    title: str
    level: str
    n: int
    sessions: int
    small: bool
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Group:
    """Slices of one dimension."""

    title: str
    rows: list[Row]


@dataclass(frozen=True)
class Slices:
    """Panel data: all slices by dimension, the lowest sessions, and the worst slices."""

    groups: list[Group]
    sessions: list[Row]
    session_count: int
    worst: list[Row]
    tests: int
    finding: str


def slices(record: dict[str, Any]) -> Slices:
    """Make the panel of one entry."""
    rows = list(_rows(record))
    groups = [
        Group(TITLES[dimension], list(members))
        for dimension, members in groupby(rows, lambda row: row.dimension)
        if dimension != "session"
    ]
    sessions = sorted((row for row in rows if row.dimension == "session"), key=_by_score)
    tests = sum(cell.p_adjusted is not None for row in rows for cell in row.cells.values())
    worst = _worst(rows)
    return Slices(groups, sessions[:SESSIONS_SHOWN], len(sessions), worst, tests, _finding(worst))


def _rows(record: dict[str, Any]) -> Iterator[Row]:
    for place, row in enumerate(record["slices"]):
        cells = {
            name: _cell(cell, f"slices.{place}.metrics.{name}", row["n"], row["sessions"])
            for name, cell in row["metrics"].items()
        }
        yield Row(
            dimension=row["dimension"],
            title=TITLES[row["dimension"]],
            level=row["level"],
            n=row["n"],
            sessions=row["sessions"],
            small=row["n"] < MIN_CLIPS,
            cells=cells,
        )


def _cell(cell: dict[str, Any], at: str, n: int, sessions: int) -> Cell:
    shade = _shade(cell["difference"]) if n >= MIN_CLIPS else "mid"
    low, high = cell["difference_low"], cell["difference_high"]
    return Cell(
        measure=measure(cell, at, n, sessions),
        difference=cell["difference"],
        difference_half=None if low is None else (high - low) / 2,
        p_adjusted=cell["p_adjusted"],
        star=cell["star"],
        shade=shade,
    )


def _shade(difference: float | None) -> str:
    """Return the shade of a difference: up to five steps of STEP either way."""
    steps = min(5, round(abs(difference or 0.0) / STEP))
    return "mid" if not steps else f"{'lo' if (difference or 0.0) < 0 else 'hi'}{steps}"


def _by_score(row: Row) -> tuple[float, str]:
    value = row.cells["score"].measure.value
    return (2.0 if value is None else value), row.level


def _worst(rows: list[Row]) -> list[Row]:
    """Return the WORST rows that were tested: those significantly below the rest first, then by the difference."""
    below = [row for row in rows if row.cells["score"].p_adjusted is not None and _gap(row) < 0]
    return sorted(below, key=lambda row: (not row.cells["score"].star, _gap(row)))[:WORST]


def _gap(row: Row) -> float:
    difference = row.cells["score"].difference
    return 0.0 if difference is None else difference


def _finding(worst: list[Row]) -> str:
    significant = [row for row in worst if row.cells["score"].star]
    if not significant:
        return "No part of the split is significantly worse than the rest."
    row = significant[0]
    cell = row.cells["score"]
    return (
        f"Worst where {row.title} is {row.level}: score {cell.measure.value:.3f} on {row.n:,} clips, "
        f"{signed(_gap(row))} against the rest (adjusted p {p_in_a_sentence(cell.p_adjusted)})."
    )
