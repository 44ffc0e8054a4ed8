"""Does a world ask for the whole clip? What is known of the next operation from memory, from few frames, from cues.

Expected values on the hidden clips of the test split: each answer counts its exact probability. Best possible from 1
frame (the middle one), 8 and 16 uniform ones: see `seen_in`. Two readers get every cue of the clip as it is, what
passes too, and are trained on the hidden clips of train: a linear one (logistic regression), which cannot combine cues,
and boosted trees, which have to learn how from so many clips. The linear reader is *steps* below the ceiling: their
difference in units of the smallest difference that a paired test on this split finds with power .80.

The independent oracle of tests/support works ceilings and limits out anew, for 2,000 hidden clips.

Run from the repository root: `python -m tests.gates.foresight`. Exit code 1 where a limit is not kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from harness.statistics import jackknife_se, minimum_detectable
from reference.process.ceiling import next_distribution
from reference.process.frame_limits import ClipState, foresight, uniform_indices
from reference.process.visible import ShownRun, seen_in
from reference.process.world import World, load_world
from reference.task import Clip
from tests.gates.gate import Gate, table
from tests.gates.sight_pictures import Drawing, states
from tests.support.process_oracle import Process

WORLD = "warehouse-v2"
SEED, CHECKED, TOLERANCE = 20_264, 2_000, 1e-12
FRAMES = (1, 8, 16)


class Figures(NamedTuple):
    """Expected hidden AA@1 of a world; `steps`: distinguishable steps between linear reader and ceiling."""

    floor: float
    prior: float
    state_prior: float
    frames: tuple[float, ...]
    ceiling: float
    linear: float | None = None
    trees: float | None = None
    steps: float | None = None


class Split(NamedTuple):
    """Hidden clips of a split, with P(next | frames) of each."""

    clips: list[ClipState]
    sessions: np.ndarray
    chances: list[dict[str, float]]

    def expected(self, answers: Sequence[str]) -> np.ndarray:
        """Return the probability of each answer [n]."""
        return np.array([chance.get(answer, 0.0) for chance, answer in zip(self.chances, answers, strict=True)])


def hidden(world: World, split: str) -> Split:
    kept = [pair for pair in states(Drawing(world.name, split)) if not pair[0].next_visible]
    sessions = np.array([int(clip.session.rsplit("-", 1)[1]) for clip, _ in kept])
    return Split(kept, sessions, [next_distribution(world, state) for _, state in kept])


def segment_run(clip: Clip, state: object) -> ShownRun:
    return next(run for run in state.runs if run.start_frame == clip.temporal_segment.start_frame)


def measure(name: str, *, readers: bool = True) -> Figures:
    """Return the figures of a world; without `readers` nothing is trained."""
    world = load_world(name)
    train, test = states(Drawing(name, "train")), hidden(world, "test")
    following: dict[object, Counter[str]] = defaultdict(Counter)
    for clip, state in train:
        run = segment_run(clip, state)
        for key in ("all", run.operation, (run.operation, run.step)):
            following[key][clip.next_operation] += 1
    runs = [segment_run(*pair) for pair in test.clips]

    def usual(keys: Sequence[object]) -> float:
        return float(test.expected([(following[key] or following["all"]).most_common(1)[0][0] for key in keys]).mean())

    ceilings = np.array([clip.ceiling for clip, _ in test.clips])
    figures = Figures(
        floor=usual(["all"] * len(runs)),
        prior=usual([run.operation for run in runs]),
        state_prior=usual([(run.operation, run.step) for run in runs]),
        frames=tuple(foresight(world, test.clips, FRAMES).values()),
        ceiling=float(ceilings.mean()),
    )
    if not readers:
        return figures
    linear, trees = (test.expected(answers) for answers in read(world, hidden(world, "train"), test))
    return figures._replace(linear=float(linear.mean()), trees=float(trees.mean()), steps=steps(test, ceilings, linear))


def steps(test: Split, ceilings: np.ndarray, reader: np.ndarray) -> float:
    """Return the distance to the ceiling in smallest detectable differences of the answers that reach it."""
    gap, count = np.bincount(test.sessions, ceilings - reader), np.bincount(test.sessions)
    kept = count > 0
    difference, replicates = gap.sum() / count.sum(), (gap.sum() - gap[kept]) / (count.sum() - count[kept])
    return float(difference / minimum_detectable(float(jackknife_se(difference, replicates)), int(kept.sum())))


def read(world: World, train: Split, test: Split) -> list[list[str]]:
    """Return the answers of the linear reader and of the boosted trees, each trained on every cue of a clip."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    features, asked = (np.array([cues(world, *pair) for pair in split.clips]) for split in (train, test))
    labels = [clip.next_operation for clip, _ in train.clips]
    models = (
        LogisticRegression(C=0.3, max_iter=2_000),
        HistGradientBoostingClassifier(
            max_iter=150, learning_rate=0.08, max_leaf_nodes=15, early_stopping=False, random_state=SEED
        ),
    )
    with threadpool_limits(1):
        return [list(model.fit(features, labels).predict(asked)) for model in models]


