"""Memory plan of a run: the peak as a sum of parts, before any weights are loaded.

Weights, gradients and optimizer state are counted on the model as it will be built; activations are the peak of the
training code itself, run on tensors without data (tensor_memory). On a GPU its context is added, and a tenth for
fragmentation. On the CPU the plan covers what torch holds; the process itself comes on top.

A config without `weights` trains the twin on the CPU, so the twin is planned there. For a GPU it stands for the
published model, unless all weights are trained.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from finetune.config import Config
from finetune.model import DTYPES
from finetune.planning.devices import DEVICES, GIB, Device
from finetune.planning.dry_run import (
    PADDED,
    ClipSize,
    Weights,
    activation_bytes,
    clip_size,
    make_blueprint,
    model_weights,
)
from harness.errors import UsageError

CONTEXT_BYTES = int(0.6 * GIB)
"""CUDA context with its libraries' kernels."""
FRAGMENTATION = 0.1
"""Share of the other parts."""
MAX_BATCH = 64
"""Limit of the search for the largest batch."""


@dataclass(frozen=True)
class MemoryPlan:
    """Memory plan of a config on a device."""

    config: Config
    device: Device
    tiny: bool  # the twin's shape, not the published one
    folder: Path | None  # of the base's config.json and tokenizer
    parts: dict[str, int]  # bytes by name; their sum is the peak
    counts: dict[str, int]  # parameters of the parts that are weights
    clip: ClipSize

    @property
    def peak_bytes(self) -> int:
        """Sum of the parts."""
        return sum(self.parts.values())

    @property
    def peak_gib(self) -> float:
        """Sum of the parts in GiB."""
        return self.peak_bytes / GIB

    @property
    def fits(self) -> bool:
        """True if the device can hold the peak."""
        return self.peak_gib <= self.device.usable_gib

    def replan(self, **changes: object) -> MemoryPlan:
        """Return the plan of the same run with other fields."""
        return _plan(replace(self.config, **changes), self.device, self.tiny, self.folder)  # type: ignore[arg-type]


def plan_memory(
    config: Config, device: str = "t4", *, tiny: bool | None = None, folder: Path | None = None
) -> MemoryPlan:
    """Return the memory plan of a config on one of DEVICES.

    `folder` holds the base's config.json and tokenizer; by default it is the config's `weights`. `tiny` plans the
    twin's shape; by default as this module's header says. A config that names no batch is planned with the largest that
    fits, at most an update's clips. Raises UsageError for an unknown device.
    """
    if device not in DEVICES:
        raise UsageError(f"no device {device!r}; there are {', '.join(DEVICES)}")
    if config.weights and folder is None:
        folder = Path(config.weights)
    if tiny is None:
        tiny = not config.weights and (device == "cpu" or config.adapter == "full")
    small = make_blueprint(config, tiny=tiny, folder=folder).tiny
    plan = _plan(replace(config, batch=config.batch or PADDED), DEVICES[device], small, folder)  # as the search begins
    if config.batch:
        return plan
    most = max(1, min(config.clips_per_update, largest_batch(plan)))
    passes = -(-config.clips_per_update // most)
    return plan.replan(batch=-(-config.clips_per_update // passes))  # of equal passes


def largest_batch(plan: MemoryPlan) -> int:
    """Return the most clips per pass that fit, MAX_BATCH at most; 0 if not even one does."""
    # Bytes grow linearly with the clips: two plans give a guess, and only plans near it are made.
    two, four = (plan.replan(batch=batch).peak_bytes for batch in (2, 4))
    batch = min(MAX_BATCH, 3 + int((plan.device.usable_gib * GIB - two) / max(1, (four - two) / 2)))
    while batch > 0 and not plan.replan(batch=batch).fits:
        batch -= 1
    return max(0, batch)


def estimate_peak_gib(config: Config, device: str = "t4", **options: object) -> float:
    """Return the peak of plan_memory."""
    return plan_memory(config, device, **options).peak_gib  # type: ignore[arg-type]


def _plan(config: Config, device: Device, tiny: bool, folder: Path | None) -> MemoryPlan:
    weights = model_weights(config, tiny=tiny, folder=folder)
    gradients = 4 * sum(weights.trainable)
    # A twin's activations are traced together with its gradients, which are then a part of their own. Buffers of the
    # optimizer's step replace the activations, which are freed by then: the larger of the two counts.
    activations = activation_bytes(config, tiny=tiny, folder=folder) - (gradients if tiny else 0)
    parts = dict(weights.bytes)
    if config.adapter == "lora" and not config.plain and not tiny:
        parts[f"adapters cast to {config.compute}"] = (
            weights.bytes["adapters, fp32"] * DTYPES[config.compute].itemsize // 4
        )
    parts |= {
        "gradients, fp32": gradients,
        f"optimizer state, {config.optimizer}": _state_bytes(config, weights),
        "activations": max(activations, _step_bytes(config, device, weights)),
    }
    if device.tflops:
        parts["CUDA context"] = CONTEXT_BYTES
        parts["fragmentation"] = int(FRAGMENTATION * sum(parts.values()))
    return MemoryPlan(
        config=config,
        device=device,
        tiny=tiny,
        folder=folder,
        parts=parts,
        counts=weights.counts,
        clip=clip_size(config, tiny=tiny, folder=folder),
    )


def _state_bytes(config: Config, weights: Weights) -> int:
    """Return the bytes of the optimizer's state: two numbers per parameter."""
    if config.optimizer == "adamw":
        return sum(8 * count + 4 for count in weights.trainable)  # fp32, and a step counter per tensor
    # bitsandbytes: a byte with a fp32 scale for 256 of them; tensors of fewer than 4,096 elements stay fp32.
    return int(sum(count * 8 if count < 4096 else count * (2 + 8 / 256) for count in weights.trainable))


def _step_bytes(config: Config, device: Device, weights: Weights) -> int:
    """Return the bytes that AdamW's step allocates: on a GPU for all tensors at once, on the CPU for one at a time."""
    if config.optimizer != "adamw":
        return 0
    return 4 * sum(weights.trainable) if device.tflops else 8 * max(weights.trainable)
