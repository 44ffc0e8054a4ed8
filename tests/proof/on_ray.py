"""Two workers on Ray against one process: renderings, answers, and what is killed at random moments.

A rendering of each form, the answers of a model that looks at pictures, and those of a twin that learned for a moment
must be the same bytes (but for the time that an answer took). Then workers and commands are killed while they ask: what
is written in the end must be the same, what was written must stay, no clip that has an answer may be asked again, and
one that was asked twice was with a worker that died.

    python -m tests.proof.on_ray [--scale 1] [--seed 1]

Without Ray (the extra `ray`) it says so, and makes no row.
"""

from __future__ import annotations

import contextlib
import filecmp
import importlib.util
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import harness
from harness.worlds.rendering import render
from reference.pools.on_ray import joined
from reference.rendering.writers import FORMS
from tests.proof.table import Row, main, report, tries
from tests.proof.tally import Tally
from tests.support import ROOT, hand
from tests.support.ray_cluster import cluster

PART, KILLS, WORKERS, BATCH = "on_ray", 20, 2, 2
WORLD, LOG = "tiny.toml", "LOOKING_LOG"
PATIENCE_S = 30.0
MODEL = f'''
import os, time
from harness import Wants

class Looking:
    wants, batch_size, training = Wants(4, 64), {BATCH}, None
    card = {{"description": "answers from the sum of all pixels"}}

    def __init__(self):
        self.pause = float(os.environ.get("LOOKING_PAUSE", "0"))
        self.log("begins")

    def log(self, *words):
        with open(os.environ["{LOG}"], "a") as file:
            file.write(" ".join(map(str, [os.getpid(), *words])) + "\\n")

    def ask(self, questions, operations):
        self.log(*(question.clip_id for question in questions))
        time.sleep(self.pause)
        return [self.answer(int(question.frames.sum()), operations) for question in questions]

    def answer(self, total, operations):
        return {{
            "dominant_operation": operations[total % len(operations)],
            "temporal_segment": {{"start_frame": total % 60, "end_frame": 61 + total % 60}},
            "next_operation": operations[(total + 1) % len(operations)],
        }}

model = Looking()
'''


def run(seed: int, scale: float) -> list[Row]:
    """Return a row for each kind of comparison and of kill."""
    if importlib.util.find_spec("ray") is None:
        report(PART, "Ray is not installed (pip install -e '.[ray]'): nothing was tried")
        return []
    draw, kills = random.Random(seed), tries(KILLS, scale)
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        work = _prepare(Path(folder))
        # its workers have the environment of now; what joins it in this process stays joined
        with cluster(work / "r", WORKERS) as on, joined(on, WORKERS):
            return [
                _renderings(work, on),
                _answers(work, "python:looking:model", "pictures", on, batch_size=BATCH, world=WORLD),
                _twin(work, on),
                _kills_of_workers(work, on, draw, kills),
                _kills_of_commands(work, on, draw, kills),
            ]


def _prepare(work: Path) -> Path:
    (work / WORLD).write_text(hand.tiny_world(), encoding="utf-8")
    (work / "looking.py").write_text(MODEL, encoding="utf-8")
    os.environ.update({LOG: str(work / "log"), "HARNESS_HOME": str(work / "home"), "OMP_NUM_THREADS": "1"})
    os.environ["PYTHONPATH"] = str(ROOT)
    os.environ["LOOKING_PAUSE"] = "0.4"
    (work / "log").touch()
    (work / "r").mkdir()
    os.chdir(work)
    return work


def _renderings(work: Path, on: str) -> Row:
    tally = Tally(PART, "renderings by two workers on Ray, each form")
    for form in FORMS:
        with _must_end_well(tally, form):
            for name, place in (("one", {"workers": 1}), ("ray", {"on": on, "workers": WORKERS})):
                render(WORLD, work / f"{form}-{name}", form=form, size=64, limit=20, **place)
        for path in _differing(work / f"{form}-one", work / f"{form}-ray"):
            tally.differs(form, path)
    return tally.row()


@contextlib.contextmanager
def _must_end_well(tally: Tally, name: str, tried: int = 1) -> Iterator[None]:
    """Count a try, and a refusal too: there is nothing to refuse."""
    with tally.one(name, tried) as refused:
        yield
    for error in refused:
        tally.fails(name, str(error))


def _differing(one: Path, other: Path) -> Iterator[str]:
    files = {path.relative_to(root) for root in (one, other) for path in root.rglob("*") if path.is_file()}
    _, different, missing = filecmp.cmpfiles(one, other, map(str, files), shallow=False)
    yield from different + missing


def _answers(work: Path, model: str, name: str, on: str, **choices: object) -> Row:
    """Ask in one process and on Ray, and compare the prediction files."""
    tally = Tally(PART, f"answers by two workers on Ray, {name}")
    for folder, place in (("one", {}), ("ray", {"on": on, "workers": WORKERS})):
        with _must_end_well(tally, folder, tried=0):
            harness.predict(model, work / name / folder, **choices, **place)
    one, other = (_lines(work / name / folder / "predictions.jsonl") for folder in ("one", "ray"))
    tally.tried = len(one)
    if one != other or not one:
        tally.differs(
            name, f"{sum(a != b for a, b in zip(one, other, strict=False))} of {len(one)} lines, and {len(other)}"
        )
    return tally.row()


def _twin(work: Path, on: str) -> Row:
    from finetune.train import train
    from tests.support.finetune_material import TWIN, placed, renderings

    frames = renderings(work / "frames", train=16, validation=8)
    train(placed(TWIN, frames, steps=4, lr=2e-3, evaluate_clips=8, threads=1), work / "twin")
    return _answers(work, f"finetune:{work / 'twin'}", "the twin", on, options={"threads": "1"}, limit=24, batch_size=4)


