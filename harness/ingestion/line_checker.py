"""Strict checker of prediction lines: the authority on which lines are accepted and how they are read.

sql/screen.sql takes over the lines that are plainly good; on those both agree, which a test shows on mutated lines. A
checked line becomes a Row of the `predictions` table: labels as codes (vocabulary.UNKNOWN_LABEL for one that the world
does not know, None for null), frames at 25 fps, confidence in millionths and latency in microseconds, rounded half up.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.clip_map import IDS
from harness.ingestion.confusables import code_points, hidden_characters
from harness.ingestion.contents import text_in
from harness.ingestion.diagnostics import Problem, quote
from harness.ingestion.field_names import (
    EITHER,
    MODEL_TEXTS,
    PREDICTED_PARTS,
    TARGETS,
    is_truth_row,
    named_like,
)
from harness.ingestion.model_text import answer_in
from harness.ingestion.strict_json import VALUE_CUT_OFF, Fault, column_of, is_text, parse
from harness.ingestion.vocabulary import Vocabulary
from harness.usage.fields import NAMES as USAGE_NAMES
from harness.usage.fields import Fault as UsageFault
from harness.usage.fields import Usage, usage_of
from reference.task import round_half_up

ANSWERED, UNPARSEABLE, INVALID = 0, 1, 2
SOURCES = ("model", "repaired", "fallback")
REPAIRED = SOURCES.index("repaired")
MAX_LATENCY_MS = 1_000_000_000
LENIENT = "--lenient counts it as wrong"
CANDIDATES = 20
"""So many objects of a text are asked why they are no answer."""

ANSWER_FIELDS = ("dominant_operation", "temporal_segment", "next_operation", "anticipated_next_operation")
SEGMENT_FIELDS = ("start_frame", "end_frame")
ANSWERING_FIELDS = frozenset((*ANSWER_FIELDS, *SEGMENT_FIELDS))
NUMBER_FIELDS = ("confidence", "next_confidence", "latency_ms")
OPTIONAL_FIELDS = (*NUMBER_FIELDS, "source", "raw_output")
FIELDS = ANSWERING_FIELDS | {"clip_id", *OPTIONAL_FIELDS} | USAGE_NAMES
CLIP_NAMES = ("clip_id", "clip", "video_id", "video")
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
_NUMBER = re.compile(r"\s*-?[0-9]{1,18}(\.[0-9]{1,18})?\s*")
_SECONDS = re.compile(r"time|sec|_s$", re.IGNORECASE)


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


class Found(NamedTuple):
    """Result of reading a model's text: an object with a whole answer or None, and why the nearest one is none."""

    value: dict[str, Any] | None
    repaired: bool = False
    problem: Problem | None = None


def check(words: Vocabulary, number: int, value: Any, faults: list[Fault], text: str = "", column: int = 1) -> Checked:
    """Check a parsed object. `text`: the JSON that it was parsed from, which begins at `column` of its line."""
    line = _Line(words, number, value if isinstance(value, dict) else {}, text, column)
    for fault in faults:
        line.problem(fault.code, fault.field, *fault[3:], at=fault.column)
    if not faults and not isinstance(value, dict):
        line.problem("NOT_OBJECT", "", f"{quote(value)} is not an object", "one prediction object", at=1)
    if line.problems:
        return line.reject()
    line.check_origin()
    return line.check()


def read_answer(words: Vocabulary, text: str) -> tuple[dict[str, Any] | None, bool]:
    """Return the answer fields in a model's text, with confidences, or None; and whether it was cut out or repaired."""
    found = find_answer(words, text)
    return found.value and answer_part(found.value), found.repaired


def find_answer(words: Vocabulary, text: str) -> Found:
    """Return the object in a model's text that is a whole answer, or the first problem of the one nearest to it."""
    near: list[list[Problem]] = []

    def is_answer(candidate: dict[str, Any]) -> bool:
        """Return True for an object that is a whole answer to some clip."""
        answer = answer_part(candidate)
        good = bool(answer) and not check(words, 1, {"clip_id": "", **answer}, []).problems
        if not good and len(near) < CANDIDATES and (answer or may_hold_answer(candidate)):
            beside = {key: item for key, item in candidate.items() if key not in FIELDS}  # for what they may mean
            near.append(_Line(words, 1, {"clip_id": "", **beside, **answer}, "", 1).check().problems)
        return good

    value, repaired = answer_in(text, is_answer)
    if value is not None:
        return Found(value, repaired)
    # candidates come last first; one that is whole but for a bad value tells more than a fragment
    nearest = min(near, key=_missing, default=[])
    cut_off = _cut_off(text) if _missing(nearest) or not nearest else None
    return Found(None, problem=cut_off or next(iter(nearest), None))


