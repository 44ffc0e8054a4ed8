"""A world file as an Origin: its truth follows from the process and a public seed."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache

from reference.process.ceiling import script
from reference.process.priors import Fit, fit
from reference.process.split import build_split, labelled_clips
from reference.process.world import World, scaled_name
from reference.task import MEANINGS
from reference.truth.origin import Content, Origin

MANY_CLIPS = 20_000
"""From this many clips on, several processes compute them; for fewer, starting the processes takes longer."""


def synthetic_origin(world: World, scale: int = 1) -> Origin:
    """Return the Origin of a checked world file. A scaled world pins no digest, and its name and digest end in `xN`."""
    return Origin(
        name=scaled_name(world.name, scale),
        digest=world.digest if scale == 1 else f"{world.digest}x{scale}",
        public=world.key == world.seed.encode(),
        splits=tuple(world.splits),
        content=lambda split: synthetic_content(world, split, scale),
        pinned=world.digests if scale == 1 else {},
        process=world,
        scale=scale,
    )


def synthetic_content(world: World, split: str, scale: int) -> Content:
    """Return the content of a split. Raises WorldError for a split that the world does not have.

    Floors and transitions are fitted on the public, unscaled train split, whatever split is scored: they are what
    anyone can know beforehand, also of a sealed split.
    """
    chosen = world.split(split)
    expected = chosen.sessions * chosen.clips * scale
    workers = (os.cpu_count() or 1) if expected >= MANY_CLIPS else 1
    return Content(
        operations=world.operations,
        clips=build_split(world, split, scale=scale, workers=workers),
        expected=expected,
        fits=[public_fit(world)],
        script=script(world),
        meanings=MEANINGS,
    )


@lru_cache(maxsize=8)
def public_fit(world: World) -> Fit:
    """Return floors and transitions of the public, unscaled train split."""
    return fit(list(labelled_clips(replace(world, key=world.seed.encode()), "train")), world.operations)
