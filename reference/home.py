"""The folder for derived files (truth, scores, renderings), and the secret key of its user."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from reference.errors import TruthError


def cache_home(home: str | Path | None = None) -> Path:
    """Return the folder for derived files: the argument, else HARNESS_HOME, else a folder in the user's cache.

    Raises TruthError where the user has no home folder.
    """
    if home is not None:
        return Path(home)
    if os.environ.get("HARNESS_HOME"):
        return Path(os.environ["HARNESS_HOME"])
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "warehouse-harness"
    try:
        return Path.home() / ".cache" / "warehouse-harness"
    except RuntimeError:  # no HOME, and the user has no entry in the password file
        raise TruthError("this user has no home folder: set HARNESS_HOME to a folder for derived files") from None


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter, or make an existing one so."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def user_key(home: Path) -> bytes:
    """Return this user's key for the seals of truth databases; the first call creates it.

    Several processes may call at once: each writes a key of its own, and a hard link, which never overwrites, lets one
    of them win. Raises TruthError where no key can be created.
    """
    path = home / "key"
    for _ in range(2):
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        home.mkdir(parents=True, exist_ok=True)
        fresh = home / f".key-{secrets.token_hex(8)}"
        fresh.touch(mode=0o600, exist_ok=False)
        fresh.write_bytes(secrets.token_bytes(32))
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    raise TruthError(f"{path}: cannot be created")
