"""Result of checking a line: its row of the table `predictions`, its problems and its notes.

A row holds labels as codes (vocabulary.UNKNOWN_LABEL for one that the world does not know, None for null), frames at
25 fps, confidence in millionths and latency in microseconds, rounded half up.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.ingestion.diagnostics import Problem
from harness.usage.fields import Usage

ANSWERED, UNPARSEABLE, INVALID = 0, 1, 2


class Row(NamedTuple):
    """Row of `predictions`; `clip_id` is None where a rejected line holds no readable one."""

    clip_id: str | None
    line: int
    outcome: int
    operation: int | None = None
    start_frame: int | None = None
    end_frame: int | None = None
    next_operation: int | None = None
    confidence_ppm: int | None = None
    next_confidence_ppm: int | None = None
    latency_us: int | None = None
    source: int = 0
    file_start: int | None = None  # the frames as the file counts them
    file_end: int | None = None
    second_operation: int | None = None  # the labels after the first of next_operations
    third_operation: int | None = None


class Note(NamedTuple):
    """Note on something that is accepted; `kind` is a key of diagnostics.NOTES."""

    kind: str
    name: str = ""
    more: str = ""


class Checked(NamedTuple):
    """Result of checking a line. A line with problems has a row without an answer."""

    row: Row
    problems: list[Problem]
    notes: list[Note]
    names: str | None = None  # the clip that the answer in a model's text names, where it is not the line's
    usage: Usage | None = None  # None where the line states none
