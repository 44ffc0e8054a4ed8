"""What both forms of batches share: the request about a clip, pages of a list, files on the way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.askers.http import Server
from harness.prediction.asker import NotAnswered
from harness.prediction.predictor import Question
from harness.prediction.provider_batches.provider import Limits, Times

if TYPE_CHECKING:
    from harness.askers.chat import Chat

PIECE = 1 << 20
MOST_PAGES = 200
A_PAGE = 100


class Batches:
    """Batches of one model at its provider."""

    most = Limits(0, 0)

    def __init__(self, chat: Chat, server: Server):
        self.chat, self.server = chat, server
        self.limits = Limits(min(chat.batch_size or self.most.requests, self.most.requests), self.most.bytes)

    @property
    def times(self) -> Times:
        """Return how long the provider is waited for."""
        return self.chat.times

    def body(self, question: Question) -> bytes:
        """Return the request about a clip, in the form of answer that was agreed."""
        return self.chat.body(question, self.chat.agreed["json"])

    async def download(self, result: str, path: Path) -> None:
        """Write a file of results to a path. Raises NotAnswered."""
        with path.open("wb") as file:
            await self.server.download(result, file)

    async def pages(self, path: str, cursor: str) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield the pages of a list; `cursor`: the parameter that names the last object before a page.

        Raises NotAnswered.
        """
        after = ""
        for _ in range(MOST_PAGES):
            value = await self.server.get(f"{path}&{cursor}={after}" if after else path)
            found = value.get("data") if isinstance(value, dict) else None
            if not isinstance(found, list):
                raise unreadable(value, "a list")
            page = [each for each in found if isinstance(each, dict) and isinstance(each.get("id"), str)]
            yield page
            if not value.get("has_more") or not page or page[-1]["id"] == after:
                return
            after = page[-1]["id"]


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """Yield the bytes of a file, a piece at a time."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def unreadable(value: Any, expected: str) -> NotAnswered:
    """Return the failure of a reply that is not what the protocol says."""
    return NotAnswered("unreadable reply", f"no {expected}: {json.dumps(value)}")


def id_in(value: Any) -> str:
    """Return the id of an object that was created. Raises NotAnswered."""
    found = value.get("id") if isinstance(value, dict) else None
    if not isinstance(found, str) or not found.isprintable() or not found or set(found) & set("/?#% "):
        raise unreadable(value, "id")
    return found


def custom_id_in(value: Any) -> str:
    """Return the id of the request that a line of results answers. Raises NotAnswered."""
    found = value.get("custom_id") if isinstance(value, dict) else None
    if not isinstance(found, str):
        raise unreadable(value, "custom_id")
    return found
