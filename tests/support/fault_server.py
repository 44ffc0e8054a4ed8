"""OpenAI-protocol server on loopback that answers honestly, or misbehaves by script (`fault_answers.FAULTS`).

    python -m tests.support.fault_server SCRIPT.json     # a Script; prints its URL, and ends with its parent

    with served(faults={"429": 0.1}) as server:          # in a thread of this process
        ask(server.url); server.requests()

    with started(Script(...), folder) as url: ...        # as a process

It answers GET /v1/models and POST /v1/chat/completions. What it does with a question depends on the seed, the question
and how often it was asked, but never on the clock or on other questions. Each request is a line of JSON in the log:

    n          number of the request
    at         time when it was there as a whole, in seconds
    connected  time when its connection was opened
    path, host, status
    key        whether it brought an Authorization header
    pictures   digest of its picture parts, count of them, and text: digest of its texts
    fault      name of the fault, or "" for the honest answer
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.support import ROOT
from tests.support.fault_answers import FAULTS, Asked, Sent, digest_of, honest, refusal, to_sent

PICTURE_PARTS = ("image_url", "video_url")
LONGEST_REQUEST = 256 * 2**20
BUFFER = 8 * 2**20
LATE_S = 0.05
LOST = (ConnectionError, asyncio.IncompleteReadError, TimeoutError)


@dataclass(frozen=True, kw_only=True)
class Script:
    """What a server does. Raises ValueError for faults that do not exist.

    `faults`: fault -> share of the requests. `first`: what the first requests for an answer get, in order of arrival.
    `storm`: of every `storm[0]` requests the last `storm[1]` are refused for a second. `most`: faults that one question
    gets before its honest answer; None: any number. `refuse`: more requests at once than `places` are refused and do
    not wait.
    """

    seed: int = 0
    model: str = "fault-vlm"
    models: tuple[str, ...] | None = ("fault-vlm",)  # None: 404
    key: str | None = None  # other keys get 401
    faults: Mapping[str, float] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    storm: tuple[int, int] = (1, 0)
    most: int | None = 3
    latency_ms: float = 0.0
    places: int = 64
    refuse: bool = False
    most_pictures: int | None = None
    hang_s: float = 60.0
    drip_ms: float = 100.0  # a byte
    log: str | None = None
    port: int = 0

    def __post_init__(self) -> None:
        if unknown := {*self.faults, *self.first} - {*FAULTS, ""}:
            raise ValueError(f"no fault {', '.join(map(repr, sorted(unknown)))}; there are {', '.join(FAULTS)}")

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Script:
        """Return a script of JSON fields."""
        lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        return cls(**{**fields, **lists})

    def fault(self, digest: str, attempt: int) -> str:
        """Return the fault of the n-th attempt at a question, counted from 0, or "" for none."""
        if self.most is not None and attempt >= self.most:
            return ""
        drawn = random.Random(f"{self.seed} {digest} {attempt}").random()
        for name, share in self.faults.items():
            drawn -= share
            if drawn < 0:
                return name
        return ""


class Server:
    """A server while it runs. `url`: with /v1 at its end."""

    def __init__(self, script: Script):
        self.script, self.url = script, ""
        self._log = Path(script.log).open("a", encoding="utf-8") if script.log else None  # noqa: SIM115
        self._kept: list[dict[str, Any]] = []
        self._attempts = Counter[str]()
        self._number = self._answers = self._busy = 0
        self._last: Asked | None = None
        self._other: Asked | None = None
        self._shown: Asked | None = None  # the last one with pictures
        self._places = asyncio.Semaphore(script.places)

    def requests(self, path: str = "/v1/chat/completions") -> list[dict[str, Any]]:
        """Return the lines of the log about a path, of a server without a file."""
        return [line for line in list(self._kept) if line["path"] == path]

    async def open(self) -> asyncio.Server:
        """Begin to listen."""
        opened = await asyncio.start_server(self._serve, "127.0.0.1", self.script.port, limit=BUFFER, backlog=1024)
        self._port = opened.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/v1"
        return opened

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        connected = time.time()
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(*LOST):
            while await self._one(reader, writer, connected):
                pass
        writer.close()
        with contextlib.suppress(*LOST):
            await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connected: float) -> bool:
        """Answer one request; return whether the connection is kept."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines[1:] if line)}
        content = await reader.readexactly(min(int(headers.get("content-length", "0")), LONGEST_REQUEST))
        path, _, query = path.partition("?")
        facts = {"at": time.time(), "connected": connected, "path": path, "host": headers.get("host", "")}
        facts["key"] = "authorization" in headers
        return await self._route(method, (path, query), content, headers, facts, (reader, writer))

    async def _route(
        self,
        method: str,
        target: tuple[str, str],
        content: bytes,
        headers: Mapping[str, str],
        facts: dict[str, Any],
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> bool:
        """Answer a request for a path with a query; return whether the connection is kept."""
        path, _ = target
        if path == "/v1/models" and method == "GET":
            sent = self._models()
        elif path == "/v1/chat/completions" and method == "POST":
            return await self._chat(content, headers, facts, streams)
        else:
            sent = refusal(404, f"{method} {path}: there is nothing", "not_found")
        self._write_log(facts, sent)
        return await self._send(sent, *streams)

    def _models(self) -> Sent:
        if self.script.models is None:
            return refusal(404, "there are no models to list", "not_found")
        rows = [{"id": name, "object": "model", "owned_by": "tests"} for name in self.script.models]
        return to_sent({"object": "list", "data": rows})

    async def _chat(
        self,
        content: bytes,
        headers: Mapping[str, str],
        facts: dict[str, Any],
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> bool:
        self._answers += 1
        self._busy += 1
        try:
            waits = self._busy > self.script.places
            name, sent, said = self._decide(content, headers, waits=waits)
            self._write_log(facts | {"fault": name} | said, sent)
            async with self._places:
                if self.script.latency_ms:
                    await asyncio.sleep(self.script.latency_ms / 1000)
            return await self._send(sent, *streams)
        finally:
            self._busy -= 1

    def _decide(self, content: bytes, headers: Mapping[str, str], *, waits: bool) -> tuple[str, Sent, dict[str, Any]]:
        """Return the name of the fault, the reply, and what the log says of the question."""
        script = self.script
        if script.key is not None and headers.get("authorization") != f"Bearer {script.key}":
            return "", refusal(401, "Incorrect API key provided", "invalid_api_key"), {}
        try:
            asked = self._read(content, headers)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            return "", refusal(400, f"This is no request: {error!r:.200}", "invalid_request_error"), {}
        text = hashlib.sha256(asked.texts.encode("utf-8", "replace")).hexdigest()[:16]
        said = {"pictures": asked.digest, "count": len(asked.pictures), "text": text}
        if script.most_pictures is not None and len(asked.pictures) > script.most_pictures:
            words = f"At most {script.most_pictures} image(s) may be provided in one prompt."
            return "", refusal(400, words, "invalid_request_error"), said
        every, stormy = script.storm
        if (script.refuse and waits) or (self._answers - 1) % every >= every - stormy:
            return "429 in seconds", FAULTS["429 in seconds"](asked), said
        key = f"{asked.digest} {text}"
        name = script.first[self._answers - 1] if self._answers <= len(script.first) else ""
        if self._answers > len(script.first):
            name = script.fault(key, self._attempts[key])
            self._attempts[key] += 1
        return name, (FAULTS[name] if name else honest)(asked), said

    def _read(self, content: bytes, headers: Mapping[str, str]) -> Asked:
        """Return what a request asks."""
        body = json.loads(content)
        texts, pictures = [], []
        for message in body["messages"]:
            parts = message["content"]
            for part in [{"type": "text", "text": parts}] if isinstance(parts, str) else parts:
                if part["type"] in PICTURE_PARTS:
                    pictures.append(part[part["type"]]["url"])
                else:
                    texts.append(part["text"])
        digest = digest_of(pictures)
        asked = Asked(
            digest=digest,
            texts="\n".join(texts),
            pictures=tuple(pictures),
            model=self.script.model,
            body={name: value for name, value in body.items() if name != "messages"},
            authorization=headers.get("authorization", ""),
            url=f"http://localhost:{self._port}",
            before=None,
        )
        if self._last is not None and (self._last.digest, self._last.texts) != (digest, asked.texts):
            self._other = self._last
        self._last = asked
        self._shown = asked if pictures else self._shown
        return asked._replace(before=self._other)

    async def _send(self, sent: Sent, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Write a reply, as whole as it is to be; return whether the connection is kept."""
        if sent.late is not None and self._shown is not None:
            await asyncio.sleep(LATE_S)
            sent = sent.late(self._shown)
        if sent.then == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        if sent.then == "hang":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), self.script.hang_s)
            return False
        headers = {**sent.headers, "content-length": str(len(sent.body))}
        head = f"HTTP/1.1 {sent.status} .\r\n" + "".join(f"{name}: {text}\r\n" for name, text in headers.items())
        body = sent.body[: len(sent.body) // 2] if sent.then == "half" else sent.body
        writer.write(head.encode("latin-1", "replace") + b"\r\n" + (b"" if sent.then == "drip" else body))
        if sent.then == "drip":
            for place in range(len(body)):
                writer.write(body[place : place + 1])
                await writer.drain()
                await asyncio.sleep(self.script.drip_ms / 1000)
        await writer.drain()
        return sent.then not in ("half", "close")

    def _write_log(self, facts: dict[str, Any], sent: Sent) -> None:
        self._number += 1
        line = {"n": self._number, **facts, "status": sent.status}
        if self._log is None:
            self._kept.append(line)
        else:
            self._log.write(json.dumps(line) + "\n")
            self._log.flush()


@contextlib.contextmanager
def served(**script: Any) -> Iterator[Server]:
    """Run a server in a thread of this process; the fields are those of a Script."""
    server = Server(Script(**script))
    with in_thread(server):
        yield server


@contextlib.contextmanager
def in_thread(server: Server) -> Iterator[None]:
    """Run a server in a thread of this process."""
    loop = asyncio.new_event_loop()
    opened = loop.run_until_complete(server.open())
    thread = threading.Thread(target=loop.run_forever, name="fault server", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        opened.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()


@contextlib.contextmanager
def started(script: Script, folder: Path, module: str = "tests.support.fault_server") -> Iterator[str]:
    """Run a server as a process; its script lies in `folder`. Yields its URL. Raises RuntimeError where it ends."""
    path = folder / "fault-server.json"
    path.write_text(json.dumps(asdict(script)))
    command = [sys.executable, "-m", module, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if not (url := process.stdout.readline().strip()):
                raise RuntimeError(f"the fault server ends with {process.wait()}")
            yield url
        finally:
            process.kill()


def log_lines(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a log."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


async def until_parent_ends(server: Server) -> None:
    """Run a server until the process that started this one ends."""
    parent = os.getppid()
    opened = await server.open()
    print(server.url, flush=True)
    async with opened:
        while os.getppid() == parent:
            await asyncio.sleep(0.5)
    os._exit(0)  # connections may hang, and are not waited for


def main() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(until_parent_ends(Server(Script.of(json.loads(Path(sys.argv[1]).read_text())))))


if __name__ == "__main__":
    main()
