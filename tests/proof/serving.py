"""A server under load and under attack: no answer is lost, mixed up or invented, and it lives.

The command is `harness serve`, started as a process, with a model that answers from the pictures alone, so that
each answer fits one clip. Six kinds of try, a row each:

    requests at concurrency 32   each answer is checked against its clip
    overload                     40 clients for 8 places: 200 or 429, bounded memory, and an answer in the second after
    mutated bodies and videos    while decoding processes are killed: a documented status, right answers in between
    SIGTERM under load           what the log calls answered is what clients received; the exit code is 0
    a fine-tuned run             the same of a tiny run that is trained for it: answers as in its own process
    one by one                   what the server adds to decoding and the model, in milliseconds (reported, not judged)

Run from the repository root: `python -m tests.proof.serving [--scale 1] [--seed 1]`. Exit code 1 where something is
counted: lost, mixed and undocumented answers as disagreements, an end of the server as a crash.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from harness.askers.messages import picture_file
from reference.task import OPERATIONS
from tests.proof.mutate import mutate_bytes, mutate_value
from tests.proof.table import Row, main, report, row, tries
from tests.support import ROOT
from tests.support.serving import answer_about, pictures, until, video

PART = "serving"
REQUESTS, CONCURRENCY = 2_000, 32
OVERLOAD_S, CLIENTS, PLACES = 60, 40, 8
MUTATED = 1_000
KILL_EVERY = 10
TERMS, UNDER_TERM = 5, 16
ALONE = 200
TRAINED = 64
"""Clips that the run learns, and is asked about again and again."""
DOCUMENTED = {200, 400, 404, 408, 413, 415, 422, 429, 503, 504}
"""Statuses that a request may get whose model never fails."""
GROWN_MB = 200
FAST, SLOW = "python:tests.support.serving:by_colour", "python:tests.support.serving:slowly"


class Server:
    """A command that serves. `url`: where."""

    def __init__(self, process: subprocess.Popen[str], log: Path):
        self.process, self._log = process, log
        assert process.stdout is not None
        self.url = process.stdout.readline().rpartition(" ")[2].strip()

    def client(self) -> httpx.Client:
        limits = httpx.Limits(max_connections=CLIENTS + 8, max_keepalive_connections=CLIENTS + 8)
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, limits=limits)

    def is_ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/readyz", trust_env=False, timeout=10).status_code == 200
        return False

    def memory_mb(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) >> 10

    def children(self) -> list[int]:
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        tasks = found.parent.parent.glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]

    def log(self) -> list[dict[str, Any]]:
        lines = self._log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def said(self) -> str:
        return self._log.read_text()[-2000:]


@contextlib.contextmanager
def started(folder: Path, *words: str) -> Iterator[Server]:
    """Serve at a free port of loopback; the server ends with the `with`."""
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", "serve", "--port", "0", *words],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
    try:
        server = Server(process, log)
        until(lambda: process.poll() is not None or server.is_ready())
        yield server
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


class Tally:
    """Row of the table that is being counted."""

    def __init__(self, what: str):
        self.what, self.counts = what, Counter[str]()

    def differs(self, finding: str) -> None:
        self.counts["disagreements"] += 1
        report(PART, f"{self.what}: {finding[:500]}")

    def check(self, number: int, reply: httpx.Response) -> None:
        """Count an answer that is not the clip's own."""
        line = reply.json()
        right = answer_about(number) | {"clip_id": f"clip-{number}"}
        if {name: line.get(name) for name in right} != right:
            self.differs(f"clip-{number}: {line}")

    def ended(self, server: Server) -> None:
        """Count a server that has ended by itself."""
        if server.process.poll() is not None:
            self.counts["crashes"] += 1
            report(PART, f"{self.what}: the server ended with {server.process.returncode}: {server.said()}")

    def row(self, tried: int) -> Row:
        return row(self.what, tried=tried, **self.counts)


def at_once(number: int, workers: int, work: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(number)))


def _percentiles(seconds: list[float]) -> str:
    found = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else seconds * 99
    return ", ".join(f"p{place} {found[place - 1] * 1000:.1f} ms" for place in (50, 95, 99))


def load(folder: Path, scale: float) -> Row:
    """Ask about many clips at once."""
    tally, number = Tally(f"requests at concurrency {CONCURRENCY}"), tries(REQUESTS, scale)
    with started(folder, "--model", FAST) as server:
        _load(tally, server, number, lambda place: (pictures(place), lambda reply: tally.check(place, reply)))
    return tally.row(number)


def _load(
    tally: Tally, server: Server, number: int, clip: Callable[[int], tuple[Any, Callable[[httpx.Response], None]]]
) -> None:
    """Ask about clips at once, and report times and batches. `clip`: number -> request, and what checks its answer."""
    seconds = list[float]()

    def ask(place: int) -> None:
        sent, check = clip(place)
        begun = time.perf_counter()
        reply = client.post("/predict", json=sent)
        seconds.append(time.perf_counter() - begun)
        if reply.status_code != 200:
            tally.differs(f"HTTP {reply.status_code}: {reply.text}")
        else:
            check(reply)

    with server.client() as client:
        begun = time.perf_counter()
        at_once(number, CONCURRENCY, ask)
        took = time.perf_counter() - begun
        figures = client.get("/metrics").text
        sizes = re.findall(r'harness_batch_clips_bucket\{le="([^"]+)"\} (\S+)', figures)
    tally.ended(server)
    shown = ", ".join(f"<={size}: {float(count):.0f}" for size, count in sizes)
    report(PART, f"{tally.what}: {_percentiles(seconds)}; {number / took:.0f} requests/s; calls by clips {shown}")


