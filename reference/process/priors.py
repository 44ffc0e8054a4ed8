"""What memory alone achieves: the best constant answers and the usual successors, fitted on training clips.

Constants are the floors' one submission: the majority operation, the constant segment that hits most clips at tIoU >=
0.5, the majority next operation. The transition table T maps an operation to its most frequent next operation; an
unseen operation gets the majority next. A second table maps an operation and the look of the box in the segment's run
(`Clip.look`; Idle keeps the look that it interrupts) to their most frequent next operation; a pair that training does
not hold gets T(operation), which knows less and is never undefined. Of the second and third next operation there is the
majority. Ties go to the earlier operation in canonical order, then to the lowest start, then to the lowest end. A
*fold* is the set of clips that share one fit: a synthetic world has one fit, on its train split; an imported world has
one for each session, on all other sessions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from reference.process.cutter import NEXT_OPERATIONS
from reference.task import CLIP_FRAMES, Clip

_STARTS, _ENDS = np.triu_indices(CLIP_FRAMES + 1, 1)
"""All 7,875 segments, by start, then by end."""

_CHUNK = 256


@dataclass(frozen=True)
class Fit:
    """Fitted answers as codes: positions in the world's canonical order of operations."""

    operation: int
    start_frame: int
    end_frame: int
    next_operation: int
    transition: tuple[int, ...]  # by operation code
    later: tuple[int, ...]  # majority of the second and of the third next operation
    by_look: Mapping[tuple[int, str], int] = field(default_factory=dict)  # (operation code, look) -> next

    def state_next(self, operation: int, look: str | None) -> int | None:
        """Return the usual successor of an operation in a look; None for a clip whose world knows no looks."""
        return None if look is None else self.by_look.get((operation, look), self.transition[operation])


class Counts:
    """Counts of clips that fits are computed from, per group (a session, or everything)."""

    def __init__(self, clips: Sequence[Clip], groups: Sequence[int], operations: Sequence[str]):
        code = {operation: place for place, operation in enumerate(operations)}
        size, total = len(operations), max(groups) + 1
        group = np.asarray(groups)
        operation = np.array([code[clip.dominant_operation] for clip in clips])
        following = np.array([code[clip.next_operation] for clip in clips])
        self.transition = np.zeros((total, size, size), np.int64)
        np.add.at(self.transition, (group, operation, following), 1)
        self.later = np.zeros((total, NEXT_OPERATIONS - 1, size), np.int64)
        for clip, own in zip(clips, groups, strict=True):
            for place, label in enumerate(clip.next_operations[1:]):
                self.later[own, place, code[label]] += 1
        segments = np.array([clip.temporal_segment for clip in clips])
        shown, which = np.unique(segments, axis=0, return_inverse=True)
        hits = np.concatenate([_hits(shown[i : i + _CHUNK]) for i in range(0, len(shown), _CHUNK)])
        counts = np.zeros((total, len(shown)), np.float32)
        np.add.at(counts, (group, which.reshape(-1)), 1)
        self.group_segments, self.hits = counts, hits

    def segment_hits(self, groups: slice | None = None) -> np.ndarray:
        """Return how many clips each constant segment hits, per group `[groups, 7875]`, or over all groups `[7875]`."""
        counts = self.group_segments.sum(axis=0) if groups is None else self.group_segments[groups]
        return counts @ self.hits


def fit(clips: Sequence[Clip], operations: Sequence[str]) -> Fit:
    """Return one fit on all clips."""
    counts = Counts(clips, [0] * len(clips), operations)
    return replace(
        _fit(counts.transition[0], counts.segment_hits(), counts.later[0]), by_look=_usual_by_look(clips, operations)
    )


def _usual_by_look(clips: Sequence[Clip], operations: Sequence[str]) -> dict[tuple[int, str], int]:
    code = {operation: place for place, operation in enumerate(operations)}
    following: dict[tuple[int, str], Counter[int]] = defaultdict(Counter)
    for clip in clips:
        if clip.look is not None:
            following[code[clip.dominant_operation], clip.look][code[clip.next_operation]] += 1
    return {pair: min(counts, key=lambda after: (-counts[after], after)) for pair, counts in following.items()}


def fit_leave_one_out(clips: Sequence[Clip], sessions: Sequence[int], operations: Sequence[str]) -> list[Fit]:
    """Return, by session number (0-based, dense), the fit on the clips of all other sessions."""
    counts = Counts(clips, sessions, operations)
    # All counts minus a session's own are the counts of the others, without counting again for each session. Exact:
    # segment hits are float32 for the speed of a matrix product, and float32 holds all integers up to 2^24.
    transition, hits, later = counts.transition.sum(axis=0), counts.segment_hits(), counts.later.sum(axis=0)
    fits: list[Fit] = []
    for start in range(0, len(counts.transition), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        own = zip(counts.transition[chunk], counts.segment_hits(chunk), counts.later[chunk], strict=True)
        fits += [
            _fit(transition - without, hits - without_hits, later - without_later)
            for without, without_hits, without_later in own
        ]
    return fits


def _hits(segments: np.ndarray) -> np.ndarray:
    """Return which constant segments hit which true ones, `[len(segments), 7875]` as float32: 2 x overlap >= union."""
    start, end = segments[:, :1], segments[:, 1:]
    # The hull stands for the union: they differ for disjoint segments only, whose overlap is negative here.
    overlap = np.minimum(end, _ENDS) - np.maximum(start, _STARTS)
    union = np.maximum(end, _ENDS) - np.minimum(start, _STARTS)
    return (2 * overlap >= union).astype(np.float32)


def _fit(transition: np.ndarray, hits: np.ndarray, later: np.ndarray) -> Fit:
    """Return the fit of these counts; `argmax` takes the first of equals, which is the rule for ties."""
    best, majority = int(hits.argmax()), int(transition.sum(axis=0).argmax())
    usual = np.where(transition.any(axis=1), transition.argmax(axis=1), majority)
    operation = int(transition.sum(axis=1).argmax())
    return Fit(
        operation,
        int(_STARTS[best]),
        int(_ENDS[best]),
        majority,
        tuple(usual.tolist()),
        tuple(later.argmax(axis=1).tolist()),
    )
