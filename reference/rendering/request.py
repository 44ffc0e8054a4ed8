"""What to render: one request describes all that the bytes of a rendering depend on besides code and world."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """What to render. `image`: jpg or webp. `video` and `video_start_ms`: an imported world's recording."""

    world: str = "warehouse-v1"
    split: str = "test"
    form: str = "frames"  # frames | video | shards
    frames: int = 8
    sampler: str = "uniform"
    size: int = 336
    image: str = "jpg"
    domains: tuple[str, ...] = ()
    as_domain: str | None = None
    paint_out: tuple[str, ...] = ()
    limit: int | None = None
    video: str | None = None
    video_start_ms: int | None = None
    session: str | None = None

    @property
    def scored(self) -> bool:
        """Pictures as the split is judged on them."""
        return self.as_domain is None and not self.paint_out
