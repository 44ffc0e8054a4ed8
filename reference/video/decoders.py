"""mp4 -> chosen frames, in this process: the header's check, and one small table of decoders.

Only regular files are opened, only as MP4 or MOV: other text and containers could make a demuxer open further files.
What the header says is held against `Limits` before a frame is decoded. PyAV is the default, `decord` and OpenCV are
backends for files that one trusts; for all of them the header is read by PyAV, and all must agree on the frame count.
Frames are uint8 RGB [n, h, w, 3], upright: a turn by quarters that the track's display matrix asks for (phones) is
applied, by PyAV here, by the others on their own; other matrices are refused. Every refusal is a VideoError that names
the file.

A damaged file can crash or hang a decoder: files of unknown origin go through `reference.video.sandbox`.
"""

from __future__ import annotations

import importlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reference.errors import VideoError
from reference.extras import needs
from reference.task import DEFAULT_FRAMES, DEFAULT_SAMPLER
from reference.video.samplers import SAMPLERS, reduce_luma, uniform_indices

Pixels = NDArray[np.uint8]
BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
"""What an MP4 or MOV file can begin with, after four bytes of length."""
OTHERS = (
    (b"ffconcat", "an ffconcat list"), (b"#EXTM3U", "an HLS playlist"), (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"), (b"GIF8", "a GIF picture"), (b"RIFF", "a RIFF file (AVI, WAV or WebP)"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM file"), (b"ID3", "an MP3 file"), (b"OggS", "an Ogg file"),
)  # fmt: skip
EIGHT_BIT = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"}
"""Pixel formats whose first plane is luma, a byte a pixel."""
TURNS = {(1, 0, 0, 1): 0, (0, 1, -1, 0): -1, (-1, 0, 0, -1): 2, (0, -1, 1, 0): 1}
"""Display matrices, scale apart, by the quarter turns against the clock that they ask for."""
UNIT = 1 << 16
"""1.0 in a display matrix, which holds fixed-point numbers."""
TAIL_S = 2
"""Seconds before a track's end from which its last packets are read; a key frame before that is read from."""
HELD_BYTES = 256 << 20
"""Decoded frames are kept while a sampler looks at them, up to this; a larger video is decoded twice."""


class Limits(NamedTuple):
    """Largest values that a header may announce."""

    side: int = 4096
    frames: int = 10_000
    seconds: int = 3600


LIMITS = Limits()


class Header(NamedTuple):
    """Header of a video; its packets are counted where it announces no number of frames.

    `seconds` is the span of the pictures, from the first one to the end of the last one, however long the sound is.
    """

    width: int
    height: int
    frames: int
    seconds: float


class Wanted(NamedTuple):
    """Frames to decode: n sampled ones, or those at `indices`, sorted and different."""

    n: int = DEFAULT_FRAMES
    sampler: str = DEFAULT_SAMPLER
    indices: tuple[int, ...] | None = None


class Decoder(NamedTuple):
    """Backend for decoding. `count`: frames by its own account. `read`: the frames at sorted, different indices."""

    count: Callable[[Path], int]
    read: Callable[[Path, Sequence[int]], Pixels]


def decode(path: Path, wanted: Wanted, decoder: str, limits: Limits) -> tuple[Pixels, NDArray[np.int64]]:
    """Return `(frames, indices)` of one file. Raises VideoError; may crash or hang on a damaged file."""
    decoder_named(decoder)
    with open_video(path) as (container, stream):
        header = _header(path, container, stream, limits)
        indices, frames = _known_indices(path, wanted, header), None
        pictures = enumerate(container.decode(stream))
        if indices is None:
            frames, indices = _scan(path, header, pictures, lambda luma: SAMPLERS[wanted.sampler](luma, wanted.n))
        elif decoder == "pyav":
            frames = _select(path, pictures, indices)
        else:
            for _, picture in islice(pictures, 1):
                quarter_turns(path, picture)
    if decoder != "pyav" or frames is None:
        frames = _agreeing_decoder(path, decoder, header).read(path, indices)
    return frames, np.array(indices)


def _known_indices(path: Path, wanted: Wanted, header: Header) -> tuple[int, ...] | None:
    """Return the indices where no sampler has to look at pictures for them, else None. Raises VideoError."""
    if wanted.indices is None:
        if not 1 <= wanted.n <= header.frames:
            raise VideoError(f"{path}: has {header.frames} frames, {wanted.n} were requested")
        return uniform_indices(header.frames, wanted.n) if wanted.sampler == DEFAULT_SAMPLER else None
    if not wanted.indices or list(wanted.indices) != sorted(set(wanted.indices)):
        raise VideoError(f"{path}: the requested frames must be sorted and different")
    if wanted.indices[0] < 0 or wanted.indices[-1] >= header.frames:
        raise VideoError(f"{path}: has the frames 0 to {header.frames - 1}, {wanted.indices} were requested")
    return wanted.indices


