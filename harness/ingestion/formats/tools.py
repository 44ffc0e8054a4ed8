"""Objects of other evaluation and training tools -> canonical predictions.

A model's text becomes `raw_output` without an answer beside it, and the strict checker reads the answer from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from harness.errors import SubmissionError, UsageError
from harness.ingestion.diagnostics import quote
from harness.ingestion.formats.documents import first, member, members
from harness.ingestion.formats.records import Item, Options, Unshaped
from harness.ingestion.line_checker import OPTIONAL_FIELDS
from harness.ingestion.strict_json import Fault
from harness.ingestion.submission_file import SubmissionFile

TEXT_FIELDS = ("raw_output", "output", "response", "text", "answer", "prediction", "generated_text", "completion")


def canonical(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Return a canonical object as it is."""
    return value


def readable_clip_id(value: dict[str, Any], options: Options) -> str | None:
    """Return the clip that an object names in any of the formats' ways, or None: also where it has no answer."""
    doc_id = value.get("doc_id")
    mapped = options.clip_map.get(str(doc_id)) if doc_id is not None else None
    names = (value.get("clip_id"), value.get("custom_id"), _at(value, ("doc", "clip_id")), mapped, value.get("id"))
    return next((name for name in names if isinstance(name, str)), None)


def raw_text(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape {"clip_id", "response"}: the model's text under one of the usual names."""
    names = [name for name in TEXT_FIELDS if isinstance(value.get(name), str)]
    if len(names) != 1:
        wrong = f"texts in {' and '.join(names)}" if names else "no text of the model"
        raise Unshaped("raw_output", wrong, f"one of {', '.join(TEXT_FIELDS)}")
    return {name: item for name, item in value.items() if name != names[0]} | {"raw_output": value[names[0]]}


def llava(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape LLaVA's {"id", "conversations": [{"from": "human" | "gpt", "value"}]}; the model's last turn counts."""
    texts = [turn.get("value") for turn in _turns(value, "conversations") if _is_model(turn)]
    if not texts or not isinstance(texts[-1], str):
        raise Unshaped("conversations", "no text of the model", 'a turn {"from": "gpt", "value": "..."}')
    return _with_text(value, value.get("clip_id", value.get("id")), texts[-1], "id")


def chat(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape {"clip_id" or "id", "messages": [{"role", "content"}]}, content a text or parts; the last turn counts."""
    texts = [_text(turn.get("content")) for turn in _turns(value, "messages") if _is_model(turn)]
    if not texts or not texts[-1]:
        raise Unshaped("messages", "no text of the model", 'a turn {"role": "assistant", "content": "..."}')
    return _with_text(value, value.get("clip_id", value.get("id")), texts[-1], "clip_id")


def batch(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape a result of a batch API, the clip as `custom_id`.

    OpenAI's {"response": {"body": ...}} of chat completions (`choices`) or responses (`output`), or Anthropic's
    {"result": {"message": ...}}.
    """
    for path in (("response", "body", "choices", 0, "message", "content"), ("result", "message", "content")):
        if text := _text(_at(value, path)):
            return _with_text(value, value.get("custom_id"), text, "custom_id")
    output = _at(value, ("response", "body", "output"))
    messages = [_text(_at(part, ("content",))) for part in output] if isinstance(output, list) else []
    if not any(messages):
        raise Unshaped("response", "no text of the model", "a batch result that succeeded")
    return _with_text(value, value.get("custom_id"), "".join(messages), "custom_id")


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return the value at a path of keys and places, or None."""
    for step in path:
        fits = isinstance(value, dict) if isinstance(step, str) else isinstance(value, list) and step < len(value)
        value = (value.get(step) if isinstance(step, str) else value[step]) if fits else None
    return value


def _text(content: Any) -> str:
    """Return a text, or the texts of a list of parts; empty where there is none."""
    if isinstance(content, str):
        return content
    texts = [_at(part, ("text",)) for part in content] if isinstance(content, list) else []
    return "".join(text for text in texts if isinstance(text, str))


def _turns(value: dict[str, Any], name: str) -> list[Any]:
    return value[name] if isinstance(value.get(name), list) else []


def lm_eval(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape a sample of lm-evaluation-harness: `filtered_resps[0]`, and the clip in `doc`."""
    doc = value.get("doc")
    clip_id = doc.get("clip_id") if isinstance(doc, dict) else None
    return _with_text(value, clip_id or options.clip_map.get(str(value.get("doc_id"))), _response(value), "doc.clip_id")


def lmms_eval(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape a sample of lmms-eval, which names the clip by `doc_id` only. Raises UsageError without a clip map."""
    if not options.clip_map:
        raise UsageError(
            "lmms-eval samples name clips by doc_id: pass --clip-map FILE, a JSON object from doc_id to clip_id"
        )
    return _with_text(value, options.clip_map.get(str(value.get("doc_id"))), _response(value), "doc_id")


def _response(value: dict[str, Any]) -> str:
    responses = value.get("filtered_resps")
    while isinstance(responses, list) and responses:
        responses = responses[0]
    if not isinstance(responses, str):
        raise Unshaped("filtered_resps", "holds no text", "the model's answer as its first element")
    return responses


def _is_model(turn: Any) -> bool:
    return isinstance(turn, dict) and turn.get("from", turn.get("role")) in ("gpt", "assistant", "model")


def _with_text(value: dict[str, Any], clip_id: Any, text: str, named_by: str) -> dict[str, Any]:
    if not isinstance(clip_id, str):
        raise Unshaped(named_by, "names no clip", "a clip_id")
    kept = {name: value[name] for name in OPTIONAL_FIELDS if name in value}
    return kept | {"clip_id": clip_id, "raw_output": text}


def by_clip(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read one object from clip_id to its answer."""
    return (_with_clip_id(item, clip_id) for clip_id, item in members(source, first))


def _with_clip_id(item: Item, clip_id: str) -> Item:
    if item.faults or not isinstance(item.value, dict):
        return item
    inside = item.value.get("clip_id", clip_id)
    if inside != clip_id:
        fault = Fault("CONFLICT", 1, "clip_id", f"{quote(inside)} stands under the key {quote(clip_id)}", "one name")
        return item._replace(faults=[fault])
    return item._replace(value={"clip_id": clip_id} | item.value)


def activitynet(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read results of ActivityNet and mmaction2, in seconds: {"results": {clip_id: [{"label", "score", "segment"}]}}.

    The best score is the answer (ties: the first); `next_operation` is taken from it where it is there, else null.
    """
    results = members(source, lambda text: member(text, "results", b"{"))
    return (_best_detection(item, clip_id, options.rate) for clip_id, item in results)


def _best_detection(item: Item, clip_id: str, rate: float) -> Item:
    if item.faults or not isinstance(item.value, list) or not all(isinstance(row, dict) for row in item.value):
        return item
    scored = [row for row in item.value if type(row.get("score")) in (int, float)]
    best = max(scored, key=lambda row: row["score"], default=item.value[0] if item.value else {})
    answer = {
        "clip_id": clip_id,
        "dominant_operation": best.get("label"),
        "temporal_segment": _in_frames(best.get("segment"), rate),
        "next_operation": best.get("next_operation"),
    }
    if scored and 0 <= best["score"] <= 1:
        answer["confidence"] = best["score"]
    return item._replace(value=answer)


def _in_frames(segment: Any, rate: float) -> Any:
    if not isinstance(segment, list) or len(segment) != 2 or not all(type(end) in (int, float) for end in segment):
        return segment
    start, end = (math.floor(seconds * rate + 0.5) for seconds in segment)
    return {"start_frame": start, "end_frame": end}


def openpack(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Refuse OpenPack challenge results: they label every second of a session, which gives no answer about a clip."""
    raise SubmissionError(
        f"{source.name}: OpenPack challenge results (unixtime, prediction) label sessions second by second; "
        "write one line a clip instead (harness schema prediction)"
    )
