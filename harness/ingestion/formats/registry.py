"""Registry of the formats that a prediction file may have, and their recognition.

A format is recognised by its container (lines, stream, array, predictions, results, clips, delimited, parquet) and by
a vote of its objects: up to 64, in lines the first, the last and evenly spread ones. So one bad line decides nothing,
wherever it stands. A file that fits two formats, or none by two thirds of the votes, is refused with what was seen, so
that the user passes one with `--adapter`; so is a document that holds something else than answers.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from harness.clip_map import IDS
from harness.errors import SubmissionError, UsageError
from harness.formatting import plural
from harness.ingestion import not_predictions
from harness.ingestion.contents import text_in, unwrapped
from harness.ingestion.diagnostics import quote
from harness.ingestion.field_names import MODEL_TEXTS, PREDICTED_PARTS, TARGETS, named_like
from harness.ingestion.formats import documents, tables, tools
from harness.ingestion.formats.documents import NotADocument
from harness.ingestion.formats.records import Reader, Shape
from harness.ingestion.formats.replies import failure_of, reply_in
from harness.ingestion.line_checker import ANSWER_FIELDS, ANSWERING_FIELDS, SEGMENT_FIELDS, may_hold_answer
from harness.ingestion.strict_json import parse
from harness.ingestion.submission_file import BOM, JSON_SPACE, SubmissionFile

PEEKED = 1 << 20
VOTERS = 64
OUTLINED, FIELDS_SHOWN = 8, 8
TEXT, ANSWER = 1, 2  # what a member of an object by clip holds
OBJECT_CONTAINERS = ("lines", "stream", "array", "predictions", "samples")
_METRIC = re.compile(
    r"(?<![a-z])(oca|t?m?iou|m?ap|aa|acc|accuracy|exact_match|f1|precision|recall|bleu|rouge)(?![a-z])", re.IGNORECASE
)
_NAMES_ANSWER = {*IDS, "pred", *tools.TEXT_FIELDS}  # of one clip


@dataclass(frozen=True)
class Peek:
    """Object of a file for recognition, and the container that it stands in."""

    container: str
    first: dict[str, Any]

    def has(self, *names: str) -> bool:
        """Return True if the object has all these keys."""
        return all(name in self.first for name in names)

    @property
    def answers(self) -> bool:
        """Return True if the object has an answer field."""
        return _answers(self.first)


@dataclass(frozen=True)
class Sample:
    """Objects of a file that vote on its format, and their container. `lines`: how many lines were looked at."""

    container: str
    objects: list[dict[str, Any]]
    lines: int = 0


@dataclass(frozen=True)
class Adapter:
    """Format of a file. `reads` is None where the reader follows from the container."""

    name: str
    description: str
    recognises: Callable[[Peek], bool]
    reads: Reader | None = None
    shape: Shape = tools.canonical

    @property
    def foreign(self) -> bool:
        """Return True if its rows hold a model's text, and not the fields of a prediction."""
        return self.shape is not tools.canonical


def _answers(value: Any) -> bool:
    return isinstance(value, dict) and any(name in value for name in (*ANSWER_FIELDS, *SEGMENT_FIELDS))


def _objects(test: Callable[[Peek], bool]) -> Callable[[Peek], bool]:
    return lambda peek: peek.container in OBJECT_CONTAINERS and test(peek)


def _said(*names: str) -> Callable[[Peek], bool]:
    """Return the test of rows with these keys and no answer fields."""
    return _objects(lambda peek: peek.has(*names) and not peek.answers)


def _is_reply(peek: Peek) -> bool:
    """Return True for a row of a batch: named as such, or with a provider's reply object in it."""
    return peek.has("custom_id") or (not peek.answers and reply_in(peek.first) is not None)


def _is_tool(peek: Peek) -> bool:
    """Return True for rows of a tool that has an adapter of its own."""
    return any(names <= peek.first.keys() for names in tools.TOOL_ROWS.values())


def _is_text(peek: Peek) -> bool:
    """Return True for a row with a model's text in a field, unless its turns are what the model said."""
    if peek.answers or _is_tool(peek) or reply_in(peek.first) is not None or not tools.holds_text(peek.first):
        return False
    return peek.has("clip_id") or not any(_has_turns(peek, field) for field in ("conversations", "messages"))


