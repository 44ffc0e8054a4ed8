"""Files that appear whole or not at all: written under a temporary name, synced, then moved into place."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TEMPORARY = ".new-"
STALE_SECONDS = 3600


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path in the same folder, sync, and move it into place."""
    with replacement(path) as temporary:
        write(temporary)


@contextlib.contextmanager
def replacement(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder (an empty file stands there); it replaces `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def read_json_lines(path: Path) -> Iterator[Any]:
    """Yield the value of each line of a JSON Lines file. Raises OSError, and ValueError for a line that is no JSON.

    A line ends at a line feed alone: str.splitlines would also cut at U+2028, which JSON texts may hold.
    """
    with path.open(encoding="utf-8", newline="\n") as file:
        yield from map(json.loads, file)


def sweep(folder: Path) -> None:
    """Remove what killed processes left behind more than an hour ago."""
    import shutil

    limit = time.time() - STALE_SECONDS
    for leftover in folder.glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError):
            if leftover.stat().st_mtime < limit:
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
