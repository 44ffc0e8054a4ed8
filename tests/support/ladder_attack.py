"""Attacks on the ladder of a sealed split, as a pure function of session sums, by files that are all equally good.

Every clip has its own chance of being right in each of three fields, and every new answer to it has the same chance.
Whatever such an attacker gains over the honest start is luck of the split.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from harness import statistics
from harness.rules import AA40
from harness.sealed import ladder

SESSIONS, CLIPS = 72, 20
"""Size of the test split of the worlds that ship."""
CHANCE, SPREAD = 0.6, 0.15
"""Mean chance of a right answer, and how far it differs between sessions and between clips."""

Choice = Callable[[np.random.Generator, int], np.ndarray]
"""Returns the clips that the k-th file of an attack answers anew, as integers."""


@dataclass(frozen=True)
class Outcome:
    """What an attack gained over its start, in standard errors of the score of one file, and how often it moved."""

    gain: float
    moves: int


def attack(choice: Choice, seed: int, files: int = 1000, decide: Callable = ladder.is_better) -> Outcome:
    """Send so many files, each the one that stands with other answers to some clips, and keep what is shown."""
    draw = np.random.default_rng(seed)
    n = SESSIONS * CLIPS
    session, weights = np.repeat(np.arange(SESSIONS), CLIPS), np.array(AA40.integers())
    each_session = draw.normal(0, SPREAD, (SESSIONS, 1))[session]
    chance = np.clip(CHANCE + each_session + draw.normal(0, SPREAD, (n, 3)), 0.02, 0.98)
    clips = np.full(SESSIONS, CLIPS * weights.sum())

    def answer(which: np.ndarray) -> np.ndarray:
        return (draw.random((len(which), 3)) < chance[which]) @ weights

    points = answer(np.arange(n))
    start = sums = np.bincount(session, points, SESSIONS).astype(np.int64)
    compared = moves = 0
    for k in range(files):
        which = choice(draw, k)
        changed = answer(which)
        new = sums + np.bincount(session[which], changed - points[which], SESSIONS).astype(np.int64)
        if decide(new, sums, clips, compared):
            points[which], sums = changed, new
            compared, moves = 0, moves + 1
        else:
            compared += 1
    error = float(statistics.jackknife_se(start.sum() / clips.sum(), (start.sum() - start) / (clips.sum() - clips)))
    return Outcome(float((sums.sum() - start.sum()) / clips.sum()) / error, moves)


def one_clip(draw: np.random.Generator, k: int) -> np.ndarray:
    """Answer one clip after the other anew."""
    return np.array([k % (SESSIONS * CLIPS)])


def all_clips(draw: np.random.Generator, k: int) -> np.ndarray:
    """Answer every clip anew: the best of many files."""
    return np.arange(SESSIONS * CLIPS)


def random_block(size: int) -> Choice:
    """Return the choice of so many clips by chance."""
    return lambda draw, k: draw.choice(SESSIONS * CLIPS, size, replace=False)


def whole_sessions(sessions: int) -> Choice:
    """Return the choice of so many whole sessions by chance."""
    return lambda draw, k: (draw.choice(SESSIONS, sessions, replace=False)[:, None] * CLIPS + np.arange(CLIPS)).ravel()


def strategies() -> Iterator[tuple[str, Choice]]:
    """Yield the attacks by name."""
    yield "one clip a file", one_clip
    yield from ((f"blocks of {size} clips", random_block(size)) for size in (10, 40, 160, 400))
    yield from ((f"blocks of {sessions} sessions", whole_sessions(sessions)) for sessions in (4, 18))
    yield "all clips, the best of them", all_clips


def two_errors_alone(new: np.ndarray, standing: np.ndarray, clips: np.ndarray, compared: int) -> bool:
    """Decide as if every file were the first one compared with its standing, without the exact test."""
    gap = new - standing
    difference = gap.sum() / clips.sum()
    return difference > ladder.STEP * statistics.jackknife_se(difference, (gap.sum() - gap) / (clips.sum() - clips))
