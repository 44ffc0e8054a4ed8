"""Passes of the training code at several batches: memory, seconds in kernels, seconds by the clock.

Their attention runs on the card's own kernels, then with flash and cuDNN attention switched off, which leaves the
memory-efficient kernel that a T4 has.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile

from finetune import config as configs
from finetune.checkpoint import State, save_best
from finetune.data import ClipDataset, Collator
from finetune.gpu_check.setup import Line, Setup, figure
from finetune.gpu_check.steps import KERNELS, WALL, pass_name
from finetune.layers.geometry import lay_out
from finetune.model import Answerer, load_model
from finetune.planning.devices import GIB
from finetune.planning.hours import measure_launch_s
from finetune.read_ahead import Update
from finetune.run_log import used_memory_gib
from finetune.train import make_optimizer, optimizer_step, run_passes

RUN = "untrained"
"""Run whose best model is asked."""


class Trainer(NamedTuple):
    """What takes a pass and a step."""

    answerer: Answerer
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler


def measure_passes(setup: Setup) -> Iterator[Line]:
    """Load the base, write it as a run that can be asked, and measure passes of each batch."""
    begun, config = time.monotonic(), setup.config(cache_gb=0.0)
    clips = ClipDataset(config.train, config)
    answerer, tokenizer = load_model(config, setup.folder(config.base), clips.operations, setup.device)
    setup.synchronise()
    yield figure("passes", "loading, s", time.monotonic() - begun)
    run = setup.new_run(RUN)
    configs.write(config, run)
    save_best(run, answerer, clips.operations, State(batch=1))
    trainer = Trainer(answerer.train(), make_optimizer(config, answerer), torch.amp.GradScaler(setup.device))
    collator = Collator(config, tokenizer, clips.operations)
    for t4_kernels in (False, True):
        _choose_kernels(t4_kernels)
        for size in setup.sizes.batches:
            row = pass_name(size, t4_kernels)
            yield from _measure(setup, trainer, _pass_of(collator, clips, answerer, size), row)
    _choose_kernels(False)
    launch_us = 1e6 * measure_launch_s(setup.config(), setup.device)
    yield figure("passes", "cost of an operator on the host, us", launch_us)


def _choose_kernels(t4: bool) -> None:
    """Let attention run on all kernels of the card, or on those that a T4 has."""
    torch.backends.cuda.enable_flash_sdp(not t4)
    torch.backends.cuda.enable_cudnn_sdp(not t4)


def _pass_of(collator: Collator, clips: ClipDataset, answerer: Answerer, size: int) -> Update:
    """Return an update of one pass."""
    batch: dict[str, Any] = collator([clips.example(number % len(clips)) for number in range(size)])
    batch |= lay_out(batch, collator.base, answerer.inner.config) | {"seeds": list(range(size))}
    return Update([batch], float(batch["target_weights"].sum()), size)


def _measure(setup: Setup, trainer: Trainer, update: Update, row: str) -> Iterator[Line]:
    answerer, optimizer, scaler = trainer
    if not setup.rehearsal:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def run_pass() -> Any:
        return run_passes(answerer, update, scaler, update.clips, update.weight, update.clips)

    # Two warm up: the first has no gradients yet, and the optimizer's state is made by its step.
    if (sums := run_pass()) is None or run_pass() is None:
        answerer.zero_grad(set_to_none=True)
        yield figure(row, "outcome", "out of memory")
        return
    optimizer_step(answerer, optimizer, scaler, sums, State(batch=update.clips))
    setup.synchronise()
    begun = time.monotonic()
    for _ in range(setup.sizes.repeats):
        run_pass()
    setup.synchronise()
    yield figure(row, WALL, (time.monotonic() - begun) / setup.sizes.repeats / update.clips)
    if not setup.rehearsal:
        yield figure(row, "allocated, GiB", torch.cuda.max_memory_allocated() / GIB)
    yield figure(row, "reserved and context, GiB", used_memory_gib())
    activity = ProfilerActivity.CPU if setup.rehearsal else ProfilerActivity.CUDA
    with profile(activities=[activity]) as profiler:
        run_pass()
        setup.synchronise()
    events = profiler.key_averages()
    busy = sum(event.self_cpu_time_total if setup.rehearsal else event.self_device_time_total for event in events)
    yield figure(row, KERNELS, busy / 1e6 / update.clips)
    yield figure(row, "kernels launched", sum(event.count for event in events))
    answerer.zero_grad(set_to_none=True)
