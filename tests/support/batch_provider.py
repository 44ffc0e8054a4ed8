"""Provider of batches on loopback, in OpenAI's form and in Anthropic's, honest or misbehaving by script.

    python -m tests.support.batch_provider SCRIPT.json   # a BatchScript; prints its URL, and ends with its parent

    with provided(polls=1) as provider: ...              # in a thread of this process

It is a fault server that also takes batches, and answers them as it answers single questions. Nothing depends on the
clock: a batch has ended once it was looked at `polls` times. Each creation is a line in the log:

    batch    id
    rows     digest of a question's pictures -> what its row became: "" for the honest answer
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.support.fault_answers import Asked, Sent, answer_to, completion, refusal, to_sent, usage_of
from tests.support.fault_server import Script, Server, in_thread, until_parent_ends

TROUBLES = ("429", "500", "reset", "lost", "500 done")
"""What an upload or a creation may meet; with the last two it is done all the same."""
LOSSES = ("expired", "cancelled", "errored", "refused", "cut off", "missing")
"""What may become of a row."""


@dataclass(frozen=True, kw_only=True)
class BatchScript(Script):
    """What a provider does. `uploads`, `creations`: the trouble that the first of them meet, "" for none.

    `troubles`: shares of later ones with a trouble. `losses`: shares of rows that are lost, each question `most_losses`
    times at most. `fails`: codes with which the first batches fail as a whole; `half`: so many of the next ones expire
    half done. `mess`: results out of order, doubled, with ids of nobody and lines that are no JSON. `hides`: metadata
    are not listed. `late`: lists from which a new batch is still missing. `strange`: another program's batches, of so
    many requests each, that come before each one of ours.
    """

    polls: int = 0
    uploads: tuple[str, ...] = ()
    creations: tuple[str, ...] = ()
    troubles: Mapping[str, float] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)
    most_losses: int = 1
    fails: tuple[str, ...] = ()
    half: int = 0
    mess: bool = False
    hides: bool = False
    late: int = 0
    strange: tuple[int, ...] = ()
    a_page: int = 3


class Made:
    """A batch. `rows`: custom id, question, and what became of it."""

    def __init__(self, name: str, rows: list[tuple[str, Asked, str]], fields: Mapping[str, Any], script: BatchScript):
        self.name, self.rows, self.fields = name, rows, fields
        self.polls, self.unlisted = script.polls, script.late
        self.failed = ""

    @property
    def ended(self) -> bool:
        return self.polls <= 0


class BatchProvider(Server):
    """A provider while it runs. `created`: the lines of the log about creations."""

    script: BatchScript

    def __init__(self, script: BatchScript):
        super().__init__(script)
        self.files: dict[str, tuple[str, bytes]] = {}
        self.made: list[Made] = []
        self.created: list[dict[str, Any]] = []
        self._losses, self._met, self._ids = Counter[str](), Counter[str](), Counter[str]()

    async def _route(
        self,
        method: str,
        target: tuple[str, str],
        content: bytes,
        headers: Mapping[str, str],
        facts: dict[str, Any],
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> bool:
        path, query = target
        parts = path.removeprefix("/v1/").split("/")
        found = {name: values[0] for name, values in parse_qs(query).items()}
        if method == "POST" and path in ("/v1/files", "/v1/batches", "/v1/messages/batches"):
            sent = self._with_trouble(path, content, headers, facts)
        elif parts[0] == "files":
            sent = self._files(parts, found)
        elif parts[0] == "batches":
            sent = self._openai(parts, found)
        elif parts[:2] == ["messages", "batches"]:
            sent = self._anthropic(parts[1:], found)
        elif path == "/v1/messages":
            asked = self._read(_as_openai(json.loads(content)), headers)
            sent = to_sent(_message(asked))
            facts["pictures"] = asked.digest
        else:
            return await super()._route(method, target, content, headers, facts, streams)
        self._write_log(facts, sent)
        return await self._send(sent, *streams)

    def _with_trouble(self, path: str, content: bytes, headers: Mapping[str, str], facts: dict[str, Any]) -> Sent:
        """Upload or create, unless trouble comes first, or keeps the reply."""
        kind = "uploads" if path == "/v1/files" else "creations"
        first = getattr(self.script, kind)
        self._met[kind] += 1
        trouble = first[self._met[kind] - 1] if self._met[kind] <= len(first) else ""
        if self._met[kind] > len(first):
            drawn = random.Random(f"{self.script.seed} {kind} {self._met[kind]}").random()
            for name, share in self.script.troubles.items():
                drawn -= share
                trouble = trouble or (name if drawn < 0 else "")
        facts["fault"] = trouble
        if trouble == "429":
            return refusal(429, "Too many requests", "rate_limit_exceeded", retry_after_ms="10")
        if trouble == "500":
            return refusal(500, "The server had an error")
        if trouble == "reset":
            return Sent(then="reset")
        uploads = path == "/v1/files"
        sent = self._upload(content, headers) if uploads else self._create(path, content, headers, facts)
        return {"lost": Sent(then="reset"), "500 done": refusal(500, "The server had an error")}.get(trouble, sent)

    def _new(self, kind: str) -> str:
        self._ids[kind] += 1
        return f"{kind}_{self._ids[kind]:03d}"

    def _upload(self, content: bytes, headers: Mapping[str, str]) -> Sent:
        boundary = headers["content-type"].partition("boundary=")[2].encode()
        parts = content.split(b"--" + boundary)
        head, _, body = parts[2].partition(b"\r\n\r\n")
        assert b'name="purpose"' in parts[1] and b"batch" in parts[1]
        name = head.decode().partition('filename="')[2].partition('"')[0]
        file = self._new("file")
        self.files[file] = (name, body.removesuffix(b"\r\n"))
        return to_sent({"id": file, "object": "file", "filename": name, "purpose": "batch", "bytes": len(body)})

    def _files(self, parts: list[str], query: Mapping[str, str]) -> Sent:
        if len(parts) == 3 and parts[1] in self.files:
            return Sent(body=self.files[parts[1]][1])
        rows = [{"id": file, "object": "file", "filename": name} for file, (name, _) in self.files.items()]
        return self._page(rows[::-1], query.get("after"))

    def _page(self, rows: list[dict[str, Any]], after: str | None) -> Sent:
        """Return a page of a list, which begins behind the object `after`."""
        start = next((place + 1 for place, row in enumerate(rows) if row["id"] == after), 0)
        page = rows[start : start + self.script.a_page]
        more = start + len(page) < len(rows)
        return to_sent({"object": "list", "data": page, "has_more": more, "last_id": page[-1]["id"] if page else None})

    def _create(self, path: str, content: bytes, headers: Mapping[str, str], facts: dict[str, Any]) -> Sent:
        fields = json.loads(content)
        if path == "/v1/batches":
            if fields["input_file_id"] not in self.files:
                return refusal(400, "No such file", "invalid_request_error")
            lines = map(json.loads, self.files[fields["input_file_id"]][1].splitlines())
            found = [(line["custom_id"], json.dumps(line["body"]).encode()) for line in lines]
            kind = "batch"
        else:
            found = [(each["custom_id"], _as_openai(each["params"])) for each in fields["requests"]]
            fields, kind = {}, "msgbatch"
        if len({custom_id for custom_id, _ in found}) < len(found):
            return refusal(400, "custom_id is not unique", "invalid_request_error")
        for requests in self.script.strange:
            stranger = [(f"theirs-{place}", self._read(found[0][1], headers), "") for place in range(requests)]
            self.made.append(Made(self._new(kind), stranger, {}, self.script))
        rows = [(custom_id, self._read(body, headers)) for custom_id, body in found]
        batch = Made(self._new(kind), [], fields, self.script)
        ours = len(self.created)
        batch.failed = self.script.fails[ours] if ours < len(self.script.fails) else ""
        half = 0 <= ours - len(self.script.fails) < self.script.half
        for place, (custom_id, asked) in enumerate(rows):
            loss = "failed" if batch.failed else "expired" if half and 2 * place >= len(rows) else self._loss(asked)
            self._losses[asked.digest] += bool(loss)
            batch.rows.append((custom_id, asked, loss))
        self.made.append(batch)
        line = {"batch": batch.name, "rows": {asked.digest: loss for _, asked, loss in batch.rows}}
        self.created.append(line)
        facts |= line
        return to_sent(self._in_list(batch) if kind == "batch" else self._in_list_of_messages(batch))

    def _loss(self, asked: Asked) -> str:
        """Return what a row becomes."""
        if self._losses[asked.digest] >= self.script.most_losses:
            return ""
        drawn = random.Random(f"{self.script.seed} {asked.digest}").random()
        for name, share in self.script.losses.items():
            drawn -= share
            if drawn < 0:
                return name
        return ""

    def _listed(self) -> list[Made]:
        """Return the batches that a list shows now, the newest first."""
        listed = [batch for batch in self.made if batch.unlisted <= 0]
        for batch in self.made:
            batch.unlisted -= 1
        return listed[::-1]

    def _openai(self, parts: list[str], query: Mapping[str, str]) -> Sent:
        if len(parts) == 1:
            return self._page([self._in_list(batch) for batch in self._listed()], query.get("after"))
        batch = next((batch for batch in self.made if batch.name == parts[1]), None)
        if batch is None:
            return refusal(404, "No such batch", "not_found")
        value = to_sent(self._in_list(batch))
        batch.polls -= 1
        return value

    def _in_list(self, batch: Made) -> dict[str, Any]:
        """Return a batch in OpenAI's form; once it has ended, its results are files."""
        lost = [loss for _, _, loss in batch.rows if loss]
        value: dict[str, Any] = {
            "id": batch.name,
            "object": "batch",
            "status": "in_progress",
            "created_at": int(time.time()),
            "input_file_id": batch.fields.get("input_file_id"),
            "metadata": None if self.script.hides else batch.fields.get("metadata"),
            "request_counts": {"total": len(batch.rows), "completed": 0, "failed": 0},
        }
        if not batch.ended:
            return value
        if batch.failed:
            errors = {"object": "list", "data": [{"code": batch.failed, "message": "It cannot be done", "line": 1}]}
            return value | {"status": "failed", "errors": errors}
        good = [self._line(*row) for row in batch.rows if not row[2]]
        bad = [self._line(*row) for row in batch.rows if row[2] and row[2] != "missing"]
        for name, lines in (("output_file_id", good), ("error_file_id", bad)):
            if lines:
                value[name] = file = f"file-{batch.name}-{name.partition('_')[0]}"
                self.files[file] = ("results", self._jsonl(lines))
        value["request_counts"] |= {"completed": len(good), "failed": len(lost)}
        return value | {"status": "expired" if "expired" in lost else "completed"}

    def _line(self, custom_id: str, asked: Asked, loss: str) -> dict[str, Any]:
        """Return a line of results in OpenAI's form."""
        line: dict[str, Any] = {"id": f"req-{custom_id}", "custom_id": custom_id, "response": None, "error": None}
        if loss in ("expired", "cancelled"):
            return line | {"error": {"code": f"batch_{loss}", "message": f"This request was {loss}"}}
        body, status = completion(asked, answer_to(asked)), 200
        if loss == "errored":
            body, status = {"error": {"message": "The server had an error", "type": "server_error"}}, 500
        if loss == "refused":
            body = completion(asked, None, message={"refusal": "I cannot"})
        if loss == "cut off":
            body = completion(asked, "{", finish_reason="length")
        return line | {"response": {"status_code": status, "request_id": "r", "body": body}}

    def _anthropic(self, parts: list[str], query: Mapping[str, str]) -> Sent:
        if len(parts) == 1:
            return self._page([self._in_list_of_messages(batch) for batch in self._listed()], query.get("after_id"))
        batch = next((batch for batch in self.made if batch.name == parts[1]), None)
        if batch is None:
            return refusal(404, "No such batch", "not_found")
        if len(parts) == 3:
            return Sent(body=self._jsonl([_result(*row) for row in batch.rows if row[2] != "missing"]))
        value = to_sent(self._in_list_of_messages(batch))
        batch.polls -= 1
        return value

    def _in_list_of_messages(self, batch: Made) -> dict[str, Any]:
        """Return a batch in Anthropic's form."""
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        counts["succeeded" if batch.ended else "processing"] = len(batch.rows)
        status = "ended" if batch.ended else "in_progress"
        url = f"{self.url}/messages/batches/{batch.name}/results" if batch.ended else None
        value = {"id": batch.name, "type": "message_batch", "processing_status": status, "request_counts": counts}
        return value | {"results_url": url, "archived_at": None}

    def _jsonl(self, lines: list[dict[str, Any]]) -> bytes:
        """Return lines of results, as messy as the script wants."""
        texts = [json.dumps(line) for line in lines]
        if self.script.mess and lines:
            strange = [json.dumps({**lines[0], "custom_id": "nobody"}), "no JSON", "[]", "", json.dumps({"a": 1})]
            texts = [*texts[::-1], texts[0], *strange]
        return "".join(f"{text}\n" for text in texts).encode()


