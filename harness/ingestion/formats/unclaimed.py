"""Messages about a document whose objects no format claims: what it holds instead of answers, and the way out."""

from __future__ import annotations

import re
from typing import Any

from harness.clip_map import IDS
from harness.ingestion import not_predictions
from harness.ingestion.diagnostics import quote
from harness.ingestion.field_names import MODEL_TEXTS, PREDICTED_PARTS, TARGETS, named_like
from harness.ingestion.formats import tools
from harness.ingestion.formats.containers import Sample, holds_answers, holds_scores
from harness.ingestion.formats.replies import failure_of
from harness.ingestion.lines.fields import ANSWERING_FIELDS
from harness.ingestion.lines.hints import may_hold_answer

FIELDS_SHOWN = 8
_NAMES_ANSWER = {*IDS, "pred", *tools.TEXT_FIELDS}  # of one clip


def other_content(seen: Sample) -> str:
    """Return what objects that nobody claims are: answers further down, or scores; "" where they are neither."""
    objects, each_one = seen.objects, ".[]" if seen.container == "array" else ""
    value = objects[0] if objects else {}
    if "clip_id" in value:
        return ""
    for kind, items in ((list, "[]"), (dict, "")):
        keys = [key for key, item in value.items() if type(item) is kind and holds_answers(item)]
        if keys:
            under = " and ".join(quote(key) for key in keys)
            ways = ", ".join(f"jq -c '{each_one}.{_jq_key(key)}{items}' FILE" for key in keys)
            each = "each to a file of its own" if len(keys) > 1 else "to a file of their own"
            return f"holds answers under {under}, not at the top; write them {each}: {ways}"
    if objects and all(_NAMES_ANSWER.isdisjoint(value) and holds_scores(value) for value in objects):
        return f"holds scores, no answers; {not_predictions.SAMPLES}"
    return ""


def without_answers(objects: list[dict[str, Any]]) -> str:
    """Return what is said of objects that hold no answer, no text of a model and no failure; "" where one may."""
    if any(map(_may_be_answer, objects)):
        return ""
    fields = list(dict.fromkeys(key for value in objects for key in value))
    held = ", ".join(map(quote, fields[:FIELDS_SHOWN])) + (", ..." if len(fields) > FIELDS_SHOWN else "")
    targets = list(dict.fromkeys(name for value in objects for name in named_like(TARGETS, value)))
    no_answer = f"; {quote(targets[0])} is a name of targets" if targets else ""
    odd = [name for name in named_like(MODEL_TEXTS, objects[0]) if isinstance(objects[0][name], list | dict)]
    no_answer += f"; {quote(odd[0])} holds no single text" if odd else ""
    path = _rows_path(objects[0]) if len(objects) == 1 else ""
    way = f"rows may stand under it: jq -c '{path}[]' FILE" if path else not_predictions.ANSWERS
    return f"holds no answer and no text of a model, but {held}{no_answer}; {way}"


def _may_be_answer(value: dict[str, Any]) -> bool:
    """Return True for an object of which one message for the whole file would say too little."""
    plain = {key: item for key, item in value.items() if key not in named_like(TARGETS, value)}
    return (
        value.keys() <= {"clip_id"}  # or a line that was cut off
        or not ANSWERING_FIELDS.isdisjoint(value)
        or bool("raw_output" in value or named_like(PREDICTED_PARTS, value) or tools.answer_field(value))
        or may_hold_answer(plain)
        or bool(failure_of(value))
    )


def _rows_path(value: dict[str, Any], depth: int = 3) -> str:
    """Return the path, as jq writes it, of the first list of objects in a document, or nothing."""
    for key, item in value.items():
        if isinstance(item, list) and item and isinstance(item[0], dict) and len(item) > 1:
            return f".{_jq_key(key)}"
        if isinstance(item, dict) and depth > 1 and (inner := _rows_path(item, depth - 1)):
            return f".{_jq_key(key)}{inner}"
    return ""


def _jq_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else f"[{quote(key)}]"
