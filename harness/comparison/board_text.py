"""A leaderboard's rows and remarks as text: what the terminal and the exports share."""

from __future__ import annotations

from typing import Any

from harness.formatting import interval, number
from harness.metrics_table import SINGLE


def board_notes(board: dict[str, Any]) -> list[str]:
    """What a reader of the table must know beside it, a line each."""
    notes = ["- reference: uses the truth, never ranked"] if board["references"] else []
    for row in board["entries"] + board["references"]:
        if row["coverage"] < 1:
            notes.append(f"! {row['name']}: coverage {row['coverage']:.2%}, the rest counts as wrong")
    notes += [f"! {row['name']}: {', '.join(row['flags'])}" for row in board["entries"] if row["flags"]]
    return notes + [f"! copy: {copy['text']}" for copy in board["copies"]]


def board_line(board: dict[str, Any]) -> str:
    return (
        f"{board['world']} / {board['split']}, truth {board['truth_digest'][:16]}, {board['n']:,} clips in "
        f"{board['sessions']:,} sessions, rules {board['rules']}, weights {board['scheme']}, version {board['version']}"
    )


def board_cells(row: dict[str, Any]) -> list[str]:
    metrics = row["metrics"]
    values = [number(metrics[metric.key]["value"]) for metric in SINGLE]
    return [number(metrics["score"]["value"]), interval(metrics["score"]), *values, f"{row['coverage']:.0%}"]


def sealed_note(board: dict[str, Any]) -> str:
    """How often it was tried, and what that is worth."""
    files = f"{board['files_scored']:,} files were scored" if board["files_scored"] != 1 else "1 file was scored"
    luck = "" if board["luck"] is None else f", the best of so many equal ones is ahead by {board['luck']:.3f} by luck"
    return f"{files}{luck}; {board['note']}"
