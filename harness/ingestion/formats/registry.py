"""Registry of the formats that a prediction file may have, and their recognition.

A format is recognised by its container (lines, array, predictions, results, clips, delimited, parquet) and its first
object. A file that fits two formats is refused with their names, so that the user passes one with `--adapter`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.errors import SubmissionError, UsageError
from harness.ingestion.formats import documents, tables, tools
from harness.ingestion.formats.documents import NotADocument
from harness.ingestion.formats.records import Reader, Shape
from harness.ingestion.line_checker import ANSWER_FIELDS, SEGMENT_FIELDS
from harness.ingestion.strict_json import parse
from harness.ingestion.submission_file import BOM, JSON_SPACE, SubmissionFile

PEEKED = 1 << 20
OBJECT_CONTAINERS = ("lines", "array", "predictions")


@dataclass(frozen=True)
class Peek:
    """Head of a file for recognition: the container and the first object in it."""

    container: str
    first: dict[str, Any]

    def has(self, *names: str) -> bool:
        """Return True if the first object has all these keys."""
        return all(name in self.first for name in names)

    @property
    def answers(self) -> bool:
        """Return True if the first object has an answer field."""
        return _answers(self.first)


@dataclass(frozen=True)
class Adapter:
    """Format of a file. `reads` is None where the reader follows from the container."""

    name: str
    description: str
    recognises: Callable[[Peek], bool]
    reads: Reader | None = None
    shape: Shape = tools.canonical


def _answers(value: Any) -> bool:
    return isinstance(value, dict) and any(name in value for name in (*ANSWER_FIELDS, *SEGMENT_FIELDS))


def _objects(test: Callable[[Peek], bool]) -> Callable[[Peek], bool]:
    return lambda peek: peek.container in OBJECT_CONTAINERS and test(peek)


def _is_lm_eval(peek: Peek) -> bool:
    return peek.has("filtered_resps", "doc")


def _has_turns(peek: Peek, field: str) -> bool:
    """Return True if the first object's turns are what the model said, and raw text does not say the same."""
    return peek.has(field) and not (peek.has("clip_id") and not peek.answers and tools.repeats_turn(peek.first, field))


ADAPTERS = {
    adapter.name: adapter
    for adapter in (
        Adapter("canonical", "one prediction object a line", lambda peek: peek.container == "lines" and peek.answers),
        Adapter(
            "array",
            "one JSON array of prediction objects",
            lambda peek: peek.container == "array" and peek.answers,
            documents.array,
        ),
        Adapter(
            "predictions",
            '{"predictions": [...]} of prediction objects',
            lambda peek: peek.container == "predictions" and peek.answers,
            documents.array,
        ),
        Adapter(
            "by-clip",
            "one JSON object from clip_id to its answer",
            lambda peek: peek.container == "clips",
            tools.by_clip,
        ),
        Adapter(
            "csv",
            "CSV or TSV with a header, columns named as the fields",
            lambda peek: peek.container == "delimited",
            tables.delimited,
        ),
        Adapter(
            "parquet", "Parquet, columns named as the fields", lambda peek: peek.container == "parquet", tables.parquet
        ),
        Adapter(
            "raw-text",
            "clip_id and the model's text",
            _objects(lambda peek: "clip_id" in peek.first and not peek.answers and tools.holds_text(peek.first)),
            shape=tools.raw_text,
        ),
        Adapter(
            "llava", "LLaVA conversations", _objects(lambda peek: _has_turns(peek, "conversations")), shape=tools.llava
        ),
        Adapter(
            "chat",
            "chat messages, the model's last turn counts",
            _objects(lambda peek: _has_turns(peek, "messages")),
            shape=tools.chat,
        ),
        Adapter(
            "batch",
            "results of OpenAI's or Anthropic's batch API, the clip as custom_id",
            _objects(lambda peek: peek.has("custom_id")),
            shape=tools.batch,
        ),
        Adapter("lm-eval", "samples of lm-evaluation-harness", _objects(_is_lm_eval), shape=tools.lm_eval),
        Adapter(
            "lmms-eval",
            "samples of lmms-eval, with --clip-map",
            _objects(lambda peek: peek.has("filtered_resps", "doc_id") and not _is_lm_eval(peek)),
            shape=tools.lmms_eval,
        ),
        Adapter(
            "activitynet",
            "ActivityNet or mmaction2 results, segments in seconds",
            lambda peek: peek.container == "results",
            tools.activitynet,
        ),
        Adapter(
            "openpack",
            "OpenPack challenge results: recognised and refused",
            lambda peek: any(
                isinstance(value, dict) and {"unixtime", "prediction"} <= value.keys() for value in peek.first.values()
            ),
            tools.openpack,
        ),
    )
}
PLAIN = ADAPTERS["canonical"]
_CONTAINER_READERS: dict[str, Reader] = {
    "lines": documents.lines, "array": documents.array, "predictions": documents.array,
}  # fmt: skip
_DEFAULTS = {"array": "array", "predictions": "predictions"}


