"""A recording with annotations -> clips with pictures: OpenPack's cameras, or any video whose start is known.

Frame f of a clip is what the video shows at the clip's start + 40 f ms: the last video frame whose time is not later,
whatever the video's frame rate, computed in exact fractions from the frames' own times. The video's first frame was
taken at `start_ms` (Unix time, like the annotations' times). Clips that the video does not cover whole are left out: it
lasts from its first picture to its last, however long its sound is.

Pictures are turned upright as the video's display matrix says, scaled to fit the square and padded with black. The
video is the user's own: it is decoded in the calling process, with wider limits than a clip of unknown origin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference.errors import RenderError
from reference.rendering.sources import Job, Pixels
from reference.task import CLIP_FRAMES, FRAME_MS, OPEN_SPLITS, Clip
from reference.truth.openpack import EPOCH
from reference.truth.origin import Origin
from reference.truth.truth_rows import fit_of, truth_row
from reference.video.decoders import Limits, shown_seconds
from reference.video.instants import letterbox, pictures_at
from reference.video.samplers import LUMA_SIDE, luma_of

RECORDING = Limits(side=4096, frames=5_000_000, seconds=24 * 3600)


class Recording:
    """Clips of an imported world that videos show.

    `videos` has for each its start in Unix ms and its session, None where the time leaves only one. Raises RenderError
    where a video shows none, or two sessions, or two of them show one clip.
    """

    def __init__(self, origin: Origin, split: str, videos: Sequence[tuple[Path, int, str | None]]):
        if not origin.imported:
            raise RenderError(f"world {origin.name} draws its own pictures; a video belongs to an imported world")
        origin.check_split(split)
        content = origin.content(split)
        self.world, self.digest, self.split, self.splits = origin.name, origin.digest, split, origin.splits
        self.operations, self.meanings = tuple(content.operations), content.meanings
        clips = list(content.clips)
        shown: dict[str, tuple[Path, int]] = {}
        for video, start_ms, session in videos:
            path = video.absolute()
            for clip, at in self._covered(path, start_ms, session, clips, content.starts):
                if clip.clip_id in shown:
                    both = f"{shown[clip.clip_id][0]} and {path}"
                    raise RenderError(f"clip {clip.clip_id} is shown by {both}; two cameras are two renderings")
                shown[clip.clip_id] = path, at
        self.clips = [(clip, *shown[clip.clip_id]) for clip in clips if clip.clip_id in shown]
        self.expected, self.left_out = len(self.clips), len(clips) - len(self.clips)
        fit = fit_of(content)
        known = self.clips if split in OPEN_SPLITS else ()
        self.truths = {clip.clip_id: truth_row(clip, fit(clip), content.operations) for clip, *_ in known}

    def _covered(
        self, video: Path, start_ms: int, session: str | None, clips: list[Clip], starts: Mapping[str, int]
    ) -> list[tuple[Clip, int]]:
        """Return the clips that a video shows whole, each with its start in ms after the video's first frame."""
        length_ms = shown_seconds(video, RECORDING) * 1000
        sessions = dict.fromkeys(clip.session for clip in clips)
        if session is not None and session not in sessions:
            known = ", ".join(list(sessions)[:20])
            raise RenderError(f"{self.world} / {self.split} has no session {session!r}; it has {known}")
        timed = [
            (clip, starts.get(clip.session, 0) + clip.start_ms - start_ms)
            for clip in clips
            if session in (None, clip.session)
        ]
        last_ms = (CLIP_FRAMES - 1) * FRAME_MS
        covered = [(clip, at) for clip, at in timed if at >= 0 and at + last_ms < length_ms]
        recorded = {clip.session for clip, _ in covered}
        if not covered:
            raise RenderError(_not_covered(video, f"{self.world} / {self.split}", timed, length_ms))
        if len(recorded) > 1:
            raise RenderError(f"{video}: {', '.join(sorted(recorded))} fall into its time; name one with --session")
        return covered

    def names(self) -> Iterator[tuple[str, str]]:
        return ((clip.session, clip.clip_id) for clip, *_ in self.clips)

    def jobs(self, chosen: Collection[str] | None = None) -> Iterator[Job]:
        for clip, video, at in self.clips:
            if chosen is not None and clip.clip_id not in chosen:
                continue
            yield Job(clip.clip_id, clip.session, (video, at), self.truths.get(clip.clip_id))

    def frames(self, job: Job, indices: Sequence[int], size: int) -> Pixels:
        video, at = job.scene
        instants = [Fraction(at + index * FRAME_MS, 1000) for index in indices]
        return np.stack([letterbox(video, picture, size) for picture in pictures_at(video, instants)])

    def luma(self, job: Job) -> NDArray[Any]:
        return luma_of(self.frames(job, range(CLIP_FRAMES), 2 * LUMA_SIDE))


def _not_covered(video: Path, world: str, timed: Sequence[tuple[Clip, int]], length_ms: float) -> str:
    span = f"clips begin {min(at for _, at in timed):,} to {max(at for _, at in timed):,} ms after its first frame"
    return f"{video}: shows no whole clip of {world}: by --video-start, {span}, and it lasts {length_ms:,.0f} ms"


def moment_ms(text: str) -> int:
    """Return Unix time in ms from an integer of ms, or from ISO 8601 with an offset from UTC. Raises RenderError."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RenderError(f"{text!r} is no time: Unix ms, or ISO 8601 such as 2031-05-06T08:00:00.500+09:00") from None
    if moment.tzinfo is None:
        raise RenderError(f"{text!r} has no offset from UTC, such as +09:00 or Z")
    return (moment - EPOCH) // timedelta(milliseconds=1)
