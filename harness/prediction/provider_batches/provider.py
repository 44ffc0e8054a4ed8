"""Contract of a provider that answers in batches: how requests are written, submitted, found again and collected."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from harness.prediction.asker import NotAnswered
from harness.prediction.predictor import Question, Reply
from harness.prediction.provider_batches.book import Batch


class Limits(NamedTuple):
    """Limits of a file of requests."""

    requests: int
    bytes: int


class Times(NamedTuple):
    """Seconds. `settle`: a batch whose reply was lost is listed by then; `poll`: the first pause between two looks."""

    settle: float
    poll: float


class State(NamedTuple):
    """State of a batch at the provider.

    `words`: how far it is; `results`: paths of the files with results, once it has ended; `rest`: what became of
    requests that these do not name, as a kind of failure with words.
    """

    ended: bool
    words: str
    results: tuple[str, ...] = ()
    rest: tuple[str, str] = ("unreadable reply", "the results do not name it")


class Row(NamedTuple):
    """One line of results: the id that the request bore, and the reply or why there is none."""

    custom_id: str
    outcome: Reply | NotAnswered


class Provider(Protocol):
    """Contract of a provider. Every coroutine raises NotAnswered."""

    name: str
    limits: Limits
    opening: bytes  # of a file of requests, before the first one
    separator: bytes
    closing: bytes

    @property
    def times(self) -> Times:
        """Return how long the provider is waited for."""

    def body(self, question: Question) -> bytes:
        """Return the request about a clip, as a single answer would be asked for."""

    def request(self, custom_id: str, body: bytes) -> bytes:
        """Return a request as it stands in a file."""

    async def prepare(self, batch: Batch, path: Path) -> Mapping[str, Any]:
        """Return what must be on disk before `create`, so that `find` finds the batch; uploads the file if need be."""

    async def create(self, batch: Batch, path: Path) -> str:
        """Create the batch of the requests in a file, and return its id."""

    async def find(self, batch: Batch, others: Collection[str]) -> str | None:
        """Return the id of a batch that may have been created, None where there is none; `others`: ids it is not."""

    async def state(self, batch_id: str) -> State:
        """Return the state of a batch."""

    async def download(self, result: str, path: Path) -> None:
        """Write a file of results to a path."""

    def row(self, value: Any) -> Row:
        """Return a line of results. Raises NotAnswered for one that is none."""
