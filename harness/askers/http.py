"""One request to a server and its reply as JSON, or NotAnswered with the server's words: no cookies, no redirects.

Requests go through httpx's transports, below its client: what a client adds (redirects, cookies, proxies and keys of
the environment) is what must not happen here unasked. Each request in flight has a transport with one connection,
because a pool of many looks through all of them at every request.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import AsyncIterable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from harness.askers.endpoint import Endpoint
from harness.prediction.asker import WORDS, NotAnswered

CONNECT_SECONDS, KEPT_SECONDS = 10.0, 30.0
REPLY_BYTES = 8 * 2**20
"""A reply holds a few hundred tokens; what is longer is cut off, and is then none."""
TRANSIENT = (408, 409, 424, 425, 500, 502, 503, 504)
BAD = (400, 413, 414, 415, 422, 431)
QUOTA = re.compile(r"insufficient_quota|credit balance", re.IGNORECASE)
MODEL_TIME = re.compile(r"(?:^|,)\s*model;dur=(\d{1,8}(?:\.\d{1,6})?)\s*(?:,|$)", re.ASCII)
RATE = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


class Received(NamedTuple):
    """JSON of a reply, and the milliseconds that the model took where the header Server-Timing has them as `model`."""

    value: Any
    model_ms: float | None = None


class Server:
    """Connections to one endpoint. `environment`: use the proxies and certificates that the environment names."""

    def __init__(self, endpoint: Endpoint, *, environment: bool = False):
        self._endpoint = endpoint
        self._made = list[httpx.AsyncHTTPTransport]()
        self._free = list[httpx.AsyncHTTPTransport]()
        self._certificates = httpx.create_ssl_context(trust_env=environment)
        self._environment, self._proxy = environment, _proxy(endpoint.url) if environment else None
        self._timeout = {"connect": CONNECT_SECONDS, "read": None, "write": None, "pool": None}

    async def get(self, path: str) -> Any:
        """Return the JSON reply to a GET. Raises NotAnswered."""
        return (await self._send("GET", path)).value

    async def post(self, path: str, body: bytes) -> Received:
        """Return the reply to a POST of JSON. Raises NotAnswered."""
        return await self._send("POST", path, body, {"Content-Type": "application/json"})

    async def upload(self, path: str, parts: AsyncIterable[bytes], length: int, kind: str) -> Any:
        """Return the JSON reply to a POST of so many bytes of this content type. Raises NotAnswered."""
        headers = {"Content-Type": kind, "Content-Length": str(length)}
        return (await self._send("POST", path, parts, headers)).value

    async def download(self, path: str, into: IO[bytes]) -> None:
        """Write the reply to a GET into a file, whatever its length. Raises NotAnswered."""
        await self._send("GET", path, into=into)

    async def close(self) -> None:
        """Close all connections."""
        for transport in self._made:
            await transport.aclose()

    async def _send(
        self,
        method: str,
        path: str,
        body: bytes | AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        into: IO[bytes] | None = None,
    ) -> Received:
        headers = self._endpoint.headers | dict(headers or {})
        url = f"{self._endpoint.url}{path}"
        transport = self._free.pop() if self._free else self._new()
        try:
            extensions = {"timeout": self._timeout}
            request = httpx.Request(method, url, headers=headers, content=body, extensions=extensions)
            response = await transport.handle_async_request(request)
            try:
                content = await _read(response, into)
            finally:
                await response.aclose()
        except httpx.TimeoutException as error:
            words = f"{self._endpoint.url}: {type(error).__name__} after {CONNECT_SECONDS:.0f} s"
            raise NotAnswered("connection", words) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise NotAnswered("connection", f"{self._endpoint.url}: {str(error) or type(error).__name__}") from None
        finally:
            self._free.append(transport)
        if response.status_code == 200 and into is not None:
            return Received(None)
        if response.status_code == 200 and content is not None:
            try:
                return Received(json.loads(content), _model_ms(response.headers))
            except (ValueError, RecursionError):
                raise NotAnswered("unreadable reply", f"no JSON: {_text(content)}") from None
        raise _failure(response, content or b"")

    def _new(self) -> httpx.AsyncHTTPTransport:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEPT_SECONDS)
        certificates, environment = self._certificates, self._environment
        self._made.append(
            httpx.AsyncHTTPTransport(verify=certificates, limits=limits, trust_env=environment, proxy=self._proxy)
        )
        return self._made[-1]


async def _read(response: httpx.Response, into: IO[bytes] | None) -> bytes | None:
    """Return the body of a reply; of one that is too long the beginning, or None where it was to be an answer.

    A file takes the body of a good reply in its place, whatever its length.
    """
    parts, size = list[bytes](), 0
    async for part in response.aiter_bytes():
        if into is not None and response.status_code == 200:
            into.write(part)
            continue
        parts.append(part)
        size += len(part)
        if size > REPLY_BYTES:
            return None if response.status_code == 200 else b"".join(parts)
    return b"".join(parts)


def _model_ms(headers: Mapping[str, str]) -> float | None:
    """Return the time of `model` in a header such as `decode;dur=11.4, model;dur=41.2`, None where there is none."""
    found = MODEL_TIME.search(headers.get("server-timing", ""))
    return float(found[1]) if found else None


def _failure(response: httpx.Response, content: bytes) -> NotAnswered:
    """Return what a reply that is no answer means."""
    status, words = response.status_code, f"HTTP {response.status_code} {_words(content)}".strip()
    if status == 200:
        return NotAnswered("unreadable reply", f"more than {REPLY_BYTES // 2**20} MiB")
    if 300 <= status < 400:
        host = urlsplit(response.headers.get("location", "")).hostname
        return NotAnswered("no access", f"HTTP {status}: sends on to {host or 'another path'}, and is not followed")
    kind = kind_of_status(status, words)
    if kind in ("rate limit", "server error"):
        return NotAnswered(kind, words, _retry_after(response.headers, limits=kind == "rate limit"))
    return NotAnswered(kind, words)


def kind_of_status(status: int, words: str) -> str:
    """Return the kind of failure that a status other than 200, with these words, stands for."""
    if status == 429 and not QUOTA.search(words):
        return "rate limit"
    if status in TRANSIENT or status > 504:
        return "server error"
    if status < 300:
        return "unreadable reply"
    return "bad request" if status in BAD else "no access"


def _words(content: bytes) -> str:
    """Return the message in an error's body: of JSON the usual fields, of HTML its text."""
    try:
        return words_of(json.loads(content))
    except (ValueError, RecursionError):
        return _text(content)


