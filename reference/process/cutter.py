"""Session timeline -> clips with their truth: the one cutter, for synthetic and imported sessions alike.

A session is a sequence of runs: neighbours touch, differ in operation, and a gap of one frame or more is an `Unknown`
run. All times are integer milliseconds from the session's start. Frame f of a clip that starts at t0 belongs to the
run with start <= t0 + 40 f < end; frames outside every run are `Unknown`.

`dominant_operation` has most frames, all its runs summed; of equals the one with the longer longest run, then the one
that appears first. `temporal_segment` is the longest part inside the clip of one of its runs, of equals the earliest.
`next_operation` is the operation of the session's run after that one. A clip whose run is the session's last, or whose
dominant or next operation is Unknown, is dropped.

The cutter decides about a clip from the timeline up to that clip's last frame, the drop aside: otherwise what was cut
would tell what comes next. Clips of a session do not overlap, and no clip shows a frame of the run that is another
clip's answer and not visible there.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reference.randomness import clip_id, stream
from reference.task import CLIP_FRAMES, CLIP_MS, DENSE_FRAMES, FRAME_MS, UNKNOWN, Clip, Run, Segment

KINDS = ("mid", "boundary", "dense")
LAST_FRAME_MS = CLIP_MS - FRAME_MS
DENSE_MS = DENSE_FRAMES * FRAME_MS
NEXT_OPERATIONS = 3


class Label(NamedTuple):
    """Truth that a clip's own frames decide. `run_index` is -1 where the segment lies outside every run."""

    dominant_operation: str
    temporal_segment: Segment
    run_index: int


class Part(NamedTuple):
    """Frames `[start_frame, end_frame)` of a clip that one run fills; `run_index` is -1 outside every run."""

    run_index: int
    operation: str
    start_frame: int
    end_frame: int

    @property
    def frames(self) -> int:
        """Return the number of frames."""
        return self.end_frame - self.start_frame


class Cut(NamedTuple):
    """Accepted clip: the start of its window, its kind in CutPlan, the parts of runs in it, and its label."""

    start_ms: int
    kind: str
    parts: list[Part]
    label: Label


@dataclass(frozen=True)
class CutPlan:
    """Shares of the kinds of clips (integer weights), and their distances from a run's start (milliseconds).

    At each start of a run one kind is drawn. "mid": a window wholly inside the run, `offset_ms` after its start.
    "boundary": a window that begins `lead_ms` before it. "dense": a window around the short run that has just ended,
    kept when its segment has at most 62 frames.
    """

    mid: int
    boundary: int
    dense: int
    offset_ms: tuple[int, int] = (0, 2000)
    lead_ms: tuple[int, int] = (1000, 4000)

    def kind(self, share: float) -> str:
        """Return the kind at `share` in [0, 1) of the weights."""
        ticket = int(share * (self.mid + self.boundary + self.dense))
        return KINDS[(ticket >= self.mid) + (ticket >= self.mid + self.boundary)]


DEFAULT_PLAN = CutPlan(mid=1, boundary=2, dense=2)
"""For imported sessions, which are short of runs: every start of a run is worth a try."""


def join_events(events: Iterable[Run]) -> list[Run]:
    """Return a session's runs from events in time order.

    Equal neighbours are merged, and a gap of a frame or more becomes an `Unknown` run. A shorter gap is a matter of
    rounding and goes to the event before it. Raises ValueError where an event is empty or begins before the one before
    it has ended.
    """
    runs: list[Run] = []
    for event in events:
        if event.end_ms <= event.start_ms:
            raise ValueError(f"{event.operation} at {event.start_ms} ms has no duration")
        if runs:
            _bridge(runs, event)
        _append(runs, event.operation, event.start_ms, event.end_ms)
    return runs


def _bridge(runs: list[Run], event: Run) -> None:
    last = runs[-1]
    gap = event.start_ms - last.end_ms
    if gap < 0:
        raise ValueError(f"{event.operation} at {event.start_ms} ms begins before {last.operation} ends")
    if gap >= FRAME_MS:
        _append(runs, UNKNOWN, last.end_ms, event.start_ms)
    elif gap:
        runs[-1] = Run(last.operation, last.start_ms, event.start_ms)


