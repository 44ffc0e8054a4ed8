"""Store of scores by content: a submission is scored once and then looked up.

`HARNESS_HOME/scores/<key>/` holds `score.json` (the record) and `answers.parquet` (the checked answers and what is
right about them, sql/answers.sql). The key is a SHA-256 over everything the record depends on. An entry appears whole,
by one rename of a folder that was written and synced under a temporary name: any number of processes may score at
once, and one that is killed leaves only a temporary folder, which a later run sweeps.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from reference.files import TEMPORARY, sweep, sync

RECORD, ANSWERS = "score.json", "answers.parquet"


def key(parts: dict[str, Any]) -> str:
    """Return the name of the entry whose record depends on exactly these JSON values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]


class ScoreCache:
    """Store under one home folder. Reading needs no lock, because entries never change."""

    def __init__(self, home: Path):
        self.folder = home / "scores"

    def find(self, entry: str) -> Path | None:
        """Return the folder of a stored score, or None."""
        folder = self.folder / entry
        return folder if (folder / RECORD).is_file() and (folder / ANSWERS).is_file() else None

    @contextlib.contextmanager
    def scratch(self):
        """Make a temporary folder beside the entries, deleted on leaving unless `keep` moved it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep(self.folder)
        folder = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, scratch: Path, entry: str) -> Path:
        """Rename the scratch folder to the entry and return it. A process that comes second finds the same content."""
        for file in scratch.iterdir():
            sync(file)
        sync(scratch)
        target = self.folder / entry
        try:
            scratch.rename(target)
        except OSError:
            if self.find(entry) is None:
                raise
        sync(self.folder)
        return target
