"""Text of a model in the reply objects of providers and engines, and the failure that stands in place of one.

A reply is an object at one of HOLDERS in a row; its text is at the first of TEXTS that is there. OpenAI (chat
completions, completions, responses), vLLM, Mistral, Anthropic, Gemini, Vertex, Bedrock (Converse, Nova, Llama, Titan,
Mistral), Ollama, Inspect, evalscope. Of several choices the first counts. What a model thought is no answer; what it
passes to a function may be one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from harness.ingestion.contents import calls_in, text_of, who
from harness.ingestion.diagnostics import MESSAGE_SHOWN, quote

Path = tuple[str | int, ...]

HOLDERS: tuple[Path, ...] = (
    ("response", "body"), ("response",), ("result", "message"), ("modelOutput",), ("model_output",), ("output",),
    ("outputs",), ("prediction",), ("raw_response",), ("completion",), ("message",), ("body",), (),
)  # fmt: skip
TEXTS: tuple[Path, ...] = (
    ("choices", 0, "message", "content"), ("choices", 0, "text"), ("candidates", 0, "content", "parts"),
    ("output", "message", "content"), ("output",), ("outputs", 0, "text"), ("results", 0, "outputText"),
    ("message", "content"), ("content",), ("generation",), ("text",), ("generations", 0, 0, "text"),
    ("generated_text",),
)  # fmt: skip
PLAIN: tuple[Path, ...] = (("output",), ("text",))
SPOKEN = frozenset((("response",), ("prediction",), ("output",), ("outputs",), ("model_output",), ("raw_response",)))
"""Names that are used for much else: texts of a reply only as plain texts in one of these holders."""
TOP_LEVEL = frozenset(("choices", "candidates", "output", "outputs", "results"))
"""Keys by which a row is a reply itself; `content` or `message` alone say nothing."""
FAILURES: tuple[Path, ...] = (
    ("error", "message"), ("error",), ("response", "body", "error", "message"), ("response", "error", "message"),
    ("result", "error", "error", "message"), ("result", "error", "message"), ("error", "errorMessage"),
    ("error", "detail"), ("errorMessage",), ("error_message",), ("exception",),
    ("response", "body", "choices", 0, "message", "refusal"), ("response", "promptFeedback", "blockReason"),
    ("response", "candidates", 0, "finishReason"), ("output", "error"), ("model_output", "error"), ("error", "code"),
    ("error", "type"), ("errorCode",), ("result", "type"), ("status",), ("output", "choices", 0, "stop_reason"),
)  # fmt: skip
KINDS = frozenset(("refusal", "type", "blockReason", "finishReason", "errorCode", "status", "stop_reason"))
"""Ends of paths that say more than `error` would."""
FINE = frozenset(("succeeded", "success", "completed", "STOP", "stop", "ok", "OK"))


class Said(NamedTuple):
    """Text of a model and the key of the row that it stands under."""

    text: str
    field: str


def reply_in(value: dict[str, Any]) -> Said | None:
    """Return the text of a reply object in a row; empty where the object is one without a text, None without one."""
    empty = None
    for holder, reply in replies(value):
        for path in TEXTS:
            content = at(reply, path)
            calls = calls_in(at(reply, path[:-1])) if path[-1] == "content" else ""
            is_whole = (
                (holder in SPOKEN and isinstance(content, str)) if path in PLAIN else content is not None or bool(calls)
            )
            if not is_whole and not (path == ("output",) and isinstance(content, list)):
                continue
            said = Said("\n".join(filter(str.strip, (text_of(content), calls))), str((*holder, *path)[0]))
            if said.text:
                return said
            empty = empty or said
    return empty


def several_in(value: dict[str, Any]) -> bool:
    """Return True for a row with several choices or samples of a reply, of which the first counts."""
    return any(
        isinstance(more := at(reply, path[:1]), list) and len(more) > 1
        for _, reply in replies(value)
        for path in TEXTS
        if path[1:2] == (0,)
    )


def replies(value: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the objects of a row that may be a reply, each with the place where it stands."""
    for holder in HOLDERS:
        reply = at(value, holder)
        if not isinstance(reply, dict) or (holder and who(reply) in ("user", "human", "system")):
            continue
        if holder or any(isinstance(reply.get(key), list) for key in TOP_LEVEL):
            yield holder, reply


def failure_of(value: dict[str, Any]) -> str:
    """Return the error that stands in place of a reply, in its own words, or nothing."""
    for path in FAILURES:
        said = at(value, path)
        if isinstance(said, str) and said and said not in FINE:
            return f", but {path[-1] if path[-1] in KINDS else 'error'} {quote(said, MESSAGE_SHOWN)}"
    return ""


def at(value: Any, path: Path) -> Any:
    """Return the value at a path of keys and places, or None."""
    for step in path:
        fits = isinstance(value, dict) if isinstance(step, str) else isinstance(value, list) and step < len(value)
        value = (value.get(step) if isinstance(step, str) else value[step]) if fits else None
    return value
