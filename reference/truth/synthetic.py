"""A world file as an Origin: its truth follows from the process and a public seed.

A name with `-xN` behind it is the same world with N times the sessions, of which the first are the unscaled split's.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace

from reference.process.ceiling import script
from reference.process.priors import fit
from reference.process.split import build_split
from reference.process.world import World
from reference.truth.origin import Content, Origin

SCALED = re.compile(r"(?P<base>.+)-x(?P<scale>[1-9][0-9]{0,5})")
MANY_CLIPS = 20_000
"""From here on clips are made by several processes."""


def synthetic_origin(world: World, scale: int = 1) -> Origin:
    return Origin(
        name=world.name if scale == 1 else f"{world.name}-x{scale}",
        digest=world.digest if scale == 1 else f"{world.digest}x{scale}",
        kind="synthetic",
        public=world.key == world.seed.encode(),
        splits=tuple(world.splits),
        pinned=world.digests if scale == 1 else {},
        content=lambda split: synthetic_content(world, split, scale),
    )


def synthetic_content(world: World, split: str, scale: int) -> Content:
    """Floors and transitions are fitted on the public, unscaled train split, whatever is quoted on it."""
    chosen = world.split(split)
    expected = chosen.sessions * chosen.clips * scale
    workers = (os.cpu_count() or 1) if expected >= MANY_CLIPS else 1
    return Content(
        operations=world.operations,
        clips=build_split(world, split, scale=scale, workers=workers),
        expected=expected,
        fits=[fit(list(build_split(replace(world, key=world.seed.encode()), "train")), world.operations)],
        script=script(world),
    )
