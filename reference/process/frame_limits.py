"""Limits of sampled frames: what a perfect recogniser of single frames achieves, before any model is asked.

Every sampled frame has its true label, every other frame takes that of the nearest sampled one (of two equally near,
the earlier). The labels are then read as a clip's own: dominant operation and longest run as in `cutter`. OCA is the
share of clips whose operation is right, tIoU@0.5 the share with 2 x intersection >= union, in whole frames. Of
the next operation of a hidden clip `foresight` says how well these frames foresee it, in expectation: the mean
probability of the best answer, exact from the process. From all 125 frames that is the ceiling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from reference.process.ceiling import forecast
from reference.process.cutter import Label, join_events, label_clip
from reference.process.visible import VisibleState, seen_in
from reference.process.world import World
from reference.task import CLIP_FRAMES, DEFAULT_INDICES, FRAME_MS, Clip, Run, Segment

ClipState = tuple[Clip, VisibleState]
FORESEEN_FROM = (1, 8, 16, CLIP_FRAMES)
"""Numbers of frames from which the next operation is foreseen; the last is all of them."""
Indices = Sequence[int] | Callable[[ClipState], Sequence[int]]
"""The frames looked at, ascending: the same for all clips, or chosen for each."""


class Limit(NamedTuple):
    """Limits over `clips` clips, as shares in [0, 1]; NaN where there are none."""

    clips: int
    oca: float
    tiou50: float


def frame_limit(shown: Iterable[ClipState], indices: Indices = DEFAULT_INDICES) -> dict[str, Limit]:
    """Return the limits over all clips, the dense ones and the others: keys `all`, `dense`, `not_dense`."""
    hits: dict[str, list[tuple[bool, bool]]] = {"all": [], "dense": [], "not_dense": []}
    for clip, state in shown:
        chosen = indices((clip, state)) if callable(indices) else indices
        hit = check_answer(clip, reconstruct(labels_at(state, chosen), chosen))
        hits["all"].append(hit)
        hits["dense" if clip.dense else "not_dense"].append(hit)
    return {name: _shares(found) for name, found in hits.items()}


def foresight(world: World, shown: Iterable[ClipState], counts: Sequence[int] = FORESEEN_FROM) -> dict[int, float]:
    """Return, for each number of uniform frames, the mean probability of the best answer on hidden clips.

    What the frames tell is `visible.seen_in`. Empty where no clip's next operation is hidden.
    """
    hidden = [state for clip, state in shown if not clip.next_visible]
    return {
        count: sum(forecast(world, seen_in(world, state, indices)).ceiling for state in hidden) / len(hidden)
        for count, indices in ((count, uniform_indices(count)) for count in counts)
        if hidden
    }


def uniform_indices(count: int) -> tuple[int, ...]:
    """Return so many frames from the first to the last, equally far apart; a single one lies in the middle."""
    if count == 1:
        return (CLIP_FRAMES // 2,)
    return tuple((CLIP_FRAMES - 1) * number // (count - 1) for number in range(count))


def labels_at(state: VisibleState, indices: Sequence[int]) -> list[str]:
    """Return the operation on screen at each of these frames."""
    return [next(run.operation for run in state.runs if index < run.end_frame) for index in indices]


def reconstruct(labels: Sequence[str], indices: Sequence[int]) -> Label:
    """Return operation and segment of a clip whose frames take the label of the nearest of `indices` (ascending)."""
    return label_clip(join_events(nearest_events(labels, indices)), 0)


def nearest_events(labels: Sequence[str], indices: Sequence[int]) -> list[Run]:
    """Return one event for each sampled frame: the frames nearest to it."""
    # (low + high) // 2 is the last frame that is not nearer to `high`; one that is equally near to both is among them.
    edges = [0, *((low + high) // 2 + 1 for low, high in pairwise(indices)), CLIP_FRAMES]
    spans = zip(labels, pairwise(edges), strict=True)
    return [Run(label, FRAME_MS * start, FRAME_MS * end) for label, (start, end) in spans]


def check_answer(clip: Clip, answer: Label) -> tuple[bool, bool]:
    """Return (operation right, segment hit)."""
    right = answer.dominant_operation == clip.dominant_operation
    return right, overlaps(clip.temporal_segment, answer.temporal_segment)


def overlaps(truth: Segment, answer: Segment) -> bool:
    """Return whether temporal IoU is at least one half, in integers."""
    shared = min(truth.end_frame, answer.end_frame) - max(truth.start_frame, answer.start_frame)
    union = truth.frames + answer.frames - max(0, shared)
    return 2 * shared >= union  # `shared` is negative for disjoint segments, and then never large enough


def transitions(state: VisibleState) -> list[int]:
    """Return the first frame of each operation that begins on screen."""
    return [run.start_frame for run in state.runs[1:]]


def _shares(hits: Sequence[tuple[bool, bool]]) -> Limit:
    if not hits:
        return Limit(0, float("nan"), float("nan"))
    operation, segment = (sum(column) / len(hits) for column in zip(*hits, strict=True))
    return Limit(len(hits), operation, segment)
