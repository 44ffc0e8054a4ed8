"""Check of the fields of one object, each against its type, its range and the world's vocabulary.

A model's text is none of them: model_text.py reads it, and the answer in it is checked here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.ingestion.contents import text_in
from harness.ingestion.diagnostics import Problem, quote
from harness.ingestion.field_names import is_truth_row, text_names
from harness.ingestion.lines.fields import (
    FIELDS,
    LATER_FIELD,
    LATER_LABELS,
    OPTIONAL_FIELDS,
    SEGMENT_FIELDS,
    SOURCES,
    is_later_list,
)
from harness.ingestion.lines.hints import (
    ABSTAINED,
    NOT_STATED,
    answer_inside,
    ends_hint,
    is_fraction,
    look_alike,
    look_alike_hint,
    seconds_hint,
    type_hint,
)
from harness.ingestion.lines.result import ANSWERED, INVALID, Checked, Note, Row
from harness.ingestion.strict_json import column_of
from harness.ingestion.vocabulary import Vocabulary
from harness.usage.fields import NAMES as USAGE_NAMES
from harness.usage.fields import Fault as UsageFault
from harness.usage.fields import Usage, usage_of
from reference.outside_files import is_utf8
from reference.task import round_half_up
from reference.truth.confusables import code_points, hidden_characters

MAX_LATENCY_MS = 1_000_000_000


def check_answer(words: Vocabulary, answer: Mapping[str, Any]) -> Checked:
    """Check answer fields alone, as those of a line that answers for some clip."""
    return FieldCheck(words, 1, {"clip_id": "", **answer}, "", 1).check_fields()


class FieldCheck:
    """Check of one object: collects its problems and notes. `text`: its JSON, which begins at `column` of `number`."""

    def __init__(self, words: Vocabulary, number: int, value: dict[str, Any], text: str, column: int):
        self.words, self.number, self.value = words, number, value
        self.text, self.column = text, column
        self.problems: list[Problem] = []
        self.notes: list[Note] = []

    def check_fields(self, written: Mapping[str, Any] | None = None) -> Checked:
        """Check all fields; `written`: the object of the file, where fields of a text were added to it."""
        self._check_keys(self.value if written is None else written)
        clip_id = self._clip_id()
        operation = self._label("dominant_operation")
        file_start, file_end = self._segment()
        start, end = (None if frame is None else self.words.frames[frame] for frame in (file_start, file_end))
        following = self._label(self._next_name())
        row = Row(
            clip_id=clip_id,
            line=self.number,
            outcome=ANSWERED,
            operation=operation,
            start_frame=start,
            end_frame=end,
            next_operation=following,
            file_start=file_start,
            file_end=file_end,
            **self._extras(),
            **self._later(following),
        )
        usage = None if USAGE_NAMES.isdisjoint(self.value) else self._usage()
        return self.reject() if self.problems else Checked(row, [], self.notes, usage=usage)

    def reject(self) -> Checked:
        """Return the problems, with a row that has no answer."""
        clip_id = self.value.get("clip_id")
        readable = clip_id if isinstance(clip_id, str) and is_utf8(clip_id) else None
        return Checked(Row(readable, self.number, INVALID), self.problems, [])

    def problem(self, code: str, field: str, wrong: str, expected: str = "", suggestion: str = "", at: int = 0) -> None:
        """Note a problem at column `at` of the text, by default where the value of `field` begins."""
        at = at or column_of(self.text, field)
        before = self.text[: at - 1]  # an element of a document may span lines
        # on its first line the element begins at self.column, on later ones at column 1
        column = at - before.rfind("\n") - 1 + (0 if "\n" in before else self.column - 1)
        self.problems.append(
            Problem(
                line=self.number + before.count("\n"),
                column=column,
                code=code,
                field=field,
                wrong=wrong,
                expected=expected,
                suggestion=suggestion,
            )
        )

    def answer_elsewhere(self) -> bool:
        """Note a problem, and return True, where an answer is there, but in another place or of no clip."""
        value = self.value
        inside = answer_inside(value)
        if inside is not None:
            self._clip_id()
            hint = f"write the fields of {quote(inside)} beside clip_id"
            self.problem("MISSING", "", f"the answer stands inside {quote(inside)}", "its fields in the object", hint)
            return True
        text = next((name for name in text_names(value) if text_in(value[name]) is not None), None)
        if text is None or "clip_id" in value:
            return False
        near = look_alike(value, "clip_id")
        remedy = f"rename {quote(near)} to clip_id" if near else "add clip_id"
        expected = f"the clip's id beside the model's text in {quote(text)}"
        self.problem("MISSING", "clip_id", "is not in the object", expected, remedy, at=1)
        return True

    def _check_keys(self, written: Mapping[str, Any]) -> None:
        if FIELDS.issuperset(written):
            return
        self._check_case(written, "")
        for key in written:
            if key not in FIELDS:
                self.notes.append(Note("field", quote(key)))

    def _check_case(self, value: Mapping[str, Any], where: str) -> None:
        seen: dict[str, str] = {}
        for key in value:
            other = seen.setdefault(key.casefold(), key)
            if other != key:
                wrong = f"{quote(other)} and {quote(key)} differ only in case"
                self.problem("KEY_CASE", where + key, wrong, "one of them")

    def _required(self, name: str) -> bool:
        if name in self.value:
            return True
        expected = "a text" if name == "clip_id" else "an answer, or null to abstain"
        hint = look_alike_hint(self.value, name)
        if name == "temporal_segment" and not hint:
            hint = ends_hint(self.words, self.value)
        self.problem("MISSING", name, "is not in the object", expected, hint, at=1)
        return False

    def _clip_id(self) -> str | None:
        if not self._required("clip_id"):
            return None
        clip_id = self.value["clip_id"]
        if not isinstance(clip_id, str):
            self._wrong_type("clip_id", clip_id, "a text")
            return None
        if not clip_id.isprintable() and (odd := hidden_characters(clip_id)):
            wrong = f"{quote(clip_id)} holds {code_points(odd)}"
            self.problem("CHARACTERS", "clip_id", wrong, "a clip id of the split")
        return clip_id

    def _next_name(self) -> str:
        if "anticipated_next_operation" not in self.value:
            return "next_operation"
        if "next_operation" in self.value:
            self.problem("CONFLICT", "next_operation", "stands beside anticipated_next_operation", "one of the two")
        self.notes.append(Note("anticipated"))
        return "anticipated_next_operation"

    def _label(self, name: str) -> int | None:
        if not self._required(name):
            return None
        text = self.value[name]
        if text is None:
            return None
        if not isinstance(text, str):
            self._wrong_type(name, text, "a label or null")
            return None
        return self._code(name, text)

    def _code(self, name: str, text: str) -> int | None:
        """Return the code of a label in the field `name`; note another spelling, and one that the world lacks."""
        label = self.words.label(text)
        if label.verdict == "normalised":
            self.notes.append(Note("normalised"))
        elif label.verdict == "unknown":
            more = f"; nearest: {label.more}" if label.more else ""
            more = f"; {ABSTAINED}" if text.strip().casefold() in NOT_STATED else more
            self.notes.append(Note("label", quote(text), more))
        elif label.verdict == "refused":
            self.problem("CHARACTERS", name, f"{quote(text)} holds {label.more}", "a label in its usual letters")
        return label.code

    def _later(self, following: int | None) -> dict[str, Any]:
        """Return Row's columns of next_operations; empty, which leaves Row's defaults, where the line has none.

        `following`: the code of next_operation, which the first of the list repeats.
        """
        given = self.value.get(LATER_FIELD)
        if given is None or is_truth_row(self.value):  # a row of the truth is refused as a whole
            return {}
        expected = f"a list of one to {LATER_LABELS} labels, the first that of next_operation"
        if not is_later_list(given):
            if isinstance(given, list) and len(given) > LATER_LABELS:
                self.problem("RANGE", LATER_FIELD, f"holds {len(given)} labels", expected, "leave the others out")
            else:
                self._wrong_type(LATER_FIELD, given, expected, hint="leave the field out where there is none")
            return {}
        first, *later = [self._code(LATER_FIELD, text) for text in given]
        if following is None or first != following:
            wrong = f"begins with {quote(given[0])}, which is not the label in next_operation"
            self.problem("CONFLICT", LATER_FIELD, wrong, expected, "leave the field out, or mend the first")
        second, third = [*later, None, None][:2]
        return {"second_operation": second, "third_operation": third}

    def _segment(self) -> tuple[int | None, int | None]:
        flat = [name for name in SEGMENT_FIELDS if name in self.value]
        if flat and "temporal_segment" in self.value:
            self.problem("CONFLICT", "temporal_segment", f"stands beside {flat[0]}", "one of the two")
            return None, None
        if flat:
            self.notes.append(Note("flat"))
            return self._frames(self.value, "")
        if not self._required("temporal_segment"):
            return None, None
        segment = self.value["temporal_segment"]
        if isinstance(segment, dict):
            return self._segment_object(segment)
        several = isinstance(segment, list) and any(isinstance(part, list | dict) for part in segment)
        if isinstance(segment, list) and len(segment) == 2 and not several:
            self.notes.append(Note("pair"))
            pair = dict(zip(SEGMENT_FIELDS, segment, strict=True))
            return self._frames(pair, "temporal_segment.", "temporal_segment")
        if segment is not None:
            expected, hint = "an object with start_frame and end_frame, or null", ""
            if several:
                hint = "one segment a clip: the longest run of the dominant operation"
            elif isinstance(segment, str) and re.search(r"[0-9]", segment):
                hint = f"write both frames as integers; a frame is seconds x {float(self.words.rate):g}, rounded"
            self._wrong_type("temporal_segment", segment, expected, hint=hint)
        return None, None

    def _segment_object(self, segment: dict[str, Any]) -> tuple[int | None, int | None]:
        if len(segment) > len(SEGMENT_FIELDS):
            self._check_case(segment, "temporal_segment.")
            extra = [key for key in segment if key not in SEGMENT_FIELDS]
            self.notes += [Note("field", quote(f"temporal_segment.{key}")) for key in extra]
        return self._frames(segment, "temporal_segment.")

    def _frames(self, holder: dict[str, Any], where: str, field: str = "") -> tuple[int | None, int | None]:
        """Return both frames as the file counts them. Beside the other fields both may be null, which abstains."""
        missing = [name for name in SEGMENT_FIELDS if name not in holder]
        both = ends_hint(self.words, holder) if len(missing) == len(SEGMENT_FIELDS) else ""
        for name in missing:
            at = column_of(self.text, "temporal_segment")
            hint = both or look_alike_hint(holder, name)
            self.problem("MISSING", where + name, "is not in the object", "a frame", hint, at)
        if missing or (not where and holder["start_frame"] is None and holder["end_frame"] is None):
            return None, None
        seconds = any(is_fraction(holder[name]) for name in SEGMENT_FIELDS)
        start, end = (
            self._frame(holder[name], where + name, field or where + name, seconds=seconds) for name in SEGMENT_FIELDS
        )
        return start, end

    def _frame(self, value: Any, name: str, found_at: str, *, seconds: bool) -> int | None:
        last = len(self.words.frames) - 1
        if type(value) is int and 0 <= value <= last:
            return value
        at, expected = column_of(self.text, found_at), f"an integer from 0 to {last}"
        if type(value) is not int:
            self._wrong_type(name, value, expected, at, seconds_hint(self.words) if seconds else "")
        else:
            hint = "" if value < 0 else "give --fps and --clip-frames if the answers count other frames"
            self.problem("RANGE", name, f"{value} is out of range", expected, hint, at=at)
        return None

    def _extras(self) -> dict[str, Any]:
        """Return Row's columns of the optional fields; empty, which leaves Row's defaults, where the line has none."""
        value = self.value
        if not any(name in value for name in OPTIONAL_FIELDS):
            return {}
        if not isinstance(value.get("raw_output"), str | None):
            self._wrong_type("raw_output", value["raw_output"], "a text or null")
        return {
            "confidence_ppm": self._number("confidence", 1, 1_000_000),
            "next_confidence_ppm": self._number("next_confidence", 1, 1_000_000),
            "latency_us": self._number("latency_ms", MAX_LATENCY_MS, 1_000),
            "source": self._source(),
        }

    def _number(self, name: str, most: int, scale: int) -> int | None:
        number = self.value.get(name)
        if number is None:
            return None
        expected = f"a number from 0 to {most}"
        if type(number) not in (int, float):
            self._wrong_type(name, number, expected)
        elif not 0 <= number <= most:
            hint = "if it counts in percent, divide it by 100" if most == 1 and 10 <= number <= 100 else ""
            self.problem("RANGE", name, f"{quote(number)} is out of range", expected, hint)
        else:
            return round_half_up(float(number) * scale)
        return None

    def _usage(self) -> Usage:
        """Return what the line says of its cost; no answer is judged by it, but wrong values are problems."""

        def fault(wrong: UsageFault) -> None:
            if wrong.code == "TYPE":
                self._wrong_type(wrong.field, wrong.value, wrong.expected)
            else:
                self.problem("RANGE", wrong.field, f"{quote(wrong.value)} is out of range", wrong.expected)

        tokens = self.value.get("usage")
        if isinstance(tokens, dict):
            self._check_case(tokens, "usage.")
        return usage_of(self.value, fault, lambda name: self.notes.append(Note("field", quote(name))))

    def _source(self) -> int:
        source = self.value.get("source")
        if source is None:
            return 0
        if source not in SOURCES:
            self.problem("VALUE", "source", f"{quote(source)} is none of the sources", f"one of {', '.join(SOURCES)}")
            return 0
        return SOURCES.index(source)

    def _wrong_type(self, name: str, value: Any, expected: str, at: int = 0, hint: str = "") -> None:
        kind = _kind(value)
        if isinstance(value, float) and "integer" in expected:
            kind = "no integer"
        self.problem(
            "TYPE", name, f"{quote(value)} is {kind}", expected, hint or type_hint(self.words, value, expected), at=at
        )


def _kind(value: Any) -> str:
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "an array", dict: "an object"}
    return kinds.get(type(value), "null" if value is None else f"of type {type(value).__name__}")