def _has_turns(peek: Peek, field: str) -> bool:
    """Return True if the first object's turns are what the model said, and no other field says the same."""
    return peek.has(field) and not (not peek.answers and tools.repeats_turn(peek.first, field))


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
            "stream",
            "prediction objects that span lines, as jq prints them",
            lambda peek: peek.container == "stream" and peek.answers,
            documents.stream,
        ),
        Adapter(
            "by-clip",
            "one JSON object from clip_id to its answer",
            lambda peek: peek.container == "clips",
            tools.by_clip,
            tables.shape,
        ),
        Adapter(
            "csv",
            "CSV or TSV with a header: columns named as the fields, or the model's text",
            lambda peek: peek.container == "delimited",
            tables.delimited,
            tables.shape,
        ),
        Adapter(
            "parquet",
            "Parquet: columns named as the fields, or the model's text",
            lambda peek: peek.container == "parquet",
            tables.parquet,
            tables.shape,
        ),
        Adapter(
            "raw-text",
            "a clip and the model's text",
            _objects(_is_text),
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
            "replies of a provider's or engine's batch (OpenAI, vLLM, Anthropic, Gemini, Vertex, Bedrock)",
            _objects(lambda peek: _is_reply(peek) and not _is_tool(peek)),
            shape=tools.reply,
        ),
        Adapter("lm-eval", "samples of lm-evaluation-harness", _said(*tools.TOOL_ROWS["lm-eval"]), shape=tools.lm_eval),
        Adapter(
            "lmms-eval",
            "samples of lmms-eval, with --clip-map",
            _objects(lambda peek: peek.has(*tools.TOOL_ROWS["lmms-eval"]) and not peek.has("doc")),
            shape=tools.lm_eval,
        ),
        Adapter("inspect", "samples of an Inspect log", _said(*tools.TOOL_ROWS["inspect"]), shape=tools.reply),
        Adapter("evalscope", "predictions of evalscope", _said(*tools.TOOL_ROWS["evalscope"]), shape=tools.reply),
        Adapter(
            "vlmevalkit",
            "results of VLMEvalKit, the model's text as prediction",
            _said(*tools.TOOL_ROWS["vlmevalkit"]),
            shape=tools.prediction_text,
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
    "lines": documents.lines, "stream": documents.stream, "array": documents.array, "predictions": documents.array,
    "samples": documents.samples, "delimited": tables.delimited, "parquet": tables.parquet,
}  # fmt: skip
_DEFAULTS = {
    "stream": "stream", "array": "array", "predictions": "predictions", "delimited": "csv", "parquet": "parquet"
}  # fmt: skip


def choose(source: SubmissionFile, name: str | None) -> tuple[Adapter, Reader, list[dict[str, Any]]]:
    """Return the adapter of that name, or the one that recognises the file, with its reader and objects of the file.

    Raises UsageError for an unknown name, SubmissionError where two adapters claim the file, or where it holds no
    answers.
    """
    if name is not None and name not in ADAPTERS:
        raise UsageError(f"unknown adapter {name!r}; there are {', '.join(ADAPTERS)}")
    seen = look(source)
    if name is None and (what := not_predictions.by_objects(seen.objects)):
        raise SubmissionError(f"{source.name}: {what}")
    adapter = ADAPTERS[name] if name else _recognise(source, seen)
    if adapter is PLAIN and seen.container in ("stream", "delimited", "parquet"):
        adapter = ADAPTERS[_DEFAULTS[seen.container]]
    return adapter, adapter.reads or _CONTAINER_READERS.get(seen.container, documents.lines), seen.objects


def _recognise(source: SubmissionFile, seen: Sample) -> Adapter:
    """Return the adapter that the objects vote for. Objects that no adapter claims have no vote."""
    ballots = [(value, names) for value in seen.objects or [{}] if (names := _claims(seen.container, value))]
    default = _DEFAULTS.get(seen.container, PLAIN.name)
    if not ballots:
        if seen.objects and (other := _other_content(seen) or _without_answers(seen.objects)):
            raise SubmissionError(f"{source.name}: {other}")
        return ADAPTERS[default]
    claimed = Counter(name for _, names in ballots for name in names)
    # a line with raw_output alone is raw text, and no less a prediction where others give answer fields
    fits = [names | {default} if claimed[default] and _is_plain_text(value) else names for value, names in ballots]
    votes = Counter(name for names in fits for name in names)
    winner = max(votes, key=lambda name: votes[name])  # ties: the first, and it is refused below
    against = Counter(
        name
        for fitting, (_, names) in zip(fits, ballots, strict=True)
        for name in names
        if name != winner and (winner not in fitting or winner in names)
    )
    if 3 * votes[winner] >= 2 * len(ballots) and all(3 * count <= len(ballots) for count in against.values()):
        return ADAPTERS[winner]
    raise SubmissionError(f"{source.name}: {_undecided(claimed, len(ballots), seen)}")


def _claims(container: str, value: dict[str, Any]) -> frozenset[str]:
    seen = Peek(container, value)
    return frozenset(adapter.name for adapter in ADAPTERS.values() if adapter.recognises(seen))


def _is_plain_text(value: dict[str, Any]) -> bool:
    return isinstance(value.get("raw_output"), str) and not any(
        isinstance(value.get(name), str) for name in tools.TEXT_FIELDS if name != "raw_output"
    )


