"""A small probe on frames alone: linear features, a recogniser of single frames, and a guess at what comes next.

It exists to show that the answer is in the pictures: whatever it gets right, it read there. It sees frames and their
indices, and of the training split the truth; no ids, sessions, domains or order of clips.

1. Features of a frame, reduced to 42 x 42 and to equal mean red, green and blue over its clip: principal components of
   the 21 x 21 picture, and how much of each strong hue the corner of the order's signs holds.
2. The recogniser, a multinomial logistic regression, learns from frames inside the true segments. Operation and segment
   follow as in `reference.process.frame_limits`: every frame has the label of the nearest sampled one.
3. The anticipator, one hidden layer on the same features with the recognised operation and the one before it, learns
   what follows from segments, and from the runs around them where truth names them. Over the segment's frames its
   logarithms are averaged. Where another operation is seen after the segment, that is taken as evidence: P(seen | next)
   is counted in training, since a short run may lie between two sampled frames.

Each training clip is used twice, as it is and disturbed (moved, turned, dimmed, tinted, blurred, noisy), so that a
camera or lamp that was never seen does less harm. Everything is seeded. Needs scikit-learn (extra `video`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reference.process.frame_limits import reconstruct
from reference.task import DEFAULT_INDICES, OPERATIONS, UNKNOWN

LABELS = tuple(label for label in OPERATIONS if label != UNKNOWN)
SIDE = 42
SIGNS = (slice(0, 28), slice(0, 16))
"""Rows and columns of the reduced picture that the order's signs lie in."""
HUES, CHROMA = 12, 0.12
COMPONENTS, LEARNED_FROM = 80, 6_000
HIDDEN, EPOCHS, SMOOTHING = 64, 10, 1.0

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


