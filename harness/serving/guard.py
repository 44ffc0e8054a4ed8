"""Guard in front of all routes: who may ask (Host, Origin, token), how much is taken in at once, what is logged.

A request is refused here before its body is read. Every answer gets the request's id and the headers that keep a
browser from doing more with it than show it; no header for other origins (CORS) is ever sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.prediction.model_code import cause
from harness.serving.limits import NAME
from harness.serving.refusal import Refusal
from harness.serving.service import Service

OPEN = ("/", "/livez", "/readyz", "/health", "/docs", "/openapi.json", "/favicon.ico")
"""Paths that need no token: probes, and pages that hold nothing but what is published."""
OPEN_FOLDER = "/static/"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LINGER_S = 1.0
"""Seconds for which the rest of a refused body is read and dropped, so that the client gets to see the refusal."""

_ID = re.compile(rf"[A-Za-z0-9._-]{{1,{NAME}}}")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")


@dataclass(frozen=True)
class Access:
    """Who may ask. `token_sha256`: digest of the token, None for none; `names`: hosts that the server answers as,
    besides addresses and localhost; `loopback`: only this machine is served."""

    token_sha256: bytes | None = field(default=None, repr=False)
    names: frozenset[str] = frozenset()
    loopback: bool = True

    @classmethod
    def of(cls, token: str | None, names: tuple[str, ...], *, loopback: bool) -> Access:
        """Return the access with a token or none."""
        digest = None if token is None else hashlib.sha256(token.encode()).digest()
        return cls(digest, frozenset(name.lower() for name in names), loopback)

    def check(self, path: str, headers: dict[str, list[str]]) -> None:
        """Raise Refusal for a request that may not ask."""
        host = self._check_host(headers.get("host", []))
        for origin in headers.get("origin", []):
            scheme, _, name = origin.lower().partition("://")
            if scheme not in ("http", "https") or name != host:
                raise Refusal(403, "pages of other origins may not ask", "origin")
        if headers.get("sec-fetch-site", ["none"])[0] == "cross-site" and path not in OPEN:
            raise Refusal(403, "pages of other origins may not ask", "sec-fetch-site")
        if self.token_sha256 is not None and path not in OPEN and not path.startswith(OPEN_FOLDER):
            self._check_token(headers.get("authorization", []))

    def _check_host(self, hosts: list[str]) -> str:
        """Return the host that is asked, in lower case. Another name may lead a browser here (DNS rebinding)."""
        found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if found is None:
            raise Refusal(400, "expected one host", "host")
        name = found[1].lower()
        try:
            address = ipaddress.ip_address(name.strip("[]"))
            known = address.is_loopback or not self.loopback
        except ValueError:
            known = name == "localhost" or name in self.names
            known = known or (self.token_sha256 is not None and not self.loopback)
        if not known and name not in self.names:
            raise Refusal(403, "the server does not answer as this host: --allow-host names it", "host")
        return hosts[0].lower()

    def _check_token(self, given: list[str]) -> None:
        kind, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        digest = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        assert self.token_sha256 is not None
        # digests of one length, compared in constant time: neither time nor length tells anything of the token
        if not hmac.compare_digest(digest, self.token_sha256) or kind.lower() != "bearer":
            raise Refusal(401, "expected the server's token: Authorization: Bearer TOKEN", "authorization")


class Guard:
    """ASGI middleware around the application."""

    def __init__(self, app: ASGIApp, service: Service, access: Access, log: Callable[[str], object]):
        self.app, self.service, self.access, self.log = app, service, access, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _Exchange(self, scope, receive, send).run()
        elif scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})


class _Exchange:
    """One request and its answer."""

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send):
        self.guard, self.service, self.scope = guard, guard.service, scope
        self._receive, self._send = receive, send
        self.begun = time.monotonic()
        self.headers = dict[str, list[str]]()
        for name, value in scope["headers"]:
            self.headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        asked = self.headers.get("x-request-id", [""])[0]
        self.id = asked if _ID.fullmatch(asked) else uuid.uuid4().hex
        self.facts: dict[str, Any] = {}  # of the log line, which routes add to
        scope["state"] = scope.get("state", {}) | {"id": self.id, "facts": self.facts, "begun": self.begun}
        self.status, self.read, self.whole = 0, 0, False
        self.counted = 0

    async def run(self) -> None:
        """Answer or refuse the request, and log it."""
        service, path, posts = self.service, self.scope["path"], self.scope["method"] not in ("GET", "HEAD")
        accepted = False
        try:
            try:
                self.guard.access.check(path, self.headers)
                if posts:
                    self._admit()
                    accepted = True
                    service.in_flight += 1
            except Refusal as refusal:
                await self._refuse(refusal)
                return
            await self.guard.app(self.scope, self.receive, self.send)
        except Exception as error:  # the client was told that the server failed; here is why
            self.facts["error"] = self.service.mask.message(cause(error))
        finally:
            if accepted:
                service.in_flight -= 1
                service.bytes_in_flight -= self.counted
                service.changed()
            self._log(path)

    def _admit(self) -> None:
        """Count the body's announced bytes. Raises Refusal for what is too large, and while nothing is taken in."""
        service, limits = self.service, self.service.limits
        announced = self.headers.get("content-length", ["0"])[0]
        size = int(announced) if announced.isascii() and announced.isdigit() else 0
        if size > limits.body_bytes:
            raise Refusal(413, f"at most {limits.body_bytes:,} bytes are taken in", "content-length")
        if self.headers.get("content-encoding", ["identity"])[0].strip().lower() != "identity":
            raise Refusal(415, "packed bodies are not unpacked", "content-encoding")
        reason = service.reason()
        if reason == "full" or service.bytes_in_flight + size > limits.bytes_at_once:
            raise Refusal(429, "as many requests are waiting as are taken in", None, service.retry_after_s())
        if reason is not None:
            raise Refusal(503, f"not ready: {reason}", None, 5)
        self.counted = size
        service.bytes_in_flight += size

    async def receive(self) -> Message:
        """Return a part of the body, within limits. Raises Refusal for what is too large or too slow."""
        if self.whole:
            return await self._receive()
        limits = self.service.limits
        try:
            async with asyncio.timeout(max(0.0, self.begun + limits.body_s - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(408, f"the body was not there within {limits.body_s:g} s") from None
        if message["type"] == "http.request":
            if not message.get("more_body", False):
                self.whole = True
                self.scope["state"]["begun"] = time.monotonic()  # the deadline is for the server's work
            self.read += len(message.get("body", b""))
            if self.read > limits.body_bytes:
                raise Refusal(413, f"at most {limits.body_bytes:,} bytes are taken in", "body")
            if self.read > self.counted:  # without a length, bytes count as they come
                self.service.bytes_in_flight += self.read - self.counted
                self.counted = self.read
                if self.service.bytes_in_flight > limits.bytes_at_once:
                    raise Refusal(429, "too many bytes are waiting", None, self.service.retry_after_s())
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer, with the headers that all answers have."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            there = {name.lower() for name, _ in message.get("headers", [])}
            more = {"X-Request-Id": self.id, **HEADERS}
            if not self.whole and self.scope["method"] not in ("GET", "HEAD"):
                more["Connection"] = "close"
            added = [
                (name.encode(), text.encode()) for name, text in more.items() if name.lower().encode() not in there
            ]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await self._send(message)

    async def _refuse(self, refusal: Refusal) -> None:
        """Send a refusal. The rest of the body is dropped for a moment: a client that still sends sees no answer."""
        body = json.dumps(refusal.body(self.id)).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **refusal.headers()}
        raw = [(name.encode(), text.encode()) for name, text in headers.items()]
        await self.send({"type": "http.response.start", "status": refusal.status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body, "more_body": True})
        if "expect" not in self.headers and self.headers.keys() & {"content-length", "transfer-encoding"}:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    while (message := await self._receive())["type"] == "http.request" and message.get("more_body"):
                        pass
        await self.send({"type": "http.response.body", "body": b""})

    def _log(self, path: str) -> None:
        route = getattr(self.scope.get("route"), "path", "other")
        seconds = time.monotonic() - self.begun
        metrics, status = self.service.metrics, self.facts.pop("status", self.status)
        metrics.requests.labels(route, str(status)).inc()
        metrics.seconds.labels(route).observe(seconds)
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "id": self.id,
            "client": (self.scope.get("client") or [None])[0],
            "method": self.scope["method"][:16],
            "path": path[:200],
            "status": status,
            "ms": round(seconds * 1000, 1),
            "bytes": self.read,
            **self.facts,
        }
        with contextlib.suppress(OSError, ValueError):  # whoever reads the log has gone: no reason not to answer
            self.guard.log(json.dumps(line))