def words_of(value: Any) -> str:
    """Return the message in an error that came as JSON."""
    found = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(found, dict):
        code = found.get("code") or found.get("type")
        message = next((found[name] for name in ("message", "detail", "error") if found.get(name)), found)
        text = message if isinstance(message, str) else json.dumps(message)
        return f"{text[: 4 * WORDS]} ({code})" if isinstance(code, str) and code not in text else text[: 4 * WORDS]
    return (found if isinstance(found, str) else json.dumps(found))[: 4 * WORDS]


def _text(content: bytes) -> str:
    """Return the beginning of a body as text, without tags."""
    text = content[: 64 * WORDS].decode("utf-8", "backslashreplace")
    text = re.sub(r"(?is)<(script|style).*?</\1>|<[^>]{0,500}>", " ", text)
    return " ".join(text.split())[: 4 * WORDS]


def _retry_after(headers: Mapping[str, str], *, limits: bool = True) -> float | None:
    """Return the seconds that a server asks to wait, from the first header that says so; None for none.

    `limits`: it refuses because of limits, of which those count that are used up, or of which nothing is said.
    """
    now = time.time()
    readers = {
        "retry-after-ms": lambda text: float(text) / 1000,
        "retry-after": lambda text: _seconds_or_date(text, now),
    }
    for name, read in readers.items():
        if (seconds := _read_header(headers, name, read)) is not None:
            return seconds
    if not limits:
        return None
    resets = {
        "-requests": _duration,
        "-tokens": _duration,
        "": lambda text: _moment(float(text), now),
    }
    left = {name: headers.get(f"x-ratelimit-remaining{name}") for name in resets}
    counting = [name for name in resets if left[name] == "0"] or [name for name in resets if left[name] is None]
    waits = [_read_header(headers, f"x-ratelimit-reset{name}", resets[name]) for name in counting]
    return max((seconds for seconds in waits if seconds is not None), default=None)


def _read_header(headers: Mapping[str, str], name: str, read: Callable[[str], float | None]) -> float | None:
    """Return the seconds in a header, None where it is missing or holds none."""
    try:
        seconds = read(headers[name].strip()) if name in headers else None
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds is not None and 0 <= seconds < math.inf else None


def _seconds_or_date(text: str, now: float) -> float:
    try:
        return float(text)
    except ValueError:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)


def _duration(text: str) -> float | None:
    """Return the seconds of `6m0s`, `120ms` or `1.5`."""
    found = RATE.fullmatch(text)
    if not text or not found or not any(found.groups()):
        return float(text)
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _moment(number: float, now: float) -> float:
    """Return the seconds until a moment, which servers state as seconds from now, or since 1970 (also in ms)."""
    if number > 1e11:
        return max(0.0, number / 1000 - now)
    return max(0.0, number - now) if number > 1e8 else number


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for a URL."""
    parts = urlsplit(url)
    known = getproxies()
    return None if proxy_bypass(parts.hostname or "") else known.get(parts.scheme) or known.get("all")
