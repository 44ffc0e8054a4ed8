"""Store of scores by content: a submission is scored once and then looked up.

`HARNESS_HOME/scores/<key>/` holds `score.json` (the record) and `answers.parquet` (the checked answers and what is
right about them, sql/answers.sql). The key is a SHA-256 over everything the record depends on. An entry appears whole,
by one rename of a folder that was written and synced under a temporary name: any number of processes may score at
once, and one that is killed leaves only a temporary folder, which the next run sweeps. An entry that cannot be read
(cut by a full disk, half removed by a cleaner) counts as absent and is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from reference.files import locked, scratch, sync

RECORD, ANSWERS = "score.json", "answers.parquet"


def key(parts: dict[str, Any]) -> str:
    """Return the name of the entry whose record depends on exactly these JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]


class ScoreCache:
    """Store under one home folder. Reading needs no lock, because entries that are whole never change."""

    def __init__(self, home: Path):
        self.folder = home / "scores"

    def find(self, entry: str) -> Path | None:
        """Return the folder of a stored score, or None; one that is damaged, or half gone, is none."""
        folder = self.folder / entry
        return folder if _is_record(folder / RECORD) and _is_parquet(folder / ANSWERS) else None

    def scratch(self) -> AbstractContextManager[Path]:
        """Make a temporary folder beside the entries, deleted on leaving unless `keep` moved it."""
        return scratch(self.folder)

    def keep(self, made: Path, entry: str) -> Path:
        """Rename the scratch folder to the entry and return it. A process that comes second finds the same content."""
        for file in made.iterdir():
            sync(file)
        sync(made)
        target = self.folder / entry
        try:
            made.rename(target)
        except OSError:
            self._replace_damaged(made, entry)
        sync(self.folder)
        return target

    def _replace_damaged(self, made: Path, entry: str) -> None:
        """Put the scratch folder in the place of an entry that cannot be read; a good one stays."""
        target = self.folder / entry
        with locked(self.folder):  # no other process may take away what this one has just put there
            if self.find(entry) is not None:
                return
            with self.scratch() as aside:
                if os.path.lexists(target):
                    target.rename(aside / "damaged")
                try:
                    made.rename(target)
                except OSError:
                    if self.find(entry) is None:
                        raise


@contextmanager
def reading(answers: Path) -> Iterator[None]:
    """Turn an error of DuckDB while it reads stored answers into one line. Raises HarnessError.

    The entry is damaged in a place that `find` does not look at. Its record is removed, so that it is made anew.
    """
    import duckdb

    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):  # no fault of what is stored
        raise
    except duckdb.Error as error:
        (answers.parent / RECORD).unlink(missing_ok=True)
        reason = str(error).splitlines()[0]
        raise HarnessError(f"{answers}: damaged ({reason}); the same command makes it anew") from None


def _is_record(path: Path) -> bool:
    """Return whether a file holds a whole score record, as far as it can be told without scoring again."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(record, dict) and record.keys() >= {"format", "metrics", "diagnostics"}


def _is_parquet(path: Path) -> bool:
    """Return whether a file begins and ends as a Parquet file does, with a footer that lies within it."""
    try:
        with path.open("rb") as file:
            begin = file.read(4)
            size = file.seek(-8, os.SEEK_END) + 8
            footer, end = int.from_bytes(file.read(4), "little"), file.read(4)
    except OSError:
        return False
    return begin == end == b"PAR1" and 0 < footer <= size - 12
