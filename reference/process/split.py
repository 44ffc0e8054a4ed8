"""A split of a synthetic world: its clips with truth, domain facts, ceiling and the oracle's answer.

Sessions are independent, so they are shared among processes; the clips come in the split's order and are equal for any
number of them. `scale=N` gives N times the sessions, of which the first are the unscaled split's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context

from reference.process.ceiling import forecast, script
from reference.process.cutter import cut, make_clip
from reference.process.sessions import timeline
from reference.process.visible import VisibleState, visible
from reference.process.world import World
from reference.randomness import stream
from reference.task import Clip

_CHUNK = 24  # sessions a task: a few hundred clips, so that sending them costs less than making them

_script = lru_cache(maxsize=8)(script)


def build_split(world: World, split: str, *, scale: int = 1, workers: int = 1) -> Iterator[Clip]:
    """Clips ordered by session and time. Raises WorldError for a split the world does not have."""
    sessions = world.split(split).sessions * scale
    if workers <= 1:
        return (clip for index in range(sessions) for clip, _ in session_states(world, split, index))
    return _shared(world, split, sessions, workers)


def session_states(
    world: World, split: str, index: int, domain: str | None = None
) -> Iterator[tuple[Clip, VisibleState]]:
    """The clips of one session, each with what its frames show; `domain`: shown in that one, not in the session's."""
    session = timeline(world, split, index)
    session.domain = domain or session.domain
    limit = world.split(split).clips
    facts = {
        "domain": session.domain,
        "domain_seen": world.domain_seen(session.domain),
        "worker": session.worker.name,
        "randomised": session.randomised,
    }
    cuts = cut(session, world.plan, stream(world.key, "cut", session.name), limit)
    for number, chosen in enumerate(cuts):
        state = visible(world, session, number, chosen)
        ceiling, oracle_next = forecast(world, state)
        operation, _, run = chosen.label
        off_script = session.runs[run + 1].operation != _script(world)[operation]
        facts |= {"off_script": off_script, "ceiling": ceiling, "oracle_next": oracle_next}
        yield make_clip(world.key, session.name, number, chosen, session.runs, **facts), state


def _shared(world: World, split: str, sessions: int, workers: int) -> Iterator[Clip]:
    """Few chunks are in flight at a time: a slow reader holds the makers back instead of filling memory."""
    context = get_context("spawn")  # forking a process that runs database threads can deadlock
    with ProcessPoolExecutor(workers, context, initializer=_adopt, initargs=(world,)) as pool:
        starts = iter(range(0, sessions, _CHUNK))
        chunks = (pool.submit(_chunk, split, start, min(start + _CHUNK, sessions)) for start in starts)
        waiting = deque(islice(chunks, 4 * workers))
        while waiting:
            yield from waiting.popleft().result()
            waiting.extend(islice(chunks, 1))


_adopted: World | None = None


def _adopt(world: World) -> None:
    global _adopted
    _adopted = world


def _chunk(split: str, start: int, end: int) -> list[Clip]:
    assert _adopted is not None
    return [clip for index in range(start, end) for clip, _ in session_states(_adopted, split, index)]
