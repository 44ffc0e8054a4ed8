"""Small files of other tools, of which the model's text in each row is known, as they are and after a change.

What each clip is read as follows from the model's text alone: a canonical line of clip_id and raw_output says it, and
tests/support/strict_reader.py reads that. So no change of anything else may change a reading: the order, the targets, a
row or a line of garbage more, a row that failed, the container, line ends, a packed file.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

from reference.task import OPERATIONS
from tests.proof.mutate_lines import LABELS, a_text, in_bytes
from tests.proof.tally import Tally
from tests.support import strict_reader
from tests.support.small_truth import CLIPS, SmallTruth, read
from tests.support.strict_reader import INVALID, Object, Table

SPLIT = strict_reader.split_of(CLIPS, OPERATIONS)
BOM = b"\xef\xbb\xbf"
GARBAGE = (
    b"{}", b"null", b"[]", b"x", b'"x"', b"{", b"}", b'{"clip_id": ', b"\xff\xfe\x00", b"\x00", b"[" * 5000,
    b'{"a":' * 5000, b'{"clip_id": "\\ud800"}', b'{"clip_id": 1}', b'{"clip_id": "clip-9999"}', b"NaN", b'{"a": NaN}',
    b"1e999", b"----", b"Traceback (most recent call last):", b"\xe2\x80\xae", b'{"error": "x"}',
    b'{"id": "x", "messages": []}', b'{"custom_id": null}', b'{"custom_id": "x", "response": {"body": []}}',
    b'{"messages": {}, "conversations": 1}', b'{"doc": [], "filtered_resps": {}}',
)  # fmt: skip

SIGNATURES = (b"\xff\xfe\x00", b"\x00", b"Traceback (most recent call last):")
"""Garbage with which files of another kind begin, which are refused as such."""


class Row(NamedTuple):
    """What is known of one row: its clip, what the model said, and the target that must not be read."""

    number: int
    clip: str
    said: str
    target: Any


Maker = Callable[[random.Random, Row], dict[str, Any]]


def _raw_text(chance: random.Random, row: Row) -> dict[str, Any]:
    name = chance.choice(("raw_output", "response", "prediction", "model_output", "generated_text", "predict"))
    target = chance.choice(("label", "ground_truth", "gt", "target", "reference", "solution", "correct_answer"))
    return {"clip_id": row.clip, "prompt": "What is done?", name: row.said, target: row.target}


def _chat(chance: random.Random, row: Row) -> dict[str, Any]:
    content = chance.choice((row.said, [{"type": "text", "text": row.said}]))
    asked = [{"role": "user", "content": f"As in {row.target}. What is done?"}]
    return {"clip_id": row.clip, "messages": [*asked, {"role": "assistant", "content": content}], "label": row.target}


def _llava(chance: random.Random, row: Row) -> dict[str, Any]:
    turns = [{"from": "human", "value": f"<video>\nAs in {row.target}."}, {"from": "gpt", "value": row.said}]
    return {"id": row.clip, "video": f"{row.clip}.mp4", "conversations": turns, "ground_truth": row.target}


def _openai(chance: random.Random, row: Row) -> dict[str, Any]:
    body = {"choices": [{"message": {"role": "assistant", "content": row.said}}], "target": row.target}
    return {
        "id": f"b{row.number}",
        "custom_id": row.clip,
        "response": {"status_code": 200, "body": body},
        "error": None,
    }


def _responses(chance: random.Random, row: Row) -> dict[str, Any]:
    output = [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": row.said}]},
    ]
    return {"custom_id": row.clip, "response": {"body": {"output": output}}, "metadata": {"target": row.target}}


def _anthropic(chance: random.Random, row: Row) -> dict[str, Any]:
    message = {"role": "assistant", "content": [{"type": "text", "text": row.said}]}
    return {"custom_id": row.clip, "result": {"type": "succeeded", "message": message}, "label": row.target}


def _gemini(chance: random.Random, row: Row) -> dict[str, Any]:
    parts = [{"text": f"Perhaps {row.target}", "thought": True}, {"text": row.said}]
    return {"key": row.clip, "response": {"candidates": [{"content": {"role": "model", "parts": parts}}]}}


def _bedrock(chance: random.Random, row: Row) -> dict[str, Any]:
    output = {"content": [{"type": "thinking", "thinking": str(row.target)}, {"type": "text", "text": row.said}]}
    return {"recordId": row.clip, "modelInput": {"label": row.target}, "modelOutput": output}


def _lm_eval(chance: random.Random, row: Row) -> dict[str, Any]:
    doc = {"clip_id": row.clip, "answer": row.target}
    return {
        "doc_id": row.number,
        "doc": doc,
        "target": row.target,
        "resps": [[row.said]],
        "filtered_resps": [row.said],
        "acc": 1.0,
    }


def _inspect(chance: random.Random, row: Row) -> dict[str, Any]:
    choices = [{"message": {"role": "assistant", "content": row.said}}]
    return {
        "id": row.number,
        "epoch": 1,
        "input": "What?",
        "target": row.target,
        "messages": [],
        "metadata": {"clip_id": row.clip},
        "output": {"model": "m", "choices": choices, "completion": row.said},
        "scores": {"match": {"value": "C", "answer": row.target}},
    }


def _evalscope(chance: random.Random, row: Row) -> dict[str, Any]:
    turns = [{"role": "user", "content": f"As in {row.target}"}, {"role": "assistant", "content": row.said}]
    reply = {"choices": [{"message": {"content": row.said}, "stop_reason": "stop"}]}
    return {
        "index": row.number,
        "model_output": reply,
        "messages": turns,
        "metadata": {"clip_id": row.clip},
        "target": row.target,
    }


def _vlmevalkit(chance: random.Random, row: Row) -> dict[str, Any]:
    return {"index": row.number, "clip_id": row.clip, "question": "What?", "answer": row.target, "prediction": row.said}


MAKERS: dict[str, Maker] = {
    "raw text": _raw_text, "chat": _chat, "LLaVA": _llava, "batch, OpenAI chat": _openai,
    "batch, OpenAI responses": _responses, "batch, Anthropic": _anthropic, "batch, Gemini": _gemini,
    "batch, Bedrock": _bedrock, "lm-eval": _lm_eval, "Inspect": _inspect, "evalscope": _evalscope,
    "VLMEvalKit": _vlmevalkit,
}  # fmt: skip
ACTIVITYNET = "ActivityNet"
CHANGES = ("none", "order", "targets", "garbage", "failed", "bytes", "packed", "ends", "container")


def try_one(tally: Tally, truth: SmallTruth, folder: Path, kind: str, seed: str) -> None:
    """Draw a file of a kind with a change, read it, and compare with what the model said."""
    chance = random.Random(f"{kind} {seed}")
    change = chance.choice(CHANGES)
    name, data, expected, spared = (_activitynet if kind == ACTIVITYNET else _texts)(chance, kind, change)
    path = folder / name
    path.write_bytes(data)
    predictions, crashes = {}, tally.crashes
    with tally.one(f"{seed} {change}") as refused:
        read(truth, path, folder, lenient=True)
        predictions = truth.predictions()
    path.unlink()
    shown = f"{data[:2000]!r}" if name.endswith(("l", "n")) else name
    if tally.crashes > crashes or (refused and change == "bytes" and name.endswith("json")):
        return
    if refused:
        tally.differs(f"{seed} {change}", f"refused: {refused[0]} {shown}")
        return
    spared = spared | {
        clip
        for clip, row in predictions.items()
        if change == "bytes" and name.endswith("json") and row["outcome"] == INVALID
    }
    for clip in spared:
        predictions.pop(clip, None)
        expected.readings.pop(clip, None)
    if change == "bytes" and name.endswith("json"):  # a row may be lost, but not be read otherwise
        expected.readings = {clip: row for clip, row in expected.readings.items() if clip in predictions}
    if wrong := strict_reader.differences(expected, predictions, None):
        tally.differs(f"{seed} {change}", f"{'; '.join(wrong[:3])} {shown}")


def _texts(chance: random.Random, kind: str, change: str) -> tuple[str, bytes, Table, set[str]]:
    """Return name and bytes of a file of models' texts, what it is read as, and clips that nothing is said about."""
    clips = chance.sample(CLIPS[1:], chance.randrange(8, 12))
    known = [Row(number, clip, _said(chance, clip), _target(chance)) for number, clip in enumerate(clips)]
    if change == "targets":
        known = [
            row._replace(target=chance.choice((row.said, None, {"dominant_operation": "Idle"}, 1, row.target)))
            for row in known
        ]
    state = chance.getstate()
    rows = []
    for row in known:
        chance.setstate(state)  # one field name for all rows of a file
        rows.append(MAKERS[kind](chance, row))
    expected = {row.clip: _reading(row) for row in known}
    spared: set[str] = set()
    if change == "failed":
        at = chance.randrange(len(rows))
        chance.setstate(state)
        rows[at] = MAKERS[kind](chance, known[at]._replace(said=chance.choice(("", "  ", "\n"))))
        expected[clips[at]] = strict_reader.REJECTED
    if change == "order":
        chance.shuffle(rows)
    parts = [json.dumps(row, ensure_ascii=chance.random() < 0.5).encode() for row in rows]
    if change == "bytes":
        at = chance.randrange(len(parts))
        parts[at] = in_bytes(parts[at], chance).replace(b"\n", b" ")
        spared = {clip for clip in CLIPS if clip.encode() in parts[at]} | {clips[at]}
    if change == "garbage":
        garbage = chance.choice(GARBAGE)
        parts.insert(chance.randrange(garbage in SIGNATURES, len(parts) + 1), garbage)
    name, data = _contained(chance, kind, change, parts)
    return *_packed(chance, change, name, data), Table(expected), spared


