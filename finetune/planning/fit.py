"""Search for what fits a device: the largest batch, the largest frames, and changes that make a run fit."""

from __future__ import annotations

from collections.abc import Iterator

from finetune.config import Config
from finetune.planning.devices import GIB
from finetune.planning.memory_plan import MAX_BATCH, MemoryPlan, largest_batch

__all__ = ["MAX_BATCH", "largest_batch", "largest_size", "ways_to_fit"]
MAX_SIZE = 1008
"""Limit of the search for the largest frames."""
SAFE = 0.95
"""Share of the device below which a linear forecast needs no check."""
Changes = dict[str, object]


def largest_size(plan: MemoryPlan) -> int:
    """Return the largest side of a frame in pixels that fits, MAX_SIZE at most; 0 if none does."""
    # Bytes grow with the square of the side, and for large frames faster: a forecast near the limit is checked.
    grid = plan.clip.grid
    small, middle = 4 * grid, 12 * grid
    small_bytes, middle_bytes = (plan.replan(size=size).peak_bytes for size in (small, middle))
    slope = max(1, middle_bytes - small_bytes) / (middle**2 - small**2)
    square = small**2 + (plan.device.usable_gib * GIB - small_bytes) / slope
    size = min(MAX_SIZE, int(max(0, square) ** 0.5)) // grid * grid
    safe = small_bytes + (size**2 - small**2) * slope < SAFE * plan.device.usable_gib * GIB
    while size > 0 and not safe and not plan.replan(size=size).fits:
        size -= grid
    return max(0, size)


def ways_to_fit(plan: MemoryPlan, count: int = 3) -> list[tuple[Changes, MemoryPlan]]:
    """Return up to `count` sets of changed fields that each make a plan fit, those that cost least quality first."""
    ways: list[tuple[Changes, MemoryPlan]] = []
    for changes in _candidates(plan):
        if changes and not any(changes == before for before, _ in ways):
            other = plan.replan(**changes)
            if other.fits:
                ways.append((changes, other))
        if len(ways) == count:
            break
    return ways


def _candidates(plan: MemoryPlan) -> Iterator[Changes]:
    """Yield sets of changes, first those that cost nothing but time, then smaller batches, frames, models."""
    config = plan.config
    free: list[Changes] = [{"checkpointing": True}, {"optimizer": "paged_adamw_8bit"}, {"quantise": True}]
    free = [one for one in free if _differs(config, one) and not (config.adapter == "full" and "quantise" in one)]
    yield from free
    yield _join(free)
    for base in ({}, _join(free)):
        if batch := largest_batch(plan.replan(**base)):
            yield base | _smaller_batch(config, batch)
        video = base | {"as_video": True}
        if not config.as_video:
            yield video
            if batch := largest_batch(plan.replan(**video)):
                yield video | _smaller_batch(config, batch)
        if size := largest_size(plan.replan(**base)):
            yield base | {"size": size}
        if not config.as_video and (size := largest_size(plan.replan(**video))):
            yield video | {"size": size}
    if config.adapter == "full":
        yield {"adapter": "lora"}
        yield {"adapter": "lora", "quantise": True, "checkpointing": True} | _smaller_batch(config, 1)
    for frames in (config.frames // 2, config.frames // 4):
        if frames:
            yield _join(free) | _smaller_batch(config, 1) | {"frames": frames}


def _differs(config: Config, changes: Changes) -> bool:
    return any(getattr(config, name) != value for name, value in changes.items())


def _join(changes: list[Changes]) -> Changes:
    return {name: value for one in changes for name, value in one.items()}


def _smaller_batch(config: Config, batch: int) -> Changes:
    """Return batch and accumulation that keep the clips per update, or raise them to the next multiple."""
    batch = min(batch, config.clips_per_update)
    return {"batch": batch, "accumulation": -(-config.clips_per_update // batch)}
