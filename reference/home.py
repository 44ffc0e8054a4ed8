"""The folder for derived files (truth, scores, renderings), and the secret key of its user."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path

from reference.errors import TruthError
from reference.files import place_new, scratch, sweep, sync

KEY, KEY_BYTES = "key", 32
ATTEMPTS, PAUSE_SECONDS = 5, 0.2
"""How often a key is looked for, and how long a process gets to complete one that it has begun to write."""
UNUSABLE = "\\?"
"""Characters that DuckDB takes for something else in the path of a database."""


def cache_home(home: str | Path | None = None) -> Path:
    """Return the folder for derived files: the argument, else HARNESS_HOME, else a folder in the user's cache.

    Raises TruthError for a path that DuckDB cannot use, and where the user has no home folder.
    """
    home = home or os.environ.get("HARNESS_HOME")
    if not home and os.environ.get("XDG_CACHE_HOME"):
        home = Path(os.environ["XDG_CACHE_HOME"]) / "warehouse-harness"
    if not home:
        try:
            home = Path.home() / ".cache" / "warehouse-harness"
        except RuntimeError:  # no HOME, and the user has no entry in the password file
            raise TruthError("this user has no home folder: set HARNESS_HOME to a folder for derived files") from None
    return need_usable(Path(home), "; HARNESS_HOME names another folder")


def need_usable(path: Path, remedy: str = "; choose another folder") -> Path:
    """Return a path that DuckDB is to read or write. Raises TruthError for one that it cannot use."""
    text = str(path.absolute())
    for char in text:
        if char in UNUSABLE or 0xD800 <= ord(char) <= 0xDFFF:  # the latter stand for bytes that are not UTF-8
            what = char if char in UNUSABLE else "a byte that is not UTF-8"
            raise TruthError(f"{path}: the database cannot use a path with {what} in it{remedy}")
    return path


def sweep_home(home: Path) -> None:
    """Remove what killed processes left in the folder itself and in its store of truth."""
    for folder in (home, *(home / "truth").glob("*")):
        sweep(folder)
    if (home / KEY).exists():
        for leftover in home.glob(".key-*"):  # earlier versions offered their keys under such names
            with contextlib.suppress(OSError):
                leftover.unlink()


def remedy_for(path: str | Path) -> str:
    """Return how to move derived files elsewhere, as the end of an error's sentence; "" for any other file."""
    with contextlib.suppress(TruthError, RuntimeError):
        if Path(path).absolute().is_relative_to(cache_home().absolute()):
            return "; HARNESS_HOME names another folder for derived files"
    return ""


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter, or make an existing one so."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def user_key(home: Path) -> bytes:
    """Return this user's key for the seals of truth databases; the first call creates it.

    Several processes may call at once: each writes a key of its own, and one of them wins. A key that was cut short is
    replaced. Raises TruthError where no key can be created.
    """
    path = home / KEY
    for _ in range(ATTEMPTS):
        with contextlib.suppress(FileNotFoundError):
            if len(key := path.read_bytes()) == KEY_BYTES:
                return key
            _discard_cut_key(path)
        with scratch(home) as folder:
            fresh = folder / path.name
            fresh.touch(mode=0o600)
            fresh.write_bytes(secrets.token_bytes(KEY_BYTES))
            sync(fresh)
            place_new(fresh, path)
    raise TruthError(f"{path}: cannot be created")


def _discard_cut_key(path: Path) -> None:
    """Remove a key of the wrong length, unless another process completes it meanwhile."""
    time.sleep(PAUSE_SECONDS)
    if len(path.read_bytes()) != KEY_BYTES:
        path.unlink()
