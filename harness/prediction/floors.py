"""Answers about a split that need no look at it: its clips, the constant answer, the usual successor of an operation.

All of it comes from the training split (imported worlds: from the other sessions), so a model may know it. `harness
predict` falls back on it where a text holds no answer, and the floors among the baselines answer with it:
`--model baseline:constant`. The baselines that use the truth are refused: a predictor may not see it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from harness.baselines.write import BASELINES, ON_FRAMES, Baseline, line, random_answer
from harness.errors import UsageError
from harness.prediction.predictor import Question, Reply
from reference.resources import sql
from reference.task import CLIP_FRAMES, OPEN_SPLITS

if TYPE_CHECKING:
    from reference.truth.store import Truth

BATCH = 256


class Floors:
    """Constant answers and usual successors for the clips of a split; nothing of the truth is kept.

    `clips`: in the order in which they are rendered.
    """

    def __init__(self, truth: Truth):
        rows = truth.connection.execute(sql(__package__, "floors")).fetchall()
        self.operations = truth.operations
        self._codes = {label: code for code, label in enumerate(truth.operations)}
        self._constant = {clip_id: constant for clip_id, constant, _ in rows}
        self._follows = {clip_id: follows for clip_id, _, follows in rows}
        self.clips = tuple(self._constant if truth.split in OPEN_SPLITS else sorted(self._constant))

    def constant(self, clip_id: str) -> dict[str, Any]:
        """Return the three answer fields that are right most often."""
        return self._answer(clip_id, self._constant[clip_id])

    def after(self, clip_id: str, operation: str) -> str:
        """Return T(operation), the operation that follows it most often."""
        return self.operations[self._follows[clip_id][self._codes[operation]]]

    def answers(self, name: str, seed: int = 0) -> dict[str, dict[str, Any]]:
        """Return clip id -> answer fields of a baseline that uses no truth, as `harness baseline` writes them."""
        generator = random.Random(seed)
        whole = {"start_frame": 0, "end_frame": CLIP_FRAMES}
        chosen = {
            "constant": lambda clip_id: self._constant[clip_id],
            "whole-clip": lambda clip_id: self._constant[clip_id] | whole,
            "random": lambda _: random_answer(generator, self.operations),
        }[name]
        return {clip_id: self._answer(clip_id, chosen(clip_id)) for clip_id in sorted(self.clips)}

    def _answer(self, clip_id: str, codes: dict[str, int]) -> dict[str, Any]:
        fields = line(clip_id, self.operations, codes)
        return {name: value for name, value in fields.items() if name != "clip_id"}


class NoFloors:
    """Stand-in for the floors of own clips, which have no training split: null is all that can be said of them.

    `clips`: in the order in which they are asked about.
    """

    def __init__(self, clips: Sequence[str], operations: Sequence[str]):
        self.clips, self.operations = tuple(clips), tuple(operations)

    def constant(self, clip_id: str) -> dict[str, Any]:
        """Return the answer that says nothing."""
        return {"dominant_operation": None, "temporal_segment": None, "next_operation": None}

    def after(self, clip_id: str, operation: str) -> None:
        """Return None: which operation usually follows is not known."""


class Answers(Protocol):
    """Floors that know the answer of a baseline to each clip."""

    def answers(self, name: str, seed: int = 0) -> Mapping[str, dict[str, Any]]:
        """Return clip id -> answer fields of a baseline that uses no truth."""


class Floor:
    """Baseline as a predictor. It needs no pictures, but the split's floors before the first question (`prepare`)."""

    wants = None
    batch_size = BATCH
    training = None

    def __init__(self, baseline: Baseline, seed: int):
        self.baseline, self.seed = baseline, seed
        self._answers: Mapping[str, dict[str, Any]] = {}

    @property
    def card(self) -> dict[str, Any]:
        """Return the baseline's part of the card, with the seed where it counts."""
        run = {"seed": self.seed} if self.baseline.name == "random" else {}
        return {"kind": self.baseline.kind, "description": self.baseline.description, "run": run}

    def prepare(self, floors: Answers) -> None:
        """Take the split's floors."""
        self._answers = floors.answers(self.baseline.name, self.seed)

    def ask(self, questions: Sequence[Question], operations: Sequence[str]) -> list[Reply]:
        """Answer from the floors, by the clips' ids."""
        return [Reply(answer=self._answers[question.clip_id]) for question in questions]


def load(name: str, options: Mapping[str, str]) -> Floor:
    """Return the predictor of `baseline:NAME`, with `--option seed=N`. Raises UsageError."""
    floors = [known for known, baseline in BASELINES.items() if baseline.kind == "baseline"]
    if name in ON_FRAMES:
        raise UsageError(f"{name} learns before it answers: harness baseline {name} --frames DIR -o FILE")
    if name not in BASELINES:
        raise UsageError(f"no baseline {name!r}; there are {', '.join(floors)}")
    if name not in floors:
        raise UsageError(f"{name} uses the truth, which a predictor may not see: harness baseline {name} -o FILE")
    if unknown := set(options) - {"seed"}:
        raise UsageError(f"a baseline has the option seed only: leave --option {min(unknown)} out")
    seed = options.get("seed", "0")
    if not seed.isascii() or not seed.isdigit():
        raise UsageError(f"--option seed={seed}: expected a number")
    return Floor(BASELINES[name], int(seed))
