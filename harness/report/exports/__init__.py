"""Write the page's numbers for other programs, all from one gathering.

leaderboard.csv .parquet .json .md .tex   a row for each entry
clips.csv .parquet                        a row for each entry and clip
junit.xml                                 what a build fails on: entries that cannot be read, coverage, audit flags
scores/NAME.json                          the score records
eval_results/NAME.yaml                    for `.eval_results/` of a model on the Hugging Face hub
every_eval_ever/NAME.json                 Every Eval Ever, schema 0.2.2
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.report.exports import hub, tables, texts
from harness.report.exports.names import slug
from harness.report.gather import Gathered
from harness.scoring import record
from reference.files import write_atomically
from reference.truth.database import need_utf8

NAMES = (
    "leaderboard.csv", "leaderboard.parquet", "leaderboard.json", "leaderboard.md", "leaderboard.tex", "junit.xml",
    "clips.csv", "clips.parquet",
)  # fmt: skip
"""Files beside the folders with a file for each entry."""


def export_all(gathered: Gathered, folder: Path) -> list[Path]:
    """Write every format into `folder` and return the files; each is written whole or not at all."""
    need_utf8(folder)  # which the Parquet files need
    board = gathered.board
    written = [
        _text(folder / "leaderboard.csv", tables.csv_text(tables.rows(board))),
        _file(folder / "leaderboard.parquet", lambda path: tables.write_parquet(tables.rows(board), path)),
        _text(folder / "leaderboard.json", record.to_bytes(board).decode()),
        _text(folder / "leaderboard.md", texts.markdown(board)),
        _text(folder / "leaderboard.tex", texts.latex(board)),
        _text(folder / "junit.xml", texts.junit(board)),
        _text(folder / "clips.csv", tables.csv_text(tables.clips(gathered))),
        _file(folder / "clips.parquet", lambda path: tables.write_parquet(tables.clips(gathered), path)),
    ]
    for entry in gathered.entries:
        name, scored = slug(entry.name), entry.score.record
        written += [
            _text(folder / "scores" / f"{name}.json", record.to_bytes(scored).decode()),
            _text(folder / "eval_results" / f"{name}.yaml", hub.eval_results(scored)),
            _text(folder / "every_eval_ever" / f"{name}.json", hub.every_eval_ever(entry)),
        ]
    return written


def _text(path: Path, text: str) -> Path:
    return _file(path, lambda temporary: temporary.write_text(text, encoding="utf-8", errors="replace", newline="\n"))


def _file(path: Path, write: Callable[[Path], Any]) -> Path:
    write_atomically(path, write)
    return path
