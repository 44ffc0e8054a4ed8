"""Where: every metric on every part of the split, which parts differ, the worst of them, and the transfer gap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from harness.report.panels.measure import Measure, chance, measure, plus
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
    """`difference`: to the rest of the split; `star`: it differs after Holm; `shade`: lo5 (far below) to hi5."""

    measure: Measure
    difference: float | None
    p_adjusted: float | None
    star: bool
    shade: str


@dataclass(frozen=True)
class Row:
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
        Group(TITLES[dimension], list(found))
        for dimension, found in groupby(rows, lambda row: row.dimension)
        if dimension != "session"
    ]
    sessions = sorted((row for row in rows if row.dimension == "session"), key=_value)
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
            row["dimension"],
            TITLES[row["dimension"]],
            row["level"],
            row["n"],
            row["sessions"],
            row["n"] < MIN_CLIPS,
            cells,
        )


def _cell(cell: dict[str, Any], at: str, n: int, sessions: int) -> Cell:
    shade = _shade(cell["difference"]) if n >= MIN_CLIPS else "mid"
    return Cell(measure(cell, at, n, sessions), cell["difference"], cell["p_adjusted"], cell["star"], shade)


def _shade(difference: float | None) -> str:
    """Five steps of STEP either way."""
    steps = min(5, round(abs(difference or 0.0) / STEP))
    return "mid" if not steps else f"{'lo' if (difference or 0.0) < 0 else 'hi'}{steps}"


def _value(row: Row) -> tuple[float, str]:
    value = row.cells["score"].measure.value
    return (2.0 if value is None else value), row.level


def _worst(rows: list[Row]) -> list[Row]:
    """Surely below the rest first, then by how much."""
    below = [row for row in rows if row.cells["score"].p_adjusted is not None and _gap(row) < 0]
    return sorted(below, key=lambda row: (not row.cells["score"].star, _gap(row)))[:WORST]


def _gap(row: Row) -> float:
    difference = row.cells["score"].difference
    return 0.0 if difference is None else difference


def _finding(worst: list[Row]) -> str:
    sure = [row for row in worst if row.cells["score"].star]
    if not sure:
        return "No part of the split is surely worse than the rest."
    row = sure[0]
    cell = row.cells["score"]
    return (
        f"Worst where {row.title} is {row.level}: score {cell.measure.value:.3f} on {row.n:,} clips, "
        f"{plus(_gap(row))} against the rest (adjusted p {chance(cell.p_adjusted)})."
    )
