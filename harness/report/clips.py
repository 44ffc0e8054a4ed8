"""Truth of a split and answers of each entry, clip by clip: columns of equal length in session and time order.

A label's code is its position in the world's list of operations. The page packs its columns as small integers, so three
values stand for what the facts hold as NULL or as an unknown label: NO_ANSWER, OTHER_LABEL and, for frames, NO_FRAME.
No other code uses them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.ingestion.vocabulary import UNKNOWN_LABEL
from harness.rules import Rules
from harness.scoring.clip_facts import make_clip_facts, restore_answers
from harness.scoring.request import Request
from harness.scoring.result import Score
from reference.resources import sql

NO_ANSWER, OTHER_LABEL = 254, 255
NO_FRAME = -1
CODES = {
    "no_answer": NO_ANSWER,
    "other_label": OTHER_LABEL,
    "no_frame": NO_FRAME,
    "unknown_label": UNKNOWN_LABEL,
}
"""Parameters of sql/page_answers.sql."""
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Answers:
    """Answers of one entry: the columns of sql/page_answers.sql, each [N]."""

    columns: Columns

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    @cached_property
    def right(self) -> np.ndarray:
        """Return whether operation, segment (tIoU at least one half) and next operation are right, bool [N, 3]."""
        return np.stack([self[name] for name in ("operation_right", "segment_hit", "next_right")], 1).astype(bool)

    @cached_property
    def all_right(self) -> np.ndarray:
        """Return whether all three are right, bool [N]."""
        return np.asarray(self.right.all(axis=1))

    @cached_property
    def has_segment(self) -> np.ndarray:
        """Return whether the answer has a segment with start < end, bool [N]; only such a one has errors."""
        return np.greater(self["end_frame"], self["start_frame"]) & np.greater_equal(self["start_frame"], 0)


@dataclass(frozen=True)
class Clips:
    """Clips of the split: the columns of sql/page_truth.sql, each [N], the operations by code, the entries' answers."""

    columns: Columns
    operations: tuple[str, ...]
    answers: list[Answers] = field(default_factory=list)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    @property
    def n(self) -> int:
        """Return the number of clips."""
        return len(self.columns["clip_id"])

    @cached_property
    def session(self) -> np.ndarray:
        """Return each clip's session as a number from 0 to G-1, [N]."""
        return np.unique(self["session_index"], return_inverse=True)[1]

    @cached_property
    def hidden(self) -> np.ndarray:
        """Return whether the next operation has not begun when the clip ends, bool [N]."""
        return ~self["next_visible"].astype(bool)

    @cached_property
    def prior_right(self) -> np.ndarray:
        """Return whether the usual successor of the true operation follows, bool [N]."""
        return self["prior_next"] == self["next_operation"]

    @cached_property
    def state_prior_right(self) -> np.ndarray | None:
        """Return whether the usual successor of operation and look follows, bool [N]; None without a process."""
        column = self["state_prior"]
        if np.ma.getmaskarray(column).any():
            return None
        return np.ma.getdata(column) == self["next_operation"]

    @cached_property
    def ceiling(self) -> np.ndarray | None:
        """Return the best possible AA@1 of each clip, [N]; None where the world has no process."""
        column = self["ceiling_ppm"]
        return None if _unknown(column) else np.asarray(column, float) / 1e6

    @cached_property
    def off_script(self) -> np.ndarray | None:
        """Return whether another operation than the usual one follows, bool [N]; None where the world has no script."""
        return self._flags("off_script")

    @cached_property
    def randomised(self) -> np.ndarray | None:
        """Return whether the clip's session is randomised, bool [N]; None where the world does not say."""
        return self._flags("randomised")

    def _flags(self, name: str) -> np.ndarray | None:
        column = self[name]
        return None if _unknown(column) else np.asarray(column, bool)

    def texts(self, name: str) -> tuple[list[str], np.ndarray]:
        """Return the levels of a text column, in order, and each clip's place among them, -1 for unknown."""
        column = self[name]
        known = [None if value is None or value is np.ma.masked else str(value) for value in column.tolist()]
        levels = sorted({value for value in known if value is not None})
        places = {value: place for place, value in enumerate(levels)}
        return levels, np.array([-1 if value is None else places[value] for value in known], np.int16)


def _unknown(column: np.ndarray) -> bool:
    return isinstance(column, np.ma.MaskedArray) and bool(np.ma.getmaskarray(column).any())


def load(request: Request, scores: Iterable[Score]) -> Clips:
    """Load the split's clips with the answers of these scores, judged under the request's rules."""
    scores = list(scores)
    for score in scores:
        score.need_clips()
    with request.open(files=tuple(score.answers for score in scores)) as truth:
        columns = _columns(truth.connection, "page_truth")
        answers = [_answers(truth, score.answers, request.rules) for score in scores]
        return Clips(columns, truth.operations, answers)


def _answers(truth: Any, path: Path, rules: Rules) -> Answers:
    restore_answers(truth, path)
    make_clip_facts(truth, rules)
    return Answers(_columns(truth.connection, "page_answers", CODES))


def _columns(connection: Any, name: str, parameters: dict[str, int] | None = None) -> Columns:
    return connection.execute(sql(__package__, name), parameters or {}).fetchnumpy()
