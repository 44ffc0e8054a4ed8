"""Names of the fields that a prediction has, and the answer among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.usage.fields import NAMES as USAGE_NAMES

ANSWER_FIELDS = ("dominant_operation", "temporal_segment", "next_operation", "anticipated_next_operation")
SEGMENT_FIELDS = ("start_frame", "end_frame")
ANSWERING_FIELDS = frozenset((*ANSWER_FIELDS, *SEGMENT_FIELDS))
NUMBER_FIELDS = ("confidence", "next_confidence", "latency_ms")
OPTIONAL_FIELDS = (*NUMBER_FIELDS, "source", "raw_output")
FIELDS = ANSWERING_FIELDS | {"clip_id", *OPTIONAL_FIELDS} | USAGE_NAMES
SOURCES = ("model", "repaired", "fallback")
CLIP_NAMES = ("clip_id", "clip", "video_id", "video")


def answer_part(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer fields of an object, with its confidences where they are probabilities."""
    answer = {name: value[name] for name in (*ANSWER_FIELDS, *SEGMENT_FIELDS) if name in value}
    for name in ("confidence", "next_confidence"):
        sure = value.get(name)
        if answer and isinstance(sure, int | float) and not isinstance(sure, bool) and 0 <= sure <= 1:
            answer[name] = sure
    return answer
