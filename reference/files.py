"""Files that appear whole or not at all: written under a temporary name, synced, then moved into place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TEMPORARY = ".new-"
STALE_SECONDS = 3600


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all. Lone surrogates, which no UTF-8 file can hold, become `?`."""
    write_atomically(path, lambda temporary: temporary.write_bytes(text.encode("utf-8", "replace")))


def write_json(path: Path, value: Any, *, sort_keys: bool = False) -> None:
    """Write a value as a UTF-8 JSON file with an indent of 1 and a final newline, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, sort_keys=sort_keys) + "\n")


def sha256(content: bytes | Path) -> str:
    """Return the SHA-256, hexadecimal, of these bytes or of the file at this path."""
    return hashlib.sha256(content.read_bytes() if isinstance(content, Path) else content).hexdigest()


def sync(path: Path) -> None:
    """Wait until the file or folder is on the disk."""
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
def replacement(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Yield the path of an empty temporary file in the same folder; it replaces `path` when the block ends well.

    Only its owner may read a `private` file, from its first byte on.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    handle, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o600 if private else 0o666 & ~_umask())  # mkstemp lets only the owner read
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)  # without this a power cut could undo the renaming
    finally:
        temporary.unlink(missing_ok=True)


def read_json_lines(path: Path) -> Iterator[Any]:
    """Yield the value of each line of a JSON Lines file. Raises OSError, and ValueError for a line that is no JSON.

    A line ends at a line feed alone: str.splitlines would also cut at U+2028, which JSON texts may hold.
    """
    with path.open(encoding="utf-8", newline="\n") as file:
        yield from map(json.loads, file)


def sweep(folder: Path) -> None:
    """Remove temporary files and folders that killed processes left more than an hour ago."""
    limit = time.time() - STALE_SECONDS
    for leftover in folder.glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError):
            if leftover.stat().st_mtime < limit:
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _umask() -> int:
    mask = os.umask(0)  # the only way to read it is to set it
    os.umask(mask)
    return mask
