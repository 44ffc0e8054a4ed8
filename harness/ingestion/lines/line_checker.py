"""Strict checker of prediction lines: the authority on which lines are accepted and how they are read.

sql/screen.sql takes over the lines that are plainly good; on those both agree, which a test shows on mutated lines. A
checked line becomes a Row of the `predictions` table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.ingestion.contents import text_in
from harness.ingestion.diagnostics import Problem, quote
from harness.ingestion.field_names import MODEL_TEXTS, PREDICTED_PARTS, is_truth_row, named_like, text_names
from harness.ingestion.lines.field_check import FieldCheck, check_answer
from harness.ingestion.lines.fields import (
    ANSWER_FIELDS,
    ANSWERING_FIELDS,
    CLIP_NAMES,
    FIELDS,
    LATER_FIELD,
    SEGMENT_FIELDS,
    SOURCES,
    answer_part,
)
from harness.ingestion.lines.hints import LENIENT
from harness.ingestion.lines.model_text import find_answer
from harness.ingestion.lines.result import UNPARSEABLE, Checked, Note
from harness.ingestion.strict_json import Fault
from harness.ingestion.vocabulary import Vocabulary
from reference.stated_units import contradiction, stated_units

REPAIRED = SOURCES.index("repaired")


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


class _Line(FieldCheck):
    """Check of a whole line, with the model's text in it and with what stands beside its answer."""

    def check(self) -> Checked:
        """Check all fields."""
        value = self.value
        if value.keys().isdisjoint(ANSWERING_FIELDS):
            if isinstance(value.get("raw_output"), str):
                return self._read_text()
            if self.answer_elsewhere():
                return self.reject()
        checked = self.check_fields()
        if checked.row.file_start is not None and self._counts_otherwise():
            return self.reject()
        raw = value.get("raw_output")
        if checked.problems or not isinstance(raw, str) or "clip_id" not in raw:
            return checked
        return checked._replace(names=self._clip_named(find_answer(self.words, raw).value))

    def _counts_otherwise(self) -> bool:
        """Note a problem, and return True, where the line says that its frames are counted otherwise than read."""
        segment = self.value.get("temporal_segment")
        if FIELDS.issuperset(self.value) and not (isinstance(segment, dict) and len(segment) > len(SEGMENT_FIELDS)):
            return False
        for where, holder in (("", self.value), ("temporal_segment.", segment)):
            stated = stated_units(holder) if isinstance(holder, dict) else {}
            if wrong := contradiction(stated, self.words.rate, len(self.words.frames) - 1):
                expected = "frames counted as they are read"
                remedy = f"{wrong.remedy}, or leave {quote(wrong.field)} out"
                self.problem("CONFLICT", where + wrong.field, wrong.wrong, expected, remedy)
                return True
        return False

    def _read_text(self) -> Checked:
        """Check the answer in raw_output, where the line gives no answer of its own."""
        found = find_answer(self.words, self.value["raw_output"])
        if not self.value["raw_output"].strip():
            self.problem("MISSING", "raw_output", "holds no text", "what the model said", LENIENT)
        answer = found.value and answer_part(found.value)
        # what follows next_operation is read where that stands: in the text
        answered = self.value | {LATER_FIELD: None} | (answer or dict.fromkeys(ANSWER_FIELDS[:3]))
        for name in ("confidence", "next_confidence"):  # that of the text counts; that of the line must be right
            if name in self.value and answered[name] is not self.value[name]:
                self._number(name, 1, 1_000_000)
        line = FieldCheck(self.words, self.number, answered, self.text, self.column)
        line.problems = self.problems
        checked = line.check_fields(self.value)
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
            texts = [quote(name) for name in text_names(value)]
            hint = f"keep clip_id and {texts[0]}, without the truth's fields" if texts else ""
            self.problem("CONFLICT", field, wrong, "clip_id and the model's answer alone", hint)
            return
        answer = answer_part(value)
        for name in (*text_names(value), *named_like(PREDICTED_PARTS, value)):
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
        rows = [check_answer(self.words, part).row for part in (answer, answer_part(found))]
        return rows[0][2:7] != rows[1][2:7]


def _why_unreadable(problem: Problem | None) -> Note:
    """Return the note on a text without an answer, with what is wrong with the object nearest to one."""
    if problem is None:
        return Note("unreadable")
    return Note("unreadable", f"{problem.code} {problem.field}", f"; the first: {problem.sentence}")
