"""mp4 -> the frames that a model looks at, from files of unknown origin.

Only MP4 and MOV are read, within limits, and decoded in a child process that may crash or hang. `trusted=True` decodes
in this process, for files that this project rendered on this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference.errors import VideoError
from reference.task import DEFAULT_FRAMES, DEFAULT_SAMPLER
from reference.video.decoders import LIMITS, Limits, Pixels, Wanted, decode, decoder_named
from reference.video.samplers import SAMPLERS
from reference.video.sandbox import decode_apart, seconds_apart, squares_apart

TIMEOUT = 30.0


def frames(
    path: str | Path,
    n: int = DEFAULT_FRAMES,
    sampler: str = DEFAULT_SAMPLER,
    decoder: str = "pyav",
    *,
    indices: Sequence[int] | None = None,
    trusted: bool = False,
    timeout: float = TIMEOUT,
    limits: Limits = LIMITS,
) -> tuple[Pixels, NDArray[np.int64]]:
    """Return n frames of a video, uint8 RGB [n, h, w, 3], and their 0-based indices, int [n], sorted.

    `sampler`: uniform, motion, entropy or boundary (samplers.py). `decoder`: pyav, decord or opencv, the last
    two where installed. `indices`: these frames (sorted, different) instead of sampled ones. `timeout` in seconds.
    Raises VideoError for a file that is no video, breaks a limit, is damaged, or has too few frames.
    """
    if sampler not in SAMPLERS:
        raise VideoError(f"no sampler {sampler!r}; there are {', '.join(SAMPLERS)}")
    decoder_named(decoder)
    wanted = Wanted(n, sampler, None if indices is None else tuple(map(int, indices)))
    if trusted:
        return decode(Path(path), wanted, decoder, limits)
    return decode_apart(Path(path), wanted, decoder, limits, timeout)


def squares(
    path: str | Path, instants_ms: Sequence[int], size: int, *, timeout: float = TIMEOUT, limits: Limits = LIMITS
) -> Pixels:
    """Return the pictures on show at these times (ms after the first picture, rising), uint8 RGB [n, size, size, 3].

    Each is upright, whole, and padded with black (instants.py). Raises VideoError as `frames` does.
    """
    return squares_apart(Path(path), instants_ms, size, limits, timeout)


def seconds(path: str | Path, *, timeout: float = TIMEOUT, limits: Limits = LIMITS) -> float:
    """Return how long a video shows moving pictures (decoders.shown_seconds). Raises VideoError as `frames` does."""
    return seconds_apart(Path(path), limits, timeout)
