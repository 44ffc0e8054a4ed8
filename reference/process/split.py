"""A split of a synthetic world: its clips with truth, domain facts, look, and what their frames allow to know.

Sessions are independent, so several processes share them; the clips come in the split's order and are equal for any
number of processes. `scale=N` gives N times the sessions, of which the first are the unscaled split's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import chain

from reference.pools.processes import in_processes
from reference.process.ceiling import forecasts, script
from reference.process.cutter import Cut, cut, make_clip
from reference.process.frame_limits import labels_at, overlaps, reconstruct
from reference.process.sessions import Session, timeline
from reference.process.visible import VisibleState, visible
from reference.process.world import World
from reference.randomness import clip_id, stream
from reference.task import DEFAULT_INDICES, Clip

_CHUNK = 24  # sessions a task: a few hundred clips, so that computing them takes longer than sending them back

_cached_script = lru_cache(maxsize=8)(script)


def build_split(world: World, split: str, *, scale: int = 1, workers: int = 1) -> Iterator[Clip]:
    """Return the clips of a split, by session and in time order; several `workers` are processes that share them.

    Raises WorldError for a split that the world does not have.
    """
    sessions = world.split(split).sessions * scale
    if workers <= 1:
        return (clip for index in range(sessions) for clip, _ in session_states(world, split, index))
    chunks = (range(start, min(start + _CHUNK, sessions)) for start in range(0, sessions, _CHUNK))
    return chain.from_iterable(in_processes(_sessions_clips, (world, split), chunks, workers, ahead=4 * workers))


def labelled_clips(world: World, split: str) -> Iterator[Clip]:
    """Yield the clips of `build_split` with labels, segment and look alone: what a fit reads, in a tenth of the time.

    Raises WorldError for a split that the world does not have.
    """
    for index in range(world.split(split).sessions):
        session, cuts = _cut_session(world, split, index)
        for number, chosen in enumerate(cuts):
            yield make_clip(world.key, session.name, number, chosen, session.runs, look=_look(world, session, chosen))


def _cut_session(world: World, split: str, index: int) -> tuple[Session, Iterable[Cut]]:
    session = timeline(world, split, index)
    return session, cut(session, world.plan, stream(world.key, "cut", session.name), world.split(split).clips)


def _look(world: World, session: Session, chosen: Cut) -> str:
    _, _, run = chosen.label
    return world.shown_step[session.runs[run].step]


def session_states(
    world: World, split: str, index: int, domain: str | None = None, chosen: Collection[str] | None = None
) -> Iterator[tuple[Clip, VisibleState]]:
    """Yield the clips of one session, or the chosen ones among them, each with what its frames show.

    `domain` replaces the session's own.
    """
    session, cuts = _cut_session(world, split, index)
    session.domain = domain or session.domain
    facts = {
        "domain": session.domain,
        "domain_seen": world.domain_seen(session.domain),
        "worker": session.worker.name,
        "randomised": session.randomised,
    }
    for number, window in enumerate(cuts):
        if chosen is not None and clip_id(world.key, session.name, number) not in chosen:
            continue
        state = visible(world, session, number, window)
        operation, segment, run = window.label
        after = sum(part.start_frame >= segment.end_frame for part in window.parts)
        (ceiling, oracle_next, next_ppm), *later = forecasts(world, state, after)
        sampled = reconstruct(labels_at(state, DEFAULT_INDICES), DEFAULT_INDICES)
        off_script = session.runs[run + 1].operation != _cached_script(world)[operation]
        facts |= {"off_script": off_script, "ceiling": ceiling, "oracle_next": oracle_next}
        facts |= {"look": _look(world, session, window), "next_ppm": next_ppm}
        facts |= {
            "later_ceilings": tuple(each.ceiling for each in later),
            "later_oracle": tuple(each.oracle_next for each in later),
        }
        facts |= {"frames_hit": overlaps(segment, sampled.temporal_segment)}
        yield make_clip(world.key, session.name, number, window, session.runs, **facts), state


def _sessions_clips(world_split: tuple[World, str], sessions: range) -> list[Clip]:
    world, split = world_split
    return [clip for index in sessions for clip, _ in session_states(world, split, index)]
