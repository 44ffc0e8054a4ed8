"""Small classifier on frames alone: linear features, a recogniser of single frames, and a guess at the next operation.

It exists to show that the answer is in the pictures: whatever it gets right, it read there. It sees frames and their
indices, and of the training split the truth; no ids, sessions, domains or order of clips.

1. Features of a frame, reduced to 42 x 42 and to equal mean red, green and blue over its clip: principal components of
   the 21 x 21 picture, and how much of each strong hue the corner of the order's signs holds.
2. The recogniser, a multinomial logistic regression, learns from frames inside the true segments. Operation and segment
   follow as in `reference.process.frame_limits`: every frame has the label of the nearest sampled one.
3. The anticipator, one hidden layer on the same features with the recognised operation and the one before it, learns
   the next operation from segments, and from the runs around them where truth names them. Over the segment's frames
   its logarithms are averaged. Another operation that is seen after the segment is evidence: P(seen | next) is counted
   in training, since a short run may lie between two sampled frames.

Each training clip is used twice, as it is and disturbed (moved, turned, dimmed, tinted, blurred, noisy), so that a
camera or lamp that was never seen does less harm. Everything is seeded. Needs scikit-learn (extra `video`).
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
SIDE = 42
SIGNS = (slice(0, 28), slice(0, 16))
"""Rows and columns of the reduced picture that the order's signs lie in."""
HUES, CHROMA = 12, 0.12
COMPONENTS, LEARNED_FROM = 80, 6_000
HIDDEN, EPOCHS, SMOOTHING = 64, 10, 1.0
UNLABELLED = -1
"""Label of a frame that the truth says nothing of, as in scikit-learn's semi-supervised models: nothing learns it."""

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


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


