"""Is all that a VisibleState says to be visible in the picture? Each fact of a clip is exchanged, and drawn again.

A fact: a sign of an order (there or not), the operation of the segment's run, the look of the box in it, who works, and
which slip counts. The state with this one fact exchanged for another value, drawn at random, must give another picture
in one of the frames in which the state says that the fact is shown: of at least PIXELS pixels at 336 x 336, by more
than APART of 255 in a channel. What is drawn from one state and seed is equal to the last byte, so that what differs is
the fact's. All workers have one tempo here: they are told by their sleeves alone.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from reference.pools.processes import in_processes
from reference.process.split import session_states
from reference.process.visible import VisibleState
from reference.process.world import IDLE, World, load_world
from reference.randomness import render_seed
from reference.task import CLIP_FRAMES, OPERATIONS, UNKNOWN, Clip
from tests.gates.sight_pictures import middle_frame

PIXELS, APART = 40, 40
TRIES = 8
"""Frames of a fact that are drawn before it counts as not shown."""


class Fact(NamedTuple):
    """What a state says: its kind, the state in which it alone is another, and the frames that show it."""

    kind: str
    other: VisibleState
    frames: Sequence[int]


def facts(world: World, clip: Clip, state: VisibleState, draws: random.Random) -> Iterator[Fact]:
    """Yield the facts of a clip."""
    yield from _signs(world, state)
    yield from _runs(world, middle_frame(clip), state, draws)
    others = [worker.name for worker in world.workers if worker.name != state.worker]
    if others:
        yield Fact("worker", replace(state, worker=draws.choice(others)), range(CLIP_FRAMES))
    if world.surfaces["slip"].next_beside and "slip" not in state.occluded:
        turned = {index for window in state.windows for index in range(window.start_frame, window.end_frame)}
        still = [index for index in range(CLIP_FRAMES) if index not in turned]
        yield Fact("which slip counts", replace(state, swapped=not state.swapped), still)


def _signs(world: World, state: VisibleState) -> Iterator[Fact]:
    for order, values in enumerate(state.orders):
        for place, (attribute, value) in enumerate(zip(world.attributes, values, strict=True)):
            if value is None:
                continue
            turned = (*values[:place], not value, *values[place + 1 :])
            orders = (*state.orders[:order], turned, *state.orders[order + 1 :])
            kind = f"sign, {attribute.shown_by}"
            yield Fact(kind, replace(state, orders=orders), _frames_of(world, state, attribute.shown_by, order))


def _frames_of(world: World, state: VisibleState, surface: str, order: int) -> list[int]:
    """Return the frames in which a surface shows an order."""
    if world.surfaces[surface].window:
        spans = [each for each in state.windows if (each.surface, each.order) == (surface, order)]
        return [index for each in spans for index in range(each.start_frame, each.end_frame)]
    runs = [run for run in state.runs if run.order == order]
    return [index for run in runs for index in range(run.start_frame, run.end_frame)]


def _runs(world: World, middle: int, state: VisibleState, draws: random.Random) -> Iterator[Fact]:
    """Yield operation and look of the run in the middle of the segment."""
    number = next(place for place, run in enumerate(state.runs) if middle < run.end_frame)
    run = state.runs[number]
    shown = sorted(set(world.shown_step.values()))

    def exchanged(operation: str, step: str) -> VisibleState:
        runs = (*state.runs[:number], run._replace(operation=operation, step=step), *state.runs[number + 1 :])
        return replace(state, runs=runs)

    frames = range(run.start_frame, run.end_frame)
    steps = {name: [step for step in shown if world.steps[step].operation == name] for name in OPERATIONS}
    steps[IDLE] = shown
    operation = draws.choice([name for name in OPERATIONS if steps[name] and name not in (run.operation, UNKNOWN)])
    yield Fact("operation", exchanged(operation, draws.choice(steps[operation])), frames)
    looks = [step for step in steps[run.operation] if step != run.step]
    if looks:
        yield Fact("look of the box", exchanged(run.operation, draws.choice(looks)), frames)


def differing(world: World, state: VisibleState, fact: Fact, seed: int) -> int:
    """Return by how many pixels a fact changes a picture: of the first frame where it does clearly, or the most."""
    from reference.drawing.frame import render_frames

    most = 0
    for index in _apart(fact.frames):
        one, other = (render_frames(world, each, seed, (index,))[0].astype(int) for each in (state, fact.other))
        most = max(most, int((np.abs(one - other).max(axis=2) > APART).sum()))
        if most >= PIXELS:
            break
    return most


def _apart(frames: Sequence[int]) -> list[int]:
    """Return TRIES of these frames, or all, the middle one first."""
    chosen = [frames[len(frames) * part // TRIES] for part in range(TRIES)] if len(frames) > TRIES else list(frames)
    return chosen[len(chosen) // 2 :] + chosen[: len(chosen) // 2]


Counts = dict[tuple[str, str], list[int]]
"""Kind and domain -> by how many pixels each fact changes a picture."""


def count_session(where: tuple[str, str], number: int) -> Counts:
    """Return by how many pixels the facts of a session change pictures; `where`: world and split."""
    definition, split = load_world(where[0]), where[1]
    even = replace(definition, workers=tuple(replace(worker, tempo_percent=100) for worker in definition.workers))
    found: Counts = defaultdict(list)
    for clip, state in session_states(definition, split, number):
        seed = render_seed(definition.key, clip.session, clip.clip_index)
        for fact in facts(even, clip, state, random.Random(seed)):
            found[fact.kind, clip.domain].append(differing(even, state, fact, seed))
    return dict(found)


class Shown(NamedTuple):
    """Facts of one kind: how many, the share that the pictures show, and the domain with the lowest share."""

    facts: int
    share: float
    worst: str
    worst_share: float


def count(world: str, split: str, sessions: int | None = None, workers: int = 1) -> dict[str, Shown]:
    """Return how many facts of each kind the pictures of a split show, or of its first sessions."""
    whole = load_world(world).split(split).sessions
    numbers = list(range(whole if sessions is None else min(whole, sessions)))
    where = (world, split)
    parts = (
        map(partial(count_session, where), numbers)
        if workers == 1
        else in_processes(count_session, where, numbers, workers, 2 * workers)
    )
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for part in parts:
        for (kind, domain), pixels in part.items():
            found[kind][domain] += [each >= PIXELS for each in pixels]
    return {kind: _shown(domains) for kind, domains in sorted(found.items())}


def _shown(domains: dict[str, list[bool]]) -> Shown:
    seen = [each for found in domains.values() for each in found]
    shares = {domain: sum(found) / len(found) for domain, found in domains.items()}
    worst = min(shares, key=shares.__getitem__)
    return Shown(len(seen), sum(seen) / len(seen), worst, shares[worst])