def fine_tuned(folder: Path, scale: float) -> Row:
    """Train a tiny run, and ask about its clips many at once; each answer is the one that the run gives alone."""
    from dataclasses import replace

    from finetune.predictor import load as load_run
    from finetune.train import train
    from harness.prediction.predictor import Question
    from reference.training.datasets import Clips
    from tests.support.finetune_material import TWIN, renderings

    tally, number = Tally(f"a fine-tuned run at concurrency {CONCURRENCY}"), tries(REQUESTS, scale)
    frames = renderings(folder / "frames", train=TRAINED, validation=8)
    sets = {"train": str(frames / "train"), "validation": str(frames / "validation")}
    with contextlib.redirect_stdout(sys.stderr):  # standard output is for the rows
        train(replace(TWIN, steps=60, batch=8, lr=2e-3, evaluate_clips=8, threads=1, **sets), folder / "run")
    model, clips = load_run(str(folder / "run"), {"threads": "1"}), Clips(frames / "train", trusted=True)
    questions = [Question(*(clips[place][name] for name in Question._fields)) for place in range(TRAINED)]
    alone = [json.loads(model.ask([question], OPERATIONS)[0].text or "") for question in questions]
    sent = [
        {
            "pictures": [
                {"image": _png(frame), "time_s": float(at)} for frame, at in zip(each.frames, each.times, strict=True)
            ]
        }
        for each in questions
    ]

    def clip(place: int) -> tuple[Any, Callable[[httpx.Response], None]]:
        def check(reply: httpx.Response) -> None:
            line, right = reply.json(), alone[place % TRAINED]
            if line["clip_id"] != f"clip-{place}" or {name: line[name] for name in right} != right:
                tally.differs(f"clip-{place}: {line}, expected {right}")

        return sent[place % TRAINED] | {"clip_id": f"clip-{place}"}, check

    with started(folder, "--model", f"finetune:{folder / 'run'}", "--option", "threads=1") as server:
        _load(tally, server, number, clip)
    return tally.row(number)


def _png(frame: Any) -> str:
    return base64.b64encode(picture_file(frame, "png")).decode()


def overload(folder: Path, scale: float) -> Row:
    """Ask five times as many at once as are accepted, for a while."""
    tally, end = Tally(f"{CLIENTS} clients for {PLACES} places"), OVERLOAD_S * scale
    found, lock = Counter[int](), threading.Lock()
    words = ["--model", SLOW, "--batch-size", "2", "--requests", str(PLACES)]
    with started(folder, *words) as server, server.client() as client:
        before, limit = server.memory_mb(), time.monotonic() + end

        def ask(place: int) -> None:
            number = place * 150
            while time.monotonic() < limit:
                reply = client.post("/predict", json=pictures(number))
                with lock:
                    found[reply.status_code] += 1
                if reply.status_code == 200:
                    tally.check(number, reply)
                elif reply.status_code == 429 and "retry-after" in reply.headers:
                    time.sleep(0.02)
                else:
                    tally.differs(f"HTTP {reply.status_code}: {reply.text}")
                number += 1

        at_once(CLIENTS, CLIENTS, ask)
        begun = time.perf_counter()
        reply = client.post("/predict", json=pictures(1))
        recovery = time.perf_counter() - begun
        if reply.status_code != 200 or recovery > 1:
            tally.differs(f"after it: HTTP {reply.status_code} in {recovery:.2f} s")
        grown = server.memory_mb() - before
        if grown > GROWN_MB or not found[429]:
            tally.differs(f"{grown} MiB more memory; {dict(found)}")
        tally.ended(server)
    report(PART, f"overload: {dict(found)}; {grown} MiB more memory; an answer after it in {recovery * 1000:.0f} ms")
    return tally.row(sum(found.values()))


