"""Sources of clips and pictures: the scenes of a synthetic world; `recordings` has another, videos with annotations.

A source lists jobs (one a clip, by session and in time order) and gives the frames of a job. It can be sent to worker
processes: it holds no open file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from reference.drawing.frame import render_frames
from reference.errors import RenderError
from reference.extras import needs
from reference.process.sessions import session_name, timeline
from reference.process.split import session_states
from reference.process.world import World, scaled_name
from reference.randomness import clip_id, render_seed
from reference.task import CLIP_FRAMES, MEANINGS, OPEN_SPLITS
from reference.truth.synthetic import public_fit
from reference.truth.truth_rows import truth_row
from reference.video.samplers import LUMA_SIDE, luma_of

Pixels = NDArray[np.uint8]
DrawFrames = Callable[..., Pixels]
"""`draw(world, state, seed, indices, size, paint_out)` -> uint8 [n, size, size, 3], as drawing.frame.render_frames."""

SURFACES = ("slip", "items", "table")
"""Surfaces that show attributes of an order, and that the renderer can paint out."""


class Job(NamedTuple):
    """One clip to render. `scene` is for its source alone; `truth` is None where it must not be published."""

    clip_id: str
    session: str
    scene: Any  # (VisibleState, render seed), or a recording and the ms at which the clip begins in it
    truth: dict[str, Any] | None  # as reference.truth.truth_rows writes it


class Source(Protocol):
    """Clips of a split and their pictures.

    `meanings` describes operations for a prompt; `expected`: jobs, at most; `left_out`: clips without pictures.
    """

    world: str
    digest: str
    split: str
    splits: tuple[str, ...]
    operations: tuple[str, ...]
    meanings: Mapping[str, str]
    expected: int
    left_out: int

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield session and clip id of each clip, in the order of `jobs`, without computing what it shows."""

    def jobs(self, chosen: Collection[str] | None = None) -> Iterator[Job]:
        """Yield a job for each clip, or for each of the chosen ones, by session and in time order."""

    def frames(self, job: Job, indices: Sequence[int], size: int) -> Pixels:
        """Return the frames of a clip at `indices`, uint8 RGB [n, size, size, 3]."""

    def luma(self, job: Job) -> NDArray[Any]:
        """Return the small luma of all 125 frames, [125, h, w], for samplers."""


def shows_more(world: World, as_domain: str) -> frozenset[str]:
    """Return the domains whose clips show more when they are drawn in another one, because something hides there."""
    return frozenset(name for name, domain in world.domains.items() if domain.occluders and name != as_domain)


class Scenes:
    """Clips of a synthetic world's split. `as_domain` draws every clip in that domain instead of its own.

    A domain that `shows_more` then is left out unless `domains` names it. Raises RenderError for a domain or surface
    that the world does not have.
    """

    def __init__(
        self,
        world: World,
        split: str,
        *,
        scale: int = 1,
        domains: Sequence[str] = (),
        as_domain: str | None = None,
        paint_out: Sequence[str] = (),
        draw: DrawFrames = render_frames,
    ):
        self.definition, self.scale, self.split = world, scale, split
        self.world = scaled_name(world.name, scale)
        self.digest = world.digest
        self.splits, self.operations = tuple(world.splits), world.operations
        self.meanings: Mapping[str, str] = MEANINGS
        self.domains, self.as_domain, self.paint_out, self.draw = tuple(domains), as_domain, tuple(paint_out), draw
        for domain in (*domains, *([as_domain] if as_domain else [])):
            if domain not in world.domains:
                raise RenderError(f"world {world.name} has no domain {domain!r}; it has {', '.join(world.domains)}")
        for surface in paint_out:
            if surface not in SURFACES:
                raise RenderError(f"{surface!r} cannot be painted out; {', '.join(SURFACES)} can")
        self.without = shows_more(world, as_domain) if as_domain and not domains else frozenset()
        every = range(world.split(split).sessions * scale)
        self.sessions = [index for index in every if self._has_domain(index)]
        self.expected = len(self.sessions) * world.split(split).clips
        self.left_out = (len(every) - len(self.sessions)) * world.split(split).clips if self.without else 0
        if not self.sessions:
            raise RenderError(f"split {split} has no session in {', '.join(domains)}")

    def _clips(self, index: int) -> list[str]:
        session, clips = session_name(self.split, index), self.definition.split(self.split).clips
        return [clip_id(self.definition.key, session, number) for number in range(clips)]

    def _has_domain(self, index: int) -> bool:
        if not self.domains and not self.without:
            return True
        domain = timeline(self.definition, self.split, index).domain
        return domain in self.domains if self.domains else domain not in self.without

    def names(self) -> Iterator[tuple[str, str]]:
        for index in self.sessions:
            session = session_name(self.split, index)
            for clip in self._clips(index):
                yield session, clip

    def jobs(self, chosen: Collection[str] | None = None) -> Iterator[Job]:
        world = self.definition
        fit = public_fit(world) if self.split in OPEN_SPLITS else None
        for index in self.sessions:
            if chosen is not None and not any(clip in chosen for clip in self._clips(index)):
                continue
            for clip, state in session_states(world, self.split, index, self.as_domain, chosen):
                seed = render_seed(world.key, clip.session, clip.clip_index)
                truth = None if fit is None else truth_row(clip, fit, world.operations)
                yield Job(clip.clip_id, clip.session, (state, seed), truth)

    def frames(self, job: Job, indices: Sequence[int], size: int) -> Pixels:
        state, seed = job.scene
        try:
            return self.draw(self.definition, state, seed, indices, size, self.paint_out)
        except ImportError as error:
            raise RenderError(needs("drawing", error)) from None

    def luma(self, job: Job) -> NDArray[Any]:
        # drawn small: all 125 frames are needed
        return luma_of(self.frames(job, range(CLIP_FRAMES), 2 * LUMA_SIDE))