def choose(source: SubmissionFile, name: str | None) -> tuple[Adapter, Reader]:
    """Return the adapter of that name, or the one that recognises the file, with its reader.

    Raises UsageError for an unknown name, SubmissionError where two adapters claim the file.
    """
    if name is not None and name not in ADAPTERS:
        raise UsageError(f"unknown adapter {name!r}; there are {', '.join(ADAPTERS)}")
    seen = peek(source)
    adapter = ADAPTERS[name] if name else _recognise(source, seen)
    return adapter, adapter.reads or _CONTAINER_READERS.get(seen.container, documents.lines)


def _recognise(source: SubmissionFile, seen: Peek) -> Adapter:
    claims = [adapter for adapter in ADAPTERS.values() if adapter.recognises(seen)]
    if len(claims) > 1:
        names = " or ".join(f"--adapter {adapter.name}" for adapter in claims)
        raise SubmissionError(f"{source.name}: could be read in {len(claims)} ways; pass {names}")
    return claims[0] if claims else ADAPTERS[_DEFAULTS.get(seen.container, PLAIN.name)]


def peek(source: SubmissionFile) -> Peek:
    """Look at the head of a file, and at the top-level keys of a document."""
    if source.parquet:
        return Peek("parquet", {})
    lines = (line for _, line in source.lines())
    line = next(lines, b"")
    start = source.magic.removeprefix(BOM).lstrip(JSON_SPACE)[:1]
    if start == b"[":
        return _document(source, "array")
    if start != b"{" and line and tables.delimiter(line.decode(errors="replace").strip()):
        return Peek("delimited", {})
    value = _object(line)
    if value:
        kind = _kind(value)
        if kind == "lines" or (kind == "clips" and next(lines, None) is not None):
            return Peek("lines", value)
        return _document(source, kind)
    return _document(source, "lines") if start == b"{" else Peek("lines", {})


def _kind(value: dict[str, Any]) -> str:
    if "clip_id" in value:
        return "lines"
    if isinstance(value.get("predictions"), list):
        return "predictions"
    if isinstance(value.get("results"), dict):
        return "results"
    return "clips" if _is_by_clip(*next(iter(value.items()))) else "lines"


def _is_by_clip(key: str | None, value: Any) -> bool:
    """Return True if the first member of an object shows that it goes from clip ids to answers."""
    return key not in ANSWER_FIELDS and _answers(value)


def _object(line: bytes | None) -> dict[str, Any]:
    value, _ = parse((line or b"").decode(errors="replace").strip())
    return value if isinstance(value, dict) else {}


def _document(source: SubmissionFile, kind: str) -> Peek:
    """Peek into a document over several lines: its kind by its keys, and the first element of its array."""
    with documents.memory_map(source) as text:
        try:
            start = documents.first(text)
            if text[start : start + 1] == b"{":
                kind, start = _container(text, start)
            if kind in ("array", "predictions"):
                first = next(documents.elements(text, start), None)
                return Peek(kind, _element(text, first) if first else {})
        except NotADocument:
            pass
        return Peek(kind, {})


def _element(text: Any, element: documents.Element) -> dict[str, Any]:
    return _object(text[element.start : min(element.end, element.start + PEEKED)])


def _container(text: Any, start: int) -> tuple[str, int]:
    """Return the kind of an object by its top-level keys, and the offset of its container."""
    for place, element in enumerate(documents.elements(text, start)):
        opener = text[element.start : element.start + 1]
        if element.key == "predictions" and opener == b"[":
            return "predictions", element.start
        if element.key == "results" and opener == b"{":
            return "results", element.start
        if place == 0 and _is_by_clip(element.key, _element(text, element)):
            return "clips", start
    return "lines", start
