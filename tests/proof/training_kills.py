"""Trainings in two processes of which one, or their launcher, is killed at a random moment.

A run of adapters on a kept vision tower is started by `accelerate launch`. Its launcher, its first or its second
process gets SIGKILL in a random update or while it starts. Whatever is left of it must end by itself, and the same
command must then end as the run that nothing interrupted: the same parameters and optimizer's state bit for bit, the
same losses and validation. A kept clip or checkpoint that cannot be read counts as torn, a process that is still there
after PATIENCE_S as a crash.

    python -m tests.proof.training_kills
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from finetune import config as configs
from finetune.checkpoint import TENSORS, newest_checkpoint
from finetune.run_log import read_log
from tests.proof.table import Row, main, tries
from tests.proof.tally import Tally
from tests.support.finetune_material import QLORA, placed, renderings
from tests.support.two_processes import launch, marked

PART = "training_kills"
KILLS, WORKERS = 10, 2
VICTIMS = ("the launcher", "the first process", "the second process")
STEPS = 6
PATIENCE_S = 60.0
"""Seconds for what is left to end, the launcher included, on cores that may be busy."""
LOGGED = ("step", "update", "loss", "label_loss", "norm", "validation")


def run(seed: int, scale: float) -> list[Row]:
    """Return a row for the kills of each victim."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(WORKERS) as pool:
        work = Path(folder)
        prepare(work, seed)
        whole = pool.submit(finish, work, work / "whole")
        tallies = {victim: Tally(PART, f"trainings in two processes, {victim} killed") for victim in VICTIMS}
        lasting = dict.fromkeys(VICTIMS, 0.0)

        def one(task: tuple[int, int, float]) -> tuple[str, float]:
            number, update, delay = task
            victim = VICTIMS[number % len(VICTIMS)]
            place = work / f"run-{number}"
            seconds = kill(tallies[victim], work, place, (number % len(VICTIMS) - 1, update, delay))
            found = said(work / "whole") if whole.result() else difference(place, work / "whole")
            if found is not None:
                tallies[victim].differs(place.name, found)
            return victim, seconds

        tasks = [(number, draw.randint(-1, STEPS - 1), draw.random()) for number in range(tries(KILLS, scale))]
        for victim, seconds in pool.map(one, tasks):
            lasting[victim] = max(lasting[victim], seconds)
        for path in (work / "vision").rglob("*.npy"):
            readable(tallies[VICTIMS[0]], path, np.load)
    for victim, tally in tallies.items():
        tally.what += f": the others ended within {lasting[victim]:.1f} s"
    return [tally.row() for tally in tallies.values() if tally.tried]


def prepare(work: Path, seed: int) -> None:
    """Draw the clips and write the config of all runs, WORK/config.toml."""
    frames = renderings(work / "frames", train=24, validation=8)
    config = replace(QLORA, quantise=False, compute="fp32", optimizer="adamw", prompt="short", dropout=0.1)
    config = placed(config, frames, steps=STEPS, checkpoint_every=2, evaluate_every=3, evaluate_clips=2)
    configs.write(replace(config, threads=1, seed=seed, scratch=str(work)), work)


def start(work: Path, place: Path) -> subprocess.Popen[str]:
    """Start the run of a folder in two processes; what they print goes to a file beside it."""
    with place.with_suffix(".out").open("a") as output:
        words = ("finetune.train", str(work / configs.NAME), "--run", str(place))
        return launch(*words, output=output, mark=str(place))


def finish(work: Path, place: Path) -> int:
    """Run the command to its end; return its exit code."""
    return start(work, place).wait()


def said(place: Path) -> str:
    """Return the end of what a run's processes printed."""
    return place.with_suffix(".out").read_text(errors="replace")[-2000:]


def kill(tally: Tally, work: Path, place: Path, moment: tuple[int, int, float]) -> float:
    """Kill a process in a moment (its rank, -1 for the launcher; an update, -1 for the start; a delay), and resume.

    Returns how many seconds the others outlived it.
    """
    rank, update, delay = moment
    name = f"{place.name}, {VICTIMS[rank + 1]} in update {update + 1}"
    tally.tried += 1
    launcher = start(work, place)
    while launcher.poll() is None and updates(place) < update:
        time.sleep(0.05)
    time.sleep(delay * (5.0 if update < 0 else 0.5))
    victim = launcher.pid if rank < 0 else process(launcher, place, rank)
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    begun = time.monotonic()
    while (launcher.poll() is None or marked(str(place))) and time.monotonic() - begun < PATIENCE_S:
        time.sleep(0.05)
    lasted = time.monotonic() - begun
    for number in marked(str(place)):
        tally.fails(name, f"process {number} is still there: {said(place)}")
        os.kill(number, signal.SIGKILL)
    if launcher.wait() == 0 and updates(place) < STEPS:
        tally.fails(name, "ended as if nothing had been killed")
    if finish(work, place):
        tally.fails(name, f"is not resumed: {said(place)}")
    for path in (place / "checkpoints").glob("*/*.safetensors"):
        readable(tally, path, load_file)
    for path in (*place.glob(".best"), *place.glob("checkpoints/.*")):
        tally.tears(name, f"{path.name} is left over")
    return lasted


def updates(place: Path) -> int:
    """Return how many updates a run has logged, -1 before it begins with them."""
    log = place / "log.jsonl"
    return sum("loss" in one for one in read_log(log)) if log.is_file() else -1


def process(launcher: subprocess.Popen[str], place: Path, rank: int) -> int:
    """Return the process of a rank, as soon as the launcher has started it; the launcher if it ends before."""
    while launcher.poll() is None:
        if found := [number for number, other in marked(str(place)).items() if other == rank]:
            return found[0]
        time.sleep(0.05)
    return launcher.pid


def difference(place: Path, whole: Path) -> str | None:
    """Return in what a run differs from another, None if in nothing."""
    if newest_checkpoint(place) is None:
        return "no checkpoint"
    tensors, expected = (load_file(newest_checkpoint(one) / TENSORS) for one in (place, whole))
    if tensors.keys() != expected.keys():
        return "other tensors"
    for name, value in expected.items():
        if not torch.equal(tensors[name], value):
            return f"{name} differs by {float((tensors[name] - value).abs().max()):.1e}"
    logs = [[{key: one.get(key) for key in LOGGED} for one in read_log(run / "log.jsonl")] for run in (place, whole)]
    return None if logs[0] == logs[1] else f"its log says {logs[0]}, not {logs[1]}"


def readable(tally: Tally, path: Path, read: Callable[[Path], object]) -> None:
    """Count a file that cannot be read."""
    try:
        read(path)
    except Exception as error:
        tally.tears(path.name, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    raise SystemExit(main(PART, run))