def _missing(problems: list[Problem]) -> int:
    return sum(problem.code == "MISSING" for problem in problems)


class _Line:
    """Object under check: collects its problems and notes."""

    def __init__(self, words: Vocabulary, number: int, value: dict[str, Any], text: str, column: int):
        self.words, self.number, self.value = words, number, value
        self.text, self.column = text, column
        self.problems: list[Problem] = []
        self.notes: list[Note] = []

    def check(self) -> Checked:
        """Check all fields."""
        value = self.value
        if value.keys().isdisjoint(ANSWERING_FIELDS):
            if isinstance(value.get("raw_output"), str):
                return self._read_text()
            if self._answer_elsewhere():
                return self.reject()
        checked = self._check_fields()
        raw = value.get("raw_output")
        if checked.problems or not isinstance(raw, str) or "clip_id" not in raw:
            return checked
        return checked._replace(names=self._clip_named(find_answer(self.words, raw).value))

    def _answer_elsewhere(self) -> bool:
        """Note a problem, and return True, where an answer is there, but in another place or of no clip."""
        value = self.value
        inside = _answer_inside(value)
        if inside is not None:
            self._clip_id()
            hint = f"write the fields of {quote(inside)} beside clip_id"
            self.problem("MISSING", "", f"the answer stands inside {quote(inside)}", "its fields in the object", hint)
            return True
        names = (*named_like(MODEL_TEXTS, value), *named_like(EITHER, value))
        text = next((name for name in names if text_in(value[name]) is not None), None)
        if text is None or "clip_id" in value:
            return False
        near = _look_alike(value, "clip_id")
        remedy = f"rename {quote(near)} to clip_id" if near else "add clip_id"
        expected = f"the clip's id beside the model's text in {quote(text)}"
        self.problem("MISSING", "clip_id", "is not in the object", expected, remedy, at=1)
        return True

    def _check_fields(self, written: Mapping[str, Any] | None = None) -> Checked:
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
        )
        usage = None if USAGE_NAMES.isdisjoint(self.value) else self._usage()
        return self.reject() if self.problems else Checked(row, [], self.notes, usage=usage)

    def reject(self) -> Checked:
        """Return the problems, with a row that has no answer."""
        clip_id = self.value.get("clip_id")
        readable = clip_id if isinstance(clip_id, str) and is_text(clip_id) else None
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

    def _read_text(self) -> Checked:
        """Check the answer in raw_output, where the line gives no answer of its own."""
        found = find_answer(self.words, self.value["raw_output"])
        if not self.value["raw_output"].strip():
            self.problem("MISSING", "raw_output", "holds no text", "what the model said", LENIENT)
        answer = found.value and answer_part(found.value)
        answered = self.value | (answer or dict.fromkeys(ANSWER_FIELDS[:3]))
        for name in ("confidence", "next_confidence"):  # that of the text counts; that of the line must be right
            if name in self.value and answered[name] is not self.value[name]:
                self._number(name, 1, 1_000_000)
        line = _Line(self.words, self.number, answered, self.text, self.column)
        line.problems = self.problems
        checked = line._check_fields(self.value)
        if checked.problems:
            return checked
        notes = [Note("text"), *checked.notes]
        if found.value is None:
            notes.append(_why_unreadable(found.problem))
            return checked._replace(row=checked.row._replace(outcome=UNPARSEABLE), notes=notes)
        names = self._clip_named(found.value)
        if found.repaired:
            row = checked.row._replace(source=checked.row.source or REPAIRED)
            return checked._replace(row=row, notes=[*notes, Note("repaired")], names=names)
        return checked._replace(notes=notes, names=names)

    def _clip_named(self, answer: Mapping[str, Any] | None) -> str | None:
        """Return the clip that an answer names, None where it is the line's own or none."""
        name = next((answer[key] for key in CLIP_NAMES if isinstance(answer.get(key), str)), None) if answer else None
        return None if name == self.value.get("clip_id") else name

    def check_origin(self) -> None:
        """Note a problem where the answer fields are the truth's, or stand beside another answer in a model's text."""
        value = self.value
        if FIELDS.issuperset(value) or value.keys().isdisjoint(ANSWERING_FIELDS):
            return
        if is_truth_row(value):
            field = next(name for name in (*ANSWER_FIELDS, *SEGMENT_FIELDS) if name in value)
            wrong = "stands in a row of the truth (harness world export), so it is no model's answer"
            texts = [quote(name) for name in (*named_like(MODEL_TEXTS, value), *named_like(EITHER, value))]
            hint = f"keep clip_id and {texts[0]}, without the truth's fields" if texts else ""
            self.problem("CONFLICT", field, wrong, "clip_id and the model's answer alone", hint)
            return
        answer = answer_part(value)
        for name in (*named_like(MODEL_TEXTS, value), *named_like(EITHER, value), *named_like(PREDICTED_PARTS, value)):
            if name not in FIELDS and self._differs(name, answer):
                wrong = f"stands beside {quote(name)}, which may be the model's own answer"
                self.problem("CONFLICT", next(iter(answer)), wrong, "one answer a line, and no target beside it")

    def _differs(self, name: str, answer: Mapping[str, Any]) -> bool:
        """Return True if a field may be the model's answer, and is another one than the line's answer fields."""
        said = self.value[name]
        if name in named_like(PREDICTED_PARTS, self.value):
            return said is not None and said not in answer.values()
        text = text_in(said)
        if text is not None:
            found = find_answer(self.words, text).value
        else:
            found = said if isinstance(said, dict) and answer_part(said) else None
        if found is None:  # a name that may be anything needs an answer in it; the model's own may be without one
            return said is not None and name in named_like(MODEL_TEXTS, self.value)
        rows = [check(self.words, 1, {"clip_id": "", **part}, []).row for part in (answer, answer_part(found))]
        return rows[0][2:7] != rows[1][2:7]

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
        hint = _look_alike_key(self.value, name)
        if name == "temporal_segment" and not hint:
            hint = self._ends_named_otherwise(self.value)
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

    def _ends_named_otherwise(self, holder: Mapping[str, Any]) -> str:
        """Return a hint at keys of an object that may be the ends of the segment, and that they may be seconds."""
        near = [_look_alike(holder, name) for name in SEGMENT_FIELDS]
        if None in near:
            return ""
        keys = " and ".join(quote(key) for key in near)
        values = [holder[key] for key in near if key is not None]
        seconds = any(isinstance(value, float) for value in values) or any(_SECONDS.search(key or "") for key in near)
        return f"are {keys} meant to be start_frame and end_frame?" + (f" {self._if_seconds()}" if seconds else "")

    def _if_seconds(self) -> str:
        return f"if these are seconds, a frame is seconds x {float(self.words.rate):g}, rounded"

    def _segment_object(self, segment: dict[str, Any]) -> tuple[int | None, int | None]:
        if len(segment) > len(SEGMENT_FIELDS):
            self._check_case(segment, "temporal_segment.")
            extra = [key for key in segment if key not in SEGMENT_FIELDS]
            self.notes += [Note("field", quote(f"temporal_segment.{key}")) for key in extra]
        return self._frames(segment, "temporal_segment.")

    def _frames(self, holder: dict[str, Any], where: str, field: str = "") -> tuple[int | None, int | None]:
        """Return both frames as the file counts them. Beside the other fields both may be null, which abstains."""
        missing = [name for name in SEGMENT_FIELDS if name not in holder]
        both = self._ends_named_otherwise(holder) if len(missing) == len(SEGMENT_FIELDS) else ""
        for name in missing:
            at = column_of(self.text, "temporal_segment")
            hint = both or _look_alike_key(holder, name)
            self.problem("MISSING", where + name, "is not in the object", "a frame", hint, at)
        if missing or (not where and holder["start_frame"] is None and holder["end_frame"] is None):
            return None, None
        seconds = any(_is_fraction(holder[name]) for name in SEGMENT_FIELDS)
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
            self._wrong_type(name, value, expected, at, self._if_seconds() if seconds else "")
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
            "TYPE", name, f"{quote(value)} is {kind}", expected, hint or self._rewritten(value, expected), at=at
        )

    def _rewritten(self, value: Any, expected: str) -> str:
        """Return a hint at how a value of the wrong type is written rightly, where it shows."""
        if isinstance(value, str) and "number" in expected and _NUMBER.fullmatch(value):
            return "remove the quotes"
        if isinstance(value, str) and value.strip().casefold() in NOT_STATED:
            return ABSTAINED
        if "integer" not in expected:
            return ""
        if isinstance(value, str) and (percent := re.fullmatch(r"\s*[0-9.]{1,9}\s*%\s*", value)):
            return (
                f"if {percent[0].strip()} is a share of the clip, multiply it by {len(self.words.frames) - 1}, rounded"
            )
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            return ""
        if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]+\s*", value):
            return "remove the quotes"
        if isinstance(value, str | float) and float(value).is_integer():
            return f"write {int(float(value))}"
        return self._if_seconds() if isinstance(value, str | float) else ""


