"""Is the answer anywhere but in the pictures? A classifier on all that is published beside them must learn nothing.

Features are what `clips.jsonl` says of a clip: the bytes of its id, its place in the list (train: by session and time;
test: by id), the indices and times of its frames. Sessions and clip numbers are published for train alone, so no answer
of test can be read off them; a second table shows what they would give away. File sizes follow the pixels and are no
feature: equal states render to equal bytes (tests/reference/drawing/test_frame.py).

For each target a gradient-boosted classifier is trained once on train and predicts test. Statistic: the probability it
gives to the true answers, summed, in millionths (integers, so that equal sums are equal). p: its rank among that of
test labels shuffled against the fixed predictions, within sessions and by whole sessions; Holm over targets x shuffles.
A leak is an adjusted p of at most 0.01. Positive control: a planted feature that gives away the answer of every tenth
clip, and nothing of the others, is found.

Run from the repository root: `python -m tests.gates.leaks`. Exit code 1 where there is a leak, or a control is missed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from harness.statistics import holm
from reference.process.split import build_split, session_states
from reference.process.world import load_world
from reference.task import CLIP_FRAMES, DEFAULT_INDICES, FPS, OPERATIONS, Clip
from tests.gates.gate import Gate, percent, table

SEED, SHUFFLES, LEVEL, PLANTED = 20_262, 9_999, 0.01, 10
ITERATIONS = 100
CLIPS_OF_ONE_ORDER = 10

TARGETS: dict[str, Callable[[Clip], int]] = {
    "operation": lambda clip: OPERATIONS.index(clip.dominant_operation),
    "next operation": lambda clip: OPERATIONS.index(clip.next_operation),
    "start > 0": lambda clip: int(clip.temporal_segment.start_frame > 0),
    "end < 125": lambda clip: int(clip.temporal_segment.end_frame < CLIP_FRAMES),
    "off script": lambda clip: int(bool(clip.off_script)),
}


class Finding(NamedTuple):
    """Result of one search. `given`: mean probability of the true answers; `shuffled`: of shuffled ones."""

    target: str
    shuffle: str
    given: float
    shuffled: float
    p: float


class Split(NamedTuple):
    """Clips of a split by session and time: their features [n, f] and sessions [n], numbered from 0, of equal size."""

    clips: list[Clip]
    features: np.ndarray
    session: np.ndarray

    def target(self, name: str) -> np.ndarray:
        return np.array([TARGETS[name](clip) for clip in self.clips])

    def with_feature(self, column: np.ndarray) -> Split:
        return self._replace(features=np.column_stack([self.features, column]))


def published(clips: Sequence[Clip], by_id: bool) -> np.ndarray:
    """Return what each line of clips.jsonl holds and where it stands, as numbers [n, f] in the order of `clips`."""
    names = [clip.clip_id for clip in clips]
    listed = sorted(names) if by_id else names
    place = {name: number / len(names) for number, name in enumerate(listed)}
    times = [*DEFAULT_INDICES, *(index / FPS for index in DEFAULT_INDICES)]
    return np.array([[*bytes.fromhex(name), int(name, 16) / 16**16, place[name], *times] for name in names], float)


def withheld(clips: Sequence[Clip], by_id: bool) -> np.ndarray:
    """Return session number, clip number and the clip's start within its session [n, 3]."""
    del by_id
    return np.array([[int(clip.session.rsplit("-", 1)[1]), clip.clip_index, clip.start_ms] for clip in clips], float)


Features = Callable[[Sequence[Clip], bool], np.ndarray]


def load(world: str, split: str, features: Features = published, sessions: int | None = None) -> Split:
    """Return the clips of a split, or of its first sessions."""
    clips = list(build_split(load_world(world), split))
    names = {name: number for number, name in enumerate(dict.fromkeys(clip.session for clip in clips))}
    kept = [clip for clip in clips if sessions is None or names[clip.session] < sessions]
    return Split(kept, features(kept, split.startswith("test")), np.array([names[clip.session] for clip in kept]))


