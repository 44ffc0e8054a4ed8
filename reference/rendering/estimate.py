"""What a rendering will take, said before it begins: bytes and seconds of a few of its clips, times their number.

The sampled clips are spread over the first sessions, which the domains rotate over. They are rendered into memory or a
temporary folder as they will be later; what differs is what containers add (shards), and other work on the machine.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from reference.errors import RenderError
from reference.rendering.request import Request
from reference.rendering.sources import Job
from reference.rendering.writers import Writer
from reference.task import CLIP_FRAMES
from reference.video.encode import encode

FEW_CLIPS = 64
"""Up to this many clips nothing is announced: they are there before a sentence is read."""

WINDOW, SAMPLE, VIDEO_EVERY = 180, 9, 40
"""Clips that the sample is taken from, and its size: of warehouse-v2 one clip of each of nine sessions in nine domains,
of which some take ten times the bytes of others. Of videos, which take longer, at most one in so many clips."""


class Estimate(NamedTuple):
    """Size of a rendering before it is made. `seconds`: of one process."""

    clips: int
    pictures: int  # files or members; 0 where each clip is a video
    bytes: int
    seconds: float
    sampled: int


def estimate(writer: Writer, clips: int | None = None) -> Estimate | None:
    """Return what a rendering of so many clips will take; None where it is small. Draws a few clips of its source.

    `clips`: by default as many as source and request allow.
    """
    request, source = writer.request, writer.source
    clips = clips or min(source.expected, request.limit or source.expected)
    if clips <= FEW_CLIPS:
        return None
    jobs = list(islice(source.jobs(), min(clips, WINDOW)))
    count = max(1, min(SAMPLE, clips // VIDEO_EVERY)) if request.form == "video" else SAMPLE
    chosen = [jobs[(2 * place + 1) * len(jobs) // (2 * count)] for place in range(count)]
    writer.source.frames(chosen[0], [0], request.size)  # loads libraries, which is not part of a clip's time
    begun = time.monotonic()
    sizes = [_size(writer, job) for job in chosen]
    seconds = (time.monotonic() - begun) / count
    pictures = 0 if request.form == "video" else clips * request.frames
    return Estimate(clips, pictures, sum(sizes) * clips // count, seconds * clips, count)


def check_room(folder: Path, planned: Estimate) -> int:
    """Return the free bytes where `folder` is to be. Raises RenderError where the rendering will not fit."""
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(place).free
    if free < planned.bytes:
        raise RenderError(
            f"{folder}: the rendering takes about {planned.bytes / 1e9:,.1f} GB, {free / 1e9:,.1f} GB are free there; "
            "choose another folder, or --limit, --size or --frames"
        )
    return free


def _size(writer: Writer, job: Job) -> int:
    """Return the bytes of one clip's files."""
    request: Request = writer.request
    if request.form != "video":
        return sum(map(len, writer.pictures(job, writer.indices(job))))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "clip.mp4"
        encode(path, writer.source.frames(job, range(CLIP_FRAMES), request.size), request.size)
        return path.stat().st_size
