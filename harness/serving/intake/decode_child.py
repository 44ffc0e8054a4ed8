"""Decoding of one clip inside a child process: an mp4, or pictures with times, as the squares that a model wants.

Runs in the child of `decoding`; what is raised or crashes here costs nobody else anything.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.prediction.own_clips.clip_files import square_of
from harness.prediction.predictor import Wants
from harness.serving.limits import CLIP_SECONDS
from reference.errors import RenderError, VideoError
from reference.task import CLIP_FRAMES, CLIP_MS, DEFAULT_SAMPLER, FPS, FRAME_MS
from reference.video import sandbox
from reference.video.decoders import Limits, Pixels, shown_seconds
from reference.video.instants import squares
from reference.video.samplers import LUMA_SIDE, SAMPLERS, luma_of, uniform_indices

Facts = dict[str, Any]


def video(path: Path, limits: Limits, request: dict[str, Any]) -> tuple[Facts, Pixels]:
    """Return the frames of an mp4 that a model wants, and their indices. Raises VideoError."""
    wants, (least, most) = Wants(*request["wants"]), CLIP_SECONDS
    seconds = shown_seconds(path, limits)
    if not least <= seconds <= most:
        raise VideoError(f"the video lasts {seconds:.1f} s, a clip {CLIP_MS / 1000:g} s")
    indices = _indices(wants, lambda size: squares(path, _instants(range(CLIP_FRAMES)), size, limits))
    return {"indices": list(indices)}, squares(path, _instants(indices), wants.size, limits)


def pictures(path: Path, limits: Limits, request: dict[str, Any]) -> tuple[Facts, Pixels]:
    """Return the pictures that a model wants of those in the file, `sizes` bytes each, and their indices.

    Of more than it wants, evenly spread ones; of fewer, those on show at the frames that it wants. Raises VideoError.
    """
    wants, times = Wants(*request["wants"]), request["times"]
    content, ends = path.read_bytes(), np.cumsum([0, *request["sizes"]]).tolist()
    parts = [content[start:end] for start, end in pairwise(ends)]
    own = [min(CLIP_FRAMES - 1, round(second * FPS)) for second in times]
    if len(parts) >= wants.frames:
        places = uniform_indices(len(parts), wants.frames)
        indices: Sequence[int] = [own[place] for place in places]
    else:
        indices = uniform_indices(CLIP_FRAMES, wants.frames)
        places = tuple(max(0, int(np.searchsorted(own, index, "right")) - 1) for index in indices)
    found = dict[int, NDArray[np.uint8]]()
    for place, part in enumerate(parts):  # also those that are not shown: a damaged one is none to pass over
        try:
            square = square_of(part, wants.size, f"picture {place + 1}", limits.side)
        except RenderError as error:
            raise VideoError(str(error)) from None
        if place in places:
            found[place] = square
    return {"indices": list(indices)}, np.stack([found[place] for place in places])


def serve() -> None:
    """Answer requests of the parent until it closes the pipe."""
    with contextlib.suppress(ImportError):
        importlib.import_module("av")  # now, and not while the first video waits
    sandbox.serve({"video": video, "pictures": pictures, "ready": _ready})


def _ready(path: Path, limits: Limits, request: dict[str, Any]) -> tuple[Facts, Pixels]:
    return {}, np.empty(0, np.uint8)


def _indices(wants: Wants, show: Any) -> tuple[int, ...]:
    """Return the frames that a sampler chooses, which looks at small pictures of all of them unless it is uniform."""
    if wants.sampler == DEFAULT_SAMPLER:
        return uniform_indices(CLIP_FRAMES, wants.frames)
    return SAMPLERS[wants.sampler](luma_of(show(2 * LUMA_SIDE)), wants.frames)


def _instants(indices: Sequence[int]) -> list[int]:
    return [index * FRAME_MS for index in indices]