def windows(world: str, split: str, sessions: int | None = None) -> Split:
    """Return the places of a clip's windows as features, -1 for none, in sessions of equal size.

    Only clips that show one order: where another one comes, its windows can lie nowhere but behind that moment, which
    the pictures show and no window has to tell. Of each session the first CLIPS_OF_ONE_ORDER such clips.
    """
    definition = load_world(world)
    names = [name for name, surface in definition.surfaces.items() if surface.window]
    places = [(name, order) for name in names for order in range(1 + definition.surfaces[name].next_beside)]
    clips, features, session = list[Clip](), list[list[int]](), list[int]()
    for index in range(definition.split(split).sessions if sessions is None else sessions):
        found = [(clip, state) for clip, state in session_states(definition, split, index) if not state.runs[-1].order]
        if len(found) < CLIPS_OF_ONE_ORDER:
            continue
        for clip, state in found[:CLIPS_OF_ONE_ORDER]:
            shown = {(window.surface, window.order): window for window in state.windows}
            at = [shown.get(place) for place in places]
            features.append([edge for one in at for edge in ((one.start_frame, one.end_frame) if one else (-1, -1))])
            session.append(len(clips) // CLIPS_OF_ONE_ORDER)
            clips.append(clip)
    return Split(clips, np.array(features, float), np.array(session))


def predictions(train: Split, test: Split, target: str, iterations: int = ITERATIONS) -> np.ndarray:
    """Return the probability of every label for every test clip, in millionths [n, labels]."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    model = HistGradientBoostingClassifier(max_iter=iterations, early_stopping=False, random_state=SEED)
    found = np.zeros((len(test.clips), len(OPERATIONS)), np.int64)
    with threadpool_limits(1):  # threads that wait for a busy core take several times as long
        model.fit(train.features, train.target(target))
        found[:, model.classes_] = np.round(1e6 * model.predict_proba(test.features))
    return found


def within_sessions(session: np.ndarray, random: np.random.Generator, count: int) -> np.ndarray:
    """Draw, for each clip, the clip of its session whose label it gets [count, n]. `session` is ascending."""
    return np.argsort(session + random.random((count, len(session))), axis=1, kind="stable")


def by_sessions(session: np.ndarray, random: np.random.Generator, count: int) -> np.ndarray:
    """Draw orders [count, n] in which whole sessions change places and their clips keep their order."""
    groups = session[-1] + 1
    size = len(session) // groups
    if size * groups != len(session):
        raise ValueError("sessions of one size are needed")
    order = np.argsort(random.random((count, groups)), axis=1)
    return (order[:, :, None] * size + np.arange(size)).reshape(count, -1)


SHUFFLE = {"within sessions": within_sessions, "by sessions": by_sessions}


def examine(test: Split, target: str, given: np.ndarray, shuffles: int = SHUFFLES) -> list[Finding]:
    labels, n = test.target(target), len(test.clips)
    observed = given[np.arange(n), labels].sum()
    found = []
    for number, (name, shuffle) in enumerate(SHUFFLE.items()):
        random = np.random.default_rng([SEED, number])
        orders = (shuffle(test.session, random, count) for count in _blocks(shuffles))
        sums = np.concatenate([_sums(given, labels[order]) for order in orders])
        p = (1 + int((sums >= observed).sum())) / (1 + shuffles)
        found.append(Finding(target, name, observed / n / 1e6, sums.mean() / n / 1e6, p))
    return found


def _sums(given: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the probability that each row of labels [count, n] gets in total."""
    return given[np.arange(len(given)), labels].sum(axis=1)


def _blocks(total: int, block: int = 1000) -> list[int]:
    return [min(block, total - start) for start in range(0, total, block)]


def search(train: Split, test: Split, shuffles: int = SHUFFLES, iterations: int = ITERATIONS) -> list[Finding]:
    """Examine every target under both shuffles."""
    return [
        finding
        for target in TARGETS
        for finding in examine(test, target, predictions(train, test, target, iterations), shuffles)
    ]


def control(train: Split, test: Split, shuffles: int = SHUFFLES, iterations: int = ITERATIONS) -> list[Finding]:
    """Examine every target with a feature planted for it: the search must find that one."""
    found = []
    for target in TARGETS:
        told, asked = (split.with_feature(planted(split, target)) for split in (train, test))
        found += examine(test, target, predictions(told, asked, target, iterations), shuffles)
    return found


def planted(split: Split, target: str) -> np.ndarray:
    """Return a feature [n] with the answer of every tenth clip, drawn at random, and a constant for the others."""
    drawn = np.random.default_rng([SEED, len(split.clips)]).permutation(len(split.clips))
    told = drawn < len(drawn) // PLANTED
    return np.where(told, split.target(target), -1)


def leaks(findings: Sequence[Finding]) -> np.ndarray:
    """Return True for each finding that is a leak, with Holm's adjustment over all of them."""
    return holm([finding.p for finding in findings]) <= LEVEL


def run_gate(world: str = "warehouse-v2", shuffles: int = SHUFFLES) -> Gate:
    train, test = load(world, "train"), load(world, "test")
    real, planned = search(train, test, shuffles), control(train, test, shuffles)
    open_ = search(load(world, "train", withheld), load(world, "test", withheld), shuffles)
    text = (
        "A gradient-boosted classifier on everything `clips.jsonl` says beside the pictures, trained on the train "
        f"split of {world}, predicts test. *Given*: mean probability of the true answers; *shuffled*: the same with "
        f"shuffled test labels, mean of {shuffles:,}. Demanded: no adjusted p (Holm over the ten) of at most "
        f"{LEVEL:g}; for the control, a planted feature that gives away {percent(1 / PLANTED)} of the answers, all of "
        "them. Reported: what session, clip number and time would tell if they were published for test too. "
        "Demanded as well: the places of the windows in which the cues pass tell nothing, on clips that "
        "show one order."
    )
    passing = search(windows(world, "train"), windows(world, "test"), shuffles)
    tables = ["Published:", _table(real), "Control:", _table(planned), "Withheld:", _table(open_)]
    tables += ["Windows:", _table(passing)]
    holds = not leaks(real).any() and not leaks(passing).any() and bool(leaks(planned).all())
    return Gate("Leaks", text, tables, holds)


def _table(findings: Sequence[Finding]) -> str:
    adjusted = holm([finding.p for finding in findings])
    header = ("target", "labels shuffled", "given", "shuffled", "raw p", "adjusted p", "leak")
    rows = []
    for finding, p in zip(findings, adjusted, strict=True):
        leak = "**yes**" if p <= LEVEL else "no"
        rows.append(
            (
                finding.target,
                finding.shuffle,
                f"{finding.given:.4f}",
                f"{finding.shuffled:.4f}",
                f"{finding.p:.4f}",
                f"{p:.4f}",
                leak,
            )
        )
    return table(header, rows)


if __name__ == "__main__":
    gate = run_gate()
    print(gate.markdown())
    raise SystemExit(0 if gate.holds else 1)