def _reading(row: Row) -> strict_reader.Reading:
    return strict_reader.prediction(Object([("clip_id", row.clip), ("raw_output", row.said)]), SPLIT).reading


def _said(chance: random.Random, clip: str) -> str:
    if chance.random() < 0.2:
        return a_text(chance, clip)
    answer = json.dumps(_answer(chance))
    return chance.choice((answer, f"```json\n{answer}\n```", f"The answer: {answer}"))


def _answer(chance: random.Random) -> dict[str, Any]:
    segment = {"start_frame": chance.randrange(126), "end_frame": chance.randrange(126)}
    return {
        "dominant_operation": chance.choice(LABELS),
        "temporal_segment": segment,
        "next_operation": chance.choice(LABELS),
    }


def _target(chance: random.Random) -> Any:
    answer = _answer(chance)
    return chance.choice(
        (json.dumps(answer), json.dumps(answer), answer["dominant_operation"], f"It is {json.dumps(answer)}", answer)
    )


def _contained(chance: random.Random, kind: str, change: str, parts: Sequence[bytes]) -> tuple[str, bytes]:
    """Return name and bytes of a file: lines, an array, rows over lines, or the log of a tool."""
    end = b"\r\n" if change == "ends" and chance.random() < 0.5 else b"\n"
    ways = ["lines", "lines", "array"] if change not in ("garbage", "ends", "container") else ["lines"]
    if change == "container":
        ways = ["array", "spread", "stream", *(["log"] if kind == "Inspect" else [])]
    way = chance.choice(ways)
    if way == "array":
        return "f.json", b"[" + b", ".join(parts) + b"]"
    if way == "spread":
        return "f.json", json.dumps([json.loads(part) for part in parts], indent=1).encode()
    if way == "stream":
        return "f.jsonl", b"\n".join(json.dumps(json.loads(part), indent=2).encode() for part in parts)
    if way == "log":
        return "f.json", b'{"version": 2, "status": "success", "eval": {"task": "t"}, "samples": [' + b",".join(
            parts
        ) + b"]}"
    data = end.join(parts) + (b"" if chance.random() < 0.2 else end)
    return "f.jsonl", BOM + data if change == "ends" and end == b"\n" else data