def _agreeing_decoder(path: Path, name: str, header: Header) -> Decoder:
    decoder = decoder_named(name)
    counted = decoder.count(path)
    if counted != header.frames:
        raise VideoError(f"{path}: {name} counts {counted} frames, its header says {header.frames}")
    return decoder


def inspect(path: Path, limits: Limits = LIMITS) -> Header:
    """Return the header of an MP4 or MOV file. Raises VideoError where it breaks a limit or is none."""
    with open_video(path) as (container, stream):
        return _header(path, container, stream, limits)


def _header(path: Path, container: Any, stream: Any, limits: Limits) -> Header:
    """Return the checked header. Raises VideoError where it breaks a limit.

    A fragmented file announces no number of frames: its packets are counted, and it is read from the start again.
    """
    frames, seconds = stream.frames, float((stream.duration or 0) * stream.time_base)
    if not frames:
        times = [packet.pts for packet in container.demux(stream) if packet.size]
        frames, seconds = len(times), _span_s(stream, times)
        container.seek(0)
    header = Header(stream.codec_context.width, stream.codec_context.height, frames, seconds)
    _check_limits(path, header, limits)
    return header


def shown_seconds(path: Path, limits: Limits = LIMITS) -> float:
    """Return how long a video shows moving pictures: from its first frame to the end of its last one.

    The last frame counts as long as the one before it: some files stretch it to the end of their sound, and some end
    before what their header says. Raises VideoError.
    """
    with open_video(path) as (container, stream):
        header = _header(path, container, stream, limits)
        first = stream.start_time or 0
        end = first + int(max(0.0, header.seconds - TAIL_S) / stream.time_base)
        container.seek(end, stream=stream, backward=True)
        span = _span_s(stream, [packet.pts for packet in container.demux(stream) if packet.size])
        return min(header.seconds, span) if header.seconds else span


def _span_s(stream: Any, times: Iterable[int | None]) -> float:
    """Return the seconds from the track's first picture to the end of the last of these, their times in any order."""
    known = sorted({time for time in times if time is not None})
    if not known:
        return 0.0
    last = min((after - before for before, after in pairwise(known[-3:])), default=stream.duration or 0)
    first = known[0] if stream.start_time is None else stream.start_time
    return float((known[-1] - first + last) * stream.time_base)


