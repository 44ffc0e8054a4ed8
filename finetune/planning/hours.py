"""Duration of a run, from the operators of a pass that is traced without data.

A kernel takes as long as its operations at the rate that the device reaches, or as its bytes at the bandwidth that it
reaches, whichever is longer, and never less than KERNEL_S. A pass takes as long as its kernels, or as the host takes to
launch its operators. Both are fitted to one H100 (GPU.md): the shares of `Device` and the launch costs below reproduce
the seconds in kernels to 5%, the wall to 25% at batch 4 to 12, and to 40% at batch 2, where two measurements differ by
more than that. On other devices they are assumed.

The trace runs on a CPU's kernels. Assumed is that attention on a GPU is one fused kernel with the same operations, and
that weights in 4 bits are unpacked by kernels that read them once and write them once.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from finetune.base_models import BASES
from finetune.config import Config
from finetune.evaluate import BATCH, FREE_CLIPS
from finetune.layers.geometry import ON_HOST, lay_out
from finetune.model import ensure_base, load_model
from finetune.planning.devices import DEVICES, Device
from finetune.planning.dry_run import PassTrace, make_blueprint, trace_pass
from finetune.planning.memory_plan import MemoryPlan, plan_memory
from finetune.planning.operators import Tally, launches

KERNEL_S = 2e-6
"""Shortest time of a kernel."""
ATTENTION_SHARE = 0.5
"""Rate of attention, as a share of the rate of products."""
LAUNCH_S, ATTENTION_LAUNCH_S = 38e-6, 150e-6
"""Cost of an operator on the host, with its Python, autograd and autocast; attention is several kernels."""
ANSWER_CALLS, CALL_KERNELS = 12, 107
"""Calls of the model an answer that is held to the grammar, at most, and operators a layer of each, adapters beside."""
STEP_BYTES = 30
"""Bytes that an optimizer's step moves for each parameter that learns: gradients, state, weights; read and written."""


class Durations(NamedTuple):
    """Seconds of a run's parts on a device."""

    kernels: float  # of a pass
    launching: float  # of a pass, on the host
    vision: float  # kernels of a frozen tower in a pass, which kept clips save
    passes: float  # an update
    step: float  # of the optimizer
    evaluation: float
    evaluations: int

    @property
    def update(self) -> float:
        """Seconds of an update whose clips are all computed."""
        return self.passes * max(self.kernels, self.launching) + self.step

    def update_with_kept(self, share: float) -> float:
        """Seconds of an update of which a share of the clips is kept."""
        kernels = self.kernels - share * self.vision
        return self.passes * max(kernels, self.launching) + self.step


def kernel_seconds(tally: Tally, device: Device) -> float:
    """Return the seconds of a pass's kernels on a device."""
    total = 0.0
    for operator, count in tally.items():
        rate = device.tflops["fp32" if operator.bits > 16 else device.half] * 1e12 * device.product_share
        if operator.kind == "attention":
            rate *= ATTENTION_SHARE
        seconds = max(operator.flops / rate, operator.bytes / (device.bandwidth * 1e9 * device.memory_share), KERNEL_S)
        total += count * seconds
    return total


def launch_seconds(tally: Tally, each: float = LAUNCH_S) -> float:
    """Return the seconds in which the host launches a pass; `each` is the cost of an operator that is no attention."""
    attention = launches(tally, "attention")
    return each * (launches(tally) - attention + attention * ATTENTION_LAUNCH_S / LAUNCH_S)


def pass_trace(plan: MemoryPlan) -> PassTrace:
    """Return the trace of a plan's pass."""
    return trace_pass(plan.config, tiny=plan.tiny, folder=plan.folder)


