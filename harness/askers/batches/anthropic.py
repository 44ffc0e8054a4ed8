"""Batches in Anthropic's form, Message Batches: requests and batch in one POST, results as lines at a path.

Documented in Anthropic's API reference (messages/batches). A batch bears no mark of the user's: what is found again is
a batch that was not listed before the request and has as many requests. The ids of its requests, which end in the mark,
are seen once it has ended; where they are others, it was another program's, and is given back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import Any

from harness.askers.batches.common import A_PAGE, Batches, custom_id_in, id_in, pieces, unreadable
from harness.askers.http import words_of
from harness.prediction.asker import NotAnswered
from harness.prediction.provider_batches.book import Batch
from harness.prediction.provider_batches.provider import Limits, Row, State

PATH = "/messages/batches"
COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")
KINDS = {
    "invalid_request_error": "bad request",
    "request_too_large": "bad request",
    "authentication_error": "no access",
    "billing_error": "no access",
    "permission_error": "no access",
    "not_found_error": "no access",
    "rate_limit_error": "rate limit",
}
"""Types of errors in rows, as kinds of failure; any other is the server's."""


class AnthropicBatches(Batches):
    """Message Batches of a model."""

    name, most = "anthropic", Limits(100_000, 256_000_000)
    opening, separator, closing = b'{"requests": [\n', b",\n", b"\n]}"

    def request(self, custom_id: str, body: bytes) -> bytes:
        """Return a member of the list of requests."""
        return f'{{"custom_id": "{custom_id}", "params": '.encode() + body + b"}"

    async def prepare(self, batch: Batch, path: Path) -> Mapping[str, Any]:
        """Return the batches that are there before the request: it creates none of them. Raises NotAnswered."""
        async for page in self.pages(f"{PATH}?limit={A_PAGE}", "after_id"):
            return {"before": [each["id"] for each in page]}
        return {"before": []}

    async def create(self, batch: Batch, path: Path) -> str:
        """Create a batch of the requests in a file, and return its id. Raises NotAnswered."""
        length = path.stat().st_size
        return id_in(await self.server.upload(PATH, _whole(path), length, "application/json"))

    async def find(self, batch: Batch, others: Collection[str]) -> str | None:
        """Return the oldest batch that was not listed before, with as many requests. Raises NotAnswered."""
        before, found = set(batch.notes.get("before", [])), None
        async for page in self.pages(f"{PATH}?limit={A_PAGE}", "after_id"):  # the newest first
            for each in page:
                if each["id"] in before:
                    return found
                if each["id"] not in others and _requests(each) == len(batch.clips):
                    found = id_in(each)
        return found

    async def state(self, batch_id: str) -> State:
        """Return the state of a batch. Raises NotAnswered."""
        value = await self.server.get(f"{PATH}/{batch_id}")
        status = value.get("processing_status") if isinstance(value, dict) else None
        if not isinstance(status, str):
            raise unreadable(value, "batch")
        counts = value.get("request_counts") or {}
        total, left = _requests(value), counts.get("processing") or 0
        words = f"{status}, {total - left:,} of {total:,} done"
        if value.get("archived_at"):
            return State(True, words, (), ("expired", "the results are archived, and cannot be had any more"))
        return State(status == "ended", words, (f"{PATH}/{batch_id}/results",))

    def row(self, value: Any) -> Row:
        """Return a line of results. Raises NotAnswered for one that is none."""
        custom_id, result = custom_id_in(value), value.get("result")
        if not isinstance(result, dict):
            raise unreadable(value, "result")
        kind = result.get("type")
        if kind == "succeeded":
            try:
                return Row(custom_id, self.chat.checked(self.chat.to_reply(result.get("message"), None)))
            except NotAnswered as failure:
                return Row(custom_id, failure)
        if kind == "expired":
            return Row(custom_id, NotAnswered("expired", "the batch expired before this request"))
        if kind == "canceled":
            return Row(custom_id, NotAnswered("cancelled", "the batch was cancelled before this request"))
        error = result.get("error")
        inner = error.get("error", error) if isinstance(error, dict) else error
        type_ = inner.get("type") if isinstance(inner, dict) else None
        return Row(custom_id, NotAnswered(KINDS.get(str(type_), "server error"), words_of(inner or result)))


def _requests(value: Mapping[str, Any]) -> int:
    """Return how many requests a batch has."""
    counts = value.get("request_counts") or {}
    return sum(counts.get(name) or 0 for name in COUNTS)


async def _whole(path: Path) -> AsyncIterator[bytes]:
    async for piece in pieces(path):
        yield piece