def mutants(draw: random.Random, content: bytes, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield damaged requests as path and arguments of httpx: JSON of three kinds, and an mp4 in two ways."""
    base, path = pictures(7), ("/predict", "/batch_predict", "/v1/chat/completions")
    url = f"data:image/png;base64,{base['pictures'][0]['image']}"
    part = {"type": "image_url", "image_url": {"url": url}}
    chat = {"model": "x", "messages": [{"role": "user", "content": [{"type": "text", "text": "Q"}, part, part]}]}
    for place in range(number):
        kind = place % 4
        if kind == 3:
            damaged = mutate_bytes(content, draw)
            yield "/predict", {"files": {"video": damaged}}
            yield "/predict", {"json": {"video": base64.b64encode(damaged).decode()}}
            continue
        body = json.dumps(mutate_value((base, [base, base], chat)[kind], draw)).encode()
        if place % 3 == 0:
            body = mutate_bytes(body, draw)
        kept = {"Content-Type": draw.choice(("application/json",) * 5 + ("application/x-ndjson", "x"))}
        yield path[kind], {"content": body, "headers": kept}


def check_refusal(tally: Tally, reply: httpx.Response) -> None:
    """Count a status that is not documented, and an answer that is no JSON."""
    if reply.status_code not in DOCUMENTED or not _is_json(reply.text):
        tally.differs(f"HTTP {reply.status_code}: {reply.text}")


def mutated(folder: Path, seed: int, scale: float) -> Row:
    """Send damaged bodies and videos, and kill decoding processes meanwhile."""
    tally, number, draw = (
        Tally("mutated bodies and videos, decoders killed"),
        tries(MUTATED, scale),
        random.Random(seed),
    )
    content, found, killed = video(folder / "clip.mp4", 77), Counter[int](), 0
    with started(folder, "--model", FAST) as server, server.client() as client:
        for place, (path, sent) in enumerate(mutants(draw, content, number)):
            reply = client.post(path, **sent)
            found[reply.status_code] += 1
            check_refusal(tally, reply)
            if place % KILL_EVERY == 0:
                for pid in server.children():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        killed += 1
                reply = client.post("/predict", json=pictures(place))
                if reply.status_code == 200:
                    tally.check(place, reply)
                else:
                    tally.differs(f"a whole clip: HTTP {reply.status_code}: {reply.text}")
        tally.ended(server)
    report(PART, f"mutated: {dict(found)}; {killed} decoding processes killed")
    return tally.row(sum(found.values()))


def _is_json(text: str) -> bool:
    try:
        for line in text.splitlines():
            json.loads(line)
    except ValueError:
        return False
    return bool(text)


class Asking:
    """Clients that ask until the server ends. `received`: ids of the requests that were answered to them."""

    def __init__(self, url: str, tally: Tally):
        self.url, self.tally, self.received, self.stop = url, tally, set[str](), threading.Event()

    def ask(self, place: int) -> None:
        """Ask as one client, about clips that no other one asks about."""
        number = place * 400
        with httpx.Client(base_url=self.url, timeout=30, trust_env=False) as client:
            while not self.stop.is_set():
                try:
                    reply = client.post("/predict", json=pictures(number))
                except httpx.HTTPError:
                    return  # the server has ended, or had not taken the request
                if reply.status_code == 200:
                    self.received.add(reply.headers["x-request-id"])
                    self.tally.check(number, reply)
                elif reply.status_code != 503:
                    self.tally.differs(f"HTTP {reply.status_code}: {reply.text}")
                number += 1


def term(folder: Path, seed: int, scale: float) -> Row:
    """Send SIGTERM while clients ask, and compare what they received with the log."""
    tally, draw, asked = Tally("SIGTERM under load"), random.Random(seed), 0
    for _ in range(tries(TERMS, scale)):
        with started(folder, "--model", SLOW) as server, ThreadPoolExecutor(UNDER_TERM) as pool:
            asking = Asking(server.url, tally)
            clients = [pool.submit(asking.ask, place) for place in range(UNDER_TERM)]
            time.sleep(0.3 + draw.random())
            server.process.send_signal(signal.SIGTERM)
            try:
                code = server.process.wait(30)
            finally:
                asking.stop.set()
            for one in clients:
                one.result()
            logged = [line for line in server.log() if line.get("path") == "/predict"]
        answered = {line["id"] for line in logged if line["status"] == 200}
        strange = [line for line in logged if line["status"] not in (200, 503)]
        asked += len(logged)
        if code or answered != asking.received or strange:
            lost = len(answered ^ asking.received)
            tally.differs(f"exit code {code}, {lost} answers lost, {strange[:2]}: {server.said()}")
    return tally.row(asked)


def alone(folder: Path, scale: float) -> Row:
    """Ask one clip after the other, of eight pictures, and report what the server adds."""
    tally, number, added = Tally("one by one"), tries(ALONE, scale), list[float]()
    with started(folder, "--model", FAST) as server, server.client() as client:
        for place in range(number):
            sent = pictures(place)
            sent["pictures"] = [{"image": sent["pictures"][0]["image"], "time_s": at * 0.7} for at in range(8)]
            begun = time.perf_counter()
            reply = client.post("/predict", json=sent)
            took = time.perf_counter() - begun
            times = dict(one.split(";dur=") for one in reply.headers["server-timing"].split(", "))
            added.append(took - (float(times["decode"]) + float(times["model"])) / 1000)
            tally.check(place, reply)
        tally.ended(server)
    report(PART, f"one by one, beside decoding and the model, client included: {_percentiles(added)}")
    return tally.row(number)


def run(seed: int, scale: float) -> list[Row]:
    """Return a row for each kind of try."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        return [
            load(folder, scale),
            fine_tuned(folder, scale / 4),
            overload(folder, scale),
            mutated(folder, seed, scale),
            term(folder, seed, scale),
            alone(folder, scale),
        ]


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
