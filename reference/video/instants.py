"""mp4 -> the pictures that are on show at given times, as upright squares: clips are cut out of videos of any rate.

On show at a time is the last frame whose own time is not later, computed in exact fractions from the frames' own times,
so that a variable rate and frames that are missing do no harm. Times count from the video's first picture.

`read.squares` reads files of unknown origin in a child process; everything here runs in the calling one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from reference.errors import VideoError
from reference.video.decoders import Limits, Pixels, inspect, open_video, upright


def squares(path: Path, instants_ms: Sequence[int], size: int, limits: Limits) -> Pixels:
    """Return the pictures on show at these times, rising, as uint8 RGB [n, size, size, 3].

    Raises VideoError for a file that breaks a limit or cannot be decoded; may crash or hang on a damaged file.
    """
    inspect(path, limits)
    instants = [Fraction(instant, 1000) for instant in instants_ms]
    return np.stack([letterbox(path, picture, size) for picture in pictures_at(path, instants)])


def pictures_at(path: Path, instants: Iterable[Fraction]) -> Iterator[Any]:
    """Yield the PyAV frame on show at each instant (seconds after the first frame, rising). Raises VideoError."""
    waiting = list(instants)
    with open_video(path) as (container, stream):
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
        for _ in waiting:  # the last frame stays on show to the end of the video; the header says how long that is
            yield before


def _seek(container: Any, stream: Any, first: int, instant: Fraction) -> None:
    """Move the container to the last key frame at or before an instant.

    One second of margin, because some files index key frames by decoding time, which is earlier than display time.
    """
    target = max(Fraction(0), instant - 1)
    container.seek(first + int(target / stream.time_base), stream=stream, backward=True)


def letterbox(path: Path, picture: Any, size: int) -> Pixels:
    """Return the whole PyAV frame, upright, in a square [size, size, 3], in proportion, padded with black."""
    width, height = fitted(picture.width, picture.height, size)
    reduced = picture.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray()
    return in_square(upright(path, picture, reduced), size)


def fitted(width: int, height: int, size: int) -> tuple[int, int]:
    """Return width and height in proportion, the longer one `size`."""
    longer = max(width, height)
    return max(1, width * size // longer), max(1, height * size // longer)


def in_square(picture: Pixels, size: int) -> Pixels:
    """Return a picture whose sides are at most `size` in the middle of a black square [size, size, 3]."""
    square = np.zeros((size, size, 3), np.uint8)
    top, left = ((size - side) // 2 for side in picture.shape[:2])
    square[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return square
