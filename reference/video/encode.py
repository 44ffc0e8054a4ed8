"""Pictures -> mp4; `read` takes frames from one.

Written files are H.264 (x264, superfast, crf 23, yuv420p, one thread) in MP4, and hold nothing but pictures: no title,
comment, creation time or encoder's name, in the container or in the stream. Equal frames give equal bytes, under any
load and on every x86-64 processor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from reference.errors import VideoError
from reference.extras import needs
from reference.files import write_atomically
from reference.task import FPS
from reference.video.decoders import Pixels, pictures

X264 = {"preset": "superfast", "crf": "23", "threads": "1", "x264-params": "cpu-independent=1"}
"""Without cpu-independent x264's rate control (macroblock tree) goes by the processor, and on one with AVX-512 also by
what lies in freed memory: `mbtree_propagate_list` takes 8 macroblocks at a time and reads beyond a row of, say, 21."""
MUXER = {"fflags": "+bitexact", "movflags": "+faststart"}
BITEXACT = 1 << 23
"""AV_CODEC_FLAG_BITEXACT; with the muxer's flag neither writes its name."""
NO_OPTIONS = "filter_units=remove_types=6"
"""Drops the SEI units, in one of which x264 writes its version and options. Decoded pixels stay the same."""


def write_video(
    path: str | Path, pictures: Iterable[Pixels], size: int | tuple[int, int], fps: int | Fraction = FPS
) -> None:
    """Write uint8 RGB [h, w, 3] frames as an mp4, whole or not at all. `size`: the side, or (width, height), even.

    Raises VideoError for a frame of another shape.
    """
    write_atomically(Path(path), lambda temporary: encode(temporary, pictures, size, fps))


def encode(path: Path, pictures: Iterable[Pixels], size: int | tuple[int, int], fps: int | Fraction = FPS) -> None:
    """Write a video in place: for a path that nobody reads before this function returns. Raises as `write_video`."""
    av = _av()
    width, height = size if isinstance(size, tuple) else (size, size)
    if width % 2 or height % 2:
        raise VideoError(f"{path}: {width} x {height} pixels; H.264 in yuv420p needs even numbers")
    with av.open(str(path), "w", format="mp4", options=MUXER) as container:
        stream = container.add_stream("libx264", rate=fps, options=X264)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= BITEXACT
        container.start_encoding()
        for packet in _packets(av, stream, _check_frames(path, pictures, (height, width, 3))):
            container.mux(packet)


def _packets(av: Any, stream: Any, pictures: Iterable[Pixels]) -> Iterator[Any]:
    from av.bitstream import BitStreamFilterContext

    cleaner = BitStreamFilterContext(NO_OPTIONS, stream)
    for picture in pictures:
        for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
            yield from cleaner.filter(packet)
    for packet in stream.encode():
        yield from cleaner.filter(packet)
    yield from cleaner.filter(None)


def _check_frames(path: Path, pictures: Iterable[Pixels], shape: tuple[int, int, int]) -> Iterator[Pixels]:
    empty = True
    for picture in pictures:
        if picture.shape != shape or picture.dtype != np.uint8:
            raise VideoError(f"{path}: a frame is {picture.dtype} {picture.shape}, expected uint8 {shape}")
        empty = False
        yield np.ascontiguousarray(picture)
    if empty:
        raise VideoError(f"{path}: no frame to write")


def pixel_digest(path: str | Path) -> str:
    """Return the SHA-256, hexadecimal, of all decoded frames: equal for files that differ by encoder version only."""
    total = hashlib.sha256()
    for _, picture in pictures(Path(path)):
        total.update(picture.to_ndarray().tobytes())
    return total.hexdigest()


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise VideoError(needs("a video", error)) from None
    return av
