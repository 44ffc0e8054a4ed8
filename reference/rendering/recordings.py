"""A recording with annotations -> clips with pictures: OpenPack's cameras, or any video whose start is known.

Frame f of a clip is what the video shows at the clip's start + 40 f ms: the last video frame whose time is not later,
whatever the video's frame rate, worked out in exact fractions from the frames' own times. The video's first frame was
taken at `start_ms` (Unix time, as the annotations have it). Clips that the video does not cover whole are left out.

Pictures are fitted into the square and padded with black. The video is the user's own: it is decoded in the process
that asks, with wider limits than a clip from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference.errors import RenderError, VideoError
from reference.rendering.sources import OPEN_SPLITS, Job, Pixels
from reference.task import CLIP_FRAMES, FRAME_MS, Clip
from reference.truth.catalog import locate
from reference.truth.imported import session_starts
from reference.truth.openpack import EPOCH
from reference.video.decoders import Limits, inspect, opened
from reference.video.samplers import LUMA_SIDE, luma_of

RECORDING = Limits(side=4096, frames=5_000_000, seconds=24 * 3600)


class Recording:
    """The clips of an imported world that one video shows."""

    def __init__(self, world: str, split: str, home: Path, video: Path, start_ms: int, session: str | None = None):
        origin = locate(world, home)
        if origin.kind != "imported":
            raise RenderError(f"world {world} draws its own pictures; a video belongs to an imported world")
        if split not in origin.splits:
            raise RenderError(f"world {world} has no split {split!r}; it has {', '.join(origin.splits)}")
        content = origin.content(split)
        self.world, self.digest, self.split, self.splits = world, origin.digest, split, origin.splits
        self.operations = tuple(content.operations)
        self.video, self.start_ms = video.absolute(), start_ms
        self.clips = self._shown(list(content.clips), session_starts(world, home), session)
        self.expected = len(self.clips)

    def _shown(self, clips: list[Clip], starts: dict[str, int], session: str | None) -> list[tuple[Clip, int]]:
        """Clips with their start in ms of the video."""
        length_ms = inspect(self.video, RECORDING).seconds * 1000
        sessions = dict.fromkeys(clip.session for clip in clips)
        if session is not None and session not in sessions:
            raise RenderError(f"world {self.world} has no session {session!r}; it has {', '.join(list(sessions)[:20])}")
        timed = [
            (clip, starts.get(clip.session, 0) + clip.start_ms - self.start_ms)
            for clip in clips
            if session in (None, clip.session)
        ]
        last_ms = (CLIP_FRAMES - 1) * FRAME_MS
        shown = [(clip, at) for clip, at in timed if at >= 0 and at + last_ms < length_ms]
        found = {clip.session for clip, _ in shown}
        if not shown:
            raise RenderError(_nothing(self.video, self.world, timed, length_ms))
        if len(found) > 1:
            raise RenderError(f"{self.video}: {', '.join(sorted(found))} fall into its time; name one with --session")
        self.left_out = len(clips) - len(shown)
        return shown

    def jobs(self) -> Iterator[Job]:
        for clip, at in self.clips:
            yield Job(clip.clip_id, clip.session, at, clip if self.split in OPEN_SPLITS else None)

    def frames(self, job: Job, indices: Sequence[int], size: int) -> Pixels:
        instants = [Fraction(job.look + index * FRAME_MS, 1000) for index in indices]
        return np.stack([_fitted(picture, size) for picture in pictures_at(self.video, instants)])

    def luma(self, job: Job) -> NDArray[Any]:
        return luma_of(self.frames(job, range(CLIP_FRAMES), 2 * LUMA_SIDE))


def _nothing(video: Path, world: str, timed: Sequence[tuple[Clip, int]], length_ms: float) -> str:
    span = f"clips begin {min(at for _, at in timed):,} to {max(at for _, at in timed):,} ms after its first frame"
    return f"{video}: shows no whole clip of {world}: by --video-start, {span}, and it lasts {length_ms:,.0f} ms"


def pictures_at(path: Path, instants: Iterable[Fraction]) -> Iterator[Any]:
    """For each instant (seconds after the first frame, rising) the PyAV frame on show. Raises VideoError."""
    waiting = list(instants)
    with opened(path) as (container, stream):
        first = stream.start_time or 0
        _seek(container, stream, first, waiting[0])
        before = None
        for picture in container.decode(stream):
            at = (picture.pts - first) * stream.time_base
            if before is None and at > waiting[0]:
                raise VideoError(f"{path}: shows nothing at {float(waiting[0]):.3f} s; its index is damaged")
            while waiting and at > waiting[0]:
                waiting.pop(0)
                yield before
            if not waiting:
                return
            before = picture
        if before is None:
            raise VideoError(f"{path}: ends before {float(waiting[0]):.3f} s")
        for _ in waiting:  # on the last frame: that the video lasts so long was checked by its header
            yield before


def _seek(container: Any, stream: Any, first: int, instant: Fraction) -> None:
    """To the key frame before; a little earlier, since some files index by decoding time."""
    target = max(Fraction(0), instant - 1)
    container.seek(first + int(target / stream.time_base), stream=stream, backward=True)


def _fitted(picture: Any, size: int) -> Pixels:
    """The whole picture in a square, its sides in proportion."""
    longer = max(picture.width, picture.height)
    width, height = (max(1, side * size // longer) for side in (picture.width, picture.height))
    square = np.zeros((size, size, 3), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    small = picture.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    square[top : top + height, left : left + width] = small.to_ndarray()
    return square


def moment_ms(text: str) -> int:
    """Unix time in ms from an integer of ms, or from ISO 8601 with an offset from UTC. Raises RenderError."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RenderError(f"{text!r} is no time: Unix ms, or ISO 8601 such as 2031-05-06T08:00:00.500+09:00") from None
    if moment.tzinfo is None:
        raise RenderError(f"{text!r} has no offset from UTC, such as +09:00 or Z")
    return (moment - EPOCH) // timedelta(milliseconds=1)