def _append(runs: list[Run], operation: str, start_ms: int, end_ms: int) -> None:
    if runs and runs[-1].operation == operation:
        runs[-1] = Run(operation, runs[-1].start_ms, end_ms)
    else:
        runs.append(Run(operation, start_ms, end_ms))


def visible_parts(runs: Sequence[Run], start_ms: int) -> list[Part]:
    """Return the parts of the clip at `start_ms` in time order; together they fill all 125 frames."""
    index = max(0, bisect_right(runs, start_ms, key=_start) - 1)
    parts: list[Part] = []
    frame = 0
    while frame < CLIP_FRAMES and index < len(runs):
        run = runs[index]
        # The first frame f with start_ms + 40 f >= t is ceil((t - start_ms) / 40), written as -((start_ms - t) // 40):
        # floor division keeps it exact for runs that began before the clip, too.
        first = -((start_ms - run.start_ms) // FRAME_MS)
        end = min(CLIP_FRAMES, -((start_ms - run.end_ms) // FRAME_MS))
        if first > frame:
            parts.append(Part(-1, UNKNOWN, frame, min(first, CLIP_FRAMES)))
            frame = parts[-1].end_frame
        if end > frame:
            parts.append(Part(index, run.operation, frame, end))
            frame = end
        index += 1
    if frame < CLIP_FRAMES:
        parts.append(Part(-1, UNKNOWN, frame, CLIP_FRAMES))
    return parts


def label_clip(runs: Sequence[Run], start_ms: int) -> Label:
    """Return the label of the 125 frames that start at `start_ms`."""
    return _label(visible_parts(runs, start_ms))


def _label(parts: list[Part]) -> Label:
    totals: dict[str, int] = {}
    longest: dict[str, Part] = {}
    for part in parts:
        operation = part.operation
        totals[operation] = totals.get(operation, 0) + part.frames
        if operation not in longest or part.frames > longest[operation].frames:
            longest[operation] = part
    dominant = max(totals, key=lambda operation: (totals[operation], longest[operation].frames))
    part = longest[dominant]
    return Label(dominant, Segment(part.start_frame, part.end_frame), part.run_index)


def cut(runs: Iterable[Run], plan: CutPlan, rng: random.Random, limit: int | None = None) -> Iterator[Cut]:
    """Yield cuts in time order, at most `limit`; `runs` is read only as far as needed, so it may be endless.

    Two numbers are drawn from `rng` at each start of a run, used or not.
    """
    cutter = _Cutter(runs)
    index = found = 0
    while found != limit and cutter.has(index):
        kind = plan.kind(rng.random())
        start_ms = cutter.aim(kind, plan, index, rng.random())
        chosen = None if start_ms is None else cutter.accept(kind, index, start_ms)
        index += 1
        if chosen is not None:
            found += 1
            cutter.release(chosen)
            index = cutter.free_index(index)
            yield chosen


class _Cutter:
    """Runs read so far, and two times: no clip may start before `free_ms` or end before `seen_ms`.

    `seen_ms` keeps decisions causal: a rejected window has been looked at up to its end, and a clip that ended earlier
    would have been chosen by its future.
    """

    def __init__(self, runs: Iterable[Run]):
        self.source = iter(runs)
        self.runs: list[Run] = []
        self.free_ms = 0
        self.seen_ms = 0

    def has(self, index: int) -> bool:
        """Read runs up to `index`; return whether there is one."""
        while len(self.runs) <= index:
            run = next(self.source, None)
            if run is None:
                return False
            self.runs.append(run)
        return True

    def covers(self, ms: int) -> bool:
        """Read runs until one ends after `ms`; return whether there is one."""
        while not self.runs or self.runs[-1].end_ms <= ms:
            if not self.has(len(self.runs)):
                return False
        return True

    def aim(self, kind: str, plan: CutPlan, index: int, share: float) -> int | None:
        """Return the start of the window that this kind wants at the start of run `index`, or None."""
        run = self.runs[index]
        if kind == "mid":
            start_ms = max(run.start_ms, self.free_ms) + _between(plan.offset_ms, share)
        elif kind == "boundary":
            start_ms = run.start_ms - _between(plan.lead_ms, share)
        else:
            start_ms = self._aim_dense(index, share)
        # A window that ends before `seen_ms` would be chosen by what happens after it, see the class.
        allowed = start_ms >= self.free_ms and start_ms + LAST_FRAME_MS >= self.seen_ms
        return start_ms if allowed else None

    def _aim_dense(self, index: int, share: float) -> int:
        """Return the start of a window around the run before `index`, or -1 where that run is not short.

        The window leaves at most 62 frames to either neighbour, so that the short run can be its segment.
        """
        short = self.runs[index - 1] if index else None
        if short is None or short.end_ms - short.start_ms > DENSE_MS:
            return -1
        # With a lead of L and a run of length D the neighbours show L and 5000 - L - D ms. Both stay within 62 frames
        # (2480 ms) for 2520 - D <= L <= 2480. A run shorter than a frame leaves no such L: accept() checks again.
        return short.start_ms - _between((DENSE_MS + FRAME_MS - (short.end_ms - short.start_ms), DENSE_MS), share)

    def accept(self, kind: str, index: int, start_ms: int) -> Cut | None:
        """Return the window as a cut, or None where it is not of this kind or must be dropped."""
        end = start_ms + LAST_FRAME_MS
        if kind == "mid" and self.runs[index].end_ms <= end:
            # The run does not fill the window. That is known when it ends, so no later time counts as looked at.
            self.seen_ms = max(self.seen_ms, self.runs[index].end_ms)
            return None
        if not self.covers(end):
            return None
        self.seen_ms = max(self.seen_ms, end)
        parts = visible_parts(self.runs, start_ms)
        label = _label(parts)
        if kind == "dense" and label.temporal_segment.frames > DENSE_FRAMES:
            return None
        return None if self._dropped(label) else Cut(start_ms, kind, parts, label)

    def _dropped(self, label: Label) -> bool:
        if label.dominant_operation == UNKNOWN or not self.has(label.run_index + 1):
            return True
        return self.runs[label.run_index + 1].operation == UNKNOWN

    def release(self, chosen: Cut) -> None:
        """Reserve the time of a cut, and that of its next operation's run where the cut does not show it."""
        self.free_ms = chosen.start_ms + CLIP_MS
        # An answer that is not on screen must not be on screen elsewhere: no later clip shows a frame of its run.
        if chosen.label.temporal_segment.end_frame == CLIP_FRAMES:
            self.free_ms = max(self.free_ms, self.runs[chosen.label.run_index + 1].end_ms)

    def free_index(self, index: int) -> int:
        """Return the first run from `index` on that ends after the reserved time."""
        while self.has(index) and self.runs[index].end_ms <= self.free_ms:
            index += 1
        return index


def session_clips(
    session: str, runs: Sequence[Run], plan: CutPlan, key: bytes, limit: int | None = None
) -> Iterator[Clip]:
    """Yield the clips of an imported session: no domain, process or ceiling.

    `key` is the world's; times as in `runs`.
    """
    for index, chosen in enumerate(cut(runs, plan, stream(key, "cut", session), limit)):
        yield make_clip(key, session, index, chosen, runs)


def make_clip(key: bytes, session: str, index: int, chosen: Cut, runs: Sequence[Run], **facts) -> Clip:
    """Return the truth row of a cut; `facts` are the fields that only a synthetic world knows."""
    operation, segment, run = chosen.label
    following = tuple(after.operation for after in runs[run + 1 : run + 1 + NEXT_OPERATIONS])
    return Clip(
        clip_id=clip_id(key, session, index),
        session=session,
        clip_index=index,
        start_ms=chosen.start_ms,
        dominant_operation=operation,
        temporal_segment=segment,
        next_operation=following[0],
        previous_operation=runs[run - 1].operation if run else None,
        next_operations=following,
        cut_kind=chosen.kind,
        **facts,
    )


def _between(span: tuple[int, int], share: float) -> int:
    return span[0] + int(share * (span[1] - span[0]))


def _start(run: Run) -> int:
    return run.start_ms
