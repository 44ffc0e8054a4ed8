"""Journal of a prediction run: answers are on disk as they come, so a run that is killed loses and repeats none.

In the entry's folder, until it is whole:

    run.json                 the run's identity: model, card, split, pictures; and what was agreed with the model
    predictions.jsonl.part   the answers so far, a whole line each, written as they come
    attempts.jsonl           the failed attempts, if any; it stays beside the entry
    batches/                 what was submitted in a provider's batches (`provider_batches`)

A run resumes where the same model is asked about the same pictures; anything else is refused and named. A line that was
cut off when the run was killed is dropped, and one that holds no answer is asked again. One process writes into a
folder at a time. run.json is its owner's alone, and holds of secrets a keyed digest.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from harness.cards import CARD, PREDICTIONS, read_card
from harness.errors import HarnessError, UsageError
from harness.ingestion.lines.fields import SOURCES
from reference.files import locked, replacement
from reference.outside_files import JSON_BYTES, read_object

FALLBACK = SOURCES[2]
IDENTITY, PART, ATTEMPTS, BATCHES = "run.json", f"{PREDICTIONS}.part", "attempts.jsonl", "batches"
AGREED = "agreed"
UNSYNCED_LINES, UNSYNCED_SECONDS = 64, 1.0

Line = dict[str, Any]


def refuse_finished(folder: Path) -> None:
    """Raise UsageError where the folder holds an entry, and no run that could resume."""
    if not (folder / PART).exists():
        if any((folder / name).exists() for name in (CARD, PREDICTIONS)):
            (folder / IDENTITY).unlink(missing_ok=True)  # the run was killed while it removed its journal
            shutil.rmtree(folder / BATCHES, ignore_errors=True)
        _refuse_entry(folder)


class Journal:
    """Answers so far by clip id, and `agreed`, what was agreed with the model; None before anything was."""

    def __init__(self, folder: Path, file: IO[bytes], identity: Mapping[str, Any], agreed: Mapping[str, Any] | None):
        self._folder, self._file, self._identity = folder, file, identity
        self._before = _entry(folder)
        self._unsynced, self._synced_at = 0, time.monotonic()
        self.lines, self.agreed = _read_whole_lines(file), agreed

    def add(self, lines: Iterable[Line], *, sync: bool = True) -> None:
        """Append lines: once this returns, a kill does not lose them; nor does a power cut, once they are synced.

        `sync`: at once; else when they are many, or the last time is a second ago.
        """
        found = {line["clip_id"]: line for line in lines}
        self._file.write("".join(json.dumps(line) + "\n" for line in found.values()).encode())
        self._file.flush()
        self.lines |= found
        self._unsynced += len(found)
        if sync or self._unsynced >= UNSYNCED_LINES or time.monotonic() - self._synced_at >= UNSYNCED_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Sync what was added."""
        os.fsync(self._file.fileno())
        self._unsynced, self._synced_at = 0, time.monotonic()

    def add_attempt(self, attempt: Mapping[str, Any]) -> None:
        """Append a failed attempt, with the time, to attempts.jsonl."""
        line = json.dumps({"at": datetime.now(UTC).isoformat(timespec="milliseconds"), **attempt})
        with (self._folder / ATTEMPTS).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def attempts(self) -> list[Mapping[str, Any]]:
        """Return the failed attempts that were written so far."""
        path = self._folder / ATTEMPTS
        found = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        return [attempt for attempt in map(_json, found) if isinstance(attempt, dict)]

    def agree(self, agreed: Mapping[str, Any]) -> None:
        """Keep what was agreed with the model for later starts."""
        self.agreed = dict(agreed)
        _write_identity(self._folder, {**self._identity, AGREED: self.agreed})

    def check_before_finishing(self) -> None:
        """Raise UsageError where an entry, or the journal of another run, appeared while the model answered."""
        if _entry(self._folder) != self._before:
            raise UsageError(
                f"{self._folder}: an entry was written there while the model answered, and is not replaced; move it "
                "away, and the same command resumes"
            )
        if (self._folder / PART).exists() and not _is_at(self._file, self._folder / PART):
            raise UsageError(
                f"{self._folder}: {PART} was removed while the model answered, and another run began there; choose "
                "another folder"
            )


