"""Objects of other evaluation and training tools -> canonical predictions.

A model's text becomes `raw_output` without an answer beside it, and the strict checker reads the answer from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from harness.errors import SubmissionError, UsageError
from harness.ingestion.diagnostics import MESSAGE_SHOWN, quote
from harness.ingestion.field_names import EITHER, MODEL_TEXTS, TARGETS, named_like, text_in
from harness.ingestion.formats.documents import first, member, members
from harness.ingestion.formats.records import Item, Options, Unshaped
from harness.ingestion.line_checker import ANSWERING_FIELDS, OPTIONAL_FIELDS
from harness.ingestion.strict_json import Fault
from harness.ingestion.submission_file import SubmissionFile

TEXT_FIELDS = ("raw_output", "output", "response", "text", "answer", "prediction", "generated_text", "completion")
FAILURES = (
    ("error", "message"),
    ("error",),
    ("response", "body", "error", "message"),
    ("response", "error", "message"),
    ("result", "error", "error", "message"),
    ("result", "error", "message"),
    ("response", "body", "choices", 0, "message", "refusal"),
    ("error", "code"),
    ("error", "type"),
    ("result", "type"),
)
LENIENT = "--lenient counts it as wrong"
_ANSWER, _TEMPLATE = re.compile("answer"), re.compile("text")
ALONE = "keep clip_id and the model's text, as raw_output"


def canonical(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Return a canonical object as it is."""
    return value


def holds_text(value: dict[str, Any]) -> bool:
    """Return True if some field holds a text that may be the model's."""
    return any(
        text_in(value[name]) is not None for name in (*named_like(MODEL_TEXTS, value), *named_like(EITHER, value))
    )


def repeats_turn(value: dict[str, Any], field: str) -> bool:
    """Return True if the turns add nothing to the model's text in another field: the last is its text or a question."""
    turn, model = _last_turn(value, field), named_like(MODEL_TEXTS, value)
    if not turn:
        return bool(_turns(value, field) and model)
    names = model or named_like(EITHER, value)
    return bool(names) and all(_same(value[name], turn) for name in names)


