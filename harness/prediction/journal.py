"""Journal of a prediction run: answers are on disk as they come, so a run that is killed loses and repeats none.

In the entry's folder, until it is whole:

    run.json                 the run's identity: model, card, split, pictures
    predictions.jsonl.part   the answers so far, a whole line each, synced after every batch

A run resumes where the same model is asked about the same pictures; anything else is refused and named. A line that was
cut off when the run was killed is dropped. One process writes into a folder at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from harness.cards import CARD, PREDICTIONS
from harness.errors import UsageError
from reference.files import write_json

IDENTITY, PART = "run.json", f"{PREDICTIONS}.part"

Line = dict[str, Any]


def refuse_finished(folder: Path) -> None:
    """Raise UsageError where the folder holds an entry, and no run that could resume."""
    if not (folder / PART).exists() and any((folder / name).exists() for name in (CARD, PREDICTIONS)):
        (folder / IDENTITY).unlink(missing_ok=True)  # the run was killed while it removed its journal
        raise UsageError(f"{folder}: holds an entry already; --fresh replaces it")


class Journal:
    """Answers so far by clip id; `add` writes more of them to disk."""

    def __init__(self, file: IO[bytes]):
        self._file = file
        self.lines = _read_whole_lines(file)

    def add(self, lines: Iterable[Line]) -> None:
        """Append lines and sync: once this returns, a kill does not lose them."""
        found = {line["clip_id"]: line for line in lines}
        self._file.write("".join(json.dumps(line) + "\n" for line in found.values()).encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self.lines |= found


@contextmanager
def journal(folder: Path, identity: Mapping[str, Any], *, fresh: bool = False) -> Iterator[Journal]:
    """Begin the journal of a run, or resume the one in the folder. `fresh`: discard what an earlier run left.

    Raises UsageError where another process answers into the folder, or it holds the answers of another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / PART).open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{folder}: another process is answering into it") from None
        file.seek(0, os.SEEK_END)
        if fresh:
            file.truncate(0)
        elif file.tell():
            _compare(folder, identity)
        write_json(folder / IDENTITY, identity)
        yield Journal(file)


def close(folder: Path) -> None:
    """Remove the journal of a run whose entry is whole."""
    for name in (PART, IDENTITY):
        (folder / name).unlink(missing_ok=True)


def _compare(folder: Path, identity: Mapping[str, Any]) -> None:
    if identity.get("card", "") is None:
        raise UsageError(
            f"{folder}: holds the answers of an earlier run, and without a card nothing says that this model gave "
            "them; give the model a card, or discard them with --fresh (fresh=True)"
        )
    try:
        there = json.loads((folder / IDENTITY).read_text(encoding="utf-8"))
        other = [key for key in {**identity, **there} if there.get(key) != identity.get(key)]
    except (OSError, ValueError, TypeError, AttributeError):
        raise UsageError(f"{folder}: {PART} does not say whose answers it holds; --fresh starts over") from None
    if other:
        raise UsageError(
            f"{folder}: holds the answers of another run ({', '.join(_differences(there, identity, other))}); "
            "choose another folder, or discard them with --fresh"
        )


def _differences(there: Mapping[str, Any], identity: Mapping[str, Any], keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        yield f"{key} {json.dumps(there.get(key))[:200]}, not {json.dumps(identity.get(key))[:200]}"


def _read_whole_lines(file: IO[bytes]) -> dict[str, Line]:
    """Return the whole lines by clip id, and cut the file behind the last of them."""
    file.seek(0)
    found, end = dict[str, Line](), 0
    for text in file:
        line = _line(text)
        if line is None:
            break
        found[line["clip_id"]] = line
        end += len(text)
    file.truncate(end)
    file.seek(0, os.SEEK_END)
    return found


def _line(text: bytes) -> Line | None:
    try:
        line = json.loads(text) if text.endswith(b"\n") else None
    except ValueError:
        return None
    return line if isinstance(line, dict) and "clip_id" in line else None
