"""Runs of the real loop, finetune.train: its pace, a kill, a batch that does not fit, the other bases."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import torch

from finetune import config as configs
from finetune import train as loop
from finetune.checkpoint import State, newest_checkpoint
from finetune.gpu_check.setup import Line, Setup, figure, forecast
from finetune.gpu_check.steps import COMPUTED, KEPT
from finetune.read_ahead import UPDATES_AHEAD
from finetune.run_log import LOG, read_log

KILLED_AT, RESUMED_STEPS = 2, 4
MINUTES = 1.2
"""Of a loop, which ends in time to say what it measured."""


def measure_loop(setup: Setup) -> Iterator[Line]:
    """Train for a few epochs of two updates each: the first computes the vision tower, the last reads what was kept."""
    batch, passes = setup.sizes.loop
    # An update is read UPDATES_AHEAD before it is computed, so what the first two keep is read by the last two.
    steps = 2 + UPDATES_AHEAD + 4
    config = setup.config(batch=batch, accumulation=passes, steps=steps, checkpoint_every=steps, workers=2)
    hours = None if setup.rehearsal else MINUTES / 60
    begun, run = time.monotonic(), setup.new_run("loop")
    state = loop.train(config, run, max_hours=hours)
    seconds = [row["seconds"] for row in read_log(run / LOG) if "loss" in row]
    if len(seconds) > 2:
        yield figure("loop", COMPUTED, (seconds[1] - seconds[0]) / config.clips_per_update)
    if len(seconds) == steps:
        yield figure("loop", KEPT, (seconds[-1] - seconds[-3]) / 2 / config.clips_per_update)
    yield figure("loop", "start and first update, s", seconds[0])
    yield figure("loop", "evaluation and record, s", time.monotonic() - begun - seconds[-1])
    yield from _memory("loop", state)
    yield figure("loop", "clips kept", sum(1 for _ in (setup.work / "kept").rglob("*.npy")))


def survive_kill(setup: Setup) -> Iterator[Line]:
    """Kill a run with signal 9 after a checkpoint, and resume it."""
    config = setup.config(
        batch=2, accumulation=1, steps=RESUMED_STEPS, checkpoint_every=1, evaluate_clips=2, cache_gb=0.0
    )
    run = setup.new_run("killed")
    configs.write(config, setup.work)
    words = [sys.executable, "-m", "finetune.train", str(setup.work / configs.NAME), "--run", str(run)]
    process = subprocess.Popen(words)
    while process.poll() is None and not (run / "checkpoints" / f"{KILLED_AT:06d}").is_dir():
        time.sleep(0.05)
    process.kill()
    code, checkpoint = process.wait(), newest_checkpoint(run)
    yield figure("resume", "exit code of the killed run", code)
    yield figure("resume", "newest checkpoint after the kill", checkpoint.name if checkpoint else "none")
    state = loop.train(config, run)
    steps = [row["step"] for row in read_log(run / LOG) if "loss" in row]
    whole = steps == list(range(1, RESUMED_STEPS + 1)) and state.updates + state.skipped == RESUMED_STEPS
    yield figure("resume", "every update is logged once", "yes" if whole else f"no: {steps}")


def lower_batch(setup: Setup) -> Iterator[Line]:
    """Begin with a batch that does not fit: the run lowers it by itself and ends."""
    if setup.rehearsal:
        _fill_memory(setup.sizes.too_large // 2)
    config = setup.config(batch=setup.sizes.too_large, accumulation=1, steps=2, evaluate_clips=2, cache_gb=0.0)
    state = loop.train(config, setup.new_run("too-large"))
    yield figure("out of memory", "first batch", config.batch)
    yield figure("out of memory", "last batch", state.batch)
    yield figure("out of memory", "times lowered", len(state.ooms))
    yield figure("out of memory", "updates", state.updates)
    yield from _memory("out of memory", state)


def train_other(setup: Setup, base: str) -> Iterator[Line]:
    """Train and evaluate another base shortly."""
    config = setup.config(base=base, batch=2, accumulation=2, steps=2, evaluate_clips=2, cache_gb=0.0)
    run, row = setup.new_run(setup.folder(base).name), f"base {base}"
    state = loop.train(config, run)
    losses = [line["loss"] for line in read_log(run / LOG) if "loss" in line]
    yield figure(row, "updates", state.updates)
    yield figure(row, "losses are finite", "yes" if all(map(math.isfinite, losses)) else f"no: {losses}")
    yield from _memory(row, state)


def _memory(row: str, state: State) -> Iterator[Line]:
    """Yield a run's peak beside its plan, and what it lowered."""
    yield figure(row, "peak of the run, GiB", state.peak_gib)
    if state.predicted_gib is not None:
        yield forecast(row, "peak of the run, GiB", state.predicted_gib)
    yield figure(row, "batch", state.batch)


def _fill_memory(most: int) -> None:
    """Let passes of more than `most` clips run out of memory on their way to the device, as a card does later."""
    to_device = loop.to_device

    def limited(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
        if len(batch["input_ids"]) > most:
            raise torch.OutOfMemoryError("rehearsed")
        return to_device(batch, device)

    loop.to_device = limited
