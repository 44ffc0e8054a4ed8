"""A server of this project in a thread of the test: on loopback, at a free port, and it ends with the `with`."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

import harness
from harness.serving.guard import Access
from harness.serving.lifecycle import Server, listen, url_of
from harness.serving.limits import Limits
from harness.serving.service import Settings
from reference.task import OPERATIONS

SIDE = 32
LABELS = OPERATIONS[:9]


class Served:
    """Server that runs in a thread. `log` has its log lines as objects."""

    def __init__(self, settings: Settings, access: Access | None = None):
        self.log, self.said = list[dict[str, Any]](), list[str]()
        self.listening = listen("127.0.0.1", 0)
        self.url = url_of(self.listening)
        self.server = Server(
            settings, access or Access(), lambda line: self.log.append(json.loads(line)), self.said.append
        )
        self.service = self.server.service
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]}, daemon=True)

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, **options)

    def drain(self) -> None:
        """Do what SIGTERM does."""
        self.server.loop.call_soon_threadsafe(self.server.drain)


@contextlib.contextmanager
def served(model: Any, access: Access | None = None, wait: bool = True, **choices: Any) -> Iterator[Served]:
    """Serve a model. `choices`: fields of Limits, and of Settings."""
    limits = {name: choices.pop(name) for name in list(choices) if name in Limits.__dataclass_fields__}
    found = Served(Settings(model=model, limits=Limits(**{"decoders": 1} | limits), **choices), access)
    found.thread.start()
    try:
        until(lambda: found.server.started)
        if wait:
            until(lambda: found.service.loaded is not None or found.service.failure is not None)
        yield found
    finally:
        with contextlib.suppress(RuntimeError):
            found.drain()
        found.thread.join(30)
        found.listening.close()
        assert not found.thread.is_alive(), "the server did not end"


def until(condition: Any, seconds: float = 60) -> None:
    """Wait until a condition holds."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError("waited in vain")
        time.sleep(0.01)


def colour_of(question: harness.Question) -> int:
    """The number that a clip's first picture shows, as `pictures` draws it."""
    red, green, _ = question.frames[0, SIDE // 2, SIDE // 2]
    return int(red) + 256 * int(green)


def answer_about(number: int) -> dict[str, Any]:
    """The answer that `by_colour` gives about the clip with this number: none of two numbers below 8,100 is alike."""
    start = number // 9 % 100
    return {
        "dominant_operation": LABELS[number % 9],
        "temporal_segment": {"start_frame": start, "end_frame": start + 1 + number // 900 % 20},
        "next_operation": LABELS[(number + 1) % 9],
    }


def by_colour(questions: Sequence[harness.Question]) -> list[dict[str, Any]]:
    """A model that answers from the pictures alone."""
    return [answer_about(colour_of(question)) for question in questions]


by_colour.wants = harness.Wants(2, SIDE)  # type: ignore[attr-defined]


def slowly(questions: Sequence[harness.Question]) -> list[dict[str, Any]]:
    """The same, in 50 ms a call."""
    time.sleep(0.05)
    return by_colour(questions)


slowly.wants = by_colour.wants  # type: ignore[attr-defined]


class ByColour:
    """The same as an object, that notes the clips of its calls and the last one's questions.

    `hold`: an event that each call waits for.
    """

    wants, batch_size, training = harness.Wants(2, SIDE), 8, None
    card = {"description": "reads a colour"}  # noqa: RUF012

    def __init__(self, hold: threading.Event | None = None, pause_s: float = 0.0):
        self.hold, self.pause_s, self.calls = hold, pause_s, list[list[str]]()
        self.last: Sequence[harness.Question] = ()

    def ask(self, questions: Sequence[harness.Question], operations: Sequence[str]) -> list[dict[str, Any]]:
        if questions[0].clip_id != "warm-up":
            self.last = questions
            self.calls.append([question.clip_id for question in questions])
            if self.hold is not None:
                self.hold.wait(20)
            time.sleep(self.pause_s)
        return by_colour(questions)


def picture(number: int, form: str = "png", side: int = SIDE) -> bytes:
    """A plain picture that shows a number below 65,536."""
    file = io.BytesIO()
    colour = (number % 256, number // 256, 0)
    Image.fromarray(np.full((side, side, 3), colour, np.uint8)).save(file, form)
    return file.getvalue()


def pictures(number: int) -> dict[str, Any]:
    """A clip of two pictures as JSON."""
    import base64

    image = base64.b64encode(picture(number)).decode()
    return {"clip_id": f"clip-{number}", "pictures": [{"image": image, "time_s": at} for at in (0.0, 4.96)]}


def form(number: int) -> dict[str, Any]:
    """The same as a form: `files` and `data` of httpx."""
    files = [("pictures", ("a.png", picture(number), "image/png")) for _ in range(2)]
    return {"files": files, "data": {"times_s": ["0", "4.96"], "clip_id": f"clip-{number}"}}


def video(path: Path, number: int, seconds: float = 5.0) -> bytes:
    """An mp4 that shows a number, nearly: colours are not kept exactly."""
    from reference.video.encode import encode

    frames = np.full((int(seconds * 25), 64, 64, 3), (number % 256, number // 256, 0), np.uint8)
    encode(path, frames, (64, 64), 25)
    return path.read_bytes()