def _as_openai(params: Mapping[str, Any]) -> bytes:
    """Return a request of the Messages API as one of chat completions, with the same pictures and texts."""
    messages = []
    for message in params["messages"]:
        parts = []
        for block in message["content"]:
            if block["type"] == "image":
                source = block["source"]
                url = f"data:{source['media_type']};base64,{source['data']}"
                block = {"type": "image_url", "image_url": {"url": url}}
            parts.append(block)
        messages.append({**message, "content": parts})
    return json.dumps({**params, "messages": messages}).encode()


def _message(asked: Asked, text: str | None = None, stop: str = "end_turn") -> dict[str, Any]:
    """Return a reply of the Messages API."""
    text = answer_to(asked) if text is None else text
    used = usage_of(asked, text)
    return {
        "id": f"msg_{hashlib.sha256(text.encode()).hexdigest()[:12]}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop,
        "usage": {"input_tokens": used["prompt_tokens"], "output_tokens": used["completion_tokens"]},
    }


def _result(custom_id: str, asked: Asked, loss: str) -> dict[str, Any]:
    """Return a line of results in Anthropic's form."""
    if loss in ("expired", "cancelled", "failed"):
        return {"custom_id": custom_id, "result": {"type": {"cancelled": "canceled"}.get(loss, "expired")}}
    if loss == "errored":
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        return {"custom_id": custom_id, "result": {"type": "errored", "error": error}}
    changes = {"refused": ("", "refusal"), "cut off": ("{", "max_tokens")}.get(loss, (None, "end_turn"))
    return {"custom_id": custom_id, "result": {"type": "succeeded", "message": _message(asked, *changes)}}


@contextlib.contextmanager
def provided(**script: Any) -> Iterator[BatchProvider]:
    """Run a provider in a thread of this process; the fields are those of a BatchScript."""
    provider = BatchProvider(BatchScript(**script))
    with in_thread(provider):
        yield provider


def main() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        script = BatchScript.of(json.loads(Path(sys.argv[1]).read_text()))
        asyncio.run(until_parent_ends(BatchProvider(script)))


if __name__ == "__main__":
    main()