def _packed(chance: random.Random, change: str, name: str, data: bytes) -> tuple[str, bytes]:
    if change != "packed":
        return name, data
    if chance.random() < 0.5:
        return f"{name}.gz", gzip.compress(data, 1)
    return f"{name}.zst", zstandard.ZstdCompressor(1).compress(data)


def _activitynet(chance: random.Random, kind: str, change: str) -> tuple[str, bytes, Table, set[str]]:
    """Return a file of detections in seconds; the one with the highest score is the answer."""
    clips = chance.sample(CLIPS, chance.randrange(8, 12))
    results: dict[str, Any] = {}
    expected: dict[str, strict_reader.Reading] = {}
    for clip in clips:
        found = [_detection(chance, score) for score in chance.sample((0.1, 0.2, 0.35, 0.5, 0.625, 0.75, 0.9), 3)]
        best = max(found, key=lambda one: one["score"])
        members = [
            ("clip_id", clip),
            ("dominant_operation", best["label"]),
            ("temporal_segment", [round(end * 25) for end in best["segment"]]),
            ("next_operation", best.get("next_operation")),
            ("confidence", best["score"]),
        ]
        expected[clip] = strict_reader.prediction(Object(members), SPLIT).reading
        results[clip] = found
    if change == "order":
        clips = chance.sample(clips, len(clips))
        results = {clip: chance.sample(results[clip], 3) for clip in clips}
    spared: set[str] = set()
    if change in ("garbage", "failed"):
        clip = chance.choice(clips)
        results[clip] = chance.choice(
            (None, "x", 1, {}, [1], [{"label": "Tape"}], [{"label": "Tape", "score": "0.5", "segment": [0, 1]}])
        )
        expected[clip] = strict_reader.REJECTED
    text = json.dumps({"version": "1", "results": results, "external_data": {}}, indent=chance.choice((None, 1)))
    data = text.encode()
    if change == "bytes":
        data = in_bytes(data, chance)
        spared = (
            {clip for clip in expected if json.dumps(results[clip], indent=None)[1:-1].encode() not in data}
            if "\n" not in text
            else set(CLIPS)
        )
    name, data = _packed(chance, change, "f.json", BOM + data if change == "ends" else data)
    return name, data, Table(expected), spared


def _detection(chance: random.Random, score: float) -> dict[str, Any]:
    ends = [chance.randrange(126) / 25, chance.randrange(126) / 25]
    found = {"label": chance.choice(LABELS), "score": score, "segment": ends}
    return found | ({"next_operation": chance.choice(LABELS)} if chance.random() < 0.7 else {})


KINDS = (*MAKERS, ACTIVITYNET)


def tallies() -> dict[str, Tally]:
    return {kind: Tally("lines", f"files: {kind}") for kind in KINDS}
