"""Limits of a server: how much it takes in, how long it works on it."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20
PICTURES = 2, 32
"""Fewest and most pictures of a clip."""
CLIP_SECONDS = 4.5, 6.0
"""Shortest and longest mp4 that is taken for a clip of five seconds; its first five are looked at."""
NAME = 128
"""Characters of a clip's name, or of a request's id."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits that the command can set, and those that nobody needs to.

    `requests`: accepted at once, all further ones get 429. `bytes_at_once`: of all bodies that are being read or wait.
    `deadline_s`: from a request's acceptance to its answer. `drain_s`: for what was accepted, after SIGTERM.
    """

    requests: int = 64
    body_bytes: int = 32 * MIB
    bytes_at_once: int = 256 * MIB
    batch_clips: int = 64
    deadline_s: float = 10.0
    drain_s: float = 30.0
    head_s: float = 10.0  # for the head of a request
    body_s: float = 30.0  # for its body
    decode_s: float = 5.0  # for one clip in a child process
    decoders: int | None = None  # child processes; by default as many as processors, 2 to 4
    side: int = 4096  # pixels of a picture's longer side
    video_frames: int = 1_000
