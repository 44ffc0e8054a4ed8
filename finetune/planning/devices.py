"""The devices a run is planned for, and how long work takes on them: reasoned from operations, not measured on a GPU.

Matrix products run at 25 to 45 % of a device's peak, what training of this kind reaches on small batches. A 4-bit
weight is read, written out in 16 bits and read again for every use. A token that is generated waits for all weights
once and for some 30 kernels a layer.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

GIB = 1 << 30
SHARE = (0.45, 0.25)
LAUNCH_S = (8e-6, 20e-6)
KERNELS = 30


class Device(NamedTuple):
    """`usable_gib`: what torch can allocate. `tflops`: peak of matrix products by type; `bandwidth`: GB/s."""

    name: str
    usable_gib: float
    tflops: dict[str, float]
    bandwidth: float
    pattern: str


DEVICES = {
    "t4": Device("a Tesla T4 of 16 GB", 14.7, {"fp16": 65, "fp32": 8.1}, 320, "T4"),
    "p100": Device("a Tesla P100 of 16 GB", 15.9, {"fp16": 18.7, "fp32": 9.3}, 732, "P100"),
    "l4": Device("an L4 of 24 GB", 22.0, {"fp16": 121, "bf16": 121, "fp32": 30}, 300, "L4"),
    "a100": Device("an A100 of 40 GB", 39.4, {"fp16": 312, "bf16": 312, "fp32": 19.5}, 1555, "A100"),
    "h100": Device("an H100 of 80 GB", 79.1, {"fp16": 989, "bf16": 989, "fp32": 67}, 3350, "H100"),
    "cpu": Device("the CPU", os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, {}, 0, ""),
}


def device_key(name: str) -> str:
    """Of DEVICES, by the name that CUDA gives a GPU; an unknown one passes for a T4, what is held is the same."""
    return next((key for key, one in DEVICES.items() if one.pattern and re.search(rf"\b{one.pattern}\b", name)), "t4")


class Work(NamedTuple):
    """Operations and traffic of a run. `flops`: of a clip's update; `asked_flops`: of its prompt alone; `moved`: bytes
    of weights that pass through memory once; `passes`: how often in an update's pass."""

    flops: float
    asked_flops: float
    moved: float
    passes: int
    layers: int
    answer: int


class Range(NamedTuple):
    low: float
    high: float

    def times(self, factor: float) -> Range:
        return Range(self.low * factor, self.high * factor)

    def plus(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)


def update_seconds(work: Work, device: Device, compute: str, batch: int, accumulation: int) -> Range:
    products = [work.flops * batch / (share * device.tflops[compute] * 1e12) for share in SHARE]
    moved = work.moved * work.passes / (device.bandwidth * 1e9)
    return Range(products[0] + moved, products[1] + moved).times(accumulation)


def asking_seconds(work: Work, device: Device, compute: str, clips: int, batch: int, most_tokens: int) -> Range:
    """Of `clips` generated answers: of the learned length, or of `most_tokens` while the end is not learned yet."""
    read, tokens = work.moved / (device.bandwidth * 1e9), (work.answer, most_tokens)
    prompts = [work.asked_flops * clips / (share * device.tflops[compute] * 1e12) for share in SHARE]
    waits = [-(-clips // batch) * tokens[k] * (read + LAUNCH_S[k] * KERNELS * work.layers) for k in range(2)]
    return Range(prompts[0] + waits[0], prompts[1] + waits[1])
