"""Files of requests within a provider's limits, and the rows of its results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from harness.errors import UsageError
from harness.prediction.asker import NotAnswered
from harness.prediction.predictor import Question
from harness.prediction.provider_batches.book import Batch, Book, custom_id, new_mark
from harness.prediction.provider_batches.provider import Provider, Row
from harness.prediction.questions import Questions, read_ahead, split_in_batches
from reference.files import sha256, sync

AT_ONCE = 16
"""Clips whose pictures are read at once."""


class _File:
    """File of requests while it is written."""

    def __init__(self, provider: Provider, book: Book):
        self.provider, self.mark = provider, new_mark()
        self.clips = list[str]()
        self.path = book.folder / f"requests-{self.mark}.jsonl"
        self._file: IO[bytes] = self.path.open("wb")
        self._file.write(provider.opening)

    def has_room(self, size: int) -> bool:
        """Return whether a further body of so many bytes fits; one always does into an empty file."""
        whole = size + self._file.tell() + len(self.provider.request(self.mark * 4, b"")) + len(self.provider.closing)
        limits = self.provider.limits
        return not self.clips or (len(self.clips) < limits.requests and whole <= limits.bytes)

    def add(self, clip_id: str, body: bytes) -> None:
        """Append a request."""
        self._file.write(self.provider.separator if self.clips else b"")
        self._file.write(self.provider.request(custom_id(clip_id, self.mark), body))
        self.clips.append(clip_id)

    def close(self) -> Batch:
        """Return the batch of the file, which is on disk now. Raises UsageError where one request is too large."""
        self._file.write(self.provider.closing)
        size = self._file.tell()
        self._file.close()
        if size > self.provider.limits.bytes:
            self.path.unlink()
            raise UsageError(
                f"clip {self.clips[0]}: one question has {size:,} bytes, and the provider takes files up to "
                f"{self.provider.limits.bytes:,}; --option frames=N and size=N show less"
            )
        sync(self.path)
        return Batch(self.mark, tuple(self.clips), sha256(self.path))

    def discard(self) -> None:
        """Remove a file that is not needed."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def request_files(provider: Provider, questions: Questions, clips: Sequence[str], book: Book) -> Iterator[Batch]:
    """Write files of requests about these clips, one after the other, and yield the batch of each."""
    with closing(read_ahead(questions, split_in_batches(clips, AT_ONCE))) as parts:
        file: _File | None = None
        try:
            for question in _one_by_one(parts):
                body = provider.body(question)
                if file is not None and not file.has_room(len(body)):
                    whole, file = file, None
                    yield whole.close()
                file = file or _File(provider, book)
                file.add(question.clip_id, body)
            if file is not None:
                whole, file = file, None
                yield whole.close()
        finally:
            if file is not None:
                file.discard()


def _one_by_one(parts: Iterable[Sequence[Question]]) -> Iterator[Question]:
    return (question for part in parts for question in part)


def is_whole(batch: Batch, path: Path) -> bool:
    """Return whether the file of a batch's requests is there as it was written."""
    return path.is_file() and sha256(path) == batch.sha256


def sweep(book: Book) -> None:
    """Remove files that a killed start left and no batch needs."""
    needed = {book.requests(batch) for batch in book.open if batch.id is None}
    for path in book.folder.glob("re*-*.jsonl"):
        if path not in needed:
            path.unlink()


def rows(provider: Provider, path: Path) -> Iterator[Row]:
    """Yield the rows in a file of results; lines that are none are left out, and their clips stay without an answer."""
    with path.open("rb") as file:
        for text in file:
            try:
                value: Any = json.loads(text)
            except (ValueError, RecursionError):
                continue
            try:
                yield provider.row(value)
            except NotAnswered:
                continue
