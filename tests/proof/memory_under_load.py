"""A server under ten minutes of load, whose memory and open files stay where they were after the first two.

Clients send all that the server takes, without a pause: pictures and videos, whole and damaged ones, on every route. A
whole clip must get its own answer, a damaged one a documented status. Every few seconds the memory of the process
and of its decoding processes, and its open files, are read.

Run from the repository root: `python -m tests.proof.memory_under_load [--scale 1] [--seed 1]`.

Counted as disagreements: other answers, and medians of the last fifth of the time above those of the second fifth
by more than GROWN_MB or GROWN_FILES. The row's peak is the server's, not the client's.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import re
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.proof.serving import FAST, Server, Tally, check_refusal, mutants, started
from tests.proof.table import Row, main, report
from tests.support.serving import pictures, video

PART = "memory_under_load"
LOAD_S, CLIENTS, EVERY_S = 600, 4, 5
GROWN_MB, GROWN_FILES = 8, 8
MUTANTS = 10**9
VIDEO = 77
"""Number that the video shows."""


@dataclass(frozen=True)
class Held:
    """What the server holds at a time: MiB of the process and of its children, and the process' open files."""

    own_mb: int
    children_mb: int
    files: int

    @staticmethod
    def now(server: Server) -> Held:
        pid, children = server.process.pid, 0
        for child in server.children():
            with contextlib.suppress(OSError):  # replaced meanwhile
                children += _resident_mb(child)
        return Held(_resident_mb(pid), children, len(list(Path(f"/proc/{pid}/fd").iterdir())))


def _resident_mb(pid: int) -> int:
    found = re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[0]) >> 10 if found else 0


class Load:
    """Clients of a server until an end. `found`: statuses that came."""

    def __init__(self, server: Server, tally: Tally, content: bytes, seed: int, end: float):
        self.server, self.tally, self.content, self.seed, self.end = server, tally, content, seed, end
        self.found, self._lock = Counter[int](), threading.Lock()
        self._of_video: dict[str, object] | None = None

    def ask(self, place: int) -> None:
        """Ask as one client: pictures, a damaged request, a video, a damaged request, and so on."""
        damaged = mutants(random.Random(f"{self.seed}-{place}"), self.content, MUTANTS)
        with httpx.Client(base_url=self.server.url, timeout=60, trust_env=False) as client:
            for number in itertools.count(place * 2_000):
                if time.monotonic() > self.end:
                    return
                if number % 2:
                    path, sent = next(damaged)
                    self._count(reply := client.post(path, **sent))
                    with self._lock:
                        check_refusal(self.tally, reply)
                elif number % 4:
                    self._count(reply := client.post("/predict", files={"video": self.content}))
                    self._check_video(reply)
                else:
                    shown = number % 8_000
                    self._count(reply := client.post("/predict", json=pictures(shown)))
                    with self._lock:
                        self.tally.check(shown, reply)

    def _count(self, reply: httpx.Response) -> None:
        with self._lock:
            self.found[reply.status_code] += 1

    def _check_video(self, reply: httpx.Response) -> None:
        """Count an answer that is another than the first about the same video."""
        fields = ("dominant_operation", "temporal_segment", "next_operation")
        answer = {name: reply.json().get(name) for name in fields}
        with self._lock:
            self._of_video = self._of_video or answer
            if reply.status_code != 200 or answer != self._of_video or answer["dominant_operation"] is None:
                self.tally.differs(f"the video: HTTP {reply.status_code}: {reply.text}")


def _fifth(held: Sequence[Held], number: int) -> Held:
    """Return the medians of a fifth of the time, counted from 1."""
    part = held[(number - 1) * len(held) // 5 : number * len(held) // 5] or held
    names = ("own_mb", "children_mb", "files")
    return Held(*(round(statistics.median(getattr(one, name) for one in part)) for name in names))


def run(seed: int, scale: float) -> list[Row]:
    """Return the row of a server under load."""
    seconds, held = LOAD_S * scale, list[Held]()
    tally = Tally(f"{seconds:.0f} s of load")
    with tempfile.TemporaryDirectory() as work, started(Path(work), "--model", FAST) as server:
        content = video(Path(work) / "clip.mp4", VIDEO)
        end = time.monotonic() + seconds
        load = Load(server, tally, content, seed, end)
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(load.ask, place) for place in range(CLIENTS)]
            while time.monotonic() < end and server.process.poll() is None:
                time.sleep(min(EVERY_S, max(0.0, end - time.monotonic())))
                held.append(Held.now(server))
            for one in clients:
                one.result()
        tally.ended(server)
    second, last = _fifth(held, 2), _fifth(held, 5)
    if (
        max(last.own_mb - second.own_mb, last.children_mb - second.children_mb) > GROWN_MB
        or last.files - second.files > GROWN_FILES
    ):
        tally.differs(f"grown from {second} to {last}")
    report(PART, f"{dict(load.found)}; second fifth {second}, last {last}; {held[:: max(1, len(held) // 20)]}")
    tally.what += f", the server at {second.own_mb} MiB in its second fifth and {last.own_mb} MiB in its last"
    return [tally.row(sum(load.found.values())) | {"peak_mb": max(one.own_mb for one in held)}]


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
