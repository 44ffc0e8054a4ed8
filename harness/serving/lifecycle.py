"""A server's life: it listens, loads, serves, drains after SIGTERM, and ends.

The first SIGTERM or SIGINT stops taking requests, and answers those that were accepted, while the probes still answer;
uvicorn by itself closes its sockets first. A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from harness.errors import HarnessError, UsageError
from harness.prediction.model_code import cause, leave
from harness.serving.app import build
from harness.serving.guard import Access
from harness.serving.service import Service, Settings

SIGNALS = (signal.SIGTERM, signal.SIGINT)
BACKLOG = 2048
KEPT_S = 60
"""Seconds for which a connection without a request is kept, longer than clients keep theirs."""
LINGER_S = 0.05
"""Seconds between the last answer and the end, in which it leaves the process."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises UsageError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named: for sockets of protocol 0 asyncio does not switch off Nagle's algorithm, and every answer
    # would wait 40 ms for the client's acknowledgement of its head
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
        return listening
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--host {host} --port {port}: cannot listen there ({reason})") from None


def url_of(listening: socket.socket) -> str:
    """Return the URL of a server."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def serve(
    settings: Settings,
    access: Access,
    listening: socket.socket,
    log: Callable[[str], object],
    say: Callable[[str], object],
) -> int:
    """Serve until a signal ends it; return the exit code: 0 when all that was accepted has its answer.

    Raises HarnessError where the model cannot be loaded. `log` takes a line a request, `say` a sentence.
    """
    server = Server(settings, access, log, say)
    with listening:
        server.run(sockets=[listening])
    server.service.close()
    if (failure := server.service.failure) is not None:
        hidden = server.service.mask.message
        if isinstance(failure, HarnessError):
            failure.args = (hidden(str(failure)), *failure.args[1:])
            raise failure from None
        raise HarnessError(hidden(f"{server.service.model} cannot be served: {cause(failure)}")) from None
    if server.service.is_busy:  # a thread of the model's would be torn off in the middle of its work
        _leave(server.code)
    return server.code


def _leave(code: int) -> None:
    """End the process without waiting for its threads."""
    sys.stdout.flush()
    sys.stderr.flush()
    leave(code)


class Server(uvicorn.Server):
    """Server that drains before its sockets are closed."""

    def __init__(self, settings: Settings, access: Access, log: Callable[[str], object], say: Callable[[str], object]):
        self.service, self.say, self.code = Service(settings, log), say, 0
        self.loop: asyncio.AbstractEventLoop | None = None  # while it runs
        self._draining: asyncio.Task[None] | None = None
        self.service.changed = self._changed
        super().__init__(
            uvicorn.Config(
                build(self.service, access, log),
                log_config=None,
                access_log=False,
                server_header=False,
                http=type("Protocol", (_Protocol,), {"head_s": settings.limits.head_s}),
                ws="none",
                lifespan="on",
                timeout_keep_alive=KEPT_S,
                timeout_graceful_shutdown=5,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals in the event loop while it runs; outside of the main thread there are none."""
        loop = self.loop = asyncio.get_running_loop()
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        for number in SIGNALS:
            loop.add_signal_handler(number, self._end, number)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)
                signal.signal(number, before[number])

    def _changed(self) -> None:
        """Take note that the model is loaded, or cannot be, or that a request has ended."""
        if self.service.failure is not None:
            self.should_exit = True

    def _end(self, number: int) -> None:
        service = self.service
        if self._draining is not None:
            service.close()
            self.say("ended by a second signal: requests that were accepted have no answer")
            _leave(128 + number)
        self.drain()

    def drain(self) -> None:
        """Take no further request, answer those that were accepted, and end; in the server's event loop."""
        if self._draining is not None:
            return
        self.service.draining = True
        waiting = self.service.in_flight
        self.say(f"draining: {waiting} accepted request{'s' * (waiting != 1)} to answer; a second signal ends at once")
        self._draining = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        """Wait until all that was accepted is answered, or for the longest time that this may take; then exit."""
        service = self.service
        limit = time.monotonic() + service.limits.drain_s
        while service.in_flight and time.monotonic() < limit:
            await asyncio.sleep(0.02)
        if service.in_flight:
            self.say(f"ended with {service.in_flight} requests without an answer")
            self.code, self.force_exit = 1, True
        await asyncio.sleep(LINGER_S)
        self.should_exit = True


class _Protocol(H11Protocol):
    """HTTP/1.1 with a limit on the time that the head of a request may take: clients that drip hold no connection."""

    head_s = 10.0
    _late: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        if self._late is None and (self.cycle is None or self.cycle.response_complete):
            self._wait_for_head()
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._head_is_there()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._late is None and self.cycle.response_complete and self.conn.trailing_data[0]:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._late = self.loop.call_later(self.head_s, self._end_late)

    def _head_is_there(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _end_late(self) -> None:
        self._late = None
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()
