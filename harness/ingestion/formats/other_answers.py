"""Search of a row for a second answer: whatever a field is called, two different answers in a row are refused.

A target, a question, a thought and a field that VQA data sets call `answer` may hold one; the readers of the formats
decide about these by name. Any other field that holds a whole answer must hold the one that is read, and so must
columns that are called like the fields of an answer, such as dominant_operation_qwen beside dominant_operation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from harness.ingestion.contents import text_in, unwrapped
from harness.ingestion.diagnostics import quote
from harness.ingestion.field_names import (
    EITHER,
    LONGEST,
    MODEL_TEXTS,
    PROMPTS,
    TARGETS,
    is_of_target,
    is_truth_row,
    named_like,
)
from harness.ingestion.formats.records import Item
from harness.ingestion.formats.replies import reply_in
from harness.ingestion.lines.field_check import FieldCheck, check_answer
from harness.ingestion.lines.fields import ANSWERING_FIELDS, FIELDS, answer_part
from harness.ingestion.lines.model_text import find_answer
from harness.ingestion.lines.result import UNPARSEABLE, Checked, Row
from harness.ingestion.vocabulary import Vocabulary

_UNREAD = re.compile(r"docs?|filteredresps?|resps?|rejected(response|answer|output)?")
"""Names of a tool's own record of the sample, of replies before a filter, and of answers that are meant to be wrong."""
_THOUGHT = re.compile(r"reason|think|thought|rationale|analysis|scratchpad|explanation|reflection|draft", re.IGNORECASE)
_PARTS = {
    "dominantoperation": "operation", "anticipatednextoperation": "next_operation", "nextoperation": "next_operation",
    "startframe": "file_start", "endframe": "file_end", "temporalsegment": "segment",
}  # fmt: skip
"""Names of the parts of an answer in a column, without `_`, and their columns of Row."""
_PREDICTED = re.compile(r"(?<![a-z])pred(s|ict[a-z]*)?(?![a-z])", re.IGNORECASE)
_LABELS = ("operation", "next_operation")
REMEDY = "keep clip_id and the model's answer; call a target ground_truth, and leave other answers out"


class _Answer(NamedTuple):
    """Answer in a field as columns of Row; `is_cut`: other words stand round it."""

    columns: tuple[Any, ...]
    is_cut: bool


