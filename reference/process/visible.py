"""The visible state: all that the 125 frames of a clip may depend on.

Pictures are drawn from a VisibleState and a render seed and from nothing else; `ceiling` computes from the same state
what can be known about the next operation. An occluder may hide a clip's surfaces: what it hides in all frames is not
in the state.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from reference.process.cutter import Cut
from reference.process.sessions import Session
from reference.process.world import World
from reference.randomness import below


class ShownRun(NamedTuple):
    """Part of a run on screen. `step` is the state of the box; Idle does not change it."""

    operation: str
    step: str
    order: int  # 0-based among the orders on screen
    start_frame: int
    end_frame: int  # exclusive


@dataclass(frozen=True, slots=True)
class VisibleState:
    """Everything that a clip's frames may depend on, in the order on screen; times in ms."""

    runs: tuple[ShownRun, ...]
    orders: tuple[tuple[bool | None, ...], ...]  # per order, by the world's attributes; None: behind the occluder
    elapsed_ms: int  # in the first run when the clip begins
    worker: str  # the look, hence the habit
    domain: str
    strength: int  # of the domain, per mille
    occluded: tuple[str, ...]  # surfaces that an occluder hides in all frames
    next_operation: str | None  # once on screen


def visible(world: World, session: Session, index: int, chosen: Cut) -> VisibleState:
    """Return the state that clip `index` of a session shows; the session's timeline is drawn up to the clip's end."""
    runs = [session.runs[part.run_index] for part in chosen.parts]
    first = runs[0].order
    occluded = _occluded_surfaces(world, session, index)
    segment_end = chosen.label.temporal_segment.end_frame
    return VisibleState(
        runs=tuple(
            ShownRun(run.operation, run.step, run.order - first, part.start_frame, part.end_frame)
            for run, part in zip(runs, chosen.parts, strict=True)
        ),
        orders=tuple(
            _visible_attributes(world, session.orders[order], occluded) for order in range(first, runs[-1].order + 1)
        ),
        elapsed_ms=chosen.start_ms - runs[0].start_ms,
        worker=session.worker.name,
        domain=session.domain,
        strength=world.domains[session.domain].strength,
        occluded=occluded,
        next_operation=next((part.operation for part in chosen.parts if part.start_frame == segment_end), None),
    )


def _occluded_surfaces(world: World, session: Session, index: int) -> tuple[str, ...]:
    """Return the surfaces that an occluder hides, drawn from the noise key: it tells nothing about the order."""
    occluders = world.domains[session.domain].occluders
    if not occluders:
        return ()
    ticket = below(sum(occluder.weight for occluder in occluders), world.key, "noise", session.name, index)
    for occluder in occluders:
        ticket -= occluder.weight
        if ticket < 0:
            return occluder.hides
    raise AssertionError("a ticket is below the sum of the weights")


def _visible_attributes(world: World, mask: int, occluded: tuple[str, ...]) -> tuple[bool | None, ...]:
    if not occluded:
        return _all_attributes(mask, len(world.attributes))
    return tuple(
        None if attribute.shown_by in occluded else bool(mask >> bit & 1)
        for bit, attribute in enumerate(world.attributes)
    )


@lru_cache(maxsize=4096)
def _all_attributes(mask: int, count: int) -> tuple[bool | None, ...]:
    return tuple(bool(mask >> bit & 1) for bit in range(count))
