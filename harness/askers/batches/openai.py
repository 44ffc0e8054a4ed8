"""Batches in OpenAI's form: a file of requests is uploaded, a batch is created of it, results are files again.

Documented in OpenAI's API reference (files, batches); vLLM-based services and many others speak it too. The file is
called by the batch's mark, and the batch bears it as metadata: either is enough to find the batch again.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import Any

from harness.askers.batches.common import A_PAGE, Batches, custom_id_in, id_in, pieces, unreadable
from harness.askers.http import kind_of_status, words_of
from harness.prediction.asker import NotAnswered
from harness.prediction.provider_batches.book import Batch
from harness.prediction.provider_batches.provider import Limits, Row, State

URL = "/v1/chat/completions"
MARK = "harness_mark"
ENDED = ("completed", "failed", "expired", "cancelled")
A_DAY = 86_400.0
"""Slack of clocks: a list is left at a page whose batches are older than the request by that."""
KINDS = {"batch_expired": "expired", "batch_cancelled": "cancelled", "request_timeout": "server error"}
"""Codes of rows without a response, as kinds of failure."""
LIMITED = ("token_limit_exceeded", "rate_limit_exceeded")
"""Codes of whole batches that the provider would take later."""


class OpenAIBatches(Batches):
    """Batches of a model behind OpenAI's batch API."""

    name, most = "openai", Limits(50_000, 200_000_000)
    opening, separator, closing = b"", b"", b""

    def request(self, custom_id: str, body: bytes) -> bytes:
        """Return a line of a file of requests."""
        head = f'{{"custom_id": "{custom_id}", "method": "POST", "url": "{URL}", "body": '
        return head.encode() + body + b"}\n"

    async def prepare(self, batch: Batch, path: Path) -> Mapping[str, Any]:
        """Return the id of the uploaded file: one that a lost reply left there, else a new one. Raises NotAnswered."""
        if "file" in batch.notes:
            return {}
        async for page in self.pages(f"/files?purpose=batch&limit={A_PAGE}", "after"):
            for file in page:
                if file.get("filename") == _file_name(batch):
                    return {"file": id_in(file)}
        boundary = f"harness-{batch.mark}"
        fields = f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--{boundary}\r\n'
        fields += f'Content-Disposition: form-data; name="file"; filename="{_file_name(batch)}"\r\n'
        head = f"{fields}Content-Type: application/jsonl\r\n\r\n".encode()
        tail = f"\r\n--{boundary}--\r\n".encode()

        async def form() -> AsyncIterator[bytes]:
            yield head
            async for piece in pieces(path):
                yield piece
            yield tail

        length = len(head) + path.stat().st_size + len(tail)
        kind = f"multipart/form-data; boundary={boundary}"
        return {"file": id_in(await self.server.upload("/files", form(), length, kind))}

    async def create(self, batch: Batch, path: Path) -> str:
        """Create a batch of the uploaded file, and return its id. Raises NotAnswered."""
        fields = {
            "input_file_id": batch.notes["file"],
            "endpoint": URL,
            "completion_window": "24h",
            "metadata": {MARK: batch.mark, "sha256": batch.sha256},
        }
        return id_in((await self.server.post("/batches", json.dumps(fields).encode())).value)

    async def find(self, batch: Batch, others: Collection[str]) -> str | None:
        """Return the id of the batch that bears the mark, or was made of the uploaded file. Raises NotAnswered."""
        since = (batch.tried_at or 0.0) - A_DAY
        async for page in self.pages(f"/batches?limit={A_PAGE}", "after"):
            for each in page:
                metadata = each.get("metadata")
                marked = isinstance(metadata, dict) and metadata.get(MARK) == batch.mark
                if marked or each.get("input_file_id") == batch.notes.get("file", ""):
                    return id_in(each)
            times = [float(time) for each in page if isinstance(time := each.get("created_at"), int | float)]
            newest_first = len(times) > 1 and times == sorted(times, reverse=True)
            if newest_first and times[0] < since:
                return None
        return None

    async def state(self, batch_id: str) -> State:
        """Return the state of a batch. Raises NotAnswered."""
        value = await self.server.get(f"/batches/{batch_id}")
        status = value.get("status") if isinstance(value, dict) else None
        if not isinstance(status, str):
            raise unreadable(value, "batch")
        counts = value.get("request_counts") or {}
        done, failed, total = (counts.get(name) or 0 for name in ("completed", "failed", "total"))
        words = f"{status}, {done + failed:,} of {total:,} done" if total else status
        files = [value.get(name) for name in ("output_file_id", "error_file_id")]
        paths = tuple(f"/files/{id_in({'id': file})}/content" for file in files if file)
        # results are there a little after the status says so
        ended = status in ENDED and not (done and not value.get("output_file_id"))
        if status == "failed":
            words = f"failed: {_rest(status, value)[1]}"
        if status in ENDED and not ended:
            words += ", results not there yet"
        return State(ended, words, paths, _rest(status, value))

    def row(self, value: Any) -> Row:
        """Return a line of results, of the answers or of the errors. Raises NotAnswered for one that is none."""
        custom_id = custom_id_in(value)
        response, error = value.get("response"), value.get("error")
        try:
            if isinstance(response, dict) and response.get("status_code") == 200:
                return Row(custom_id, self.chat.checked(self.chat.to_reply(response.get("body"), None)))
        except NotAnswered as failure:
            return Row(custom_id, failure)
        if isinstance(error, dict) and error.get("code") in KINDS:
            return Row(custom_id, NotAnswered(KINDS[error["code"]], words_of(error)))
        if isinstance(response, dict) and isinstance(status := response.get("status_code"), int):
            words = f"HTTP {status} {words_of(response.get('body'))}"
            return Row(custom_id, NotAnswered(kind_of_status(status, words), words))
        return Row(custom_id, NotAnswered("server error", words_of(error or value)))


def _file_name(batch: Batch) -> str:
    return f"harness-{batch.mark}.jsonl"


def _rest(status: str, value: Mapping[str, Any]) -> tuple[str, str]:
    """Return what became of requests that no result names."""
    if status in ("expired", "cancelled"):
        return status, f"the batch {'has expired' if status == 'expired' else 'was cancelled'}"
    if status == "failed":
        errors = value.get("errors") or {}
        found = [each for each in errors.get("data") or [] if isinstance(each, dict)]
        words = "; ".join(words_of(each) for each in found[:3])
        later = any(each.get("code") in LIMITED for each in found)
        return ("rate limit" if later else "bad request"), words
    return State(True, "").rest
