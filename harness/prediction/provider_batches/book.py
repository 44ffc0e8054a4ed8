"""Book of a run's batches: `batches/batches.json` in the entry's folder, until the entry is whole.

A batch is in the book before it is created: with its mark, which its requests bear, and the digest of its file. Once
the provider has named it, it has an id; once its results are taken, it is `collected`, with the clips that it left
without an answer. Each change is on disk before what follows from it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.prediction.journal import BATCHES
from reference.files import replacement
from reference.outside_files import read_object

BOOK = "batches.json"
PLAIN = re.compile(r"[A-Za-z0-9_-]{1,44}", re.ASCII)
MOST_BYTES = 2**30


@dataclass
class Batch:
    """One batch. `mark` tells its requests from all others."""

    mark: str
    clips: tuple[str, ...]
    sha256: str  # of its file of requests
    notes: dict[str, Any] = field(default_factory=dict)  # what the provider needs to find it again
    tried_at: float | None = None  # seconds since 1970: when it was last tried to create it; None where it was refused
    id: str | None = None
    found: bool = False  # the id was found in the provider's list, the reply that named it was lost
    collected: bool = False
    lost: dict[str, str] = field(default_factory=dict)  # clips without an answer, once collected: kind of failure

    def custom_ids(self) -> dict[str, str]:
        """Return the clips by the ids that their requests bear."""
        return {custom_id(clip_id, self.mark): clip_id for clip_id in self.clips}


def new_mark() -> str:
    """Return a mark that no other batch has."""
    return secrets.token_hex(8)


def custom_id(clip_id: str, mark: str) -> str:
    """Return the id of a request: 1 to 64 of the characters that every provider takes; a digest for other clip ids."""
    known = clip_id if PLAIN.fullmatch(clip_id) else hashlib.sha256(clip_id.encode()).hexdigest()[:40]
    return f"{known}-{mark}"


class Book:
    """Batches of one run, in the order in which they were written."""

    def __init__(self, folder: Path):
        self.folder = folder / BATCHES
        self.batches = _read(self.folder / BOOK)

    def save(self) -> None:
        """Write the book to disk, whole or not at all."""
        content = {"batches": [asdict(batch) for batch in self.batches]}
        with replacement(self.folder / BOOK, private=True) as path:
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @property
    def open(self) -> list[Batch]:
        """Return the batches whose results are still to come."""
        return [batch for batch in self.batches if not batch.collected]

    @property
    def in_flight(self) -> set[str]:
        """Return the clips that open batches ask about."""
        return {clip_id for batch in self.open for clip_id in batch.clips}

    def drop_uncreated(self) -> None:
        """Forget the batches that the provider certainly does not have."""
        for batch in self.open:
            if batch.id is None and batch.tried_at is None:
                self.drop(batch)

    @property
    def lost(self) -> dict[str, str]:
        """Return the clips that collected batches left without an answer, by the kind of the last failure."""
        return {clip_id: kind for batch in self.batches for clip_id, kind in batch.lost.items()}

    @property
    def ids(self) -> list[str]:
        """Return the ids of all batches that the provider has named."""
        return [batch.id for batch in self.batches if batch.id]

    def requests(self, batch: Batch) -> Path:
        """Return the path of a batch's file of requests, which is there until the batch has an id."""
        return self.folder / f"requests-{batch.mark}.jsonl"

    def results(self, batch: Batch) -> Path:
        """Return the path of a batch's results while they are read."""
        return self.folder / f"results-{batch.mark}.jsonl"

    def name(self, batch: Batch, batch_id: str, *, found: bool = False) -> None:
        """Write down the id of a batch, and remove its file of requests."""
        batch.id, batch.found = batch_id, found
        self.save()
        self.requests(batch).unlink(missing_ok=True)

    def drop(self, batch: Batch) -> None:
        """Forget a batch that was not created."""
        self.batches.remove(batch)
        self.save()
        self.requests(batch).unlink(missing_ok=True)


def card_facts(folder: Path) -> Mapping[str, Any]:
    """Return what a card says of the batches in which a run was asked; nothing where there were none."""
    ids = Book(folder).ids if (folder / BATCHES / BOOK).exists() else []
    return {"number": len(ids), "ids": ids} if ids else {}


def _read(path: Path) -> list[Batch]:
    """Return the batches in a book, none where there is none yet. Raises UsageError for a broken one."""
    if not path.exists():
        return []
    try:
        rows = read_object(path, UsageError, MOST_BYTES)["batches"]
        return [Batch(**{**row, "clips": tuple(row["clips"])}) for row in rows]
    except (KeyError, TypeError, UsageError):
        raise UsageError(
            f"{path}: is no book of batches any more, so that nothing says what was submitted; look at the provider's "
            "own list, and begin anew with --fresh"
        ) from None
