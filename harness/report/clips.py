"""Clip by clip: the truth of a split and the answers of each entry, as columns of equal length in one order.

Codes are positions in the world's list of operations; 254 stands for "no answer", 255 for "a label that is none".
`right` [N, 3] says whether operation, segment (tIoU at least one half) and next operation are right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.rules import Rules
from harness.scoring.clip_facts import make_clip_facts, restore_answers
from harness.scoring.request import Request
from harness.scoring.result import Score
from reference.resources import sql

NO_ANSWER, OTHER_LABEL = 254, 255
NO_FRAME = -1
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Answers:
    """Of one entry: the columns of sql/page_answers.sql."""

    columns: Columns

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    @cached_property
    def right(self) -> np.ndarray:
        return np.stack([self[name] for name in ("operation_right", "segment_hit", "next_right")], 1).astype(bool)

    @cached_property
    def all_right(self) -> np.ndarray:
        return np.asarray(self.right.all(axis=1))

    @cached_property
    def has_segment(self) -> np.ndarray:
        """With start < end: only there is an error in frames."""
        return np.greater(self["end_frame"], self["start_frame"]) & np.greater_equal(self["start_frame"], 0)


@dataclass(frozen=True)
class Clips:
    """The split: the columns of sql/page_truth.sql, and what its codes mean."""

    columns: Columns
    operations: tuple[str, ...]
    answers: list[Answers] = field(default_factory=list)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    @property
    def n(self) -> int:
        return len(self.columns["clip_id"])

    @cached_property
    def session(self) -> np.ndarray:
        """Rows of sessions, 0 to G-1, [N]."""
        return np.unique(self["session_index"], return_inverse=True)[1]

    @cached_property
    def hidden(self) -> np.ndarray:
        return ~self["next_visible"].astype(bool)

    @cached_property
    def prior_right(self) -> np.ndarray:
        return self["prior_next"] == self["next_operation"]

    @cached_property
    def ceiling(self) -> np.ndarray | None:
        """Per clip, None where the world has no process."""
        column = self["ceiling_ppm"]
        return None if _unknown(column) else np.asarray(column, float) / 1e6

    @cached_property
    def off_script(self) -> np.ndarray | None:
        return self._flags("off_script")

    @cached_property
    def randomised(self) -> np.ndarray | None:
        return self._flags("randomised")

    def _flags(self, name: str) -> np.ndarray | None:
        column = self[name]
        return None if _unknown(column) else np.asarray(column, bool)

    def texts(self, name: str) -> tuple[list[str], np.ndarray]:
        """Levels of a text column, in order, and the code of each clip; -1 where the world does not say."""
        column = self[name]
        known = [None if value is None or value is np.ma.masked else str(value) for value in column.tolist()]
        levels = sorted({value for value in known if value is not None})
        places = {value: place for place, value in enumerate(levels)}
        return levels, np.array([-1 if value is None else places[value] for value in known], np.int16)


def _unknown(column: np.ndarray) -> bool:
    return isinstance(column, np.ma.MaskedArray) and bool(np.ma.getmaskarray(column).any())


def load(request: Request, scores: Iterable[Score]) -> Clips:
    """The split's clips with the answers of these scores, judged under the request's rules."""
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
    return Answers(_columns(truth.connection, "page_answers"))


def _columns(connection: Any, name: str) -> Columns:
    return connection.execute(sql(__package__, name)).fetchnumpy()
