"""Model on frames alone: a recogniser of single frames, and a guess at the next operation from what it recognises.

It sees frames and their indices, and of the training split the truth; no ids, sessions, domains or order of clips.
What it makes of a frame, and which classifiers learn from that, is its Design.

1. The recogniser learns from frames inside the true segments. Operation and segment follow as in
   `reference.process.frame_limits`: every frame has the label of the nearest sampled one.
2. The anticipator, a classifier on the same features with the recognised operation and the one before it, learns the
   next operation from segments, and from the runs around them where truth names them. Over the segment's frames its
   logarithms are averaged. Another operation that is seen after the segment is evidence: P(seen | next) is counted in
   training, since a short run may lie between two sampled frames.

A Design may disturb pictures: then each training clip is used twice, as it is and disturbed. Everything is seeded.
Needs scikit-learn (extra `video`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reference.process.frame_limits import reconstruct
from reference.task import DEFAULT_INDICES, OPERATIONS, UNKNOWN

LABELS = tuple(label for label in OPERATIONS if label != UNKNOWN)
SMOOTHING = 1.0
UNLABELLED = -1
"""Label of a frame that the truth says nothing of, as in scikit-learn's semi-supervised models: nothing learns it."""

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Shrunk = NDArray[Any]
"""What a model keeps of a clip's frames while it learns, [n, ...]."""


@dataclass(frozen=True)
class Design:
    """What a model makes of a clip's frames, and the classifiers that learn from it."""

    shrink: Callable[[Pixels], Shrunk]
    """Reduce pictures [n, h, w, 3] to what is kept of them."""
    learn: Callable[[Sequence[Shrunk], np.random.Generator], Callable[[Shrunk], Floats]]
    """Learn from the training clips how features [n, f] follow from what is kept."""
    recogniser: Callable[[int], Any]
    """Make the classifier of single frames, by its seed."""
    anticipator: Callable[[int], Any]
    """Make the classifier of what comes next, by its seed."""
    disturb: Callable[[Shrunk, np.random.Generator], Shrunk] | None = None
    """Disturb a training clip, for its second use; without it each clip is used once."""


