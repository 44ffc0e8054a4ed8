"""A few child processes that decode clips, which may crash, hang or be killed.

A child that dies is replaced, and its clip tried once more by a new one: it may have been killed for no fault of the
clip. One that takes too long is ended.
"""

from __future__ import annotations

import asyncio
import base64
import os
import queue
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.prediction.predictor import Wants
from harness.serving.limits import Limits
from harness.serving.refusal import Refusal
from reference.video import decoders
from reference.video.decoders import Pixels
from reference.video.sandbox import Child

MODULE = "harness.serving.intake.decode_child"
TRIES = 2
MOST_CHILDREN = 4
START_S = 20.0
"""Seconds that a child may take to start."""
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC")
"""PNG of one black pixel."""


class ClipIn(NamedTuple):
    """Clip as a client sends it: an mp4, or pictures with their seconds. `field`: where it stands in the request."""

    name: str
    parts: tuple[bytes, ...]
    times: tuple[float, ...] | None  # None: an mp4, in one part
    field: str


class Decoders:
    """Child processes that turn clips into pictures. `died`: called for each child that dies or is ended."""

    def __init__(self, limits: Limits, died: Callable[[], object]):
        number = limits.decoders or min(MOST_CHILDREN, max(2, os.cpu_count() or 1))
        self._limits, self._died = limits, died
        self._header = decoders.Limits(limits.side, limits.video_frames, 60)
        self._free: queue.SimpleQueue[Child | None] = queue.SimpleQueue()
        for _ in range(number):
            self._free.put(None)
        self.children = number
        self._threads = ThreadPoolExecutor(number, "decode")
        self._folder = Path(tempfile.mkdtemp(prefix="harness-serve-"))
        self._running = set[Child]()
        self._closed = False

    async def squares(self, clip: ClipIn, wants: Wants) -> tuple[Pixels, NDArray[np.int64]]:
        """Return the pictures that a model wants of a clip, [n, size, size, 3], and their indices. Raises Refusal."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.decode, clip, wants)

    def decode(self, clip: ClipIn, wants: Wants) -> tuple[Pixels, NDArray[np.int64]]:
        """Return what `squares` returns; takes a thread as long as it works."""
        request: dict[str, Any] = {"wants": list(wants), "shown": "the video", "limits": self._header}
        if clip.times is None:
            request["task"] = "video"
        else:
            request |= {"task": "pictures", "times": clip.times, "sizes": [len(part) for part in clip.parts]}
        with tempfile.NamedTemporaryFile(dir=self._folder) as file:
            for part in clip.parts:
                file.write(part)
            file.flush()
            facts, data = self._ask(request | {"path": file.name}, clip)
        if "error" in facts:
            raise Refusal(422, facts["error"].replace(f"{self._folder}{os.sep}", ""), clip.field)
        return data.reshape(facts["shape"]), np.array(facts["indices"], np.int64)

    def warm(self, wants: Wants) -> None:
        """Let every child decode something, so that the first clip waits for none to start. Raises Refusal."""
        clip = ClipIn("", (PIXEL, PIXEL), (0.0, 1.0), "warm-up")
        for ended in [self._threads.submit(self.decode, clip, wants) for _ in range(self.children)]:
            ended.result()

    def pids(self) -> Sequence[int]:
        """Return the process ids of the children that work or wait."""
        return [child.process.pid for child in list(self._running)]

    def close(self) -> None:
        """End the children, and drop the files."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in list(self._running):
            child.process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ask(self, request: dict[str, Any], clip: ClipIn) -> tuple[dict[str, Any], Pixels]:
        for attempt in range(1, TRIES + 1):
            child = self._free.get()
            try:
                if self._closed:
                    raise Refusal(503, "the server ends")
                if child is None or child.process.poll() is not None or attempt == TRIES:
                    self._end(child)
                    child = None
                    child = self._new()
                return child.ask(request, time.monotonic() + self._limits.decode_s)
            except TimeoutError:
                self._end(child)
                child = None
                raise Refusal(422, f"the clip was not decoded in {self._limits.decode_s:g} s", clip.field) from None
            except (EOFError, ValueError):
                self._end(child)
                child = None
                if attempt == TRIES:
                    raise Refusal(422, "the decoder crashes on the clip; it is damaged", clip.field) from None
            except BaseException:
                self._end(child)
                child = None
                raise
            finally:
                self._free.put(child)
        raise AssertionError

    def _new(self) -> Child:
        """Start a child, and wait until it can decode."""
        child = Child(MODULE)
        self._running.add(child)
        try:
            child.ask({"task": "ready", "path": "", "shown": "", "limits": self._header}, time.monotonic() + START_S)
        except BaseException:
            self._end(child)
            raise
        return child

    def _end(self, child: Child | None) -> None:
        if child is not None:
            self._running.discard(child)
            child.end()
            self._died()