def _undecided(claimed: Counter[str], voters: int, seen: Sample) -> str:
    """Return the message about a file that two formats fit, or that no format wins."""
    names = [name for name in ADAPTERS if claimed[name]]
    if all(claimed[name] == voters for name in names):
        ways = " or ".join(f"--adapter {name}" for name in names)
        return f"could be read in {len(names)} ways; pass {ways}"
    what = "line" if seen.container == "lines" else "object"
    most, *others = sorted(names, key=lambda name: -claimed[name])
    look = "looks" if claimed[most] == 1 else "look"
    counts = [f"{plural(claimed[most], what)} {look} like {most}", *(f"{claimed[name]} like {name}" for name in others)]
    where = f"of {seen.lines} lines looked at, " if seen.lines >= VOTERS else ""
    return f"{where}{', '.join(counts)}; name one with --adapter, or write one format to a file"


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
    return "clips" if _are_by_clip([_is_by_clip(*member) for member in members]) else "lines"


def _is_results(value: Any) -> bool:
    """Return True for an object that may go from clips to lists of detections: no scores and no answers of clips."""
    if not isinstance(value, dict) or _holds_scores(value) or _holds_answers(value):
        return False
    lists = [isinstance(item, list) for item in islice(value.values(), VOTERS)]
    return 2 * sum(lists) >= len(lists)


def _are_by_clip(members: list[int]) -> bool:
    """Return True if the first member goes from a clip id to an answer, or most of those looked at do, or to texts."""
    return members[:1] == [ANSWER] or 2 * sum(map(bool, members)) > len(members)


def _is_by_clip(key: str | None, value: Any) -> int:
    """Return ANSWER or TEXT if a member of an object goes from a clip id to that, else 0."""
    if not key or key in (*ANSWER_FIELDS, *IDS) or tools.is_known(key):
        return 0
    value = value if isinstance(value, dict) else _without_clip(unwrapped(value))
    if isinstance(value, dict):
        return ANSWER if _answers(value) else TEXT if tools.answer_field(value) or _has_text(value) else 0
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


def _objects_in(text: Any, elements: Iterator[documents.Element], container: str) -> list[dict[str, Any]]:
    """Return the objects among the first elements, and, where no format claims one of them, the first that one does."""
    objects: list[dict[str, Any]] = []
    claimed = False
    with contextlib.suppress(NotADocument):
        for place, element in enumerate(elements):
            if claimed and place >= VOTERS:
                break
            value = _element(text, element)
            votes = bool(value) and not claimed and bool(_claims(container, value))
            claimed |= votes
            if value and (place < VOTERS or votes):
                objects.append(value)
    return objects


def _stream(text: Any, lines: Sample, pretty: bool) -> Sample:
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


def _outline(text: Any, element: documents.Element) -> dict[str, Any]:
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


def _element(text: Any, element: documents.Element) -> dict[str, Any]:
    value = unwrapped(_value(text, element))
    return value if isinstance(value, dict) else {}


def _value(text: Any, element: documents.Element) -> Any:
    return parse(text[element.start : min(element.end, element.start + PEEKED)].decode(errors="replace"))[0]


def _container(text: Any, start: int) -> tuple[str, int]:
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
        if element.key == "results" and opener == b"{" and not log and _is_results(_element(text, element)):
            return "results", element.start
        if len(members) < VOTERS:
            members.append(_is_by_clip(element.key, _value(text, element)))
            if members == [ANSWER]:
                return "clips", start
    return "clips" if _are_by_clip(members) else "lines", start


def _other_content(seen: Sample) -> str:
    """Return what objects that nobody claims are: answers further down, or scores; "" where they are neither."""
    objects, each_one = seen.objects, ".[]" if seen.container == "array" else ""
    value = objects[0] if objects else {}
    if "clip_id" in value:
        return ""
    for kind, items in ((list, "[]"), (dict, "")):
        keys = [key for key, item in value.items() if type(item) is kind and _holds_answers(item)]
        if keys:
            under = " and ".join(quote(key) for key in keys)
            ways = ", ".join(f"jq -c '{each_one}.{_jq_key(key)}{items}' FILE" for key in keys)
            each = "each to a file of its own" if len(keys) > 1 else "to a file of their own"
            return f"holds answers under {under}, not at the top; write them {each}: {ways}"
    if objects and all(_NAMES_ANSWER.isdisjoint(value) and _holds_scores(value) for value in objects):
        return f"holds scores, no answers; {not_predictions.SAMPLES}"
    return ""


def _without_answers(objects: list[dict[str, Any]]) -> str:
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


def _holds_answers(item: list[Any] | dict[str, Any]) -> bool:
    """Return True for a list of objects that a format claims, or an object from clips to answers."""
    if isinstance(item, list):
        return any(isinstance(one, dict) and _claims("array", one) for one in item[:OUTLINED])
    return any(_is_by_clip(key, one) for key, one in islice(item.items(), OUTLINED))


def _holds_scores(value: dict[str, Any], depth: int = 4) -> bool:
    """Return True for an object with numbers under names of metrics, at any of its upper levels."""
    return any(
        (_METRIC.search(key) is not None and type(item) in (int, float))
        or (isinstance(item, dict) and depth > 0 and _holds_scores(item, depth - 1))
        for key, item in value.items()
    )
