"""Output of `harness leaderboard`."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from harness.commands.terminal import print_lines, table
from harness.comparison.board_text import board_cells, board_line, board_notes, has_runs, sealed_note, skipped_lines
from harness.formatting import interval, number, percent, rank_range, size
from harness.metrics_table import PARTS, SINGLE


def print_leaderboard(board: dict[str, Any], out: Console) -> None:
    """Print the verdict, the table, its notes, broken entries, and what of the folder is not shown."""
    out.print(Text(board["verdict"], style="bold"))
    out.print(board_line(board), style="dim")
    out.print()
    runs = ["runs"] if has_runs(board) else []
    titles = ("rank", "tier", "model", *runs, "score", "95% interval", *(metric.short for metric in SINGLE))
    made = table(*titles, left=["model"])
    for row in board["entries"]:
        name = row["name"] + (" !" if row["flags"] else "")
        made.add_row(rank_range(row), str(row["tier"]), name, *(str(row[key]) for key in runs), *board_cells(row)[:-1])
    for row in board["references"]:
        own = (str(row[key]) for key in runs)
        made.add_row("-", "-", Text(row["name"], style="dim"), *own, *board_cells(row)[:-1])
    out.print(made)
    for note in board_notes(board):
        out.print(Text(note, style="yellow" if note.startswith("!") else "dim"))
    _unranked(board, out)


def print_sealed_leaderboard(board: dict[str, Any], out: Console) -> None:
    """Print the public board of a sealed split."""
    where = f"{board['world']} / {board['split']} (sealed): {size(board)}"
    out.print(Text(where, style="bold"))
    if not board["entries"]:
        out.print("No entry yet.")
    made = table("model", "score", "95% interval", *(part.short for part in PARTS), "coverage", left=["model"])
    for row in board["entries"]:
        metrics = row["metrics"]
        values = (number(metrics[part.key]["value"]) for part in PARTS)
        made.add_row(
            row["name"],
            number(metrics["score"]["value"]),
            interval(metrics["score"]),
            *values,
            percent(row["coverage"]),
        )
    out.print(made)
    out.print(sealed_note(board), style="dim")
    _unranked(board, out)


def _unranked(board: dict[str, Any], out: Console) -> None:
    for entry in board["broken"]:
        first, *more = entry["error"].splitlines()
        out.print(Text(f"x {entry['name']}: {first}", style="red"))
        print_lines((f"  {text}" for text in more[:1]), out, "red")
    print_skipped(board, out)


def print_skipped(board: dict[str, Any], out: Console) -> None:
    """Print what of the folder is not shown, and why."""
    print_lines(skipped_lines(board), out, "yellow")
