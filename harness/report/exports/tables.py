"""Leaderboard and clips as tables: CSV in which no spreadsheet finds a formula, and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.comparison.board_text import has_runs
from harness.report.clips import NO_ANSWER, NO_FRAME, OTHER_LABEL, Answers, Clips
from harness.report.gather import Gathered
from harness.scoring.failure_modes import MODES

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
NUMBERS = ("value", "low", "high", "skill")
"""Members of a metric that become columns."""


def rows(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each entry, ranked ones first, then references; all with the same keys.

    Runs have a column where an entry has several, and what answers cost where an entry says so.
    """
    entries = board["entries"] + board["references"]
    costs = any("usage" in row for row in entries)
    methods = has_runs(board)
    return [
        _flat(row) | ({"runs": row["runs"]} if methods else {}) | (_cost(row.get("usage")) if costs else {})
        for row in entries
    ]


def _cost(section: dict[str, Any] | None) -> dict[str, Any]:
    """Return the columns of what an entry's answers cost; sums are over the clips that state them."""
    names = ("input_tokens", "output_tokens", "attempts")
    found: dict[str, Any] = dict.fromkeys((*names, "usage_share", "dollars", "unanswered"))
    if section is None:
        return found
    found |= {name: section[name]["sum"] for name in names if section[name]}
    price = section["price"]
    dollars = None if price is None else price["dollars"]
    return found | {
        "usage_share": section["share"],
        "dollars": dollars,
        "unanswered": sum(section["unanswered"].values()),
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    metrics = {
        f"{name}{'' if part == 'value' else '_' + part}": metric[part]
        for name, metric in row["metrics"].items()
        for part in NUMBERS
    }
    ranks = {key: row.get(key) for key in ("rank_low", "rank_high", "tier", "p_best", "picked_low", "picked_high")}
    keep = {key: row[key] for key in ("name", "kind", "coverage", "invalid")}
    return keep | ranks | metrics | {"flags": " ".join(row["flags"])}


def clips(gathered: Gathered) -> Iterator[dict[str, Any]]:
    """Yield a row for each entry and clip: truth, answer, what was right, failure mode."""
    split = gathered.clips
    truth = _truth(split)
    for entry, answers in zip(gathered.entries, split.answers, strict=True):
        columns = truth | _answers(answers, split)
        for values in zip(*columns.values(), strict=True):
            yield {"model": entry.name} | dict(zip(columns, values, strict=True))


def _truth(split: Clips) -> dict[str, list[Any]]:
    """Return the columns of the truth, labels as text."""
    return {
        "clip_id": split["clip_id"].tolist(),
        "session": split["session"].tolist(),
        "clip_index": split["clip_index"].tolist(),
        "dominant_operation": _labels(split["operation"], split),
        "start_frame": split["start_frame"].tolist(),
        "end_frame": split["end_frame"].tolist(),
        "next_operation": _labels(split["next_operation"], split),
    }


def _answers(answers: Answers, split: Clips) -> dict[str, list[Any]]:
    """Return the columns of an entry's answers; None where there is no answer."""
    operation, segment, following = answers.right.T.tolist()
    return {
        "answered_operation": _labels(answers["operation"], split),
        "answered_start": _frames(answers["start_frame"]),
        "answered_end": _frames(answers["end_frame"]),
        "answered_next": _labels(answers["next_operation"], split),
        "operation_right": operation,
        "segment_hit": segment,
        "next_right": following,
        "tiou": np.round(answers["tiou_permille"] / 1000, 3).tolist(),
        "mode": [MODES[code].name for code in answers["mode"].tolist()],
    }


def _labels(codes: np.ndarray, split: Clips) -> list[str | None]:
    labels = dict(enumerate(split.operations)) | {NO_ANSWER: None, OTHER_LABEL: "(other label)"}
    return [labels[code] for code in codes.tolist()]


def _frames(frames: np.ndarray) -> list[int | None]:
    return [None if frame == NO_FRAME else frame for frame in frames.tolist()]


def csv_text(table: Iterable[dict[str, Any]]) -> str:
    """Return rows with equal keys as CSV; text that a spreadsheet would run gets an apostrophe before it."""
    out, writer = io.StringIO(), None
    for row in table:
        if writer is None:
            writer = csv.DictWriter(out, fieldnames=list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow({key: neutral(value) for key, value in row.items()})
    return out.getvalue()


def neutral(value: Any) -> Any:
    """Return a value that no spreadsheet runs as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def write_parquet(table: Iterable[dict[str, Any]], path: Path) -> None:
    """Write rows with equal keys as Parquet, texts unchanged; DuckDB writes it, so that pyarrow is not needed."""
    import duckdb
    import pandas

    frame = pandas.DataFrame(list(table))
    with duckdb.connect() as connection:
        connection.from_df(frame).write_parquet(str(path), compression="zstd")