class OtherAnswers:
    """Check that a row holds one answer. `voters`: objects from all over the file.

    A text in which an answer stands among other words may be a question with an example, unless the voters have
    different answers there.
    """

    def __init__(self, words: Vocabulary, voters: Sequence[dict[str, Any]] = ()):
        self._words = words
        seen: dict[str, set[tuple[Any, ...]]] = {}
        for value in voters:
            for name in self._unknown(value):
                if (found := self._answer(name, value[name])) and found.is_cut:
                    seen.setdefault(name, set()).add(found.columns)
        self._answering = frozenset(name for name, answers in seen.items() if len(answers) > 1)

    def check(self, item: Item, shaped: Any, checked: Checked) -> Checked:
        """Return the result of checking a row, as a rejected one where the row holds another answer than its own.

        `shaped`: the prediction that was checked, with the model's text as `raw_output` where that was read.
        """
        value = item.value
        if checked.problems or not isinstance(value, dict) or FIELDS.issuperset(value):
            return checked
        read = shaped.get("raw_output") if ANSWERING_FIELDS.isdisjoint(shaped) else None
        name = next(self._others(value, checked.row, read if isinstance(read, str) else ""), None)
        if name is None:
            return checked
        line = FieldCheck(self._words, item.line, value, item.text, item.column)
        own = quote(self._own(value, checked.row))
        if checked.row.outcome == UNPARSEABLE:
            wrong = f"holds an answer, and the model's text in {own} holds none"
        else:
            wrong = f"holds another answer than {own}, which may be the target"
        line.problem("CONFLICT", name, wrong, "one answer a row", REMEDY)
        return line.reject()

    def _others(self, value: dict[str, Any], row: Row, text: str) -> Iterator[str]:
        """Yield the fields of a row that hold, or are part of, another answer than the one that is read."""
        for name in self._unknown(value):
            found = self._answer(name, value[name], text)
            is_answer = found and (not found.is_cut or name in self._answering or _is_models(name))
            if found and is_answer and found.columns != row[2:7]:
                yield name
        if row.outcome != UNPARSEABLE:
            yield from self._columns(value, row)

    def _unknown(self, value: dict[str, Any]) -> list[str]:
        """Return the fields of a row that no reader has decided about by their names."""
        if FIELDS.issuperset(value) or is_truth_row(value):
            return []
        kept = () if not ANSWERING_FIELDS.isdisjoint(value) else ("raw_output",)
        return [name for name in value if name in kept or not (name in FIELDS or _is_decided(name[:LONGEST]))]

    def _answer(self, name: str, item: Any, read: str = "") -> _Answer | None:
        """Return the whole answer in a field, as text, object, turns or a reply; None without one.

        Also None for a text that ends in the one that was `read`: before it stands the question.
        """
        item = unwrapped(item)
        if isinstance(item, dict) and not ANSWERING_FIELDS.isdisjoint(item):
            return None if is_truth_row(item) else self._whole(item, is_cut=False)
        text = text_in(item)
        if text is None and isinstance(item, dict | list):
            reply = reply_in({name: item}) or reply_in({"response": item})
            text = reply and reply.text
        if not text or "{" not in text or (read and text.strip().endswith(read.strip())):
            return None
        found = find_answer(self._words, text)
        return self._whole(found.value, is_cut=found.repaired) if found.value else None

    def _whole(self, found: dict[str, Any], *, is_cut: bool) -> _Answer | None:
        checked = check_answer(self._words, answer_part(found))
        return None if checked.problems else _Answer(checked.row[2:7], is_cut)

    def _columns(self, value: dict[str, Any], row: Row) -> Iterator[str]:
        """Yield columns called like an answer's parts with something added to them, whose values are others.

        Frames alone may be those of the clip in its video; beside a label of the same affix they are an answer's.
        """
        groups: dict[str, dict[str, str]] = {}
        for name in value:
            if name not in FIELDS and (called := _part(name[:LONGEST])):
                groups.setdefault(called[1], {})[called[0]] = name
        for affix, group in groups.items():
            codes = {part: self._code(value[name]) for part, name in group.items() if part in _LABELS}
            is_answer = "pred" in affix or any(code is not None for code in codes.values())
            for part, name in group.items():
                said, read = (codes[part], getattr(row, part)) if part in _LABELS else _frames(part, value[name], row)
                if is_answer and said is not None and said != read:
                    yield name
        for name in value:
            if name not in FIELDS and _PREDICTED.search(name[:LONGEST]):
                code = self._code(value[name])
                if code is not None and code not in (row.operation, row.next_operation):
                    yield name

    def _code(self, text: Any) -> int | None:
        """Return the code of a label of the world, None for anything else."""
        label = self._words.label(text) if isinstance(text, str) else None
        return label.code if label and label.verdict in ("exact", "normalised") else None

    def _own(self, value: dict[str, Any], row: Row) -> str:
        """Return the field that the answer of a row was read from."""
        own = next((name for name in ANSWERING_FIELDS if name in value), None)
        if own:
            return "dominant_operation" if "dominant_operation" in value else own
        same = (name for name in value if (found := self._answer(name, value[name])) and found.columns == row[2:7])
        texts = (name for name in value if _is_models(name) or named_like(EITHER, (name,)))
        return next(same, None) or next(texts, "raw_output")


def _is_models(name: str) -> bool:
    return bool(named_like(MODEL_TEXTS, (name,)))


@lru_cache(4096)
def _is_decided(name: str) -> bool:
    """Return True for a name about which the readers decide, and for one of a thought."""
    decided = any(named_like(names, (name,)) for names in (EITHER, TARGETS, PROMPTS, _UNREAD))
    return decided or _THOUGHT.search(name) is not None


@lru_cache(4096)
def _part(name: str) -> tuple[str, str] | None:
    """Return the part of an answer that a column is called like, and what is added to its name; None for a target."""
    plain = re.sub(r"[^a-z0-9]", "", name.casefold())
    part = next((part for part in _PARTS if part in plain), None)
    affix = plain.replace(part, "", 1) if part else ""
    return (_PARTS[part], affix) if part and not is_of_target(affix) else None


def _frames(part: str, value: Any, row: Row) -> tuple[Any, Any]:
    """Return the frames in a column, also in a cell's text, and those that were read; None where it holds none."""
    read = {"file_start": [row.file_start], "file_end": [row.file_end]}.get(part, [row.file_start, row.file_end])
    said = [int(number) for number in re.findall(r"(?<![.\d])\d{1,6}(?![.\d])", str(value)[:LONGEST])]
    return (said if len(said) == len(read) else None), read
