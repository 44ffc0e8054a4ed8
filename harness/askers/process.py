"""A child process that is asked in lockstep: one line in, one line out, and nothing that nobody asked for.

It has a process group of its own, so that what it started ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.prediction.asker import NotAnswered

LINE_BYTES = 16 * 2**20
"""Longest line of an answer."""
TAIL_BYTES, TAIL_CHARACTERS, TAIL_LINES, QUOTED_CHARACTERS = 4096, 200, 4, 120
"""What is kept of stderr, how much of that a message quotes, and how much of a line."""
SETTLE_S = 2.0
"""Longest wait for the end of a process that closed its output, and for the pipes of one that was killed."""
STDOUT, STDERR = 1, 2


class Ended(Exception):
    """A process that ended, or closed its output, while it was asked."""


class Child(asyncio.SubprocessProtocol):
    """One process. `answers`: how many lines it gave so far; `fault`: what it wrote that it should not have.

    `is_over`: it takes no more questions; `is_lost`: nothing of it is left.
    """

    def __init__(self, mask: Callable[[str], str] = str) -> None:
        self._mask, self._last = mask, b""
        self.answers, self.is_over, self.is_lost, self._is_killed = 0, False, False, False
        self._buffer, self._errors, self.fault = bytearray(), b"", ""
        self._line: asyncio.Future[bytes | None] | None = None
        self._gone, self._errors_end = asyncio.Event(), asyncio.Event()
        self._transport: asyncio.SubprocessTransport

    @classmethod
    async def start(
        cls, words: Sequence[str], environment: Mapping[str, str], folder: Path, mask: Callable[[str], str] = str
    ) -> Child:
        """Start a command in a folder. `mask` hides secrets in what it writes. Raises OSError where it cannot start."""
        options: dict[str, Any] = {"env": dict(environment), "cwd": folder, "start_new_session": True}
        _, child = await asyncio.get_running_loop().subprocess_exec(lambda: cls(mask), *words, **options)
        return child

    @property
    def status(self) -> int | None:
        """Return the exit status, below 0 for a signal; None for a process that runs."""
        return self._transport.get_returncode()

    @property
    def last_words(self) -> str:
        """Return the end of what stands on stderr, as a part of a sentence; empty for nothing."""
        lines = [line.strip() for line in self._errors.decode("utf-8", "replace").splitlines() if line.strip()]
        return self._mask(" / ".join(lines[-TAIL_LINES:]))[-TAIL_CHARACTERS:]

    async def ask(self, request: bytes) -> bytes:
        """Write a line and return the line that answers it. Raises Ended, and NotAnswered for an answer too many."""
        self._line = asyncio.get_running_loop().create_future()
        if self.is_over and not self.fault:
            raise Ended
        if not self.fault:
            stdin: Any = self._transport.get_pipe_transport(0)
            stdin.write(request)
            line = await self._line
            if line is None and not self.fault:
                raise Ended
        if self.fault:
            raise NotAnswered("unreadable reply", self.fault)
        assert line is not None
        self.answers += 1
        return line

    async def ends_within(self, seconds: float) -> bool:
        """Return whether the process ends in this time."""
        await _within(seconds, self._gone)
        return self._gone.is_set()

    async def settle(self) -> str:
        """End a process whose output is closed, and return how it ended, with its last words."""
        await _within(SETTLE_S, self._gone)
        status = self.status
        self.kill()
        await _within(SETTLE_S, self._errors_end)
        if status is None:
            how = "closed its standard output"
        elif status < 0:
            how = f"was ended by {_signal_name(-status)}"
        else:
            how = f"ended with status {status}"
        return f"{how}, without an answer" + (f": {self.last_words}" if self.last_words else "")

    def say_no_more(self) -> None:
        """Close the standard input: a process that reads to the end then ends by itself."""
        if stdin := self._transport.get_pipe_transport(0):
            stdin.close()

    def kill(self) -> None:
        """Kill the process and all that it started; its pipes are let go of soon."""
        if self._is_killed:
            return
        self.is_over = self._is_killed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), signal.SIGKILL)
        asyncio.get_running_loop().call_later(SETTLE_S, self._transport.close)

    async def gone(self, seconds: float) -> None:
        """Wait for the process to end, at most so many seconds, and close its pipes."""
        await _within(seconds, self._gone)
        self._transport.close()

    # What the event loop reports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the process."""
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of process and pipes."""
        self.is_lost = True
        self._transport.close()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Take what the process wrote."""
        if fd == STDERR:
            self._errors = (self._errors + data)[-TAIL_BYTES:]
            return
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._take(bytes(self._buffer) + line)
            self._buffer.clear()
            if self.fault:
                return
        self._buffer += rest
        if len(self._buffer) > LINE_BYTES:
            self._break(f"wrote a line of more than {LINE_BYTES // 2**20} MiB")

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Take the end of a stream; a last line may lack its end."""
        if fd == STDERR:
            self._errors_end.set()
        elif fd == STDOUT:
            self._take(bytes(self._buffer))
            self._over()

    def process_exited(self) -> None:
        """Take the end of the process; what it wrote before may still come."""
        self._gone.set()
        asyncio.get_running_loop().call_later(SETTLE_S, self._over)

    def _take(self, line: bytes) -> None:
        if not line.strip() or self.fault:
            return
        if self._line is None or self._line.done():
            before = f"{quoted(self._last, self._mask)}, then " if self._last else ""
            several = f"{before}{quoted(line, self._mask)}"
            self._break(f"wrote more than one line to one question: {several}; all but the answer belongs on stderr")
        elif len(line) > LINE_BYTES:
            self._break(f"wrote a line of more than {LINE_BYTES // 2**20} MiB")
        else:
            self._last = line
            self._line.set_result(line)

    def _break(self, fault: str) -> None:
        self.fault = fault
        self._buffer.clear()
        self._release()

    def _over(self) -> None:
        self.is_over = True
        self._release()

    def _release(self) -> None:
        if self._line is not None and not self._line.done():
            self._line.set_result(None)


def quoted(line: bytes, mask: Callable[[str], str]) -> str:
    """Return the beginning of a line in quotes, for a message, without secrets."""
    return repr(mask(line[:TAIL_BYTES].decode("utf-8", "replace").strip()))[:QUOTED_CHARACTERS]


async def _within(seconds: float, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
