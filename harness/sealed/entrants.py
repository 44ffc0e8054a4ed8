"""Read `entrants.toml`, the list of those whose files are scored on a sealed split, which lies beside the secret.

A table for each entrant, by name; the organiser edits it. `attempts_per_day` is their cap, by default 5 files a day.

    [alice]

    ["Team North"]
    attempts_per_day = 10
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from reference.toml import read_toml
from reference.truth.origin import Seal

FILE, CAP, ATTEMPTS_PER_DAY = "entrants.toml", "attempts_per_day", 5


def entrants_file(seal: Seal) -> Path:
    """Return the path of the list: beside the secret of the split."""
    return Path(seal.secret_file).with_name(FILE)


def read_entrants(seal: Seal) -> dict[str, int]:
    """Return the attempts a day of each entrant by name. Raises UsageError for no list, and for one that is faulty."""
    path = entrants_file(seal)
    if not path.exists():
        raise UsageError(
            f"{path}: no such file; {seal.name} is sealed and scored for its entrants: its organiser writes a table "
            f"for each there, such as {table('alice')}"
        )
    return {name: _cap(path, name, entrant) for name, entrant in read_toml(path, UsageError).items()}


def attempts_of(name: str, seal: Seal) -> int:
    """Return the attempts a day of one entrant. Raises UsageError for a name that is not listed."""
    known = read_entrants(seal)
    if name not in known:  # the public board shows this sentence: no path, and nobody else's name
        raise UsageError(
            f"{name!r} is no entrant of {seal.name}; its organiser may add the table {table(name)} to {FILE}, which "
            "lies beside the secret"
        )
    return known[name]


def table(name: str) -> str:
    """Return the heading of an entrant's table, as TOML."""
    plain = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return f"[{name}]" if plain else f"[{json.dumps(name, ensure_ascii=False)}]"


def _cap(path: Path, name: str, entrant: Any) -> int:
    if not name or not name.isprintable() or "|" in name:
        raise UsageError(f"{path}: {name!r} names no entrant: expected printable text without |")
    if not isinstance(entrant, dict):
        raise UsageError(f"{path}: {name} = {entrant!r}, expected a table {table(name)}")
    if unknown := sorted(entrant.keys() - {CAP}):
        raise UsageError(f"{path}: {table(name)} has the unknown key {unknown[0]}; an entrant has {CAP} alone")
    cap = entrant.get(CAP, ATTEMPTS_PER_DAY)
    if type(cap) is not int or cap < 0:
        raise UsageError(f"{path}: {table(name)} has {CAP} = {cap!r}, expected an integer from 0")
    return cap
