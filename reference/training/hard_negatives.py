"""Hard negatives: for each training clip one that looks alike and continues otherwise because of a visible attribute.

Two clips are a pair when, up to the end of the segment, they show the same steps by workers of the same habit, with
segments that begin and end within `tolerance` frames of each other; when the next operation of each is the most
probable one given its frames up to there (so neither continues by chance); and when these differ. Then the orders'
signs in the frames are the one thing that can make the difference; `attributes` names what differs in the segment's
order.

The most alike is taken: by the number of attributes that differ, then the same worker, the same domain, the segments'
distance, the clip's id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from reference.process.ceiling import forecast
from reference.process.split import session_states
from reference.process.visible import VisibleState, seen_in
from reference.process.world import World
from reference.task import Clip

TOLERANCE = 5


class Negative(NamedTuple):
    """Pair of clips that look alike: `clip_id` is followed by `next_operation`, `negative_id` by `negative_next`."""

    clip_id: str
    negative_id: str
    next_operation: str
    negative_next: str
    attributes: tuple[str, ...]  # visible in one clip and not in the other


class _Entry(NamedTuple):
    clip: Clip
    worker: str
    shown: tuple[bool | None, ...]  # attributes of the segment's order


def hard_negatives(world: World, split: str = "train", tolerance: int = TOLERANCE) -> dict[str, Negative]:
    """Return clip id -> its negative, for the clips of a split that have one."""
    sessions = range(world.split(split).sessions)
    return pair_clips(world, (pair for index in sessions for pair in session_states(world, split, index)), tolerance)


def pair_clips(
    world: World, states: Iterable[tuple[Clip, VisibleState]], tolerance: int = TOLERANCE
) -> dict[str, Negative]:
    """Return clip id -> its negative among these clips."""
    habits = {worker.name: worker.habit for worker in world.workers}
    alike: dict[tuple, list[_Entry]] = {}
    for clip, state in states:
        past = until_segment_ends(world, clip, state)
        if forecast(world, past).oracle_next == clip.next_operation:
            steps = tuple((run.step, run.operation, run.order) for run in past.runs)
            entry = _Entry(clip, state.worker, past.orders[past.runs[-1].order])
            alike.setdefault((habits[state.worker], steps), []).append(entry)
    found = (_nearest(world, entry, group, tolerance) for group in alike.values() for entry in group)
    return {negative.clip_id: negative for negative in found if negative is not None}


def until_segment_ends(world: World, clip: Clip, state: VisibleState) -> VisibleState:
    """Return the state before the next operation: the runs up to the segment's, and what was shown by then."""
    end = clip.temporal_segment.end_frame
    beside = len(state.orders) - state.runs[-1].order - 1
    runs = tuple(run for run in state.runs if run.start_frame < end)
    orders = state.orders[: runs[-1].order + 1 + beside]
    windows = tuple(window for window in state.windows if window.order < len(orders))
    return seen_in(world, replace(state, runs=runs, orders=orders, windows=windows, next_operation=None), range(end))


def _nearest(world: World, entry: _Entry, group: list[_Entry], tolerance: int) -> Negative | None:
    ranked = [(_distance(entry, other), other) for other in group if _fits(entry, other, tolerance)]
    if not ranked:
        return None
    other = min(ranked, key=lambda pair: pair[0])[1]
    names = tuple(world.attributes[place].name for place in _differing(entry, other))
    clip, there = entry.clip, other.clip
    return Negative(clip.clip_id, there.clip_id, clip.next_operation, there.next_operation, names)


def _differing(entry: _Entry, other: _Entry) -> list[int]:
    """Return the places of the attributes that are visibly present in one clip and visibly absent in the other."""
    pairs = enumerate(zip(entry.shown, other.shown, strict=True))
    return [place for place, pair in pairs if None not in pair and pair[0] != pair[1]]


def _fits(entry: _Entry, other: _Entry, tolerance: int) -> bool:
    here, there = entry.clip.temporal_segment, other.clip.temporal_segment
    near = max(abs(here.start_frame - there.start_frame), abs(here.end_frame - there.end_frame)) <= tolerance
    return near and entry.clip.next_operation != other.clip.next_operation and bool(_differing(entry, other))


def _distance(entry: _Entry, other: _Entry) -> tuple[int, bool, bool, int, str]:
    here, there = entry.clip.temporal_segment, other.clip.temporal_segment
    apart = abs(here.start_frame - there.start_frame) + abs(here.end_frame - there.end_frame)
    elsewhere = entry.clip.domain != other.clip.domain
    return len(_differing(entry, other)), entry.worker != other.worker, elsewhere, apart, other.clip.clip_id
