"""Objects of other evaluation and training tools -> canonical predictions.

A model's text becomes `raw_output` without an answer beside it, which the strict checker then judges.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from harness.errors import SubmissionError, UsageError
from harness.formats.documents import NotADocument, Place, elements, mapped, member
from harness.formats.items import Item, Options, Unshaped
from harness.source import Source
from harness.strict import OPTIONAL_FIELDS

TEXT_FIELDS = ("raw_output", "output", "response", "text", "answer", "prediction", "generated_text", "completion")


def canonical(value: dict[str, Any], options: Options) -> dict[str, Any]:
    return value


def raw_text(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """{"clip_id", "response"}: what the model said, under one of the usual names."""
    held = [name for name in TEXT_FIELDS if isinstance(value.get(name), str)]
    if len(held) != 1:
        wrong = f"texts in {' and '.join(held)}" if held else "no text of the model"
        raise Unshaped("raw_output", wrong, f"one of {', '.join(TEXT_FIELDS)}")
    return {name: item for name, item in value.items() if name != held[0]} | {"raw_output": value[held[0]]}


def llava(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """LLaVA's {"id", "conversations": [{"from": "human" | "gpt", "value"}]}; the last turn of the model counts."""
    turns = value.get("conversations")
    said = [turn.get("value") for turn in turns if _is_model(turn)] if isinstance(turns, list) else []
    if not said or not isinstance(said[-1], str):
        raise Unshaped("conversations", "no text of the model", 'a turn {"from": "gpt", "value": "..."}')
    return _said(value, value.get("clip_id", value.get("id")), said[-1], "id")


def lm_eval(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """A sample of lm-evaluation-harness: `filtered_resps[0]`, and the clip in `doc`."""
    doc = value.get("doc")
    clip_id = doc.get("clip_id") if isinstance(doc, dict) else None
    return _said(value, clip_id or options.clip_map.get(str(value.get("doc_id"))), _response(value), "doc.clip_id")


def lmms_eval(value: dict[str, Any], options: Options) -> dict[str, Any]:
    """A sample of lmms-eval, which names the clip by `doc_id` only."""
    if not options.clip_map:
        raise UsageError(
            "lmms-eval samples name clips by doc_id: pass --clip-map FILE, a JSON object from doc_id to clip_id"
        )
    return _said(value, options.clip_map.get(str(value.get("doc_id"))), _response(value), "doc_id")


def _response(value: dict[str, Any]) -> str:
    responses = value.get("filtered_resps")
    while isinstance(responses, list) and responses:
        responses = responses[0]
    if not isinstance(responses, str):
        raise Unshaped("filtered_resps", "holds no text", "the model's answer as its first element")
    return responses


def _is_model(turn: Any) -> bool:
    return isinstance(turn, dict) and turn.get("from", turn.get("role")) in ("gpt", "assistant", "model")


def _said(value: dict[str, Any], clip_id: Any, text: str, named_by: str) -> dict[str, Any]:
    if not isinstance(clip_id, str):
        raise Unshaped(named_by, "names no clip", "a clip_id")
    kept = {name: value[name] for name in OPTIONAL_FIELDS if name in value}
    return kept | {"clip_id": clip_id, "raw_output": text}


def activitynet(source: Source, options: Options) -> Iterator[Item]:
    """ActivityNet and mmaction2 results: {"results": {clip_id: [{"label", "score", "segment": [s, e]}]}} in seconds.

    The best score is the answer (ties: the first); `next_operation` is taken from it where it is there, else null.
    """
    with mapped(source) as text:
        place = Place(text)
        try:
            for element in elements(text, member(text, "results", b"{")):
                yield _detections(place.item(element), str(element.key), options.rate)
        except NotADocument as wrong:
            raise SubmissionError(place.message(source.name, wrong)) from None


def _detections(item: Item, clip_id: str, rate: float) -> Item:
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


def openpack(source: Source, options: Options) -> Iterator[Item]:
    """OpenPack challenge results label every second of whole sessions, from which no answer about a clip follows."""
    raise SubmissionError(
        f"{source.name}: OpenPack challenge results (unixtime, prediction) label sessions second by second; "
        "write one line a clip instead (harness schema prediction)"
    )
