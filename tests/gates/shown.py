"""Splits for the probe: clips, what they show, and their pictures, drawn at 336 x 336 and reduced.

Pictures go to the probe as they were drawn, without a file between; JPEG at quality 90 changes no answer that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np

from harness.baselines import probe_model
from reference.process.frame_limits import ClipState
from reference.process.split import session_states
from reference.process.visible import VisibleState
from reference.process.world import World, load_world
from reference.randomness import render_seed
from reference.task import DEFAULT_INDICES, Clip

SIZE = 336
MARKS = ("slip", "items", "table")
"""Surfaces that show an attribute of an order."""

Chooser = Callable[[World, VisibleState, int], Sequence[int]]
"""Function that chooses the frames to look at, from world, state and render seed."""


class Drawn(NamedTuple):
    """Pictures uint8 [n, frames, 42, 42, 3] and the indices of their frames [n, frames]."""

    pictures: np.ndarray
    indices: np.ndarray


def states(world: str, split: str, sessions: int | None = None) -> list[ClipState]:
    """Return clips and states of a split, or of its first sessions."""
    definition = load_world(world)
    count = definition.split(split).sessions if sessions is None else sessions
    return [found for index in range(count) for found in session_states(definition, split, index)]


def uniform(world: World, state: VisibleState, seed: int) -> Sequence[int]:
    return DEFAULT_INDICES


def draw(
    world: str,
    split: str,
    *,
    paint_out: Sequence[str] = (),
    chooser: Chooser = uniform,
    size: int = SIZE,
    sessions: int | None = None,
    workers: int = 1,
) -> Drawn:
    """Draw the pictures of `states(world, split, sessions)`, in that order."""
    count = load_world(world).split(split).sessions if sessions is None else sessions
    task = partial(_session, world, split, tuple(paint_out), chooser, size)
    if workers == 1:
        parts = [task(index) for index in range(count)]
    else:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            parts = list(pool.map(task, range(count)))
    return Drawn(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _session(world: str, split: str, paint_out: Sequence[str], chooser: Chooser, size: int, index: int) -> Drawn:
    definition = load_world(world)
    found = list(_clips(definition, split, paint_out, chooser, size, index))
    return Drawn(*(np.array(column) for column in zip(*found, strict=True)))


def _clips(
    world: World, split: str, paint_out: Sequence[str], chooser: Chooser, size: int, index: int
) -> Iterator[tuple[np.ndarray, Sequence[int]]]:
    from reference.drawing.frame import render_frames

    for clip, state in session_states(world, split, index):
        seed = render_seed(world.key, clip.session, clip.clip_index)
        chosen = chooser(world, state, seed)
        yield probe_model.reduce(render_frames(world, state, seed, chosen, size, paint_out)), chosen


def truth(clip: Clip) -> dict[str, Any]:
    """Return the fields of a line of truth.jsonl that the probe reads."""
    return asdict(clip) | {"temporal_segment": clip.temporal_segment._asdict()}