def check_kind(path: Path) -> None:
    """Raise VideoError unless the path is a regular file that begins like an MP4 or MOV file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise VideoError(f"{path}: not a regular file")
        with path.open("rb") as file:
            start = file.read(12)
    except OSError as error:
        raise VideoError(f"{path}: {error.strerror}") from None
    if not start:
        raise VideoError(f"{path}: the file is empty")
    if start[4:8] not in BOXES:
        found = next((name for magic, name in OTHERS if start.startswith(magic)), "something else")
        raise VideoError(f"{path}: not an MP4 or MOV video but {found}, whatever its name; convert it to MP4 (H.264)")


def _check_limits(path: Path, header: Header, limits: Limits) -> None:
    if not 0 < max(header.width, header.height) <= limits.side or min(header.width, header.height) < 1:
        size = f"{header.width} x {header.height}"
        raise VideoError(f"{path}: its header says {size} pixels, at most {limits.side} a side are read")
    if not 0 < header.frames <= limits.frames:
        raise VideoError(f"{path}: its header says {header.frames:,} frames; 1 to {limits.frames:,} are read")
    if header.seconds > limits.seconds:
        raise VideoError(f"{path}: its header says {header.seconds:,.0f} s, at most {limits.seconds:,} s are read")


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """Yield PyAV's container and its first video stream. Raises VideoError for a file that cannot be decoded."""
    check_kind(path)
    av = _import("av")
    try:
        with av.open(f"file:{path.absolute()}", format="mp4", options={"protocol_whitelist": "file"}) as container:
            if not container.streams.video:
                raise VideoError(f"{path}: holds no video")
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            yield container, stream
    except (av.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: cannot be decoded ({getattr(error, 'strerror', None) or error})") from None


def pictures(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (index, PyAV frame) of every frame in turn."""
    with open_video(path) as (container, stream):
        yield from enumerate(container.decode(stream))


def _pyav_read(path: Path, indices: Sequence[int]) -> Pixels:
    return _select(path, pictures(path), indices)


def _select(path: Path, pictures: Iterable[tuple[int, Any]], indices: Sequence[int]) -> Pixels:
    wanted, found = set(indices), []
    for index, picture in pictures:
        if index in wanted:
            found.append(rgb(path, picture))
            if len(found) == len(wanted):
                break
    return _stack(path, found, indices)


def _scan(
    path: Path, header: Header, pictures: Iterable[tuple[int, Any]], choose: Callable[[NDArray[Any]], tuple[int, ...]]
) -> tuple[Pixels | None, tuple[int, ...]]:
    """Sample in one pass: read the small luma of every frame, then return the frames that `choose` wants.

    The frames are None where the video is too large to keep them while the sampler looks.
    """
    held: list[Any] | None = [] if header.frames * header.width * header.height * 3 // 2 <= HELD_BYTES else None
    small: list[NDArray[np.int32]] = []
    for index, picture in pictures:
        if index >= header.frames:
            break
        small.append(reduce_luma(upright(path, picture, _luma(picture))))
        if held is not None:
            held.append(picture)
    if len(small) < header.frames:
        raise _missing_frame(path, header.frames - 1)
    if len({luma.shape for luma in small}) > 1:
        raise VideoError(f"{path}: its frames change size")
    indices = choose(np.stack(small))
    if held is None:
        return None, indices
    return _stack(path, [rgb(path, held[index]) for index in indices], indices), indices


def rgb(path: Path, picture: Any) -> Pixels:
    """Return a PyAV frame as upright RGB [h, w, 3]. Raises VideoError."""
    return upright(path, picture, picture.to_ndarray(format="rgb24"))


def upright(path: Path, picture: Any, pixels: Pixels) -> Pixels:
    """Return pixels of a PyAV frame, [h, w] or [h, w, 3], turned as its display matrix says. Raises VideoError."""
    turns = quarter_turns(path, picture)
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def quarter_turns(path: Path, picture: Any) -> int:
    """Return the quarter turns against the clock that bring a PyAV frame upright.

    Raises VideoError for a matrix that mirrors, tilts or stretches, which decoders treat in different ways.
    """
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 0
    # Rows of three: the first two numbers of the first two rows turn, the rest moves and projects.
    a, b, _, c, d, *_ = np.frombuffer(matrix, "=i4", 9).tolist()
    turns = TURNS.get((a // UNIT, b // UNIT, c // UNIT, d // UNIT)) if not any(n % UNIT for n in (a, b, c, d)) else None
    if turns is None:
        numbers = " ".join(f"{number / UNIT:g}" for number in (a, b, c, d))
        raise VideoError(f"{path}: is to be shown mirrored, tilted or stretched (display matrix {numbers}); convert it")
    return turns


def _luma(picture: Any) -> NDArray[np.uint8]:
    """Return the Y plane [h, w]; a pixel format without one of 8 bits is converted to grey."""
    if picture.format.name not in EIGHT_BIT:
        picture = picture.reformat(format="gray")
    plane = picture.planes[0]
    rows = np.frombuffer(plane, np.uint8)[: plane.line_size * picture.height]
    return rows.reshape(picture.height, plane.line_size)[:, : picture.width]


def _stack(path: Path, found: list[Pixels], indices: Sequence[int]) -> Pixels:
    if len(found) < len(indices):
        raise _missing_frame(path, indices[len(found)])
    if len({frame.shape for frame in found}) > 1:
        raise VideoError(f"{path}: its frames change size")
    return np.stack(found)


def _missing_frame(path: Path, missing: int) -> VideoError:
    return VideoError(f"{path}: frame {missing} is not there, though the header promises it; the file is damaged")


def _decord(path: Path) -> Any:
    decord = _import("decord")
    try:
        return decord.VideoReader(os.fspath(path), ctx=decord.cpu(0), num_threads=1)
    except decord.DECORDError as error:
        raise VideoError(f"{path}: decord cannot decode it ({str(error).splitlines()[0][:120]})") from None


def _decord_read(path: Path, indices: Sequence[int]) -> Pixels:
    decord, reader = _import("decord"), _decord(path)
    try:
        return reader.get_batch(list(indices)).asnumpy()
    except (decord.DECORDError, IndexError) as error:
        raise VideoError(f"{path}: decord cannot decode it ({str(error).splitlines()[0][:120]})") from None


def _opencv(path: Path) -> Any:
    cv2 = _import("cv2")
    capture = cv2.VideoCapture(os.fspath(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise VideoError(f"{path}: OpenCV cannot open it")
    return capture


def _opencv_count(path: Path) -> int:
    cv2 = _import("cv2")
    return int(_opencv(path).get(cv2.CAP_PROP_FRAME_COUNT))


def _opencv_read(path: Path, indices: Sequence[int]) -> Pixels:
    """Read frames in turn: seeking is four times slower, and off by frames in some files."""
    capture, wanted, found = _opencv(path), set(indices), []
    for index in range(indices[-1] + 1):
        if not capture.grab():
            break
        if index in wanted:
            found.append(capture.retrieve()[1][:, :, ::-1])
    return _stack(path, found, indices)


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        instead = "" if module == "av" else "; the decoder pyav reads videos as well"
        raise VideoError(f"{needs('this decoder', error)}{instead}") from None


DECODERS = {
    "pyav": Decoder(lambda path: inspect(path).frames, _pyav_read),
    "decord": Decoder(lambda path: len(_decord(path)), _decord_read),
    "opencv": Decoder(_opencv_count, _opencv_read),
}


def decoder_named(name: str) -> Decoder:
    """Return the decoder of that name. Raises VideoError where there is none."""
    if name not in DECODERS:
        raise VideoError(f"no decoder {name!r}; there are {', '.join(DECODERS)}")
    return DECODERS[name]
