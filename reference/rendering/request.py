"""Request for a rendering: all that its bytes depend on besides code and world."""

from __future__ import annotations

from dataclasses import dataclass

from reference.task import DEFAULT_FRAMES, DEFAULT_SAMPLER, DEFAULT_SIZE, DEFAULT_SPLIT, DEFAULT_WORLD


@dataclass(frozen=True)
class Request:
    """Choices of a rendering. `video`, `video_start_ms` and `session` belong to an imported world's recording."""

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
    video: str | None = None
    video_start_ms: int | None = None
    session: str | None = None

    @property
    def scored(self) -> bool:
        """Return whether the pictures are those that models are scored on: own domain, nothing painted out."""
        return self.as_domain is None and not self.paint_out
