"""Containers of a file's objects: lines, stream, array, predictions, samples, results, clips, delimited, parquet.

`look` says which one a file is, by its first bytes and its keys, and takes a sample of the objects in it.
"""

from __future__ import annotations

import contextlib
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from harness.clip_map import IDS
from harness.ingestion.contents import text_in, unwrapped
from harness.ingestion.field_names import MODEL_TEXTS, named_like
from harness.ingestion.formats import documents, tables, tools
from harness.ingestion.formats.documents import NotADocument
from harness.ingestion.formats.registry import claims
from harness.ingestion.lines.fields import ANSWER_FIELDS, ANSWERING_FIELDS
from harness.ingestion.strict_json import parse
from harness.ingestion.submission_file import BOM, JSON_SPACE, SubmissionFile

PEEKED = 1 << 20
VOTERS = 64
OUTLINED = 8
TEXT, ANSWER = 1, 2  # what a member of an object by clip holds
_METRIC = re.compile(
    r"(?<![a-z])(oca|t?m?iou|m?ap|aa|acc|accuracy|exact_match|f1|precision|recall|bleu|rouge)(?![a-z])", re.IGNORECASE
)
_DETECTED = frozenset(("label", "score", "segment"))
"""Parts of a detection of ActivityNet, of which each has one at least."""


@dataclass(frozen=True)
class Sample:
    """Objects of a file that vote on its format, and their container. `lines`: how many lines were looked at."""

    container: str
    objects: list[dict[str, Any]]
    lines: int = 0


def look(source: SubmissionFile) -> Sample:
    """Return the container of a file, and objects of it: of its lines, or of the document that it is."""
    if source.parquet:
        return Sample("parquet", tables.rows_of_sample(source, VOTERS))
    lines = source.sample(VOTERS)
    first = (lines[0] or b"") if lines else b""
    start = source.magic.removeprefix(BOM).lstrip(JSON_SPACE)[:1]
    if start not in (b"[", b"{") and tables.find_header(lines):
        return Sample("delimited", tables.rows_of_sample(source, VOTERS))
    objects = [value for line in lines if (value := _object(line))]
    whole = Sample("lines", objects, len(lines))
    if start not in (b"[", b"{") or 2 * len(objects) > len(lines) > 1:
        return whole
    if len(lines) == 1 and objects and _kind(objects[0]) == "lines":
        return whole
    return _document(source, whole, pretty=len(lines) > 1 and first.rstrip()[-1:] in (b"{", b"[", b","))


def _kind(value: dict[str, Any]) -> str:
    if "clip_id" in value:
        return "lines"
    if isinstance(value.get("predictions"), list):
        return "predictions"
    if isinstance(value.get("samples"), list) and isinstance(value.get("eval"), dict):
        return "samples"
    if _is_results(value.get("results")):
        return "results"
    members = list(islice(value.items(), VOTERS))
    return "clips" if _are_by_clip([is_by_clip(*member) for member in members]) else "lines"


def _is_results(value: Any) -> bool:
    """Return True for an object that may go from clips to lists of detections: no scores and no answers of clips."""
    if not isinstance(value, dict) or holds_scores(value) or holds_answers(value):
        return False
    lists = [isinstance(item, list) and _are_detections(item) for item in islice(value.values(), VOTERS)]
    return 2 * sum(lists) >= len(lists)


def _are_detections(value: list[Any]) -> bool:
    """Return True for a list of nothing, or with an object that has a part of a detection."""
    return not value or any(isinstance(item, dict) and not _DETECTED.isdisjoint(item) for item in value)


def _are_by_clip(members: list[int]) -> bool:
    """Return True if the first member goes from a clip id to an answer, or most of those looked at do, or to texts."""
    return members[:1] == [ANSWER] or 2 * sum(map(bool, members)) > len(members)


def is_by_clip(key: str | None, value: Any) -> int:
    """Return ANSWER or TEXT if a member of an object goes from a clip id to that, else 0."""
    if not key or key in (*ANSWER_FIELDS, *IDS) or tools.is_known(key):
        return 0
    value = value if isinstance(value, dict) else _without_clip(unwrapped(value))
    if isinstance(value, dict):
        if not ANSWERING_FIELDS.isdisjoint(value):
            return ANSWER
        return TEXT if tools.answer_field(value) or _has_text(value) else 0
    return TEXT if any(name in (text_in(value) or "") for name in ANSWER_FIELDS) else 0


def _without_clip(value: Any) -> Any:
    """Return a value, but nothing for an object that names its clip, so that no key of it is needed for that."""
    return None if isinstance(value, dict) and not value.keys().isdisjoint(IDS) else value


def _has_text(value: dict[str, Any]) -> bool:
    return value.keys().isdisjoint(IDS) and any(
        name in (text_in(value[field]) or "") for field in named_like(MODEL_TEXTS, value) for name in ANSWER_FIELDS
    )