def cues(world: World, clip: Clip, state: object) -> list[float]:
    """Return all that a clip shows as numbers: step, the step before, worker, tote, each sign (1, -1, 0: not told)."""
    run = segment_run(clip, state)
    place = state.runs.index(run)
    before = state.runs[place - 1] if place and state.runs[place - 1].order == run.order else None
    steps = sorted(set(world.shown_step.values()))
    found = [float(run.step == step) for step in steps] + [float(run.operation == "Idle")]
    found += [float(before is not None and before.step == step) for step in steps]
    found += [float(state.worker == worker.name) for worker in world.workers]
    here = state.orders[run.order]
    beside = state.orders[run.order + 1] if len(state.orders) > run.order + 1 else (None,) * len(here)
    for attribute, own, other in zip(world.attributes, here, beside, strict=True):
        both = world.surfaces[attribute.shown_by].next_beside
        seen = ((other, own) if state.swapped else (own, other)) if both else (own,)
        found += [0.0 if value is None else 2.0 * value - 1 for value in seen]
        found += [float(value is None) for value in seen]
    return [*found, 1.0 if state.swapped else -1.0]


class Agreement(NamedTuple):
    """Largest difference between the process and the oracle of the tests, in probability."""

    clips: int
    distribution: float
    limits: float


def agreement(name: str, clips: int) -> Agreement:
    """Compare distributions and frame limits with the oracle's, on hidden clips of test, then of train."""
    world, oracle = load_world(name), Process.of(name)
    splits = (states(Drawing(name, split)) for split in ("test", "validation", "train"))
    hidden_clips = (pair for pairs in splits for pair in pairs if not pair[0].next_visible)
    pairs = list(islice(hidden_clips, clips))
    far = near = 0.0
    for _, state in pairs:
        mine, other = next_distribution(world, state), oracle.next_distribution(state)
        far = max(far, *(abs(mine.get(key, 0.0) - other.get(key, 0.0)) for key in mine | other))
        for count in FRAMES:
            seen = max(next_distribution(world, seen_in(world, state, uniform_indices(count))).values())
            near = max(near, abs(seen - oracle.best(state, uniform_indices(count))))
    return Agreement(len(pairs), far, near)


def limits(figures: Figures) -> list[tuple[str, float | None, str, float]]:
    """Return what is demanded of a world that asks for video: what, value, at most or at least, limit."""
    one, eight, sixteen = figures.frames
    return [
        ("floor: the most frequent next operation", figures.floor, "<=", 0.25),
        ("prior: T(operation)", figures.prior, "<=", 0.45),
        ("state prior: T(operation, look)", figures.state_prior, "<=", 0.55),
        ("best from 1 frame", one, "<=", 0.65),
        ("best from 8 uniform frames", eight, "<=", 0.78),
        ("best from 16 uniform frames", sixteen, ">=", figures.ceiling - 0.01),
        ("ceiling", figures.ceiling, ">=", 0.82),
        ("linear reader of all cues", figures.linear, "<=", figures.state_prior + 0.05),
        ("boosted trees on all cues", figures.trees, "<=", figures.ceiling - 0.08),
        ("distinguishable steps from the linear reader to the ceiling", figures.steps, ">=", 5.0),
    ]


def kept(row: tuple[str, float | None, str, float]) -> bool:
    _, value, sign, bound = row
    return value is None or (value <= bound if sign == "<=" else value >= bound)


def run_gate(clips: int = CHECKED) -> Gate:
    figures, found = measure(WORLD), agreement(WORLD, clips)
    text = (
        "Expected AA@1 on the hidden clips of test: each answer counts its exact probability. "
        f"{WORLD} is made so that no frame and no cue alone foresees what follows. The readers get every cue as it is, "
        "trained on the hidden clips of train. The steps count smallest detectable differences of a paired test on "
        f"test (power .80). The oracle of the tests agrees on {found.clips:,} clips, frame limits included, to "
        f"{max(found.distribution, found.limits):.1e} in probability (demanded: {TOLERANCE:.0e})."
    )
    rows = []
    for row in limits(figures):
        what, value, sign, bound = row
        rows.append((what, f"{value:.3f}", f"{sign} {bound:.3f}", "yes" if kept(row) else "**no**"))
    tables = [table(("hidden clips of test", WORLD, "asked", "kept"), rows)]
    holds = all(map(kept, limits(figures))) and max(found.distribution, found.limits) <= TOLERANCE
    return Gate("Foresight", text, tables, holds)


if __name__ == "__main__":
    gate = run_gate()
    print(gate.markdown())
    raise SystemExit(0 if gate.holds else 1)
