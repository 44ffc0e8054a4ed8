"""Where a rendering's clips and pictures come from: a synthetic world's scenes, or a recording with annotations.

A source lists jobs (one a clip, by session and in time order) and gives the frames of a job. It is sent to worker
processes, and holds no open file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from reference.errors import RenderError
from reference.process.sessions import timeline
from reference.process.split import session_states
from reference.process.world import World
from reference.randomness import render_seed
from reference.task import CLIP_FRAMES, Clip
from reference.video.samplers import LUMA_SIDE, luma_of

Pixels = NDArray[np.uint8]
Draw = Callable[..., Pixels]
"""`draw(world, state, seed, indices, size, paint_out)` -> uint8 [n, size, size, 3]: drawing.frame.render_frames."""

SURFACES = ("slip", "items", "table")
"""Where attributes of an order can be seen: what the renderer can paint out."""
OPEN_SPLITS = ("train", "validation")
"""Splits whose truth is given out, and whose clips keep the order of their sessions."""


class Job(NamedTuple):
    """One clip to render. `look` is what its source draws it from; `truth` only where it may be given out."""

    clip_id: str
    session: str
    look: Any
    truth: Clip | None


class Source(Protocol):
    """`expected`: jobs, at most. `left_out`: clips of the split that there are no pictures of."""

    world: str
    digest: str
    split: str
    splits: tuple[str, ...]
    operations: tuple[str, ...]
    expected: int
    left_out: int

    def jobs(self) -> Iterator[Job]: ...

    def frames(self, job: Job, indices: Sequence[int], size: int) -> Pixels: ...

    def luma(self, job: Job) -> NDArray[Any]: ...


class Scenes:
    """A split of a synthetic world. `as_domain` draws every clip in that domain instead of its own."""

    def __init__(
        self,
        world: World,
        split: str,
        *,
        scale: int = 1,
        domains: Sequence[str] = (),
        as_domain: str | None = None,
        paint_out: Sequence[str] = (),
        draw: Draw | None = None,
    ):
        self.definition, self.scale, self.split = world, scale, split
        self.world = world.name if scale == 1 else f"{world.name}-x{scale}"
        self.digest = world.digest
        self.splits, self.operations = tuple(world.splits), world.operations
        self.domains, self.as_domain, self.paint_out, self.draw = tuple(domains), as_domain, tuple(paint_out), draw
        for domain in (*domains, *([as_domain] if as_domain else [])):
            if domain not in world.domains:
                raise RenderError(f"world {world.name} has no domain {domain!r}; it has {', '.join(world.domains)}")
        for surface in paint_out:
            if surface not in SURFACES:
                raise RenderError(f"{surface!r} cannot be painted out; {', '.join(SURFACES)} can")
        self.sessions = [index for index in range(world.split(split).sessions * scale) if self._wanted(index)]
        self.expected = len(self.sessions) * world.split(split).clips
        self.left_out = 0
        if not self.sessions:
            raise RenderError(f"split {split} has no session in {', '.join(domains)}")

    def _wanted(self, index: int) -> bool:
        return not self.domains or timeline(self.definition, self.split, index).domain in self.domains

    def jobs(self) -> Iterator[Job]:
        world = self.definition
        for index in self.sessions:
            for clip, state in session_states(world, self.split, index, self.as_domain):
                seed = render_seed(world.key, clip.session, clip.clip_index)
                yield Job(clip.clip_id, clip.session, (state, seed), clip if self.split in OPEN_SPLITS else None)

    def frames(self, job: Job, indices: Sequence[int], size: int) -> Pixels:
        state, seed = job.look
        try:
            return (self.draw or _drawing())(self.definition, state, seed, indices, size, self.paint_out)
        except ModuleNotFoundError as error:
            raise RenderError(f"drawing needs {error.name}: pip install 'warehouse-harness[video]'") from None

    def luma(self, job: Job) -> NDArray[Any]:
        """Drawn small: samplers look at all 125 frames."""
        return luma_of(self.frames(job, range(CLIP_FRAMES), 2 * LUMA_SIDE))


def _drawing() -> Draw:
    from reference.drawing.frame import render_frames

    return render_frames
