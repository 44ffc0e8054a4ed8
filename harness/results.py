"""Scores by content: what was scored once is looked up.

`HARNESS_HOME/scores/<key>/` holds `score.json` (the record) and `answers.parquet` (the checked answers and what was
right about them, sql/answers.sql). The key is a SHA-256 over everything the record depends on. An entry appears
whole, by one rename of a folder that was written and synced under a temporary name: any number of processes may score
at once, and one that is killed leaves only a temporary folder, which a later run sweeps.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECORD, ANSWERS = "score.json", "answers.parquet"
STALE_SECONDS = 3600


def key(parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]


class Results:
    """The store under one home folder. Reading needs no lock: entries never change."""

    def __init__(self, home: Path):
        self.folder = home / "scores"

    def find(self, entry: str) -> Path | None:
        """The folder of a stored score, or None."""
        folder = self.folder / entry
        return folder if (folder / RECORD).is_file() and (folder / ANSWERS).is_file() else None

    @contextlib.contextmanager
    def scratch(self):
        """A temporary folder beside the entries; gone afterwards unless `keep` moved it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        folder = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, scratch: Path, entry: str) -> Path:
        """Make the scratch folder the entry. Whoever comes second finds the same content there already."""
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

    def _sweep(self) -> None:
        limit = time.time() - STALE_SECONDS
        for folder in self.folder.glob(".new-*"):
            with contextlib.suppress(OSError):
                if folder.stat().st_mtime < limit:
                    shutil.rmtree(folder, ignore_errors=True)


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Call `write` with a temporary path in the same folder, sync, and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:80]}-", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())
        sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