class Answers(NamedTuple):
    """Answers for n clips. `operation`, `following`: positions in LABELS; `segment` [n, 2]; two probabilities [n]."""

    operation: NDArray[np.int64]
    segment: NDArray[np.int64]
    following: NDArray[np.int64]
    confidence: NDArray[np.float64]
    next_confidence: NDArray[np.float64]

    def lines(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the prediction lines for clips of these names."""
        for name, operation, segment, following, sure, next_sure in zip(names, *self, strict=True):
            yield {
                "clip_id": name,
                "dominant_operation": LABELS[operation],
                "temporal_segment": {"start_frame": int(segment[0]), "end_frame": int(segment[1])},
                "next_operation": LABELS[following],
                "confidence": round(float(sure), 4),
                "next_confidence": round(float(next_sure), 4),
            }


@dataclass
class FrameModel:
    """Trained model: pictures in, answers out."""

    shrink: Callable[[Pixels], Shrunk]
    features: Callable[[Shrunk], Floats]
    recogniser: Any
    anticipator: Any
    seen_after: NDArray[np.float64]  # P(operation recognised first after a segment | next operation) [next, seen]

    def predict(self, clips: Iterable[Pixels], indices: Iterable[Sequence[int]] | None = None) -> Answers:
        """Answer clips [n, h, w, 3] each; `indices` of their frames, by default the eight uniform ones."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            return self._predict(clips, indices)

    def _predict(self, clips: Iterable[Pixels], indices: Iterable[Sequence[int]] | None) -> Answers:
        features = [self.features(self.shrink(frames)) for frames in clips]
        shown = [DEFAULT_INDICES] * len(features) if indices is None else indices
        answers = [self._answer(found, chosen) for found, chosen in zip(features, shown, strict=True)]
        return Answers(*(np.array(column) for column in zip(*answers, strict=True)))

    def _answer(self, features: Floats, indices: Sequence[int]) -> tuple[Any, ...]:
        recognised = _probabilities(self.recogniser, features)
        labels = recognised.argmax(axis=1)
        found = reconstruct([LABELS[label] for label in labels], indices)
        operation = LABELS.index(found.dominant_operation)
        inside = _inside(found.temporal_segment, indices)
        # geometric mean over the segment's frames; the summand bounds the say of one frame that is sure of a zero
        ahead = np.log(_probabilities(self.anticipator, _in_context(features, labels)[inside]) + 1e-4).mean(axis=0)
        following = np.exp(ahead)
        following[operation] = 0.0  # neighbouring runs differ, so the next operation is another one
        seen = labels[inside[-1] + 1 :]
        if len(seen):  # Bayes: P(next | frames of the segment) times P(seen | next)
            following = following * self.seen_after[:, seen[0]]
        following = following / following.sum()
        sure = recognised[inside, operation].mean()
        return operation, found.temporal_segment, following.argmax(), sure, following.max()


def train(
    design: Design,
    clips: Iterable[Pixels],
    truths: Sequence[Mapping[str, Any]],
    indices: Iterable[Sequence[int]] | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda step: None,
) -> FrameModel:
    """Learn from clips [n, h, w, 3] and their truth rows, where `next_operations`, `previous_operation` may be missing.

    `indices` of the clips' frames, by default the eight uniform ones. `say` gets a sentence before each step that takes
    long. Raises ModuleNotFoundError without scikit-learn.
    """
    from threadpoolctl import threadpool_limits

    # made first, since a limit holds for libraries that are loaded
    classifiers = design.recogniser(seed), design.anticipator(seed)
    with threadpool_limits(1):  # small matrices: threads cost more than they bring, and change the last bits
        small = [design.shrink(frames) for frames in clips]
        shown = [DEFAULT_INDICES] * len(small) if indices is None else indices
        targets = [Target.of(truth, chosen) for truth, chosen in zip(truths, shown, strict=True)]
        return _train(design, small, targets, *classifiers, np.random.default_rng(seed), say)


def _train(
    design: Design,
    small: Sequence[Shrunk],
    targets: Sequence[Target],
    recogniser: Any,
    anticipator: Any,
    random: np.random.Generator,
    say: Callable[[str], None],
) -> FrameModel:
    say("computing the features of the training frames")
    features = design.learn(small, random)
    turns = [[features(turn) for turn in _turns(design, frames, random)] for frames in small]
    say("learning to recognise operations")
    _fit(recogniser, turns, [target.operations() for target in targets])
    seen = [_probabilities(recogniser, first).argmax(axis=1) for first, *_ in turns]
    follows = [target.followers(labels) for target, labels in zip(targets, seen, strict=True)]
    context = [[_in_context(turn, labels) for turn in clip] for clip, labels in zip(turns, seen, strict=True)]
    say("learning what comes next")
    _fit(anticipator, context, follows)
    return FrameModel(design.shrink, features, recogniser, anticipator, _seen_after(seen, targets))


def _turns(design: Design, frames: Shrunk, random: np.random.Generator) -> list[Shrunk]:
    """Return what is learned of a clip: its frames, and where the design says so the same ones disturbed."""
    return [frames] if design.disturb is None else [frames, design.disturb(frames, random)]


class Target(NamedTuple):
    """Labels that a truth row gives the sampled frames: positions in LABELS, or UNLABELLED."""

    inside: NDArray[np.int64]  # positions of the frames in the segment
    frames: int  # number of sampled frames
    operation: int
    previous: int
    following: int
    after_that: int

    @classmethod
    def of(cls, truth: Mapping[str, Any], indices: Sequence[int]) -> Target:
        """Read a truth row for the frames of these indices."""
        segment = truth["temporal_segment"]
        inside = _inside((segment["start_frame"], segment["end_frame"]), indices)
        later = list(truth.get("next_operations") or ())[1:2]
        labels = (truth["dominant_operation"], truth.get("previous_operation"), truth["next_operation"], *later, None)
        return cls(inside, len(indices), *(_position(label) for label in labels[:4]))

    def operations(self) -> NDArray[np.int64]:
        """Return the operation of each frame inside the segment; of the others the truth row says nothing certain."""
        found = np.full(self.frames, UNLABELLED)
        found[self.inside] = self.operation
        return found

    def followers(self, seen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the operation that follows each frame's run, for the segment's run and for the runs next to it.

        `seen`: the operations recognised. A neighbouring run ends where another operation than the true one is seen.
        """
        found = np.full(self.frames, UNLABELLED)
        if not len(self.inside):
            return found
        found[self.inside] = self.following
        for place in range(self.inside[0] - 1, -1, -1):
            if seen[place] != self.previous:
                break
            found[place] = self.operation
        for place in range(self.inside[-1] + 1, self.frames):
            if seen[place] != self.following:
                break
            found[place] = self.after_that
        return found


def _seen_after(seen: Sequence[NDArray[np.int64]], targets: Sequence[Target]) -> NDArray[np.float64]:
    """Return P(operation recognised first after a segment | next operation) [next, seen], smoothed (Laplace)."""
    counts = np.full((len(LABELS), len(LABELS)), SMOOTHING / len(LABELS))
    for labels, target in zip(seen, targets, strict=True):
        if len(target.inside) and target.inside[-1] + 1 < target.frames and target.following != UNLABELLED:
            counts[target.following, labels[target.inside[-1] + 1]] += 1
    return counts / counts.sum(axis=1, keepdims=True)


def _position(label: str | None) -> int:
    return LABELS.index(label) if label in LABELS else UNLABELLED


def _inside(segment: Sequence[int], indices: Sequence[int]) -> NDArray[np.int64]:
    """Return the positions of the sampled frames in a segment."""
    start, end = segment
    return np.array([place for place, index in enumerate(indices) if start <= index < end], np.int64)


def _in_context(features: Floats, labels: NDArray[np.int64]) -> Floats:
    """Append to the features the operation recognised, and the one before it in the clip if there is one, one-hot."""
    one = np.eye(len(LABELS) + 1, len(LABELS), dtype=np.float32)
    before = np.full(len(labels), len(LABELS))
    for place in range(1, len(labels)):
        before[place] = before[place - 1] if labels[place] == labels[place - 1] else labels[place - 1]
    return np.hstack([features, one[labels], one[before]])


def _fit(model: Any, turns: Sequence[Sequence[Floats]], labels: Sequence[NDArray[np.int64]]) -> None:
    """Fit a classifier on the frames that have a label; the turns of a clip share its labels."""
    features = np.concatenate([turn for clip in turns for turn in clip])
    wanted = np.concatenate([known for clip, known in zip(turns, labels, strict=True) for _ in clip])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the number of steps is fixed, whether or not it has converged
        model.fit(features[wanted != UNLABELLED], wanted[wanted != UNLABELLED])


def _probabilities(model: Any, features: Floats) -> NDArray[np.float64]:
    """Return probabilities [n, labels], 0 for labels that training never showed."""
    found = np.zeros((len(features), len(LABELS)))
    found[:, model.classes_] = model.predict_proba(features)
    return found
