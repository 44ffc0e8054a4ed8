"""Panel "What does it mistake for what?": true operation by answer, in process order, as shares of each true one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cell:
    """Clips of one true operation with one answer: count, share of the row, shade, and whether it is right."""

    n: int
    share: float
    level: int  # 0 to 10, for the shade
    right: bool


@dataclass(frozen=True)
class Line:
    """Answers to one true operation."""

    label: str
    n: int
    cells: list[Cell]


@dataclass(frozen=True)
class Confusion:
    """Panel data: the matrix by true operation and answer, and the most frequent mistake."""

    columns: list[str]
    lines: list[Line]
    finding: str


def confusion(record: dict[str, Any]) -> Confusion:
    """Make the panel of one entry."""
    table = record["operation"]["confusion"]
    rows = [i for i, counts in enumerate(table["counts"]) if sum(counts)]
    columns = [j for j in range(len(table["answer"])) if any(table["counts"][i][j] for i in rows) or j in rows]
    lines = [_line(table, i, columns) for i in rows]
    return Confusion([table["answer"][j] for j in columns], lines, _finding(table, rows))


def _line(table: dict[str, Any], row: int, columns: list[int]) -> Line:
    counts = table["counts"][row]
    n = sum(counts)
    cells = [Cell(counts[j], counts[j] / n, round(10 * counts[j] / n), j == row) for j in columns]
    return Line(table["truth"][row], n, cells)


def _finding(table: dict[str, Any], rows: list[int]) -> str:
    pairs = [(table["counts"][i][j], i, j) for i in rows for j in range(len(table["answer"])) if i != j]
    most, i, j = max(pairs, key=lambda pair: (pair[0], -pair[1], -pair[2]), default=(0, 0, 0))
    if not most:
        return "Every operation is recognised on every clip."
    n = sum(table["counts"][i])
    return f"Most often {table['truth'][i]} is answered as {table['answer'][j]}: {most:,} of its {n:,} clips."
