"""Request for a rendering: all that its bytes depend on besides code and world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import RenderError
from reference.task import DEFAULT_FRAMES, DEFAULT_SAMPLER, DEFAULT_SIZE, DEFAULT_SPLIT, DEFAULT_WORLD


@dataclass(frozen=True)
class Request:
    """Choices of a rendering.

    `video`, `video_start_ms` and `session` belong to an imported world's recordings: one value for one recording, a
    tuple for several, in the same order. Shards of one request merge into what it gives without `shard` (`merging`).
    """

    world: str = DEFAULT_WORLD
    split: str = DEFAULT_SPLIT
    form: str = "frames"  # frames | video | shards
    frames: int = DEFAULT_FRAMES
    sampler: str = DEFAULT_SAMPLER
    size: int = DEFAULT_SIZE
    image: str = "jpg"  # jpg | webp
    domains: tuple[str, ...] = ()
    as_domain: str | None = None
    paint_out: tuple[str, ...] = ()
    limit: int | None = None
    video: str | tuple[str, ...] | None = None
    video_start_ms: int | tuple[int, ...] | None = None
    session: str | tuple[str, ...] | None = None
    clips: tuple[str, ...] | None = None  # these alone, in the order of the split
    shard: str | None = None  # "3/8" of the files that all else asks for

    @property
    def scored(self) -> bool:
        """Return whether the pictures are those that models are scored on: own domain, nothing painted out."""
        return self.as_domain is None and not self.paint_out

    @property
    def recordings(self) -> tuple[tuple[Path, int, str | None], ...]:
        """Return path, start in Unix ms and session (None: by its time) of each recording. Raises RenderError."""
        videos, starts, sessions = (_as_tuple(value) for value in (self.video, self.video_start_ms, self.session))
        if len(starts) < len(videos):
            raise RenderError(
                "a video needs its start: --video-start with Unix ms or an ISO 8601 time, for each --video"
            )
        if len(starts) > len(videos) or len(sessions) not in (0, len(videos)):
            raise RenderError(
                f"{len(videos)} videos, {len(starts)} starts and {len(sessions)} sessions: --video, --video-start and, "
                "if given, --session belong together, in the same order"
            )
        return tuple(zip(map(Path, videos), starts, sessions or [None] * len(videos), strict=True))


def _as_tuple(value: Any) -> tuple[Any, ...]:
    """Return a tuple of values, of one value, or of none."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
