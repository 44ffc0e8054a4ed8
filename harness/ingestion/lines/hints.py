"""Hints at what an object may mean: keys that resemble a field, an answer further down, values of the wrong type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from harness.clip_map import IDS
from harness.ingestion.diagnostics import quote
from harness.ingestion.field_names import MODEL_TEXTS, TARGETS, named_like
from harness.ingestion.lines.fields import ANSWER_FIELDS, FIELDS, SEGMENT_FIELDS
from harness.ingestion.vocabulary import Vocabulary

LENIENT = "--lenient counts it as wrong"
ABSTAINED = "write null, or leave the cell of a table empty, where there is none"
NOT_STATED = ("null", "none", "nan", "nat", "na", "n/a", "<na>", "nil", "-")
OFTEN_CALLED = {
    "clip_id": (*IDS, "clip_name", "video_name", "sample", "name"),
    "dominant_operation": ("operation", "label", "action", "current_operation", "current_action", "activity"),
    "temporal_segment": ("segment", "interval", "span", "timestamps", "time_span", "boundaries"),
    "next_operation": ("next", "next_action", "anticipated_operation", "anticipated_action", "predicted_next"),
    "start_frame": ("start", "begin", "from", "first_frame", "start_time", "start_sec", "start_seconds", "start_s"),
    "end_frame": ("end", "stop", "to", "last_frame", "end_time", "end_sec", "end_seconds", "end_s"),
}
KEYS_COMPARED = 1_000
"""So many keys of an object are compared with a field's name, letter by letter."""
_NUMBER = re.compile(r"\s*-?[0-9]{1,18}(\.[0-9]{1,18})?\s*")
_SECONDS = re.compile(r"time|sec|_s$", re.IGNORECASE)


def look_alike_hint(value: Mapping[str, Any], name: str) -> str:
    """Return the question whether a key of an object is meant to be a field, or nothing without such a key."""
    near = look_alike(value, name)
    return f"is {quote(near)} meant to be {name}?" if near is not None else ""


def look_alike(value: Mapping[str, Any], name: str) -> str | None:
    """Return the key of an object that may stand for a field."""
    # beside a model's text a label is the target
    left_out = FIELDS | set(named_like(TARGETS, value) if named_like(MODEL_TEXTS, value) else ())
    keys = (key for key in islice(value, KEYS_COMPARED) if key not in left_out)
    return next((key for key in keys if _resembles(key, name)), None)


def _resembles(key: str, name: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", key.casefold()[:100])
    target = name.replace("_", "")
    return (
        plain == target
        or plain in (other.replace("_", "") for other in OFTEN_CALLED.get(name, ()))
        or bool(difflib.get_close_matches(target, [plain], cutoff=0.8))
    )


def may_hold_answer(value: Mapping[str, Any]) -> bool:
    """Return True for an object in which something resembles an answer field, or that holds one further down."""
    return any(look_alike(value, name) for name in ANSWER_FIELDS[:3]) or answer_inside(value) is not None


def answer_inside(value: Mapping[str, Any]) -> str | None:
    """Return the key of an object under which another object, that is no target, holds the answer fields."""
    targets = named_like(TARGETS, value)
    inside = (key for key, item in value.items() if isinstance(item, dict) and _names_answer(item))
    return next((key for key in inside if key not in targets), None)


def _names_answer(value: Mapping[str, Any]) -> bool:
    return not value.keys().isdisjoint(ANSWER_FIELDS)


def ends_hint(words: Vocabulary, holder: Mapping[str, Any]) -> str:
    """Return a hint at keys of an object that may be the ends of the segment, and that they may be seconds."""
    near = [look_alike(holder, name) for name in SEGMENT_FIELDS]
    if None in near:
        return ""
    keys = " and ".join(quote(key) for key in near)
    values = [holder[key] for key in near if key is not None]
    seconds = any(isinstance(value, float) for value in values) or any(_SECONDS.search(key or "") for key in near)
    return f"are {keys} meant to be start_frame and end_frame?" + (f" {seconds_hint(words)}" if seconds else "")


def seconds_hint(words: Vocabulary) -> str:
    """Return how seconds become a frame."""
    return f"if these are seconds, a frame is seconds x {float(words.rate):g}, rounded"


def type_hint(words: Vocabulary, value: Any, expected: str) -> str:
    """Return a hint at how a value of the wrong type is written rightly, where it shows."""
    if isinstance(value, str) and "number" in expected and _NUMBER.fullmatch(value):
        return "remove the quotes"
    if isinstance(value, str) and value.strip().casefold() in NOT_STATED:
        return ABSTAINED
    if expected == "a text" and type(value) is int:
        return f'write "{value}", in quotes'
    if "integer" not in expected:
        return ""
    if isinstance(value, str) and (percent := re.fullmatch(r"\s*[0-9.]{1,9}\s*%\s*", value)):
        return f"if {percent[0].strip()} is a share of the clip, multiply it by {len(words.frames) - 1}, rounded"
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return ""
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]+\s*", value):
        return "remove the quotes"
    if isinstance(value, str | float) and float(value).is_integer():
        return f"write {int(float(value))}"
    return seconds_hint(words) if isinstance(value, str | float) else ""


def is_fraction(value: Any) -> bool:
    """Return True for a number that is not whole, also one in quotes."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    return isinstance(value, float) and not value.is_integer()
