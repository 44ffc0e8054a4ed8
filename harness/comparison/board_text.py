"""Rows and notes of a leaderboard as text, shared by terminal and exports."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from harness.cards import ENTRY_NAME
from harness.comparison.leaderboard import NO_CARD, NO_FOLDER, UNFINISHED
from harness.comparison.pairwise import interval_note
from harness.formatting import in_words, interval, number
from harness.ingestion.submission_file import split_ending
from harness.metrics_table import SINGLE
from harness.usage.words import cost_words, unanswered_words


def board_notes(board: dict[str, Any]) -> list[str]:
    """Return the notes that belong below the table, a line each; a warning begins with "!"."""
    notes = _about_ranks(board["entries"])
    notes += ["- marks a reference row, which uses the truth and is never ranked"] if board["references"] else []
    for row in board["entries"] + board["references"]:
        if row["coverage"] < 1:
            notes.append(f"! {row['name']}: the coverage is {row['coverage']:.2%}, the rest counts as wrong")
    for row in board["entries"] + board["references"]:
        if section := row.get("usage"):
            cost, unanswered = cost_words(section), unanswered_words(section)
            notes += [f"{row['name']}: {cost}"] if cost else []
            notes += [f"! {row['name']}: {unanswered}"] if unanswered else []
    notes += [method_note(row) for row in board["entries"] + board["references"] if row["runs"] > 1]
    single = [row["name"] for row in board["entries"] if row["runs"] == 1]
    if len(board["entries"]) > 1 and single:
        which = "every entry" if len(single) == len(board["entries"]) else in_words(single)
        notes.append(
            f"one run of {which}: a comparison is about {'these files' if len(single) > 1 else 'this file'}, "
            "not about the methods behind"
        )
    notes += [f"! {row['name']}: {', '.join(row['flags'])}" for row in board["entries"] if row["flags"]]
    return notes + [f"! copy: {copy['text']}" for copy in board["copies"]]


def _about_ranks(rows: list[dict[str, Any]]) -> list[str]:
    """Return what a tier says, and the leader's interval that allows for its having been picked."""
    if len(rows) < 2:
        return []
    notes = ["a tier holds entries that are not shown to be worse than its first"]
    if rows[0]["picked_low"] is not None:
        notes.append(picked_note(rows))
    differences = [f"{rows[0]['name']} - {row['name']}" for row in rows[1:]]
    note = interval_note(differences, [row["to_leader"] for row in rows[1:]])
    return [*notes, note] if note else notes


def picked_note(rows: list[dict[str, Any]]) -> str:
    """Return the sentence on the leader's wider interval; `rows` are the ranked entries, best first."""
    picked = {"low": rows[0]["picked_low"], "high": rows[0]["picked_high"]}
    return f"{rows[0]['name']} was picked as the highest of {len(rows):,}: allowing for that, 95% {interval(picked)}"


def method_note(row: dict[str, Any]) -> str:
    """Return the note on an entry of several runs: what its value is, and which parts are of run 1."""
    return f"{row['name']}: the mean of {row['runs']} runs; modes, slices, clips and other metrics are of run 1"


def skipped_lines(board: dict[str, Any]) -> list[str]:
    """Return a line for each thing in the folder that is no entry of this board: why, and what makes it one."""
    return [f"{row['path']}: {row['reason']}, not shown{_remedy(row)}" for row in board["skipped"]]


def _remedy(row: dict[str, str]) -> str:
    """Return in brackets what makes an entry of it, if that can be said."""
    path = Path(row["path"])
    stem = path.name if row["reason"] == NO_CARD else split_ending(path.name)[0]
    name = stem if ENTRY_NAME.fullmatch(stem) else "NAME"
    folder = "" if str(path.parent) in ("submissions", ".") else f" --folder {shlex.quote(str(path.parent))}"
    remedies = {
        UNFINISHED: "the same command resumes it",
        NO_CARD: f"harness submit FILE --name {name}{folder}",
        NO_FOLDER: f"harness submit {shlex.quote(row['path'])} --name {name}{folder}",
    }
    return f" ({remedies[row['reason']]})" if row["reason"] in remedies else ""


def board_line(board: dict[str, Any]) -> str:
    """Return the line that says what a leaderboard was scored on, and how."""
    return (
        f"{board['world']} / {board['split']}, truth {board['truth_digest'][:16]}, {board['n']:,} clips in "
        f"{board['sessions']:,} sessions, rules {board['rules']}, weights {board['scheme']}, version {board['version']}"
    )


def has_runs(board: dict[str, Any]) -> bool:
    """Return whether any row is a method of several runs, so that a board has a column of them."""
    return any(row["runs"] > 1 for row in board["entries"] + board["references"])


def board_cells(row: dict[str, Any]) -> list[str]:
    """Return the cells of an entry's row: score, its interval, the other metrics, coverage."""
    metrics = row["metrics"]
    values = [number(metrics[metric.key]["value"]) for metric in SINGLE]
    return [number(metrics["score"]["value"]), interval(metrics["score"]), *values, f"{row['coverage']:.0%}"]


def sealed_note(board: dict[str, Any]) -> str:
    """Return the sentence on how many files were scored, and how far the best of them leads by chance alone."""
    files = f"{board['files_scored']:,} files were scored" if board["files_scored"] != 1 else "1 file was scored"
    luck = (
        ""
        if board["luck"] is None or board["files_scored"] < 2
        else f", and the best of them would lead by {board['luck']:.3f} through chance alone if they were equally good"
    )
    return f"{files}{luck}; {board['note']}"