def answer_part(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer fields of an object, with its confidences where they are probabilities."""
    answer = {name: value[name] for name in (*ANSWER_FIELDS, *SEGMENT_FIELDS) if name in value}
    for name in ("confidence", "next_confidence"):
        sure = value.get(name)
        if answer and isinstance(sure, int | float) and not isinstance(sure, bool) and 0 <= sure <= 1:
            answer[name] = sure
    return answer


def _cut_off(text: str) -> Problem | None:
    """Return the problem of a text that ends inside an object, as answers do that reach a limit of tokens."""
    if "{" not in text:
        return None
    faults = parse(text[text.find("{") :].rstrip("` \r\n"))[1]
    if not faults or faults[0].wrong != VALUE_CUT_OFF:
        return None
    return Problem(1, 1, "JSON", "", VALUE_CUT_OFF, "a closed object", "was the answer cut off?")


def _why_unreadable(problem: Problem | None) -> Note:
    """Return the note on a text without an answer, with what is wrong with the object nearest to one."""
    if problem is None:
        return Note("unreadable")
    return Note("unreadable", f"{problem.code} {problem.field}", f"; the first: {problem.sentence}")


def _kind(value: Any) -> str:
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "an array", dict: "an object"}
    return kinds.get(type(value), "null" if value is None else f"of type {type(value).__name__}")


def _answer_inside(value: Mapping[str, Any]) -> str | None:
    """Return the key of an object under which another object, that is no target, holds the answer fields."""
    targets = named_like(TARGETS, value)
    inside = (key for key, item in value.items() if isinstance(item, dict) and _names_answer(item))
    return next((key for key in inside if key not in targets), None)


def _names_answer(value: Mapping[str, Any]) -> bool:
    return not value.keys().isdisjoint(ANSWER_FIELDS)


def may_hold_answer(value: Mapping[str, Any]) -> bool:
    """Return True for an object in which something resembles an answer field, or that holds one further down."""
    return any(_look_alike(value, name) for name in ANSWER_FIELDS[:3]) or _answer_inside(value) is not None


def _is_fraction(value: Any) -> bool:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    return isinstance(value, float) and not value.is_integer()


def _look_alike_key(value: Mapping[str, Any], name: str) -> str:
    near = _look_alike(value, name)
    return f"is {quote(near)} meant to be {name}?" if near is not None else ""


def _look_alike(value: Mapping[str, Any], name: str) -> str | None:
    """Return the key of an object that may stand for a field."""
    # beside a model's text a label is the target
    left_out = FIELDS | set(named_like(TARGETS, value) if named_like(MODEL_TEXTS, value) else ())
    return next((key for key in value if key not in left_out and _resembles(key, name)), None)


def _resembles(key: str, name: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", key.casefold()[:100])
    target = name.replace("_", "")
    return (
        plain == target
        or plain in (other.replace("_", "") for other in OFTEN_CALLED.get(name, ()))
        or (difflib.SequenceMatcher(None, plain, target).ratio() >= 0.8)
    )
