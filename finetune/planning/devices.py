"""Devices that a run is planned for: usable memory, peak rates, bandwidth."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

GIB = 1 << 30


class Device(NamedTuple):
    """Device of a run; `tflops` are peaks of matrix products by compute type, none for the CPU.

    The shares of the peaks are those that an H100 reached in this project's own passes. A T4 throttles at 70 W; that it
    reaches the same shares is assumed.
    """

    name: str
    usable_gib: float  # what torch can allocate
    tflops: dict[str, float]
    bandwidth: float  # GB/s
    pattern: str  # in the name that CUDA gives it
    product_share: float = 0.6
    memory_share: float = 0.8

    @property
    def half(self) -> str:
        """Compute type of 16 bits whose rate is known."""
        return "fp16" if "fp16" in self.tflops else "bf16"


DEVICES = {
    "t4": Device("a Tesla T4 of 16 GB", 14.7, {"fp16": 65, "fp32": 8.1}, 320, "T4"),
    "p100": Device("a Tesla P100 of 16 GB", 15.9, {"fp16": 18.7, "fp32": 9.3}, 732, "P100"),
    "l4": Device("an L4 of 24 GB", 22.0, {"fp16": 121, "bf16": 121, "fp32": 30}, 300, "L4"),
    "a100": Device("an A100 of 40 GB", 39.4, {"fp16": 312, "bf16": 312, "fp32": 19.5}, 1555, "A100"),
    "h100": Device("an H100 of 80 GB", 79.1, {"fp16": 989, "bf16": 989, "fp32": 67}, 3350, "H[12]00"),
    "cpu": Device("the CPU", os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, {}, 0, ""),
}


def device_key(name: str) -> str:
    """Return the key in DEVICES of a GPU by CUDA's name; "t4" if unknown, as memory use is the same on all GPUs."""
    return next((key for key, one in DEVICES.items() if one.pattern and re.search(rf"\b{one.pattern}\b", name)), "t4")
