"""Files that people write by hand or programs keep small, read within a cap: cards, worlds, records, maps.

A card of gigabytes must not be read into memory, and a pipe in its place must not hang whoever reads a folder.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

MOST_BYTES = 1 << 20
"""A card or a training record takes kilobytes."""


def read_small(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return the bytes of a regular file. Raises OSError, whose `strerror` says what is wrong with it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError:  # a NUL in the name
        raise OSError(0, "no file can have this name", str(path)) from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(0, "is a directory", str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(0, f"over {most:,} bytes", str(path))
    return content
