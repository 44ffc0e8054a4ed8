"""What the answers of a frame model are worth, clip by clip, and what two answers to each clip differ in.

Shared by the gates that ask models about pictures: `sight`, `order`, `validity`, `samplers`, `readers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np

from harness import statistics
from harness.baselines import frame_model
from harness.baselines.frame_model import LABELS, Answers, Design, FrameModel
from harness.rules import Weights
from reference.process.frame_limits import overlaps
from reference.process.priors import fit
from reference.task import OPERATIONS, Clip, Segment
from tests.gates.sight_pictures import VIEWS, Drawing, Drawn, read

MILLION = 1_000_000


class Facts(NamedTuple):
    """What answers to n clips are worth, integers [n]: three facts of 0 or 1, and millionths of P(answered next)."""

    operation: np.ndarray
    segment: np.ndarray
    following: np.ndarray
    expected: np.ndarray

    @property
    def score(self) -> np.ndarray:
        """Return the score of each clip, in tenths (integer weights)."""
        a, b, c = Weights().integers()
        return a * self.operation + b * self.segment + c * self.following

    def mean(self, name: str, among: np.ndarray) -> float:
        """Return the mean of a fact over the clips of `among`."""
        unit = {"expected": MILLION, "score": sum(Weights().integers())}.get(name, 1)
        return float(getattr(self, name)[among].mean() / unit) if among.any() else float("nan")


def facts(clips: Sequence[Clip], answers: Answers) -> Facts:
    segments = [Segment(int(start), int(end)) for start, end in answers.segment]
    return Facts(
        np.array([clip.dominant_operation for clip in clips]) == _labels(answers.operation),
        np.array([overlaps(clip.temporal_segment, segment) for clip, segment in zip(clips, segments, strict=True)]),
        np.array([clip.next_operation for clip in clips]) == _labels(answers.following),
        np.array([clip.next_ppm[code] for clip, code in zip(clips, answers.following, strict=True)]),
    )


def _labels(codes: np.ndarray) -> np.ndarray:
    return np.array(LABELS)[codes]


def is_hidden(clips: Sequence[Clip]) -> np.ndarray:
    return np.array([not clip.next_visible for clip in clips])


def sessions_of(clips: Sequence[Clip]) -> np.ndarray:
    """Return the session of each clip [n], numbered from 0."""
    return np.unique([clip.session for clip in clips], return_inverse=True)[1]


def state_prior(train: Sequence[Clip], test: Sequence[Clip]) -> np.ndarray:
    """Return the millionths of P(usual successor of operation and look) of each clip."""
    learned = fit(train, OPERATIONS)
    return np.array(
        [clip.next_ppm[learned.state_next(OPERATIONS.index(clip.dominant_operation), clip.look)] for clip in test]
    )


def learn(drawing: Drawing, view: str) -> FrameModel:
    """Train the model of a view on what it keeps of a split."""
    return learn_from(replace(VIEWS[view][0], shrink=np.asarray), read(drawing, view))  # what is read has been shrunk


def learn_from(design: Design, drawn: Drawn) -> FrameModel:
    """Train the model of a design on clips of which it has kept what it keeps."""
    truths: list[dict[str, Any]] = [
        asdict(clip) | {"temporal_segment": clip.temporal_segment._asdict()} for clip in drawn.clips
    ]
    return frame_model.train(design, drawn.kept, truths, drawn.indices)


def ask(model: FrameModel, drawn: Drawn) -> Facts:
    """Return what a model's answers to clips are worth."""
    return facts(drawn.clips, model.predict(drawn.kept, drawn.indices))


class Paired(NamedTuple):
    """Difference of a fact between two answers to each clip: value, ends of the interval, and p of the sign flip."""

    value: float
    low: float
    high: float
    p: float

    @property
    def interval(self) -> str:
        """Return the interval as text; nothing where there are too few sessions."""
        return "-" if np.isnan(self.low) else f"[{self.low:.3f}, {self.high:.3f}]"


def compare(one: np.ndarray, other: np.ndarray, session: np.ndarray, unit: int = 1) -> Paired:
    """Return one minus other, integers [n] in `unit`-ths, with the harness's statistics over sessions."""
    gap = np.bincount(session, one.astype(int) - other.astype(int)).astype(np.int64)
    clips = np.bincount(session)
    value, total, count = gap.sum() / clips.sum() / unit, gap.sum() - gap, clips.sum() - clips
    interval = statistics.identity_interval(value, total / np.maximum(count, 1) / unit, clips)
    low, high = (float("nan") if end is None else end for end in (interval.low, interval.high))
    return Paired(float(value), low, high, statistics.sign_flip_p(gap)[0])


class Demand(NamedTuple):
    text: str
    found: float
    sign: str  # "<=", ">=", "<" or ">"
    bound: float

    @property
    def holds(self) -> bool:
        below = self.found < self.bound or (self.found == self.bound and "=" in self.sign)
        above = self.found > self.bound or (self.found == self.bound and "=" in self.sign)
        return below if self.sign.startswith("<") else above

    def row(self) -> tuple[str, ...]:
        found = f"{self.found:.1e}" if 0 < self.found < 5e-4 else f"{self.found:.3f}"
        return self.text, found, f"{self.sign} {self.bound:.2f}", "yes" if self.holds else "**no**"