@contextlib.contextmanager
def journal(folder: Path, identity: Mapping[str, Any], *, fresh: bool = False) -> Iterator[Journal]:
    """Begin the journal of a run, or resume the one in the folder. `fresh`: discard what an earlier run left.

    Raises UsageError where another process answers into the folder, or finished an entry there, or it holds the answers
    of another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder) as file:
        agreed, resumes = None, not fresh and _identity(folder) == dict(identity)
        if fresh:
            file.truncate(0)
            shutil.rmtree(folder / BATCHES, ignore_errors=True)
        elif file.seek(0, os.SEEK_END) or (folder / BATCHES).exists():
            agreed = _compare(folder, identity)
        else:
            _refuse_entry_or_leave(folder)
        if not resumes:
            (folder / ATTEMPTS).unlink(missing_ok=True)
        _write_identity(folder, identity if agreed is None else {**identity, AGREED: agreed})
        yield Journal(folder, file, identity, agreed)


def _identity(folder: Path) -> dict[str, Any] | None:
    """Return the identity of the run that left its journal in a folder; None where nothing says it."""
    with contextlib.suppress(UsageError):
        return {name: value for name, value in _read_identity(folder).items() if name != AGREED}
    return None


def _read_identity(folder: Path) -> dict[str, Any]:
    return read_object(folder / IDENTITY, UsageError, JSON_BYTES)


def _write_identity(folder: Path, identity: Mapping[str, Any]) -> None:
    with replacement(folder / IDENTITY, private=True) as path:
        path.write_text(json.dumps(identity, indent=1) + "\n", encoding="utf-8")


def close(folder: Path) -> None:
    """Remove the journal of a run whose entry is whole."""
    for name in (PART, IDENTITY):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / BATCHES, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[IO[bytes]]:
    """Open the file of answers for this process alone. A run that ends removes it: then there is a new one to lock."""
    for _ in range(100):
        busy = UsageError(f"{folder}: another process is answering into it")
        with (folder / PART).open("a+b") as file, locked(file, busy):
            if _is_at(file, folder / PART):
                yield file
                return
    raise UsageError(f"{folder}: other processes begin and end runs in it")


def _is_at(file: IO[bytes], path: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def _refuse_entry_or_leave(folder: Path) -> None:
    """Raise UsageError where another run finished an entry since; the empty journal of this one is removed."""
    try:
        _refuse_entry(folder)
    except UsageError:
        (folder / PART).unlink()
        raise


def _refuse_entry(folder: Path) -> None:
    if not any((folder / name).exists() for name in (CARD, PREDICTIONS)):
        return
    limit = None
    with contextlib.suppress(HarnessError):
        limit = read_card(folder).run.get("limit")
    part = f". It was made with --limit {limit}; no run extends it" if isinstance(limit, int) else ""
    raise UsageError(f"{folder}: holds an entry already; --fresh replaces it{part}")


def _entry(folder: Path) -> list[tuple[int, ...] | None]:
    """Return what tells the entry in a folder from another one; None where it has none."""
    found: list[tuple[int, ...] | None] = []
    for name in (CARD, PREDICTIONS):
        try:
            at = (folder / name).stat()
        except OSError:
            found.append(None)
        else:
            found.append((at.st_ino, at.st_size, at.st_mtime_ns))
    return found


def _compare(folder: Path, identity: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what the run there agreed with its model. Raises UsageError where it is another run."""
    if identity.get("card", "") is None:
        raise UsageError(
            f"{folder}: holds the answers of an earlier run, and without a card nothing says that this model gave "
            "them; give the model a card, or discard them with --fresh (fresh=True)"
        )
    try:
        there = _read_identity(folder)
    except UsageError:
        raise UsageError(f"{folder}: {PART} does not say whose answers it holds; --fresh starts over") from None
    agreed = there.pop(AGREED, None)
    if other := [key for key in {**identity, **there} if there.get(key) != identity.get(key)]:
        raise UsageError(
            f"{folder}: holds the answers of another run ({', '.join(_differences(there, identity, other))}); "
            "choose another folder, or discard them with --fresh"
        )
    return agreed if isinstance(agreed, dict) else None


def _differences(there: Mapping[str, Any], identity: Mapping[str, Any], keys: Iterable[str]) -> Iterator[str]:
    for key in keys:
        if key == "card":
            yield "card is another: the model's code, prompt or sampling has changed since"
            continue
        yield f"{key} {json.dumps(there.get(key))[:200]}, not {json.dumps(identity.get(key))[:200]}"


def _read_whole_lines(file: IO[bytes]) -> dict[str, Line]:
    """Return the answers by clip id, and cut the file behind its last whole line."""
    file.seek(0)
    found, end = dict[str, Line](), 0
    for text in file:
        if not text.endswith(b"\n"):
            break
        if line := _line(text):
            found[line["clip_id"]] = line
        end += len(text)
    file.truncate(end)
    file.seek(0, os.SEEK_END)
    return found


def _json(text: str | bytes) -> Any:
    """Return a JSON value, None for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _line(text: bytes) -> Line | None:
    """Return a line as `replies` writes it, None for any other: a summary of the run counts its fields."""
    line = _json(text)
    if not isinstance(line, dict) or not isinstance(line.get("clip_id"), str) or line.get("source") not in SOURCES:
        return None
    latency, raw = line.get("latency_ms"), line.get("raw_output", "")
    timed = latency is None or (isinstance(latency, int | float) and math.isfinite(latency))
    return line if timed and isinstance(raw, str) and (line["source"] != FALLBACK or "raw_output" in line) else None