def estimate_durations(plan: MemoryPlan, launch_s: float = LAUNCH_S) -> Durations:
    """Return the durations of a run on the plan's device; `launch_s` is the cost of an operator on its host."""
    config, device, traced = plan.config, plan.device, pass_trace(plan)
    tally = traced.tally
    learning = plan.parts["gradients, fp32"] / 4
    kernels, vision = kernel_seconds(tally, device), kernel_seconds(traced.vision, device)
    return Durations(
        kernels=kernels,
        launching=launch_seconds(tally, launch_s),
        vision=vision,
        passes=config.clips_per_update / config.batch,
        step=learning * STEP_BYTES / (device.bandwidth * 1e9 * device.memory_share),
        evaluation=_evaluation_seconds(plan, kernels, vision, launch_s),
        evaluations=-(-config.steps // config.evaluate_every) if config.evaluate_every else 1,
    )


def planned_durations(config: Config, device: str, **options: Any) -> Durations | None:
    """Return the durations of a run on one of DEVICES; None where its rates are not known."""
    if config.compute not in DEVICES[device].tflops:
        return None
    return estimate_durations(plan_memory(config, device, **options))


def answer_seconds(plan: MemoryPlan, clips: int, launch_s: float = LAUNCH_S) -> float:
    """Return the seconds of a batch of answers that are held to the grammar."""
    traced = pass_trace(plan)
    kernels, vision = kernel_seconds(traced.tally, plan.device), kernel_seconds(traced.vision, plan.device)
    return clips * _prompt_seconds(plan, kernels, vision) + ANSWER_CALLS * _call_seconds(plan, launch_s)


def _evaluation_seconds(plan: MemoryPlan, kernels: float, vision: float, launch_s: float) -> float:
    """Return the seconds of an evaluation: prompts forward, and each batch's calls; free answers take one a token."""
    config = plan.config
    free = min(FREE_CLIPS, config.evaluate_clips)
    calls = sum(
        -(-clips // BATCH["cuda"]) * each
        for clips, each in ((config.evaluate_clips, ANSWER_CALLS), (free, plan.clip.answer))
    )
    prompts = (config.evaluate_clips + free) * _prompt_seconds(plan, kernels, vision)
    return prompts + calls * _call_seconds(plan, launch_s)


def _prompt_seconds(plan: MemoryPlan, kernels: float, vision: float) -> float:
    """Return the seconds of a clip's prompt, of which a pass's kernels and those of its vision tower are given."""
    # A pass is forward, forward again with checkpointing, and a backward pass of about the same length.
    return (vision + (kernels - vision) / (2 + plan.config.checkpointing)) / plan.config.batch


def _call_seconds(plan: MemoryPlan, launch_s: float) -> float:
    """Return the seconds of a call of the language model for a token of each row."""
    weights = sum(size for name, size in plan.parts.items() if name.startswith("language layers"))
    read = weights / (plan.device.bandwidth * 1e9 * plan.device.memory_share)
    return max(read, launch_s * CALL_KERNELS * plan.clip.layers)


def run_hours(plan: MemoryPlan, durations: Durations) -> float:
    """Return the hours of a run with its evaluations; where clips are kept, only the first epoch computes them."""
    config = plan.config
    kept = kept_share(plan)
    updates = durations.update_with_kept(kept) * config.steps
    return (updates + durations.evaluations * durations.evaluation) / 3600


def kept_share(plan: MemoryPlan) -> float:
    """Return the share of a run's clips that the cache of a frozen tower gives, if its bytes suffice."""
    need = cache_bytes(plan)
    if not need:
        return 0.0
    seen, split = plan.config.steps * plan.config.clips_per_update, training_clips(plan)
    return max(0.0, 1 - split / seen) * min(1.0, plan.config.cache_gb * 1e9 / need)


def cache_bytes(plan: MemoryPlan) -> int:
    """Return the bytes of what a frozen tower says of all training clips; 0 where nothing is kept."""
    return training_clips(plan) * plan.clip.feature_bytes if plan.config.keeps_vision else 0


def training_clips(plan: MemoryPlan) -> int:
    """Return the number of training clips: the config's, else those of its world's split; 0 if neither says."""
    return plan.config.clips or plan.clip.split


def measure_launch_s(config: Config, device: str = "cuda") -> float:
    """Return the cost of an operator on this machine's host, from a second of the twin's passes on its card.

    The twin runs the same code, and its kernels are so short that launching them is all that takes time.
    """
    side = 4 * BASES[config.base].vision["patch_size"] * BASES[config.base].vision["spatial_merge_size"]
    config = replace(config, weights="", size=side, batch=1, accumulation=1)
    traced = trace_pass(config, tiny=True)
    blueprint = make_blueprint(config, tiny=True)
    with tempfile.TemporaryDirectory() as folder:
        base = ensure_base(config, Path(folder) / "base", blueprint.operations)
        answerer, _ = load_model(config, base, blueprint.operations, device)
    host = blueprint.example_batch()
    host |= lay_out(host, answerer.base, answerer.inner.config)
    batch = {name: value if name in ON_HOST else value.to(device) for name, value in host.items()}
    answerer.train()
    begun, count = time.monotonic(), -1
    while count < 0 or time.monotonic() - begun < 1:
        numbers = answerer(dict(batch)).total
        numbers.backward()
        float(numbers.detach())  # waits for the card
        count += 1
        if count == 0:
            begun = time.monotonic()  # the first pass warms up
    return (time.monotonic() - begun) / (count * launches(traced.tally))
