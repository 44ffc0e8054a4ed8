"""Names of the fields that a prediction has, and the answer among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from harness.usage.fields import NAMES as USAGE_NAMES

ANSWER_FIELDS = ("dominant_operation", "temporal_segment", "next_operation", "anticipated_next_operation")
SEGMENT_FIELDS = ("start_frame", "end_frame")
ANSWERING_FIELDS = frozenset((*ANSWER_FIELDS, *SEGMENT_FIELDS))
NUMBER_FIELDS = ("confidence", "next_confidence", "latency_ms")
OPTIONAL_FIELDS = (*NUMBER_FIELDS, "source", "raw_output")
LATER_FIELD, LATER_LABELS = "next_operations", 3
"""Optional list of the next operations in order, and how many it may hold; the first is that of next_operation."""
FIELDS = ANSWERING_FIELDS | {"clip_id", LATER_FIELD, *OPTIONAL_FIELDS} | USAGE_NAMES
SOURCES = ("model", "repaired", "fallback")
CLIP_NAMES = ("clip_id", "clip", "video_id", "video")


def answer_part(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer fields of an object, with its confidences and next_operations where they are right in form."""
    answer = {name: value[name] for name in (*ANSWER_FIELDS, *SEGMENT_FIELDS) if name in value}
    for name in ("confidence", "next_confidence"):
        sure = value.get(name)
        if answer and isinstance(sure, int | float) and not isinstance(sure, bool) and 0 <= sure <= 1:
            answer[name] = sure
    later = value.get(LATER_FIELD)
    if answer and is_later_list(later) and later[0] in (answer.get(name) for name in ANSWER_FIELDS[2:]):
        answer[LATER_FIELD] = later
    return answer


def is_later_list(value: Any) -> TypeGuard[list[str]]:
    """Return True for a list of one to three texts, the form of next_operations."""
    return isinstance(value, list) and 1 <= len(value) <= LATER_LABELS and all(isinstance(each, str) for each in value)
