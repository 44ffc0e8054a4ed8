"""Registry of the formats that a prediction file may have: name, what recognises a row, reader and shape of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.ingestion.formats import documents, tables, tools
from harness.ingestion.formats.records import Reader, Shape
from harness.ingestion.formats.replies import reply_in
from harness.ingestion.lines.fields import ANSWERING_FIELDS

OBJECT_CONTAINERS = ("lines", "stream", "array", "predictions", "samples")


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
        return not ANSWERING_FIELDS.isdisjoint(self.first)


@dataclass(frozen=True)
class Adapter:
    """Format of a file. `reads` is None where the reader follows from the container.

    `repeated`: the remedy where a clip is answered twice.
    """

    name: str
    description: str
    recognises: Callable[[Peek], bool]
    reads: Reader | None = None
    shape: Shape = tools.canonical
    repeated: str = "remove all but one"

    @property
    def foreign(self) -> bool:
        """Return True if its rows hold a model's text, and not the fields of a prediction."""
        return self.shape is not tools.canonical


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
            _objects(lambda peek: _has_turns(peek, "messages") and not _is_tool(peek)),
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
            "samples of lmms-eval; of a task of its own with --clip-map",
            _objects(lambda peek: peek.has(*tools.TOOL_ROWS["lmms-eval"]) and not peek.has("doc")),
            shape=tools.lm_eval,
        ),
        Adapter(
            "inspect",
            "samples of an Inspect log",
            _said(*tools.TOOL_ROWS["inspect"]),
            shape=tools.reply,
            repeated="each epoch is a run of a method: inspect log dump LOG | jq -c '.samples[] | select(.epoch == 1)' "
            "> runs/1.jsonl, and so on",
        ),
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
CONTAINER_READERS: dict[str, Reader] = {
    "lines": documents.lines, "stream": documents.stream, "array": documents.array, "predictions": documents.array,
    "samples": documents.samples, "delimited": tables.delimited, "parquet": tables.parquet,
}  # fmt: skip
DEFAULTS = {
    "stream": "stream", "array": "array", "predictions": "predictions", "delimited": "csv", "parquet": "parquet"
}  # fmt: skip


def claims(container: str, value: dict[str, Any]) -> frozenset[str]:
    """Return the names of the formats that recognise an object of a container."""
    seen = Peek(container, value)
    return frozenset(adapter.name for adapter in ADAPTERS.values() if adapter.recognises(seen))
