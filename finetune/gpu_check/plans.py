"""What the plan says of the numbers that are measured: memory as on a T4, seconds as on the card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from finetune.gpu_check.setup import Line, Setup, forecast
from finetune.gpu_check.steps import COMPUTED, KEPT, KERNELS, ONE, SIXTEEN, WALL, pass_name
from finetune.planning.devices import GIB, device_key
from finetune.planning.hours import LAUNCH_S, answer_seconds, estimate_durations
from finetune.planning.memory_plan import MemoryPlan, plan_memory

BESIDE = ("CUDA context", "fragmentation")
"""Parts of a plan that torch does not count as allocated."""


def plan_figures(setup: Setup) -> Iterator[Line]:
    """Yield the plan of passes, loop and answers."""
    yield forecast("passes", "cost of an operator on the host, us", 1e6 * LAUNCH_S)
    for size in setup.sizes.batches:
        plan = _plan(setup, size, 1)
        found = estimate_durations(plan)
        allocated = plan.peak_bytes - sum(plan.parts[name] for name in BESIDE)
        for t4_kernels in (False, True):
            row = pass_name(size, t4_kernels)
            yield forecast(row, "allocated, GiB", allocated / GIB)
            yield forecast(row, "reserved and context, GiB", plan.peak_gib)
            yield forecast(row, KERNELS, found.kernels / size)
            yield forecast(row, WALL, max(found.kernels, found.launching) / size)
    plan = _plan(setup, *setup.sizes.loop)
    found = estimate_durations(plan)
    yield forecast("loop", COMPUTED, found.update / plan.config.clips_per_update)
    yield forecast("loop", KEPT, found.update_with_kept(1.0) / plan.config.clips_per_update)
    # A plan of answers is for the trained form: the other one launches half as much.
    yield forecast("asking 4bit", ONE, answer_seconds(plan, 1))
    yield forecast("asking 4bit", SIXTEEN, answer_seconds(plan, setup.sizes.asked) / setup.sizes.asked)


def _plan(setup: Setup, batch: int, passes: int) -> MemoryPlan:
    """Return the plan of a batch on this card, in a rehearsal that of the twin on an H100."""
    device = "h100" if setup.rehearsal else device_key(torch.cuda.get_device_name())
    config = replace(setup.config(batch=batch, accumulation=passes), weights="")
    return plan_memory(config, device, tiny=setup.rehearsal)
