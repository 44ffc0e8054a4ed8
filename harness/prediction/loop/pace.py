"""How many questions are asked at once: as many as the server takes, found by trying.

Grows by one with every answer (so it doubles a round) until the first refusal for too many requests, then falls to 0.7
of itself and grows by one a round: additive increase, multiplicative decrease, as TCP does (Chiu and Jain 1989).
Errors of the server do not shrink it, they pause its growth for a round of answers. A Retry-After pauses every
question.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque

FIRST = 4
FALL = 0.7
LONGEST_WAIT_S = 60.0
"""Longest wait between two attempts at a clip, where the server names none."""


class Pace:
    """Adaptive number of requests in flight, at most `most`. One event loop uses it."""

    def __init__(self, most: int):
        self.most, self.in_flight = most, 0
        self.limit = float(min(FIRST, most))
        self._doubling = True
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._cut_at = self._open_at = 0.0
        self._still = 0  # answers that let nothing grow
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self) -> float:
        """Wait for a place, take it, and return the time. Whoever enters leaves by `leave`."""
        loop = asyncio.get_running_loop()
        while self.in_flight >= int(self.limit) or loop.time() < self._open_at:
            place: asyncio.Future[None] = loop.create_future()
            self._waiting.append(place)
            self._wake_later(loop)
            try:
                await place
            finally:
                if not place.done() or place.cancelled():
                    self._waiting = deque(other for other in self._waiting if other is not place)
        self.in_flight += 1
        return loop.time()

    def leave(self) -> None:
        """Give a place back."""
        self.in_flight -= 1
        self._wake()

    def note_answer(self) -> None:
        """Take note of an answer: one more may be asked at once."""
        if self._still:
            self._still -= 1
        else:
            self.limit = min(float(self.most), self.limit + (1.0 if self._doubling else 1.0 / self.limit))

    def note_refusal(self, entered: float, retry_after: float | None) -> None:
        """Take note of a refusal for too many requests, of a request that entered then. A burst of them counts once."""
        now = asyncio.get_running_loop().time()
        self._doubling = False
        if entered >= self._cut_at:
            self.limit, self._cut_at = max(1.0, self.limit * FALL), now
        if retry_after:
            self._open_at = max(self._open_at, now + retry_after)

    def note_trouble(self) -> None:
        """Take note of an error of the server: nothing grows for a round of answers."""
        self._still = int(self.limit)

    def _wake(self) -> None:
        """Wake as many as there are free places, if the server takes questions now."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._open_at:
            return self._wake_later(loop)
        free = int(self.limit) - self.in_flight
        while self._waiting and free > 0:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1
        return None

    def _wake_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop.time() < self._open_at and (self._timer is None or self._timer.when() < self._open_at):
            if self._timer:
                self._timer.cancel()
            self._timer = loop.call_at(self._open_at, self._open)

    def _open(self) -> None:
        self._timer = None
        self._wake()


def pause(attempt: int, retry_after: float | None, generator: random.Random) -> float:
    """Return the seconds to wait after the attempt of this number, from 1: what the server asks, or full jitter."""
    jitter = generator.uniform(0, min(LONGEST_WAIT_S, 0.5 * 2.0 ** min(attempt, 10)))
    return retry_after + min(jitter, 1.0) if retry_after else jitter