def _object(line: bytes | None) -> dict[str, Any]:
    value, _ = parse((line or b"").decode(errors="replace").strip())
    return value if isinstance(value, dict) else {}


def _document(source: SubmissionFile, lines: Sample, pretty: bool) -> Sample:
    """Look into a document: its kind by its keys, and its first objects; `lines` where it is none."""
    with documents.memory_map(source) as text:
        start = documents.first(text)
        kind = "array" if text[start : start + 1] == b"[" else "lines"
        with contextlib.suppress(NotADocument):
            if kind == "lines":
                kind, start = _container(text, start)
        if kind in ("array", "predictions", "samples"):
            return Sample(kind, _objects_in(text, documents.elements(text, start), kind))
        if kind != "lines":
            return Sample(kind, [{}])
        return _stream(text, lines, pretty)


def _objects_in(text: mmap.mmap, elements: Iterator[documents.Element], container: str) -> list[dict[str, Any]]:
    """Return the objects among the first elements, and, where no format claims one of them, the first that one does."""
    objects: list[dict[str, Any]] = []
    claimed = False
    with contextlib.suppress(NotADocument):
        for place, element in enumerate(elements):
            if claimed and place >= VOTERS:
                break
            value = _element(text, element)
            votes = bool(value) and not claimed and bool(claims(container, value))
            claimed |= votes
            if value and (place < VOTERS or votes):
                objects.append(value)
    return objects


def _stream(text: mmap.mmap, lines: Sample, pretty: bool) -> Sample:
    """Return the objects of a text as a stream where they span lines, else `lines`.

    The first must be faultless where some lines are objects of their own: a line that is cut off is no stream.
    """
    values, first = documents.values(text), None
    with contextlib.suppress(NotADocument):
        first = next(values, None)
    if first is None:  # never closed: a line cut off, or all of a document that was printed over lines
        return Sample("stream", []) if pretty and not lines.objects else lines
    value = _outline(text, first)
    if b"\n" not in text[first.start : first.end]:
        return lines if lines.objects or not value else Sample("lines", [value], lines.lines)
    if lines.objects and not value:
        return lines
    return Sample("stream", ([value] if value else []) + _objects_in(text, values, "stream"))


def _outline(text: mmap.mmap, element: documents.Element) -> dict[str, Any]:
    """Return an object, or, where it is long, its keys with the first members of each value."""
    if element.end - element.start <= PEEKED:
        return _object(text[element.start : element.end])
    outline: dict[str, Any] = {}
    with contextlib.suppress(NotADocument):
        for member in islice(documents.elements(text, element.start), VOTERS):
            opener = text[member.start : member.start + 1]
            if opener == b"[":
                outline[member.key or ""] = [
                    _element(text, item) for item in islice(documents.elements(text, member.start), OUTLINED)
                ]
            elif opener == b"{":
                outline[member.key or ""] = {
                    item.key: _element(text, item) for item in islice(documents.elements(text, member.start), OUTLINED)
                }
            else:
                outline[member.key or ""] = None
    return outline


def _element(text: mmap.mmap, element: documents.Element) -> dict[str, Any]:
    value = unwrapped(_value(text, element))
    return value if isinstance(value, dict) else {}


def _value(text: mmap.mmap, element: documents.Element) -> Any:
    return parse(text[element.start : min(element.end, element.start + PEEKED)].decode(errors="replace"))[0]


def _container(text: mmap.mmap, start: int) -> tuple[str, int]:
    """Return the kind of an object by its top-level keys, and the offset of its container."""
    members: list[int] = []
    log = False
    for element in documents.elements(text, start):
        opener = text[element.start : element.start + 1]
        log |= element.key == "eval" and opener == b"{"
        if log and element.key == "samples" and opener == b"[":
            return "samples", element.start
        if element.key == "predictions" and opener == b"[":
            return "predictions", element.start
        if element.key == "results" and opener == b"{" and not log and _is_results(_outline(text, element)):
            return "results", element.start
        if len(members) < VOTERS:
            members.append(is_by_clip(element.key, _value(text, element)))
            if members == [ANSWER]:
                return "clips", start
    return "clips" if _are_by_clip(members) else "lines", start


def holds_answers(item: list[Any] | dict[str, Any]) -> bool:
    """Return True for a list of objects that a format claims, or an object from clips to answers."""
    if isinstance(item, list):
        return any(isinstance(one, dict) and claims("array", one) for one in item[:OUTLINED])
    return any(is_by_clip(key, one) for key, one in islice(item.items(), OUTLINED))


def holds_scores(value: dict[str, Any], depth: int = 4) -> bool:
    """Return True for an object with numbers under names of metrics, at any of its upper levels."""
    return any(
        (_METRIC.search(key) is not None and type(item) in (int, float))
        or (isinstance(item, dict) and depth > 0 and holds_scores(item, depth - 1))
        for key, item in value.items()
    )
