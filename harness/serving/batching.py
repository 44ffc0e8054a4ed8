"""Micro-batching: one thread asks the model, about all clips that came while it was asked before.

A lone clip waits for nothing: the thread takes what is there as soon as it is free, at most `most` clips. Who no
longer waits for an answer is passed over. A batch that fails is asked again clip by clip, so that no clip fails because
of its neighbours.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from harness.prediction.predictor import Question

Line = dict[str, Any]
Ask = Callable[[Sequence[Question]], list[Line | Exception]]
"""Asks the model about a batch, and returns a prediction line a clip, or in its place why there is none."""
Seen = Callable[[int, float], object]
"""Takes the clips of a call of the model, and its seconds."""


GRACE_S = 0.5
"""Seconds that the thread gets to end."""


class Answered(NamedTuple):
    """Answer about a clip. `wait_s`: until the model was asked; `model_s`: the call, divided by its clips."""

    line: Line
    wait_s: float
    model_s: float
    batch: int


class _Waiting(NamedTuple):
    question: Question
    future: asyncio.Future[Answered]
    since: float


class Batcher:
    """Queue in front of a model, and the thread that asks it. Belongs to one event loop.

    `first` is called once in that thread before any question, to load the model; what it raises goes to `failed`.
    """

    def __init__(self, first: Callable[[], tuple[Ask, int]], ready: Callable[[BaseException | None], None], seen: Seen):
        self._first, self._ready, self._seen = first, ready, seen
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Waiting] = deque()
        self._woken = threading.Condition()
        self._ended = False
        self._asked_since: float | None = None
        self.seconds_a_clip = 0.0
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """Let the thread end after its call; what waits is not asked."""
        with self._woken:
            self._ended = True
            self._woken.notify()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def call_s(self) -> float:
        """Return for how long the model has been working on its present call, 0 for none."""
        since = self._asked_since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def is_busy(self) -> bool:
        """Return True while the model loads or works, also after the end."""
        self._thread.join(GRACE_S)
        return self._thread.is_alive()

    async def answer(self, question: Question) -> Answered:
        """Return the model's answer about a clip. Raises what asking it raised."""
        future = self._loop.create_future()
        with self._woken:
            self._queue.append(_Waiting(question, future, time.monotonic()))
            self._woken.notify()
        return await future

    def _run(self) -> None:
        try:
            ask, most = self._first()
        except BaseException as error:
            self._tell(self._ready, error)
            return
        self._tell(self._ready, None)
        while batch := self._take(most):
            self._asked_since = begun = time.monotonic()
            try:
                self._ask(ask, batch, begun)
            finally:
                self._asked_since = None

    def _take(self, most: int) -> list[_Waiting]:
        """Return what waits, at most `most` clips; nothing at the end."""
        with self._woken:
            while True:
                batch = list[_Waiting]()
                while self._queue and len(batch) < most and not self._ended:
                    one = self._queue.popleft()
                    if not one.future.done():
                        batch.append(one)
                if batch or self._ended:
                    return batch
                self._woken.wait()

    def _ask(self, ask: Ask, batch: Sequence[_Waiting], begun: float) -> None:
        try:
            lines = ask([one.question for one in batch])
        except BaseException as error:
            if len(batch) > 1:
                for one in batch:
                    if not one.future.done():
                        self._ask(ask, [one], time.monotonic())
                return
            self._tell(_fail, batch[0].future, error)
            return
        took = time.monotonic() - begun
        self.seconds_a_clip = took / len(batch)
        self._tell(self._seen, len(batch), took)
        found = [
            line if isinstance(line, Exception) else Answered(line, begun - one.since, took, len(batch))
            for line, one in zip(lines, batch, strict=True)
        ]
        self._tell(_settle, [one.future for one in batch], found)

    def _tell(self, call: Callable[..., object], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(call, *arguments)


def _settle(futures: Sequence[asyncio.Future[Answered]], found: Sequence[Answered | Exception]) -> None:
    for future, answered in zip(futures, found, strict=True):
        if isinstance(answered, Exception):
            _fail(future, answered)
        elif not future.done():
            future.set_result(answered)


def _fail(future: asyncio.Future[Answered], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
