"""The task: what a clip is, what a model answers, and which labels exist. Standard library only.

Clip geometry: 125 frames at 25 fps, one frame every 40 ms. Frame indices are 0-based and local to the clip. A segment
is `[start_frame, end_frame)`, end-exclusive, with 0 <= start < end <= 125.

`dominant_operation` has the most frames in the clip; `temporal_segment` is the longest part inside the clip of one run
of it; `next_operation` is the operation of the session's run after that one, whether on screen or not.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

DEFAULT_WORLD, DEFAULT_SPLIT = "warehouse-v2", "test"
"""World and split of every command and function that names none."""

OPEN_SPLITS = ("train", "validation")
"""Splits to learn from: their truth is published, and renderings keep the order of their sessions."""

FPS = 25
CLIP_FRAMES = 125
FRAME_MS = 1000 // FPS
CLIP_MS = CLIP_FRAMES * FRAME_MS
MAX_CLIP_FRAMES, MAX_FPS = 1_000, 200  # of answers and truth that count other frames

DEFAULT_FRAMES, DEFAULT_SAMPLER, DEFAULT_SIZE = 8, "uniform", 336
"""Frames of a clip that a model sees by default, their sampler, and the side of a picture in pixels."""

DEFAULT_INDICES = tuple(place * (CLIP_FRAMES - 1) // (DEFAULT_FRAMES - 1) for place in range(DEFAULT_FRAMES))
"""floor(linspace(0, 124, 8)): the frames that the uniform sampler takes by default."""

DENSE_FRAMES = 62
"""A clip is dense when its segment has at most this many frames: only then does "the whole clip" miss tIoU@0.5."""

SATURATED_SHARE = Fraction(9, 10)
"""tIoU@0.5 is saturated where "the whole clip" hits this share of the clips: what is left of it, weighted by its 0.30,
can move the composite by no more than .03, the margin within which two models count as equivalent."""

OPERATIONS = (
    "Box Setup",
    "Inner Packing",
    "Tape",
    "Put Items",
    "Pack",
    "Wrap",
    "Label",
    "Final Check",
    "Idle",
    "Unknown",
)
"""The canonical order. Ties are broken in it, tables are printed in it, truth stores positions in it as codes."""

MEANINGS = {
    "Box Setup": "a flat box is unfolded and its flaps are set up",
    "Inner Packing": "padding or void fill is put into the box",
    "Tape": "the box, or its bottom, is closed with tape",
    "Put Items": "ordered items are brought onto the table or added to the box from the crate",
    "Pack": "items are moved from the table into the box",
    "Wrap": "an item or the box is wrapped in paper",
    "Label": "a label is printed and stuck on the box",
    "Final Check": "contents or label are checked with list and scanner",
    "Idle": "the worker is interrupted and does none of these",
}
"""Meaning of each operation, for a model's prompt and for people."""

UNKNOWN = "Unknown"

NEXT_NAMES = ("next_operation", "anticipated_next_operation")
"""Names of the field that holds the next operation, in truth and in predictions; the first is the usual one."""


class Segment(NamedTuple):
    """Interval `[start_frame, end_frame)` within a clip; frames are 0-based, the end is exclusive."""

    start_frame: int
    end_frame: int

    @property
    def frames(self) -> int:
        """Return the segment's length in frames."""
        return self.end_frame - self.start_frame


@dataclass(frozen=True, slots=True)
class Run:
    """One uninterrupted operation of a session, in milliseconds from the session's start, end-exclusive.

    In a session's list of runs neighbours touch (a gap is an `Unknown` run) and always differ in operation.
    """

    operation: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip with its truth, a row of the truth store. A field is None where the world cannot know its value."""

    clip_id: str
    session: str
    clip_index: int  # 0-based, in time order within the session
    start_ms: int  # of frame 0, from the session's start
    dominant_operation: str
    temporal_segment: Segment
    next_operation: str
    previous_operation: str | None  # of the run before the segment's run
    next_operations: tuple[str, ...]  # up to three runs after the segment's run; the first is next_operation
    cut_kind: str  # "mid", "boundary" or "dense": where the cutter tried to place the clip
    domain: str | None = None
    domain_seen: bool | None = None  # the train split holds this domain
    worker: str | None = None
    randomised: bool | None = None  # the session was drawn from the flattened grammar
    off_script: bool | None = None  # next_operation is not the process's most probable successor of the operation
    ceiling: float | None = None  # max over k of P(next = k | VisibleState)
    oracle_next: str | None = None  # the k that reaches the ceiling, ties in canonical order
    look: str | None = None  # step of the segment's run, by the first step of its operation that looks the same
    next_ppm: tuple[int, ...] | None = None  # P(next = k | VisibleState) in millionths, by operation
    later_ceilings: tuple[float, ...] | None = None  # the same of the second and third next operation
    later_oracle: tuple[str, ...] | None = None  # the answers that reach them
    frames_hit: bool | None = None  # tIoU >= 0.5 for perfect labels of the default frames (frame_limits)

    @property
    def next_visible(self) -> bool:
        """Return whether the segment ends before the clip does, so that the next operation is on screen."""
        return self.temporal_segment.end_frame < CLIP_FRAMES

    @property
    def dense(self) -> bool:
        """Return whether "the whole clip" as answer misses the segment at tIoU@0.5."""
        return self.temporal_segment.frames <= DENSE_FRAMES


def saturation_note(whole_clip_share: float) -> str | None:
    """Return a warning where "the whole clip" as segment hits so many clips that tIoU@0.5 says little, else None."""
    if whole_clip_share < SATURATED_SHARE:
        return None
    return f"the whole clip as segment hits {whole_clip_share:.0%} at tIoU@0.5: this metric says little here"


def normalise_label(text: str) -> str:
    """Return a label as it is looked up: without regard to case, outer spaces, and `_`, `-` or runs of spaces.

    Composed and decomposed letters are the same letters (Unicode's NFC).
    """
    folded = " ".join(text.replace("_", " ").replace("-", " ").split()).casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFC", folded)


def frame_table(fps: float | None, clip_frames: int | None) -> tuple[Fraction, list[int]]:
    """Return the frame rate of a file, and for each of its frames 0..clip_frames the nearest one at 25 fps.

    Of rate and length the missing one follows from the clip's 5 seconds. Raises ValueError where they do not fit.
    """
    if fps is not None and not (math.isfinite(fps) and 0 < fps <= MAX_FPS):
        raise ValueError(f"--fps {fps:g}: expected a frame rate above 0 and at most {MAX_FPS}")
    if clip_frames is not None and not 0 < clip_frames <= MAX_CLIP_FRAMES:
        raise ValueError(f"--clip-frames {clip_frames}: expected 1 to {MAX_CLIP_FRAMES:,}")
    seconds = Fraction(CLIP_FRAMES, FPS)
    rate = Fraction(str(fps)) if fps is not None else Fraction(clip_frames or CLIP_FRAMES) / seconds
    frames = clip_frames or round_half_up(rate * seconds)
    table = [round_half_up(Fraction(frame * FPS) / rate) for frame in range(frames + 1)]
    if table[-1] > CLIP_FRAMES:
        raise ValueError(f"{frames} frames at {float(rate):g} fps are longer than a clip of {float(seconds):g} s")
    return rate, table


def round_half_up(number: Fraction | float) -> int:
    """Round to the nearest integer, half up: floor(x + 1/2), which SQL computes alike (Python rounds half to even)."""
    return math.floor(number + (Fraction(1, 2) if isinstance(number, Fraction) else 0.5))
