"""Duration of a run, reasoned from its operations, not measured on a GPU.

Matrix products run at 25 to 45% of a device's peak, what training of this kind reaches on small batches. A 4-bit weight
is read, written out in 16 bits and read again for every use. A generated token waits for all weights once and for some
30 kernels a layer.
"""

from __future__ import annotations

from typing import NamedTuple

from finetune.evaluate import BATCH
from finetune.generate import MAX_TOKENS
from finetune.planning.devices import Device
from finetune.planning.memory_plan import MemoryPlan

PEAK_SHARE = (0.45, 0.25)
LAUNCH_S = (8e-6, 20e-6)
KERNELS = 30


class Work(NamedTuple):
    """Operations and memory traffic of a run."""

    flops: float  # of a clip's update
    prompt_flops: float  # of a clip's prompt, forward
    weight_bytes: float  # moved when all weights are used once
    passes: int  # over the weights in a pass of an update
    layers: int
    answer: int  # tokens


class Range(NamedTuple):
    """Range from the fast to the slow assumption."""

    low: float
    high: float

    def times(self, factor: float) -> Range:
        """Multiply both ends."""
        return Range(self.low * factor, self.high * factor)

    def plus(self, other: Range) -> Range:
        """Add the ends of two ranges."""
        return Range(self.low + other.low, self.high + other.high)


class Durations(NamedTuple):
    """Seconds of an update and of an evaluation, and the number of evaluations in a run."""

    update: Range
    evaluation: Range
    evaluations: int


def count_work(plan: MemoryPlan) -> Work:
    """Return the operations of products with weights and of the language model's attention."""
    config, clip = plan.config, plan.clip
    parameters = {
        kind: sum(count for name, count in plan.counts.items() if name.startswith(kind))
        for kind in ("language layers", "vision tower", "embedding")
    }
    # Two operations per weight and token (multiply, add); attention is 2 x 2 x tokens^2 x hidden per layer. That of the
    # vision tower is small beside it.
    language = 2 * clip.tokens * parameters["language layers"] + 4 * clip.tokens**2 * clip.hidden * clip.layers
    # MLPs of the tower that compute in fp32 count as the fp16 operations that would take as long.
    wide = plan.counts.get("vision tower, fp32", 0) if (config.adapter, config.compute) == ("lora", "fp16") else 0
    rates = plan.device.tflops
    vision = 2 * clip.patches * (parameters["vision tower"] + wide * (rates["fp16"] / rates["fp32"] - 1))
    # In units of a forward pass: forward 1, gradients of the inputs 1, of the weights 1 if they learn, and 1 for what
    # checkpointing computes again. A frozen tower runs forward alone.
    again = int(config.checkpointing)
    passes, vision_passes = (2 + again, 1) if config.adapter == "lora" else (3 + again, 3 + again)
    return Work(
        flops=int(passes * language + vision_passes * vision + 6 * clip.answer * parameters["embedding"]),
        prompt_flops=language + vision,
        weight_bytes=parameters["language layers"] * (4.5 if config.quantise else 2),
        passes=passes,
        layers=clip.layers,
        answer=clip.answer,
    )


def estimate_durations(plan: MemoryPlan) -> Durations:
    """Return the durations of a run on the plan's device."""
    config, work = plan.config, count_work(plan)
    update = update_seconds(work, plan.device, config.compute, config.batch, config.accumulation)
    evaluation = generation_seconds(work, plan.device, config.compute, config.evaluate_clips)
    count = -(-config.steps // config.evaluate_every) if config.evaluate_every else 1
    return Durations(update, evaluation, count)


def update_seconds(work: Work, device: Device, compute: str, batch: int, accumulation: int) -> Range:
    """Return the seconds of an update of `accumulation` passes of `batch` clips."""
    products = [work.flops * batch / (share * device.tflops[compute] * 1e12) for share in PEAK_SHARE]
    moves = work.weight_bytes * work.passes / (device.bandwidth * 1e9)
    return Range(products[0] + moves, products[1] + moves).times(accumulation)


def generation_seconds(work: Work, device: Device, compute: str, clips: int) -> Range:
    """Return the seconds of `clips` generated answers: of the usual length, or MAX_TOKENS before the end is learned."""
    read, tokens = work.weight_bytes / (device.bandwidth * 1e9), (work.answer, MAX_TOKENS)
    prompts = [work.prompt_flops * clips / (share * device.tflops[compute] * 1e12) for share in PEAK_SHARE]
    batches = -(-clips // BATCH["cuda"])
    waits = [batches * tokens[k] * (read + LAUNCH_S[k] * KERNELS * work.layers) for k in range(2)]
    return Range(prompts[0] + waits[0], prompts[1] + waits[1])
