"""Leaderboard and clips as tables: CSV in which no spreadsheet finds a formula, and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.report.clips import NO_ANSWER, NO_FRAME, OTHER_LABEL
from harness.report.gather import Gathered
from harness.scoring.failure_modes import MODES

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
NUMBERS = ("value", "low", "high", "skill")
"""Members of a metric that become columns."""


def rows(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each entry, ranked ones first, then references; all with the same keys."""
    return [_flat(row) for row in board["entries"] + board["references"]]


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    metrics = {
        f"{name}{'' if part == 'value' else '_' + part}": metric[part]
        for name, metric in row["metrics"].items()
        for part in NUMBERS
    }
    ranks = {key: row.get(key) for key in ("rank_low", "rank_high", "tier", "p_best")}
    keep = {key: row[key] for key in ("name", "kind", "coverage", "invalid")}
    return keep | ranks | metrics | {"flags": " ".join(row["flags"])}


def clips(gathered: Gathered) -> Iterator[dict[str, Any]]:
    """Yield a row for each entry and clip: truth, answer, what was right, failure mode."""
    split = gathered.clips
    labels = dict(enumerate(split.operations)) | {NO_ANSWER: None, OTHER_LABEL: "(other label)"}
    truth = [split[name].tolist() for name in ("clip_id", "session", "clip_index", "start_frame", "end_frame")]
    operations = [[labels[code] for code in split[name].tolist()] for name in ("operation", "next_operation")]
    for entry, answers in zip(gathered.entries, split.answers, strict=True):
        said = [[labels[code] for code in answers[name].tolist()] for name in ("operation", "next_operation")]
        ends = [
            [None if frame == NO_FRAME else frame for frame in answers[name].tolist()]
            for name in ("start_frame", "end_frame")
        ]
        right, modes = answers.right.tolist(), [MODES[code].name for code in answers["mode"].tolist()]
        tiou = np.round(answers["tiou_permille"] / 1000, 3).tolist()
        for i in range(split.n):
            yield {
                "model": entry.name,
                "clip_id": truth[0][i],
                "session": truth[1][i],
                "clip_index": truth[2][i],
                "dominant_operation": operations[0][i],
                "start_frame": truth[3][i],
                "end_frame": truth[4][i],
                "next_operation": operations[1][i],
                "answered_operation": said[0][i],
                "answered_start": ends[0][i],
                "answered_end": ends[1][i],
                "answered_next": said[1][i],
                "operation_right": right[i][0],
                "segment_hit": right[i][1],
                "next_right": right[i][2],
                "tiou": tiou[i],
                "mode": modes[i],
            }


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
        connection.register("exported", frame)
        target = str(path).replace("'", "''")
        connection.execute(f"COPY (SELECT * FROM exported) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