class Answers(NamedTuple):
    """Of n clips. `operation`, `following`: positions in LABELS; `segment` [n, 2]; probabilities of both labels."""

    operation: NDArray[np.int64]
    segment: NDArray[np.int64]
    following: NDArray[np.int64]
    confidence: NDArray[np.float64]
    next_confidence: NDArray[np.float64]

    def lines(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Prediction lines for clips of these names."""
        for name, operation, segment, following, sure, next_sure in zip(names, *self, strict=True):
            yield {
                "clip_id": name,
                "dominant_operation": LABELS[operation],
                "temporal_segment": {"start_frame": int(segment[0]), "end_frame": int(segment[1])},
                "next_operation": LABELS[following],
                "confidence": round(float(sure), 4),
                "next_confidence": round(float(next_sure), 4),
            }


def reduce(frames: Pixels) -> Pixels:
    """Block means: uint8 [..., h, w, 3] to [..., 42, 42, 3]. Raises ValueError for pictures that are smaller."""
    height, width = frames.shape[-3:-1]
    if min(height, width) < SIDE:
        raise ValueError(f"pictures of {width} x {height} pixels; at least {SIDE} x {SIDE} are needed")
    total = _summed(_summed(frames, height, -3), width, -2)
    area = (height // SIDE) * (width // SIDE)
    return ((total + area // 2) // area).astype(np.uint8)


def _summed(pixels: NDArray[Any], side: int, axis: int) -> NDArray[np.uint32]:
    """Over blocks of side // 42 along one axis, by adding slices: six times as fast as numpy's reduceat."""
    begin = np.arange(SIDE) * side // SIDE
    total = np.take(pixels, begin, axis=axis).astype(np.uint32)
    for place in range(1, side // SIDE):
        total += np.take(pixels, begin + place, axis=axis)
    return total


def disturb(frames: Pixels, random: np.random.Generator) -> Pixels:
    """One clip [n, 42, 42, 3], disturbed alike in all its frames but for the noise."""
    found = _moved(frames, random) if random.random() < 0.6 else frames.astype(np.float32)
    if random.random() < 0.3:
        for axis in (1, 2):
            found += np.roll(found, 1, axis=axis)
        found *= np.float32(0.25)
    if random.random() < 0.5:
        found *= random.uniform(0.5, 1.1, 3).astype(np.float32)
    if random.random() < 0.3:
        found += random.uniform(2, 10) * random.standard_normal(found.shape, np.float32)
    return np.clip(found + 0.5, 0, 255).astype(np.uint8)


def _moved(frames: Pixels, random: np.random.Generator) -> Floats:
    """Seen from a little farther away or nearer, turned and shifted: pixels from where they were before, bilinear."""
    across, down = random.uniform(0.95, 1.3, 2)
    turn, shift = random.uniform(-0.1, 0.1), random.uniform(-2, 2, 2)
    middle = (SIDE - 1) / 2
    y, x = np.mgrid[:SIDE, :SIDE] - middle
    from_x = np.clip(across * (x + turn * y) + shift[0] + middle, 0, SIDE - 1.001)
    from_y = np.clip(down * (y - turn * x) + shift[1] + middle, 0, SIDE - 1.001)
    left, top = from_x.astype(int), from_y.astype(int)
    right_share, low_share = ((part - part.astype(int)).astype(np.float32)[:, :, None] for part in (from_x, from_y))
    upper = frames[:, top, left] * (1 - right_share) + frames[:, top, left + 1] * right_share
    lower = frames[:, top + 1, left] * (1 - right_share) + frames[:, top + 1, left + 1] * right_share
    return upper * (1 - low_share) + lower * low_share


def describe(frames: Pixels) -> tuple[Floats, Floats]:
    """Of one clip [n, 42, 42, 3]: its pictures [n, 1323], balanced, and the hues of their signs [n, 12]."""
    balanced = frames.astype(np.float32)
    balanced *= 0.6 / (balanced.mean(axis=(0, 1, 2)) + 0.5)
    rows = balanced[:, 0::2] + balanced[:, 1::2]
    half: Floats = (rows[:, :, 0::2] + rows[:, :, 1::2]) * np.float32(0.25)
    return half.reshape(len(frames), -1), hues(balanced[:, *SIGNS].reshape(len(frames), -1, 3))


def hues(pixels: Floats) -> Floats:
    """[n, pixels, 3] -> [n, 12]: root of the mean strength of each hue, weak ones left out."""
    strength = pixels.max(axis=-1) - pixels.min(axis=-1) - CHROMA
    row, place = np.nonzero(strength > 0)
    bins = row * HUES + _sector(pixels[row, place])
    total = np.bincount(bins, strength[row, place], len(pixels) * HUES)
    return np.sqrt(total.reshape(-1, HUES) / pixels.shape[1]).astype(np.float32)


def _sector(pixels: Floats) -> NDArray[np.int64]:
    """Which of the 12 parts of the colour circle each pixel [n, 3] lies in; red is at the beginning of the first."""
    red, green, blue = pixels.T
    most, chroma = pixels.max(axis=-1), np.ptp(pixels, axis=-1)
    after_green = np.where(most == green, 2 + (blue - red) / chroma, 4 + (red - green) / chroma)
    angle = np.where(most == red, (green - blue) / chroma % 6, after_green)
    return (angle * (HUES / 6)).astype(np.int64) % HUES


@dataclass
class Basis:
    """Principal components of pictures, and scales, learned from some of the training frames."""

    middle: Floats
    components: Floats  # [1323, k], each divided by its standard deviation
    hue_middle: Floats
    hue_scale: Floats

    @classmethod
    def of(cls, pictures: Floats, strengths: Floats) -> Basis:
        middle = pictures.mean(axis=0)
        away = pictures - middle
        variance, vectors = np.linalg.eigh(away.T @ away / len(away))
        best = slice(None, -COMPONENTS - 1, -1)
        scaled = vectors[:, best] / np.sqrt(np.maximum(variance[best], 1e-8))
        spread = strengths.std(axis=0) + 1e-3
        return cls(middle, scaled.astype(np.float32), strengths.mean(axis=0), spread)

    def features(self, pictures: Floats, strengths: Floats) -> Floats:
        return np.hstack([(pictures - self.middle) @ self.components, (strengths - self.hue_middle) / self.hue_scale])


@dataclass
class Probe:
    """A trained probe. `recogniser` and `anticipator` are scikit-learn classifiers over positions in LABELS."""

    basis: Basis
    recogniser: Any
    anticipator: Any
    seen_after: NDArray[np.float64]  # [next, seen]: P(what is seen first after a segment | next)

    def predict(self, clips: Iterable[Pixels], indices: Iterable[Sequence[int]] | None = None) -> Answers:
        """Answers for clips [n, h, w, 3] each; `indices` of their frames, by default the eight uniform ones."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            return self._predict(clips, indices)

    def _predict(self, clips: Iterable[Pixels], indices: Iterable[Sequence[int]] | None) -> Answers:
        features = [self.basis.features(*describe(reduce(frames))) for frames in clips]
        shown = [DEFAULT_INDICES] * len(features) if indices is None else indices
        answers = [self._answer(found, chosen) for found, chosen in zip(features, shown, strict=True)]
        return Answers(*(np.array(column) for column in zip(*answers, strict=True)))

    def _answer(self, features: Floats, indices: Sequence[int]) -> tuple[Any, ...]:
        recognised = _probabilities(self.recogniser, features)
        labels = recognised.argmax(axis=1)
        found = reconstruct([LABELS[label] for label in labels], indices)
        operation = LABELS.index(found.dominant_operation)
        inside = _inside(found.temporal_segment, indices)
        ahead = np.log(_probabilities(self.anticipator, _in_context(features, labels)[inside]) + 1e-4).mean(axis=0)
        following = np.exp(ahead)
        following[operation] = 0.0
        seen = labels[inside[-1] + 1 :]
        if len(seen):
            following = following * self.seen_after[:, seen[0]]
        following = following / following.sum()
        sure = recognised[inside, operation].mean()
        return operation, found.temporal_segment, following.argmax(), sure, following.max()


def train(
    clips: Iterable[Pixels],
    truths: Sequence[Mapping[str, Any]],
    indices: Iterable[Sequence[int]] | None = None,
    seed: int = 0,
) -> Probe:
    """Learn from clips [n, h, w, 3] and their truth rows (`next_operations` and `previous_operation` may be missing).

    Raises ModuleNotFoundError without scikit-learn.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # small matrices: threads cost more than they bring, and change the last bits
        return _train([reduce(frames) for frames in clips], truths, indices, seed)


def _train(
    small: list[Pixels], truths: Sequence[Mapping[str, Any]], indices: Iterable[Sequence[int]] | None, seed: int
) -> Probe:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    random = np.random.default_rng(seed)
    shown = [DEFAULT_INDICES] * len(small) if indices is None else indices
    lessons = [Lesson.of(truth, chosen) for truth, chosen in zip(truths, shown, strict=True)]
    basis = _basis(small, random)
    twice = [[basis.features(*describe(turn)) for turn in (frames, disturb(frames, random))] for frames in small]
    recogniser = LogisticRegression(C=0.1, max_iter=60)
    _fit(recogniser, twice, [lesson.operations() for lesson in lessons])
    seen = [_probabilities(recogniser, turns[0]).argmax(axis=1) for turns in twice]
    follows = [lesson.followers(labels) for lesson, labels in zip(lessons, seen, strict=True)]
    context = [[_in_context(turn, labels) for turn in turns] for turns, labels in zip(twice, seen, strict=True)]
    anticipator = MLPClassifier((HIDDEN,), alpha=1.0, max_iter=EPOCHS, n_iter_no_change=EPOCHS, random_state=seed)
    _fit(anticipator, context, follows)
    return Probe(basis, recogniser, anticipator, _seen_after(seen, lessons))


def _basis(small: Sequence[Pixels], random: np.random.Generator) -> Basis:
    chosen = random.permutation(len(small))[: LEARNED_FROM // len(small[0])]
    pictures, strengths = zip(*(describe(disturb(small[place], random)) for place in chosen), strict=True)
    return Basis.of(np.concatenate(pictures), np.concatenate(strengths))


class Lesson(NamedTuple):
    """What a truth row says about the frames looked at. Labels are positions in LABELS, -1 where nothing is known."""

    inside: NDArray[np.int64]  # positions of the frames in the segment
    frames: int
    operation: int
    previous: int
    following: int
    after_that: int

    @classmethod
    def of(cls, truth: Mapping[str, Any], indices: Sequence[int]) -> Lesson:
        segment = truth["temporal_segment"]
        inside = _inside((segment["start_frame"], segment["end_frame"]), indices)
        later = list(truth.get("next_operations") or ())[1:2]
        labels = (truth["dominant_operation"], truth.get("previous_operation"), truth["next_operation"], *later, None)
        return cls(inside, len(indices), *(_position(label) for label in labels[:4]))

    def operations(self) -> NDArray[np.int64]:
        """Of the frames inside the segment; of the others the truth row does not say it for certain."""
        found = np.full(self.frames, -1)
        found[self.inside] = self.operation
        return found

    def followers(self, seen: NDArray[np.int64]) -> NDArray[np.int64]:
        """What follows the run that each frame shows: for the segment's run and for those next to it, as recognised."""
        found = np.full(self.frames, -1)
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


def _seen_after(seen: Sequence[NDArray[np.int64]], lessons: Sequence[Lesson]) -> NDArray[np.float64]:
    counts = np.full((len(LABELS), len(LABELS)), SMOOTHING / len(LABELS))
    for labels, lesson in zip(seen, lessons, strict=True):
        if len(lesson.inside) and lesson.inside[-1] + 1 < lesson.frames:
            counts[lesson.following, labels[lesson.inside[-1] + 1]] += 1
    return counts / counts.sum(axis=1, keepdims=True)


def _position(label: str | None) -> int:
    return LABELS.index(label) if label in LABELS else -1


def _inside(segment: Sequence[int], indices: Sequence[int]) -> NDArray[np.int64]:
    """Positions of the sampled frames in a segment."""
    start, end = segment
    return np.array([place for place, index in enumerate(indices) if start <= index < end], np.int64)


def _in_context(features: Floats, labels: NDArray[np.int64]) -> Floats:
    """Features with the operation recognised and the one before it in the clip, if there is one."""
    one = np.eye(len(LABELS) + 1, len(LABELS), dtype=np.float32)
    before = np.full(len(labels), len(LABELS))
    for place in range(1, len(labels)):
        before[place] = before[place - 1] if labels[place] == labels[place - 1] else labels[place - 1]
    return np.hstack([features, one[labels], one[before]])


def _fit(model: Any, turns: Sequence[Sequence[Floats]], labels: Sequence[NDArray[np.int64]]) -> None:
    """On the frames whose label is known; the turns of a clip share its labels."""
    features = np.concatenate([turn for clip in turns for turn in clip])
    wanted = np.concatenate([known for clip, known in zip(turns, labels, strict=True) for _ in clip])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the number of steps is fixed, whether or not it has converged
        model.fit(features[wanted >= 0], wanted[wanted >= 0])


def _probabilities(model: Any, features: Floats) -> NDArray[np.float64]:
    """[n, labels], 0 for labels that were never met in training."""
    found = np.zeros((len(features), len(LABELS)))
    found[:, model.classes_] = model.predict_proba(features)
    return found
