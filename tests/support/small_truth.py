"""A truth that holds clip ids and nothing else, and the checker of one line, for tests of ingestion."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from harness.ingestion.ingest import Ingestion, Limits, ingest, open_submission
from harness.ingestion.lines.line_checker import check
from harness.ingestion.lines.result import Checked
from harness.ingestion.strict_json import parse
from harness.ingestion.vocabulary import Vocabulary
from reference.task import OPERATIONS

CLIPS = tuple(f"clip-{number:04d}" for number in range(200))


@dataclass
class SmallTruth:
    connection: duckdb.DuckDBPyConnection
    operations: tuple[str, ...] = OPERATIONS
    world: str = "small"
    split: str = "test"
    sealed: str = ""

    @property
    def n(self) -> int:
        return self.connection.execute("SELECT count(*) FROM truth.clips").fetchone()[0]

    def predictions(self) -> dict[str, dict]:
        """The table as clip_id -> its other columns."""
        relation = self.connection.execute("SELECT * FROM predictions ORDER BY line")
        names = [column[0] for column in relation.description]
        return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in relation.fetchall()}


@contextlib.contextmanager
def small_truth(clips: tuple[str, ...] = CLIPS, operations: tuple[str, ...] = OPERATIONS) -> Iterator[SmallTruth]:
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS truth; CREATE TABLE truth.clips (clip_id VARCHAR NOT NULL)")
        connection.execute("INSERT INTO truth.clips SELECT unnest(?::VARCHAR[])", [list(clips)])
        yield SmallTruth(connection, operations)


def read(truth: SmallTruth, file: str | Path, scratch: Path, limits: Limits | None = None, **options) -> Ingestion:
    """Open and ingest a file."""
    with open_submission(file, scratch, limits) as source:
        return ingest(truth, source, **options)  # type: ignore[arg-type]


def check_line(words: Vocabulary, number: int, text: str) -> Checked:
    """Check one line of canonical JSONL, without its line end."""
    value, faults = parse(text)
    return check(words, number, value, faults, text)
