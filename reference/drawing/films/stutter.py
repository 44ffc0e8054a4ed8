"""Stutter: a bad line to the camera, on which pictures stand still, tear and slip.

A clip is a row of holds. All frames of a hold show the moment at which it began, so that the frames between are lost.
Most of the holds are torn: bands of rows slip sideways, lose the register of their colours, or still show the hold
before; some are out of step from top to bottom. What leaves the picture on one side comes back on the other.

Held is what moves. A take is not earlier than its run, and operation, order and signs are those of the frame
(`Stage.scene`), so that every frame still shows what the truth says of it: ceilings and frame limits hold as they are.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from reference.drawing.films.film import Film, Pixels, draws
from reference.randomness import NextRandom, session_seed
from reference.task import CLIP_FRAMES, FRAME_MS

ROWS = 21
"""Rows of blocks in a picture; bands begin between two."""
SHORTEST, LONGEST = 3, 20
"""Frames of a hold."""


class Band(NamedTuple):
    """Rows of blocks that slip: from, to, how far sideways and how far its colours, in 1/1000 of the picture's side."""

    top: int
    bottom: int
    across: int
    fringe: int
    before: bool  # shows the hold before


class Hold(NamedTuple):
    """Frames that show one moment."""

    start: int
    before: int  # where the hold before it began
    bands: tuple[Band, ...]
    down: int  # rows of blocks by which the picture is out of step


def stutter(strength: int, seed: int, size: int) -> Film:
    """Return the film of the clip's line; its holds are longer and more torn the stronger it is."""
    held = _holds(strength, draws(session_seed(seed))(), draws(seed))

    def exposures(index: int) -> tuple[int, ...]:
        hold = held[index]
        starts = (hold.start, hold.before) if any(band.before for band in hold.bands) else (hold.start,)
        return tuple((index - start) * FRAME_MS for start in starts)

    def develop(takes: Pixels, index: int) -> Pixels:
        hold, edges = held[index], [row * size // ROWS for row in range(ROWS + 1)]
        out = takes[0].copy()
        for band in hold.bands:
            rows = slice(edges[band.top], edges[band.bottom])
            across, fringe = band.across * size // 1000, band.fringe * size // 1000
            for channel in range(3):
                source = takes[int(band.before), rows, :, channel]
                out[rows, :, channel] = np.roll(source, across + (channel - 1) * fringe, axis=1)
        return np.roll(out, edges[hold.down], axis=0) if hold.down else out

    return Film(exposures, develop)


def _holds(strength: int, share: float, draw: NextRandom) -> list[Hold]:
    """Return the hold of each frame; `share` in [0, 1) says how bad the session's line is."""
    longest = SHORTEST + int((LONGEST - SHORTEST) * (0.5 + 0.5 * share)) * strength // 1000
    found: list[Hold] = []
    start = before = 0
    while len(found) < CLIP_FRAMES:
        length = 1 + int(draw() * longest)
        found += [_hold(start, before, strength, draw)] * length
        start, before = len(found), start
    return found[:CLIP_FRAMES]


def _hold(start: int, before: int, strength: int, draw: NextRandom) -> Hold:
    torn, stepped = draw() * 1000 < 0.65 * strength, draw() * 1000 < 0.3 * strength
    edges = sorted({0, ROWS, *(int(draw() * ROWS) for _ in range(4))}) if torn else []
    bands = tuple(_band(top, bottom, strength, draw) for top, bottom in pairwise(edges))
    return Hold(start, before, bands, int(draw() * ROWS) * strength // 1000 if stepped else 0)


def _band(top: int, bottom: int, strength: int, draw: NextRandom) -> Band:
    across = int((draw() * 2 - 1) * 230) * strength // 1000
    fringe = int((draw() * 2 - 1) * 18) * strength // 1000
    return Band(top, bottom, across, fringe, draw() < 0.5)
