"""Results of the check: `results.jsonl`, a line for each number as soon as it is known, and all of them in `table.md`.

`steps.log` has what the steps said besides.

A line names its row, what was measured, and `measured` or `planned`; or a step and how it `ended`. The table joins what
is measured with what is planned, and with the aims.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reference.files import write_text

RESULTS, TABLE, LOG = "results.jsonl", "table.md", "steps.log"
Aims = Mapping[tuple[str, str], float]
Line = dict[str, Any]


class Results:
    """Writer of both files; several steps may write at once."""

    def __init__(self, folder: Path, title: str, aims: Aims):
        self.folder, self.title, self.aims = folder, title, aims
        self.lines: list[Line] = []
        self.lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        for name in (RESULTS, LOG):
            (folder / name).write_bytes(b"")

    def add(self, line: Line) -> None:
        """Put a line on disk, and the table anew with it."""
        with self.lock:
            self.lines.append(line)
            with (self.folder / RESULTS).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())
            write_text(self.folder / TABLE, table_text(self.title, self.lines, self.aims))

    def add_log(self, step: str, said: str) -> None:
        """Append what a step said besides its lines."""
        with self.lock, (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(f"== {step}\n{said}\n")


def table_text(title: str, lines: Sequence[Line], aims: Aims) -> str:
    """Return the table in Markdown: the numbers in the order of their first measurement, then how each step ended."""
    figures: dict[tuple[str, str], Line] = {}
    for line in sorted((line for line in lines if "ended" not in line), key=lambda line: "measured" not in line):
        figures.setdefault((line["row"], line["what"]), {}).update(line)
    numbers = [
        [row, what, _number(line.get("measured")), _number(line.get("planned")), _number(aims.get((row, what)))]
        for (row, what), line in figures.items()
    ]
    ends = [[line["step"], f"{line['seconds']:.0f}", line["ended"]] for line in lines if "ended" in line]
    parts = [
        f"# {title}",
        "\n".join(_rows(["row", "what", "measured", "planned", "aim, at most"], numbers)),
        "\n".join(_rows(["step", "seconds", "ended"], ends)),
    ]
    return "\n\n".join(parts) + "\n"


def _number(value: Any) -> str:
    """Return a value for a cell: three digits that matter, nothing where there is no value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [list(head), ["---"] * len(head), *([cell.replace("|", "/") for cell in row] for row in rows)]
    return [f"| {' | '.join(row)} |" for row in cells]
