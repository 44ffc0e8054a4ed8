"""Contact sheets of the clips most worth seeing, under a byte budget: eight frames side by side as WebP.

The order is: the clips to look at first; then failures, one of each mode in turn (costliest mode first) and of each
ranked entry in turn, within a mode shuffled with a fixed seed; then all other clips. The frames are drawn from the
world, so this needs the `video` extra and a world with a process; an imported recording is not in the world's file.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain, zip_longest

import numpy as np

from harness.errors import UsageError
from harness.report.data import Model, Page
from harness.report.gather import Gathered
from harness.report.render import Sheet
from harness.scoring.failure_modes import MODES
from harness.scoring.request import Request
from reference.extras import needs
from reference.process.split import session_states
from reference.process.world import World
from reference.randomness import render_seed
from reference.task import DEFAULT_INDICES
from reference.truth.catalog import locate

SIZE, QUALITY, SEED = 96, 55, 0


def sheets(page: Page, gathered: Gathered, budget: int, progress: Callable[[int, int], None]) -> list[Sheet]:
    """Draw as many sheets as fit into `budget` bytes of the page; return them in the order of the clips."""
    world = _world(gathered.request)
    clips, found, spent = gathered.clips, [], 0
    for place in priority(page, gathered):
        session, index = int(clips["session_index"][place]), int(clips["clip_index"][place])
        webp = _draw(world, gathered.request.split, session, index)
        size = len(f"{place} \n") + 4 * -(-len(webp) // 3)  # base64
        if spent + size > budget:
            break
        found.append(Sheet(place, webp))
        spent += size
        progress(spent, budget)
    return sorted(found, key=lambda sheet: sheet.place)


def priority(page: Page, gathered: Gathered) -> Iterator[int]:
    """Yield the place of each clip once, the most worth seeing first."""
    ranked = [model for model in page.models if model.kind != "reference"] or page.models
    ranked.sort(key=lambda model: model.place != page.focus)
    looks = [look.place for model in ranked for look in model.first]
    failures = _round_robin([_failures(model, gathered) for model in ranked])
    right = _shuffle(np.arange(gathered.clips.n))
    return iter(dict.fromkeys(chain(looks, failures, right)))


def _failures(model: Model, gathered: Gathered) -> Iterator[int]:
    """Yield the places of an entry's failures, one of each mode in turn."""
    codes = {mode.name: code for code, mode in enumerate(MODES)}
    mine = gathered.clips.answers[model.place]["mode"]
    return _round_robin([iter(_shuffle(np.flatnonzero(mine == codes[mode.name]))) for mode in model.losses.modes])


def _round_robin(queues: list[Iterator[int]]) -> Iterator[int]:
    return (place for turn in zip_longest(*queues) for place in turn if place is not None)


def _shuffle(places: np.ndarray) -> list[int]:
    draw = random.Random(SEED).random
    return [place for _, place in sorted((draw(), int(place)) for place in places)]


def _world(request: Request) -> World:
    origin = locate(request.world, request.home)
    if origin.process is None:
        raise UsageError(f"--frames: {request.world} was imported, its pictures are in no world file")
    return origin.process


@lru_cache(maxsize=256)
def _states(world: World, split: str, session: int) -> list:
    return list(session_states(world, split, session))


def _draw(world: World, split: str, session: int, index: int) -> bytes:
    try:
        from PIL import Image

        from reference.drawing.frame import render_frames

        clip, state = _states(world, split, session)[index]
        frames = render_frames(
            world, state, render_seed(world.key, clip.session, clip.clip_index), DEFAULT_INDICES, SIZE
        )
    except ImportError as error:
        raise UsageError(needs("--frames", error)) from None
    sheet = Image.fromarray(np.concatenate(list(frames), axis=1))
    packed = io.BytesIO()
    sheet.save(packed, "WEBP", quality=QUALITY, method=4)
    return packed.getvalue()
