"""The visible state: all that the 125 frames of a clip may depend on.

Pictures are drawn from a VisibleState and a render seed and from nothing else; `ceiling` computes from the same state
what can be known about the next operation. An occluder may hide a clip's surfaces: what it hides in all frames is not
in the state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from reference.process.cutter import Cut
from reference.process.sessions import Session
from reference.process.world import World
from reference.randomness import below
from reference.task import CLIP_FRAMES

_FINE = 1 << 32


class ShownRun(NamedTuple):
    """Part of a run on screen.

    `step` is the state of the box, by the first step that looks so; Idle does not change it.
    """

    operation: str
    step: str
    order: int  # 0-based among the orders on screen
    start_frame: int
    end_frame: int  # exclusive


class Window(NamedTuple):
    """Frames in which a surface shows its signs of an order; the next order's lies beside that of the one at hand."""

    surface: str
    order: int  # 0-based among the orders on screen, one more for the next
    start_frame: int
    end_frame: int  # exclusive


@dataclass(frozen=True, slots=True)
class VisibleState:
    """Everything that a clip's frames may depend on, in the order on screen; times in ms.

    `orders`: the attributes of each order, by the world's list, and where it lies beside them of the next one; None
    where the frames do not tell: behind the occluder, or in no window.
    """

    runs: tuple[ShownRun, ...]
    orders: tuple[tuple[bool | None, ...], ...]
    elapsed_ms: int  # in the first run when the clip begins
    worker: str  # the look, hence the habit
    domain: str
    strength: int  # of the domain, per mille
    occluded: tuple[str, ...]  # surfaces that an occluder hides in all frames
    next_operation: str | None  # once on screen
    windows: tuple[Window, ...] = ()  # of the surfaces that show their signs for a moment only
    swapped: bool = False  # of two surfaces side by side the right one is of the order at hand


def visible(world: World, session: Session, index: int, chosen: Cut) -> VisibleState:
    """Return the state that clip `index` of a session shows; the session's timeline is drawn up to the clip's end."""
    runs = [session.runs[part.run_index] for part in chosen.parts]
    first = runs[0].order
    occluded = _occluded_surfaces(world, session, index)
    segment_end = chosen.label.temporal_segment.end_frame
    shown = tuple(
        ShownRun(run.operation, world.shown_step[run.step], run.order - first, part.start_frame, part.end_frame)
        for run, part in zip(runs, chosen.parts, strict=True)
    )
    windows = tuple(window for window in _windows(world, session, index, shown) if window.surface not in occluded)
    return VisibleState(
        runs=shown,
        orders=_visible_orders(world, session, range(first, runs[-1].order + 1), occluded, windows),
        elapsed_ms=chosen.start_ms - runs[0].start_ms,
        worker=session.worker.name,
        domain=session.domain,
        strength=world.domains[session.domain].strength,
        occluded=occluded,
        next_operation=next((part.operation for part in chosen.parts if part.start_frame == segment_end), None),
        windows=windows,
        swapped=session.swapped,
    )


def seen_in(world: World, state: VisibleState, indices: Sequence[int]) -> VisibleState:
    """Return what these frames alone tell of a clip, to somebody who knows which run the question is about.

    Of a clip whose answer is hidden that run is the last one. Of the runs before it those count that lead up to it
    without one that no frame shows; of a surface with a window, what it shows in one of the frames; of the others, what
    they show while an order is in one of the frames.
    """
    count = 1
    while count < len(state.runs) and _meets(state.runs[-count - 1], indices):
        count += 1
    runs = state.runs[-count:]
    first = runs[0].order
    windows = tuple(window for window in state.windows if _meets(window, indices))
    shown = {(window.surface, window.order) for window in windows}
    with_frame = {run.order for run in state.runs if _meets(run, indices)}

    def known(order: int) -> tuple[bool | None, ...]:
        return tuple(
            value if ((name, order) in shown if world.surfaces[name].window else order in with_frame) else None
            for value, name in zip(state.orders[order], (each.shown_by for each in world.attributes), strict=True)
        )

    return replace(
        state,
        runs=tuple(run._replace(order=run.order - first) for run in runs),
        orders=tuple(known(order) for order in range(first, len(state.orders))),
        windows=tuple(window._replace(order=window.order - first) for window in windows if window.order >= first),
    )


def _meets(part: ShownRun | Window, indices: Sequence[int]) -> bool:
    return any(part.start_frame <= index < part.end_frame for index in indices)


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


def _windows(world: World, session: Session, index: int, runs: Sequence[ShownRun]) -> Iterator[Window]:
    """Yield the windows of a clip: one for each order on screen, and one for the order beside it.

    Length and place are drawn from the noise key, within the frames in which the order is on screen: they tell nothing
    about what the surface says, nor about what follows.
    """
    for surface in world.surfaces.values():
        if surface.window is None:
            continue
        for order in range(runs[-1].order + 1):
            frames = [run for run in runs if run.order == order]
            for beside in range(1 + surface.next_beside):
                least, most = surface.window
                place = (world.key, "noise", session.name, index, surface.name, order, beside)
                length = least + below(most - least + 1, *place, "length")
                span = frames[0].start_frame, frames[-1].end_frame
                start, end = _place(span, length, below(_FINE, *place, "place"))
                yield Window(surface.name, order + beside, start, end)


def _place(span: tuple[int, int], length: int, share: int) -> tuple[int, int]:
    """Return the frames of a window of this length, at `share` / _FINE of the places that it can take in `span`.

    At the clip's first and last frame it may reach beyond the clip by half: what is shown there has begun before, or
    goes on. An order that comes or goes on screen holds its window whole, as far as there is room.
    """
    start, end = span
    first = start - length // 2 if start == 0 else start
    last = end - length + length // 2 if end == CLIP_FRAMES else end - length
    begin = first + (max(0, last - first) + 1) * share // _FINE
    return max(start, begin), min(end, begin + length)


def _visible_orders(
    world: World, session: Session, orders: range, occluded: tuple[str, ...], windows: Sequence[Window]
) -> tuple[tuple[bool | None, ...], ...]:
    """Return the attributes of the orders on screen, and of the next one where it lies beside them."""
    beside = any(surface.next_beside for surface in world.surfaces.values())
    if not occluded and not windows and not beside:
        return tuple(_all_attributes(session.orders[order], len(world.attributes)) for order in orders)
    shown = {(window.surface, window.order) for window in windows}
    found = []
    for place in range(len(orders) + beside):
        seen = {
            name
            for name, surface in world.surfaces.items()
            if name not in occluded
            and ((name, place) in shown if surface.window else place < len(orders) or surface.next_beside)
        }
        mask = session.attributes_of(orders[0] + place)
        found.append(
            tuple(
                bool(mask >> bit & 1) if attribute.shown_by in seen else None
                for bit, attribute in enumerate(world.attributes)
            )
        )
    return tuple(found)


@lru_cache(maxsize=4096)
def _all_attributes(mask: int, count: int) -> tuple[bool | None, ...]:
    return tuple(bool(mask >> bit & 1) for bit in range(count))