def raw_text(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape {"clip_id", "response"}: the model's text under one of the usual names.

    A name that only a model's text has is read beside a target. One that may be either is read where it stands alone.
    """
    if not ANSWERING_FIELDS.isdisjoint(value):
        return value
    said = {name: text_in(value[name]) for name in named_like(MODEL_TEXTS, value)}
    said = {name: text for name, text in said.items() if text is not None} or said
    said = {name: text for name, text in said.items() if name in TEXT_FIELDS} or said
    either = {name: text_in(value[name]) for name in named_like(EITHER, value) if value[name] is not None}
    targets = [name for name in named_like(TARGETS, value) if value[name] is not None]
    if len({*said.values(), *either.values()}) > 1:
        raise _two_texts([*said, *either], value.get("clip_id"))
    if not said and targets and (answers := named_like(_ANSWER, value)):
        raise _two_texts([answers[0], targets[0]], value.get("clip_id"))
    name, text = next(iter((said | either).items()), ("raw_output", None))
    failure = failure_of(value)
    if text is None or (failure and not text.strip()):
        remedy = LENIENT if said else ""
        expected, clip_id = f"one of {', '.join(TEXT_FIELDS)}", value.get("clip_id")
        raise Unshaped(name, "no text of the model" + failure, expected, remedy, clip_id=clip_id)
    return {key: item for key, item in value.items() if key not in said | either} | {"raw_output": text}


def _two_texts(names: list[str], clip_id: Any) -> Unshaped:
    """Return the refusal of a row in which one field may be the model's text and another one the target."""
    shown = " and ".join(quote(name) for name in names)
    wrong = f"different texts in {shown}: one may be the target"
    return Unshaped(names[0], wrong, "the model's text alone", ALONE, code="CONFLICT", clip_id=clip_id)


def _last_turn(value: dict[str, Any], name: str) -> str:
    """Return the text of the last turn that is a model's; empty where there is none, or a question is open."""
    turns = _turns(value, name)
    if turns and _is_from(turns[-1], "user", "human"):
        return ""
    texts = [_text(turn.get("content", turn.get("value"))) for turn in turns if _is_model(turn)]
    return texts[-1] if texts else ""


def _same(said: Any, text: str) -> bool:
    """Return True if a field says the text of a turn, perhaps with the template of a chat round it."""
    said = text_in(said)
    return said is not None and said.strip() == text.strip()


def _only_turn(value: dict[str, Any], options: Options, field: str) -> dict[str, Any]:
    """Shape a conversation, in which the last turn is the model's unless another field holds the model's text."""
    clip_id = value.get("clip_id", value.get("id"))
    text = _last_turn(value, field)
    named_by = "clip_id" if field == "messages" else "id"
    if not text and any(text_in(value[name]) is not None for name in named_like(MODEL_TEXTS, value)):
        if not isinstance(clip_id, str):
            raise Unshaped(named_by, "names no clip", "a clip_id")
        return raw_text({key: item for key, item in value.items() if key != field} | {"clip_id": clip_id}, options)
    for name in (*named_like(MODEL_TEXTS, value), *named_like(EITHER, value)):
        stated = value[name] is not None or name in named_like(MODEL_TEXTS, value)
        template = name in named_like(_TEMPLATE, value) and text in str(value[name])
        if stated and not template and not _same(value[name], text):
            raise _two_texts([field, name], clip_id)
    if not text:
        wrong = "no text of the model" + failure_of(value)
        example = '{"from": "gpt", "value": "..."}'
        if field == "messages":
            example = '{"role": "assistant", "content": "..."}'
        raise Unshaped(field, wrong, f"a turn {example}", LENIENT, clip_id=clip_id)
    return _with_text(value, clip_id, text, named_by)


def llava(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape LLaVA's {"id", "conversations": [{"from": "human" | "gpt", "value"}]}; the model's last turn counts."""
    return _only_turn(value, options, "conversations")


def chat(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape {"clip_id" or "id", "messages": [{"role", "content"}]}, content a text or parts; the last turn counts."""
    return _only_turn(value, options, "messages")


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
        wrong = "no text of the model" + failure_of(value)
        expected = "a batch result that succeeded"
        raise Unshaped("response", wrong, expected, LENIENT, clip_id=value.get("custom_id"))
    return _with_text(value, value.get("custom_id"), "".join(messages), "custom_id")


def failure_of(value: dict[str, Any]) -> str:
    """Return the error that stands in place of a reply, in its own words, or nothing."""
    for path in FAILURES:
        said = _at(value, path)
        if isinstance(said, str) and said and said != "succeeded":
            return f", but {path[-1] if path[-1] in ('refusal', 'type') else 'error'} {quote(said, MESSAGE_SHOWN)}"
    return ""


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
    clip_id = clip_id or options.clip_map.get(str(value.get("doc_id")))
    return _with_text(value, clip_id, _response(value, clip_id), "doc.clip_id")


def lmms_eval(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape a sample of lmms-eval, which names the clip by `doc_id` only. Raises UsageError without a clip map."""
    if not options.clip_map:
        raise UsageError(
            "lmms-eval samples name clips by doc_id: pass --clip-map FILE, a JSON object from doc_id to clip_id"
        )
    clip_id = options.clip_map.get(str(value.get("doc_id")))
    return _with_text(value, clip_id, _response(value, clip_id), "doc_id")


def _response(value: dict[str, Any], clip_id: Any) -> str:
    responses = value.get("filtered_resps")
    while isinstance(responses, list) and responses:
        responses = responses[0]
    if not isinstance(responses, str):
        wrong = "holds no text" + failure_of(value)
        raise Unshaped("filtered_resps", wrong, "the model's answer as its first element", LENIENT, clip_id=clip_id)
    return responses


def _is_model(turn: Any) -> bool:
    return _is_from(turn, "gpt", "assistant", "model")


def _is_from(turn: Any, *names: str) -> bool:
    return isinstance(turn, dict) and turn.get("from", turn.get("role")) in names


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
        return _rejected(
            item, clip_id, Fault("NOT_OBJECT", 1, "", f"{quote(item.value)} is not an object", "an answer")
        )
    inside = item.value.get("clip_id", clip_id)
    if inside != clip_id:
        fault = Fault("CONFLICT", 1, "clip_id", f"{quote(inside)} stands under the key {quote(clip_id)}", "one name")
        return item._replace(faults=[fault])
    return item._replace(value={"clip_id": clip_id} | item.value)


def _rejected(item: Item, clip_id: str, fault: Fault) -> Item:
    """Return an item without an answer as a rejected one of the clip that its key names."""
    return item._replace(value={"clip_id": clip_id} if clip_id else {}, faults=item.faults or [fault])


def activitynet(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read results of ActivityNet and mmaction2, in seconds: {"results": {clip_id: [{"label", "score", "segment"}]}}.

    The best score is the answer (ties: the first); `next_operation` is taken from it where it is there, else null.
    """
    results = members(source, lambda text: member(text, "results", b"{"))
    return (_best_detection(item, clip_id, options.rate) for clip_id, item in results)


def _best_detection(item: Item, clip_id: str, rate: float) -> Item:
    if item.faults or not isinstance(item.value, list) or not all(isinstance(row, dict) for row in item.value):
        wrong = f"{quote(item.value)} is no list of detections"
        return _rejected(item, clip_id, Fault("TYPE", 1, "", wrong, 'a list of {"label", "score", "segment"}'))
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