def _lines(path: Path) -> list[str]:
    """Return prediction lines without the time that an answer took."""
    return re.sub(r'"latency_ms": [0-9.e-]+', "", path.read_text()).splitlines() if path.exists() else []


def _kills_of_workers(work: Path, on: str, draw: random.Random, kills: int) -> Row:
    """Kill workers, two a run, while the command asks."""
    tally = Tally(PART, "kills of a worker on Ray")
    whole = _lines(work / "pictures" / "ray" / "predictions.jsonl")
    while tally.tried < kills:
        folder, begun = work / f"worker-{tally.tried}", _size(work)
        killer = threading.Thread(target=_kill_workers, args=(work, begun, [draw.uniform(0, 4), draw.uniform(1, 6)]))
        killer.start()
        with _must_end_well(tally, folder.name, tried=2):
            harness.predict("python:looking:model", folder, world=WORLD, on=on, workers=WORKERS)
        killer.join()
        if _lines(folder / "predictions.jsonl") != whole:
            tally.differs(folder.name, "other predictions")
        for clip in _asked_in_vain(work, begun):
            tally.differs(folder.name, f"{clip} was asked again, though its worker lived")
    return tally.row()


def _kill_workers(work: Path, begun: int, moments: list[float]) -> None:
    """Kill a worker that has begun since, so many seconds after the first one began, and another one then."""
    for moment in moments:
        limit = time.monotonic() + 120
        while not (living := _living(work, begun)) and time.monotonic() < limit:
            time.sleep(0.05)
        time.sleep(moment)
        for process in (_living(work, begun) or living)[:1]:
            with (work / "killed").open("a") as file:
                file.write(f"{process}\n")
            _kill(process)


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _size(work: Path) -> int:
    return (work / "log").stat().st_size


def _entries(work: Path, begun: int) -> Iterator[tuple[int, list[str]]]:
    """Yield process and words of each line that was logged since."""
    with (work / "log").open() as file:
        file.seek(begun)
        for line in file:
            process, *words = line.split()
            yield int(process), words


def _living(work: Path, begun: int) -> list[int]:
    """Return the workers that have begun since and still run, the youngest first; this process is none."""
    processes = dict.fromkeys(process for process, _ in _entries(work, begun) if process != os.getpid())
    return [process for process in reversed(processes) if Path(f"/proc/{process}/cmdline").exists()]


def _asked_in_vain(work: Path, begun: int) -> Iterator[str]:
    """Yield the clips that were asked about again although who was asked first was not killed."""
    path = work / "killed"
    killed = set(map(int, path.read_text().split())) if path.exists() else set()
    by_clip = defaultdict(list)
    for process, words in _entries(work, begun):
        for clip in words:
            by_clip[clip].append(process)
    for clip, processes in by_clip.items():
        if clip != "begins" and any(process not in killed for process in processes[:-1]):
            yield clip


def _kills_of_commands(work: Path, on: str, draw: random.Random, kills: int) -> Row:
    """Kill the command that asks on a Ray which stays, and run it again, until it ends by itself."""
    tally = Tally(PART, "kills of a command that asks on Ray")
    whole, number = _lines(work / "pictures" / "ray" / "predictions.jsonl"), 0
    while tally.tried < kills:
        folder, number = work / f"command-{number}", number + 1
        kept: dict[str, str] = {}
        while not (folder / "card.toml").exists():
            begun, last = _size(work), tally.tried >= kills
            process = _start(folder, on)
            seconds = None if last else draw.uniform(1, 6)
            if (status := _end(process, folder, seconds)) is None:
                tally.tried += 1
            elif status:
                tally.fails(folder.name, f"ended with {status}: {(work / 'out').read_text()[-500:]}")
                break
            if not _wait_for_end(work, begun):
                tally.tears(folder.name, "workers live on without their command")
            for words in (words for _, words in _entries(work, begun) if set(words) & set(kept)):
                tally.differs(folder.name, f"{words} asked again")
            part = folder / "predictions.jsonl.part"
            now = {json.loads(line)["clip_id"]: line for line in _whole_lines(part)}
            if part.exists() and any(now.get(clip) != line for clip, line in kept.items()):
                tally.differs(folder.name, "answers were lost")
            kept = now
        if _lines(folder / "predictions.jsonl") != whole:
            tally.differs(folder.name, "other predictions")
        shutil.rmtree(folder, ignore_errors=True)
    return tally.row()


def _start(folder: Path, on: str) -> subprocess.Popen[bytes]:
    words = ["predict", "--model", "python:looking:model", "--world", WORLD, "-o", folder.name, "--no-score"]
    command = [sys.executable, "-m", "harness", *words, "--on", on, "--workers", str(WORKERS)]
    with folder.with_name("out").open("wb") as out:
        return subprocess.Popen(command, cwd=folder.parent, stdout=out, stderr=out, start_new_session=True)


def _end(process: subprocess.Popen[bytes], folder: Path, seconds: float | None) -> int | None:
    """Kill a command so many seconds after its folder has appeared; return its status if it ends by itself before."""
    while process.poll() is None and not (folder / "run.json").exists():
        time.sleep(0.05)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _wait_for_end(work: Path, begun: int) -> bool:
    """Return whether the workers end with their command, within PATIENCE_S."""
    limit = time.monotonic() + PATIENCE_S
    while _living(work, begun) and time.monotonic() < limit:
        time.sleep(0.1)
    return not _living(work, begun)


def _whole_lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")] if path.exists() else []


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