def reduce(frames: Pixels) -> Pixels:
    """Return block means: uint8 [..., h, w, 3] to [..., 42, 42, 3]. Raises ValueError for pictures that are smaller."""
    height, width = frames.shape[-3:-1]
    if min(height, width) < SIDE:
        raise ValueError(f"pictures of {width} x {height} pixels; at least {SIDE} x {SIDE} are needed")
    total = _block_sums(_block_sums(frames, height, -3), width, -2)
    area = (height // SIDE) * (width // SIDE)
    return ((total + area // 2) // area).astype(np.uint8)  # the mean, rounded half up, in integers


def _block_sums(pixels: NDArray[Any], side: int, axis: int) -> NDArray[np.uint32]:
    """Sum blocks of side // 42 along one axis, by adding slices: six times as fast as numpy's reduceat."""
    # where 42 does not divide the side, blocks begin side / 42 apart and the last pixels between them are left out
    begin = np.arange(SIDE) * side // SIDE
    total = np.take(pixels, begin, axis=axis).astype(np.uint32)
    for place in range(1, side // SIDE):
        total += np.take(pixels, begin + place, axis=axis)
    return total


def disturb(frames: Pixels, random: np.random.Generator) -> Pixels:
    """Disturb one clip [n, 42, 42, 3], all its frames alike but for the noise."""
    found = _move(frames, random) if random.random() < 0.6 else frames.astype(np.float32)
    if random.random() < 0.3:  # blur: each pixel becomes the mean of a 2 x 2 block
        for axis in (1, 2):
            found += np.roll(found, 1, axis=axis)
        found *= np.float32(0.25)
    if random.random() < 0.5:
        found *= random.uniform(0.5, 1.1, 3).astype(np.float32)
    if random.random() < 0.3:
        found += random.uniform(2, 10) * random.standard_normal(found.shape, np.float32)
    return np.clip(found + 0.5, 0, 255).astype(np.uint8)


def _move(frames: Pixels, random: np.random.Generator) -> Floats:
    """Scale, turn and shift the pictures a little, as another camera would show them.

    Each pixel is fetched from its place in the old picture (inverse mapping), bilinear between four of them.
    """
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
    """Return of one clip [n, 42, 42, 3] its balanced pictures [n, 1323] and the hues of their signs [n, 12]."""
    balanced = frames.astype(np.float32)
    # equal mean red, green and blue over the clip (grey world), so that the lamp's tint and dimming drop out
    balanced *= 0.6 / (balanced.mean(axis=(0, 1, 2)) + 0.5)
    rows = balanced[:, 0::2] + balanced[:, 1::2]
    half: Floats = (rows[:, :, 0::2] + rows[:, :, 1::2]) * np.float32(0.25)
    return half.reshape(len(frames), -1), hues(balanced[:, *SIGNS].reshape(len(frames), -1, 3))


def hues(pixels: Floats) -> Floats:
    """Return the root of the mean strength of each hue, weak ones left out: [n, pixels, 3] -> [n, 12].

    The root keeps a sign's few pixels from vanishing beside a large coloured surface.
    """
    strength = pixels.max(axis=-1) - pixels.min(axis=-1) - CHROMA
    row, place = np.nonzero(strength > 0)
    bins = row * HUES + _sector(pixels[row, place])  # one histogram for all frames: frame and hue in one number
    total = np.bincount(bins, strength[row, place], len(pixels) * HUES)
    return np.sqrt(total.reshape(-1, HUES) / pixels.shape[1]).astype(np.float32)


def _sector(pixels: Floats) -> NDArray[np.int64]:
    """Return the part of the colour circle, 0 to 11, that each pixel [n, 3] lies in; red begins the first (HSV hue)."""
    red, green, blue = pixels.T
    most, chroma = pixels.max(axis=-1), np.ptp(pixels, axis=-1)
    after_green = np.where(most == green, 2 + (blue - red) / chroma, 4 + (red - green) / chroma)
    angle = np.where(most == red, (green - blue) / chroma % 6, after_green)
    return (angle * (HUES / 6)).astype(np.int64) % HUES


@dataclass
class Basis:
    """Principal components of pictures, and scales of hues, learned from some of the training frames."""

    middle: Floats
    components: Floats  # [1323, k], each divided by its standard deviation
    hue_middle: Floats
    hue_scale: Floats

    @classmethod
    def of(cls, pictures: Floats, strengths: Floats) -> Basis:
        """Learn from pictures [n, 1323] and hues [n, 12]."""
        middle = pictures.mean(axis=0)
        away = pictures - middle
        variance, vectors = np.linalg.eigh(away.T @ away / len(away))
        best = slice(None, -COMPONENTS - 1, -1)  # eigh sorts by rising variance: the last ones, backwards
        scaled = vectors[:, best] / np.sqrt(np.maximum(variance[best], 1e-8))
        spread = strengths.std(axis=0) + 1e-3
        return cls(middle, scaled.astype(np.float32), strengths.mean(axis=0), spread)

    def features(self, pictures: Floats, strengths: Floats) -> Floats:
        """Return features [n, 80 + 12] of unit variance of pictures [n, 1323] and hues [n, 12]."""
        return np.hstack([(pictures - self.middle) @ self.components, (strengths - self.hue_middle) / self.hue_scale])


@dataclass
class Probe:
    """Trained probe. `recogniser` and `anticipator` are scikit-learn classifiers over positions in LABELS."""

    basis: Basis
    recogniser: Any
    anticipator: Any
    seen_after: NDArray[np.float64]  # [next, seen]: P(operation seen first after a segment | next operation)

    def predict(self, clips: Iterable[Pixels], indices: Iterable[Sequence[int]] | None = None) -> Answers:
        """Answer clips [n, h, w, 3] each; `indices` of their frames, by default the eight uniform ones."""
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
    clips: Iterable[Pixels],
    truths: Sequence[Mapping[str, Any]],
    indices: Iterable[Sequence[int]] | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda step: None,
) -> Probe:
    """Learn from clips [n, h, w, 3] and their truth rows, where `next_operations`, `previous_operation` may be missing.

    `say` gets a sentence before each step that takes long. Raises ModuleNotFoundError without scikit-learn.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # small matrices: threads cost more than they bring, and change the last bits
        return _train([reduce(frames) for frames in clips], truths, indices, seed, say)


def _train(
    small: list[Pixels],
    truths: Sequence[Mapping[str, Any]],
    indices: Iterable[Sequence[int]] | None,
    seed: int,
    say: Callable[[str], None],
) -> Probe:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    random = np.random.default_rng(seed)
    shown = [DEFAULT_INDICES] * len(small) if indices is None else indices
    targets = [Target.of(truth, chosen) for truth, chosen in zip(truths, shown, strict=True)]
    say("computing the features of the training frames")
    basis = _basis(small, random)
    twice = [[basis.features(*describe(turn)) for turn in (frames, disturb(frames, random))] for frames in small]
    say("learning to recognise operations")
    recogniser = LogisticRegression(C=0.1, max_iter=60)
    _fit(recogniser, twice, [target.operations() for target in targets])
    seen = [_probabilities(recogniser, turns[0]).argmax(axis=1) for turns in twice]
    follows = [target.followers(labels) for target, labels in zip(targets, seen, strict=True)]
    context = [[_in_context(turn, labels) for turn in turns] for turns, labels in zip(twice, seen, strict=True)]
    say("learning what comes next")
    anticipator = MLPClassifier((HIDDEN,), alpha=1.0, max_iter=EPOCHS, n_iter_no_change=EPOCHS, random_state=seed)
    _fit(anticipator, context, follows)
    return Probe(basis, recogniser, anticipator, _seen_after(seen, targets))


def _basis(small: Sequence[Pixels], random: np.random.Generator) -> Basis:
    chosen = random.permutation(len(small))[: LEARNED_FROM // len(small[0])]
    pictures, strengths = zip(*(describe(disturb(small[place], random)) for place in chosen), strict=True)
    return Basis.of(np.concatenate(pictures), np.concatenate(strengths))


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
