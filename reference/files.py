"""Files that appear whole or not at all: written in a temporary folder beside them, synced, then moved into place.

The process that works in a temporary folder holds a lock on it (`flock`), which ends with the process. So whoever looks
next can tell what a killed process left from what is being written, and sweeps it at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from reference.machine import FULL

TEMPORARY = ".new-"
LOCKED = "-locked"
"""Ends the name of a temporary folder that its process locks."""
STALE_SECONDS = 3600
"""Age at which a temporary file or folder that no lock tells of is stale."""


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all. Lone surrogates, which no UTF-8 file can hold, become `?`."""
    write_atomically(path, lambda temporary: temporary.write_bytes(text.encode("utf-8", "replace")))


def write_json(path: Path, value: Any, *, sort_keys: bool = False) -> None:
    """Write a value as a UTF-8 JSON file with an indent of 1 and a final newline, whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, sort_keys=sort_keys) + "\n")


def sha256(content: bytes | Path | IO[bytes]) -> str:
    """Return the SHA-256, hexadecimal, of bytes, or of a file by its path or open; it is read a piece at a time."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    if not isinstance(content, Path):
        return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    with content.open("rb") as file:
        return sha256(file)


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
    """Yield the path of a file to write, in a temporary folder; it replaces `path` when the block ends well.

    Only its owner may read a `private` file, from its first byte on. An OSError names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch(path.parent) as folder:
        temporary = folder / f"file{path.suffix}"
        try:
            yield temporary
            temporary.chmod(0o600 if private else 0o666 & ~_umask())
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)  # without this a power cut could undo the renaming
        except OSError as error:
            raise _named(error, folder, path) from None


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """Yield an empty temporary folder in `parent`, for this process alone; it is removed on leaving, unless renamed.

    What dead processes left there is swept first. The OSError of a full disk, which knows no file, names `parent`.
    """
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    folder, lock = _locked_folder(parent)
    try:
        yield folder
    except OSError as error:
        raise _named(error, folder, parent) if error.errno in FULL else error from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`, which it becomes when the block ends well.

    Raises FileExistsError where `path` is a file, or a folder that holds something.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    target = path.absolute()
    with scratch(target.parent) as fresh:
        yield fresh
        fresh.chmod(0o777 & ~_umask())
        try:
            fresh.rename(target)
        except OSError as error:
            raise _named(error, fresh, path) from None
        sync(target.parent)


def _locked_folder(parent: Path) -> tuple[Path, int]:
    """Make a temporary folder; return it and the descriptor whose lock says that its process lives."""
    while True:
        try:
            folder = Path(tempfile.mkdtemp(prefix=TEMPORARY, suffix=LOCKED, dir=parent))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(parent)) from None  # the temporary name helps nobody
        with contextlib.suppress(FileNotFoundError):  # a sweeper was faster than the lock
            lock = os.open(folder, os.O_RDONLY)
            if lock_if_free(lock) is not False and folder.exists():
                return folder, lock
            os.close(lock)


def place_new(fresh: Path, path: Path) -> None:
    """Give a new, private file the name `path` unless something is there; two processes may call at once."""
    with contextlib.suppress(FileExistsError):
        try:
            os.link(fresh, path)  # never overwrites, and the file appears whole
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links: exFAT, many network and cloud drives
            path.touch(mode=0o600, exist_ok=False)
            path.write_bytes(fresh.read_bytes())
        sync(path)


@contextlib.contextmanager
def locked(place: Path | IO[bytes], busy: Exception | None = None) -> Iterator[None]:
    """Hold the lock of a folder, or that of an open file until it is closed; a lock ends with its process.

    Waits for another process that holds it, or raises `busy` at once. Goes on where there are no locks.
    """
    held = os.open(place, os.O_RDONLY) if isinstance(place, Path) else place
    try:
        if busy is None:
            with contextlib.suppress(OSError):
                fcntl.flock(held, fcntl.LOCK_EX)
        elif lock_if_free(held) is False:
            raise busy
        yield
    finally:
        if isinstance(held, int):
            os.close(held)


def lock_if_free(held: int | IO[bytes]) -> bool | None:
    """Lock an open file or folder; return False where another process holds it, None where there are no locks."""
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _named(error: OSError, folder: Path, path: Path) -> OSError:
    """Return the error with `path` for a file that it does not name, or names in the temporary folder."""
    unnamed = error.filename is None or Path(os.fsdecode(error.filename)).is_relative_to(folder)
    if error.errno is None or not unnamed:
        return error
    return OSError(error.errno, error.strerror, str(path))


def sweep(folder: Path) -> None:
    """Remove the temporary files and folders that dead processes left, or that are more than an hour old."""
    for leftover in folder.glob(f"{TEMPORARY}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(leftover, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                if _is_stale(leftover, descriptor):
                    shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            finally:
                os.close(descriptor)


def _is_stale(leftover: Path, descriptor: int) -> bool:
    """Return whether no process works in a temporary file or folder; where no lock can tell, its age does."""
    free = lock_if_free(descriptor) if leftover.name.endswith(LOCKED) else None
    return os.fstat(descriptor).st_mtime < time.time() - STALE_SECONDS if free is None else free


def _umask() -> int:
    mask = os.umask(0)  # the only way to read it is to set it
    os.umask(mask)
    return mask
