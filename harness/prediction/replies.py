"""A model's reply -> a prediction line. The model's own words stay in it as `raw_output`.

source `model`     the reply was an answer as it stood
source `repaired`  the answer was cut out of a text, or repaired, by the reader that `harness score` uses
source `fallback`  the text holds no whole answer: the constant answer of the training split stands in. An operation
                   that can still be read is kept, and what follows it is T(operation), its usual successor. Own clips
                   have no training split: what cannot be read is null

Labels are written as the world spells them; one that the world does not know stays as the model wrote it, and is wrong.
A confidence in an answer that is not the model's own is left out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness.errors import HarnessError
from harness.formatting import writable
from harness.ingestion.lines.fields import LATER_FIELD, SOURCES, answer_part
from harness.ingestion.lines.line_checker import check
from harness.ingestion.lines.model_text import read_answer
from harness.ingestion.lines.turns import said_in
from harness.ingestion.rows import fault_of, kind_of, to_plain
from harness.ingestion.vocabulary import UNKNOWN_LABEL, Vocabulary
from harness.masking import Mask
from harness.prediction.floors import Floors, NoFloors
from harness.prediction.predictor import Answer, Reply
from harness.usage.fields import MOST, TOKENS

MODEL, REPAIRED, FALLBACK = SOURCES
RAW_CHARACTERS, LABEL_CHARACTERS = 80_000, 200
"""A model that does not stop would make lines longer than are read: 1 MiB, at twelve bytes a character at most."""
TOLERANCE = 1e-6
"""Rounding puts sums of probabilities a little above 1."""

_OPERATION = re.compile(r"""dominant_operation["']?\s*[:=]\s*(["'])(?P<label>[^"'\n]{1,100})\1""")


class Asked(NamedTuple):
    """Requests that an answer took, and the time from the beginning of the first to that of the last."""

    attempts: int
    wait_ms: float


class Reader:
    """Reader of replies about the clips of one split."""

    def __init__(self, floors: Floors | NoFloors):
        self.floors, self.words = floors, Vocabulary(floors.operations)

    def line(self, clip_id: str, reply: Answer, latency_ms: float | None, asked: Asked | None = None) -> dict[str, Any]:
        """Return the prediction line, without a latency where nobody can state one.

        Raises HarnessError where the predictor, not the model, is at fault.
        """
        reply = _to_reply(clip_id, reply)
        if reply.answer is not None:
            fields, source = self._fields(clip_id, reply.answer), MODEL
        elif reply.text is not None:
            fields, source = self._read(clip_id, reply.text)
        else:
            raise HarnessError(f"clip {clip_id}: the reply holds neither text nor answer")
        line = {"clip_id": clip_id, **fields, **self._confidences(reply, source)}
        latency_ms = latency_ms if reply.latency_ms is None else reply.latency_ms
        if latency_ms is not None:
            line["latency_ms"] = round(latency_ms, 3)
        if facts := _facts_of_service(reply, asked):
            line |= {"source": source, **facts}  # in the order that scoring reads fast
        if reply.text is not None:
            line["raw_output"] = writable(reply.text[:RAW_CHARACTERS])
        return line | {"source": source}

    def can_read(self, text: str) -> bool:
        """Return whether a text holds a whole answer."""
        return read_answer(self.words, text)[0] is not None

    def operation_in(self, text: str) -> str | None:
        """Return the dominant operation that a text without a whole answer still names, the last of several."""
        for found in reversed(list(_OPERATION.finditer(said_in(text)))):
            label = self.words.label(found["label"].strip())
            if label.verdict in ("exact", "normalised"):
                return self.floors.operations[label.code]
        return None

    def _fields(self, clip_id: str, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Return checked answer fields of a predictor, which must be an answer as they stand."""
        part = answer_part(answer)
        if LATER_FIELD in answer:  # a predictor's own list must be right, which one in a text need not be
            part[LATER_FIELD] = answer[LATER_FIELD]
        if problems := check(self.words, 1, {"clip_id": clip_id, **part}, []).problems:
            first = problems[0]
            raise HarnessError(f"clip {clip_id}: {first.field} {first.wrong}, expected {first.expected}")
        return self._canonical(part)

    def _read(self, clip_id: str, text: str) -> tuple[dict[str, Any], str]:
        """Return the answer fields in a text and their source: the model's own, repaired, or a fallback."""
        answer, repaired = read_answer(self.words, text)
        if answer is not None:
            return self._canonical(answer), REPAIRED if repaired else MODEL
        fallback = self.floors.constant(clip_id)
        if operation := self.operation_in(text):
            following = self.floors.after(clip_id, operation)
            fallback |= {"dominant_operation": operation, "next_operation": following}
        return fallback, FALLBACK

    def _canonical(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Return a checked answer with the labels and keys of the canonical format."""
        row = check(self.words, 1, {"clip_id": "", **answer}, []).row
        following = answer.get("next_operation", answer.get("anticipated_next_operation"))
        segment = {"start_frame": row.start_frame, "end_frame": row.end_frame}
        confidences = {name: answer[name] for name in ("confidence", "next_confidence") if name in answer}
        return (
            {
                "dominant_operation": self._label(row.operation, answer["dominant_operation"]),
                "temporal_segment": None if row.start_frame is None else segment,
                "next_operation": self._label(row.next_operation, following),
            }
            | confidences
            | self._later(answer)
        )

    def _later(self, answer: Mapping[str, Any]) -> dict[str, list[str | None]]:
        """Return next_operations where a checked answer has them."""
        given = answer.get(LATER_FIELD)
        spelt = given and [self._label(self.words.label(label).code, label) for label in given]
        return {LATER_FIELD: spelt} if spelt else {}

    def _label(self, code: int | None, text: str | None) -> str | None:
        if code is None or text is None:
            return None
        return text[:LABEL_CHARACTERS] if code == UNKNOWN_LABEL else self.floors.operations[code]

    def _confidences(self, reply: Reply, source: str) -> dict[str, float]:
        """Return the confidences that the reply states, without those in an answer that is not the model's own."""
        own = {"confidence": reply.confidence, "next_confidence": reply.next_confidence}
        if source == FALLBACK:
            kept = self.operation_in(reply.text or "") is not None
            own = {"confidence": reply.confidence if kept else None}
        return {name: value for name, value in own.items() if value is not None}


def without_secrets(line: Mapping[str, Any], mask: Mask, operations: Sequence[str]) -> dict[str, Any]:
    """Return a prediction line whose texts hold no secret that the model repeats; names of operations stay."""
    texts = ("raw_output", "dominant_operation", "next_operation", "finish_reason", "served_model")
    own = {name: line[name] for name in texts if line.get(name)}
    return {**line} | {name: mask.text(text) for name, text in own.items() if text not in operations}


def _facts_of_service(reply: Reply, asked: Asked | None) -> dict[str, Any]:
    """Return what the server, and the asking, say of the answer: usage, finish_reason, served_model, times."""
    found = {
        "usage": None if reply.usage is None else {name: int(number) for name, number in reply.usage.items()},
        "attempts": asked and asked.attempts,
        "wait_ms": asked and round(asked.wait_ms, 3),
        "finish_reason": _label_of_service(reply.finish_reason),
        "served_model": _label_of_service(reply.served_model),
        "ttft_ms": None if reply.ttft_ms is None else round(reply.ttft_ms, 3),
        "model_ms": None if reply.model_ms is None else round(reply.model_ms, 3),
    }
    return {name: value for name, value in found.items() if value is not None}


def _label_of_service(text: str | None) -> str | None:
    return None if text is None else writable(text[:LABEL_CHARACTERS])


def _to_reply(clip_id: str, value: Any) -> Reply:
    """Return what a model answered as a Reply of JSON values. Raises HarnessError for what is none."""
    if isinstance(value, str):
        value = Reply(text=value)
    elif isinstance(value, Mapping):
        value = Reply(value.get("raw_output"), value, value.get("confidence"), value.get("next_confidence"))
    if not isinstance(value, Reply):
        raise HarnessError(f"clip {clip_id}: the reply is {kind_of(value)}, expected a dict, a text or a Reply")
    text, answer = value.text, value.answer
    if not isinstance(text, str | None):
        raise HarnessError(f"clip {clip_id}: the reply's text is {kind_of(text)}, expected a text or None")
    _check_service(clip_id, value)
    value = value._replace(
        confidence=_probability(clip_id, "confidence", value.confidence),
        next_confidence=_probability(clip_id, "next_confidence", value.next_confidence),
    )
    if answer is None:
        return value
    if not isinstance(answer, Mapping):
        raise HarnessError(f"clip {clip_id}: the reply's answer is {kind_of(answer)}, expected a dict or None")
    if answer.get("clip_id", clip_id) != clip_id:
        raise HarnessError(f"clip {clip_id}: the reply is about clip {answer['clip_id']!r}")
    try:
        return value._replace(answer=json.loads(json.dumps(dict(answer), default=to_plain)))
    except (TypeError, ValueError, RecursionError):
        raise HarnessError(f"clip {clip_id}: the reply's {fault_of(answer)}") from None


def _check_service(clip_id: str, reply: Reply) -> None:
    """Raise HarnessError where a reply's facts about its service are no such facts."""
    if reply.usage is not None:
        known = isinstance(reply.usage, Mapping) and not set(reply.usage) - set(TOKENS)
        if not known or not all(_is_count(number) for number in reply.usage.values()):
            raise HarnessError(f"clip {clip_id}: usage {reply.usage!r:.80}, expected numbers of {', '.join(TOKENS)}")
    for name in ("finish_reason", "served_model"):
        if not isinstance(getattr(reply, name), str | None):
            raise HarnessError(f"clip {clip_id}: {name} is {kind_of(getattr(reply, name))}, expected a text or None")
    for name in ("ttft_ms", "model_ms", "latency_ms"):
        value = getattr(reply, name)
        if value is not None and not (isinstance(value, int | float) and 0 <= value <= MOST):
            raise HarnessError(f"clip {clip_id}: {name} {value!r:.80}, expected milliseconds up to {MOST:,}")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


def _probability(clip_id: str, name: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        number = float(value) if not isinstance(value, str | bytes | bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not -TOLERANCE <= number <= 1 + TOLERANCE:
        raise HarnessError(f"clip {clip_id}: {name} {value!r:.80}, expected a probability from 0 to 1")
    return min(1.0, max(0.0, number))
