"""Formats of other projects: each is recognised, said, and read as the same three answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harness.errors import SubmissionError, UsageError
from harness.ingestion.formats.registry import ADAPTERS
from harness.ingestion.ingest import read_clip_map
from harness.ingestion.model_text import answer_in
from tests.harness.ingestion.test_line_checker import line
from tests.support.small_truth import CLIPS, read, small_truth

ANSWER = {"operation": 2, "start_frame": 14, "end_frame": 98, "next_operation": 3}
TWO = [line(), line(clip_id=CLIPS[1])]
SAID = json.dumps({name: value for name, value in line().items() if name != "clip_id"})
FLAT = "clip_id,dominant_operation,start_frame,end_frame,next_operation"
CLIP_MAP = {"0": CLIPS[0], "1": CLIPS[1]}


def lines(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def for_both(make) -> str:
    return lines(*(make(number, clip) for number, clip in enumerate(CLIPS[:2])))


def llava(number, clip):
    turns = [{"from": "human", "value": "<video>\nWhat?"}, {"from": "gpt", "value": SAID}]
    return {"id": clip, "video": f"{clip}.mp4", "conversations": turns}


def lm_eval(number, clip):
    return {"doc_id": number, "doc": {"clip_id": clip}, "resps": [[SAID]], "filtered_resps": [SAID], "acc": 1.0}


def lmms_eval(number, clip):
    return {"doc_id": number, "target": "x", "resps": [[SAID]], "filtered_resps": [SAID]}


def chat(content):
    def made(_, clip):
        asked = {"role": "user", "content": [{"type": "video", "video": "x.mp4"}, {"type": "text", "text": "What?"}]}
        return {"clip_id": clip, "messages": [asked, {"role": "assistant", "content": content}]}

    return made


def batch(outcome):
    return lambda _, clip: {"id": "batch_req_1", "custom_id": clip, **outcome}


def openai(body):
    return batch({"response": {"status_code": 200, "body": body}, "error": None})


COMPLETION = openai({"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": SAID}}]})
RESPONSE = openai(
    {
        "object": "response",
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "content": [{"type": "output_text", "text": SAID}]},
        ],
    }
)
MESSAGE = batch({"result": {"type": "succeeded", "message": {"content": [{"type": "text", "text": SAID}]}}})
FAILED = {"custom_id": CLIPS[1], "response": None, "error": {"code": "batch_expired"}}


def activitynet(**best):
    found = [
        {"label": "Idle", "score": 0.2, "segment": [0, 1]},
        {"label": "Tape", "score": 0.7, "segment": [0.56, 3.92]} | best,
        {"label": "Pack", "score": 0.7, "segment": [0, 5]},
    ]
    return {"version": "VERSION 1.3", "results": dict.fromkeys(CLIPS[:2], found), "external_data": {}}


FORMATS = [
    # file's text, the adapter it is recognised by, options, what a note says, answers of both clips, why
    (lines(*TWO), "canonical", {}, None, ANSWER, "one object a line"),
    (json.dumps(TWO), "array", {}, "read as array", ANSWER, "one JSON array on one line"),
    (json.dumps(TWO, indent=2), "array", {}, "read as array", ANSWER, "over many lines"),
    (json.dumps({"model": "m", "predictions": TWO}), "predictions", {}, "read as predictions", ANSWER, "on one line"),
    (json.dumps({"model": "m", "predictions": TWO}, indent=1), "predictions", {}, "read as", ANSWER, "over many"),
    (for_both(lambda _, clip: line(clip_id=clip, temporal_segment=..., start_frame=14, end_frame=98)), "canonical", {},
     "start_frame and end_frame beside the other fields read as temporal_segment on 2 lines", ANSWER, "flat"),
    (for_both(lambda _, clip: line(clip_id=clip, temporal_segment=[14, 98])), "canonical", {},
     "temporal_segment read from [start, end] on 2 lines (first: line 1)", ANSWER, "pairs"),
    (for_both(lambda _, clip: {"clip_id": clip, "raw_output": SAID}), "raw-text", {},
     "raw_output judged", ANSWER, "text"),
    (for_both(lambda _, clip: {"clip_id": clip, "response": f"```json\n{SAID}\n```"}), "raw-text", {},
     "the answer had to be cut out of the surrounding text or repaired on 2 lines", ANSWER | {"source": 1}, "fenced"),
    (for_both(llava), "llava", {}, "read as llava: LLaVA conversations", ANSWER, "LLaVA, a line each"),
    (json.dumps([llava(0, CLIPS[0]), llava(1, CLIPS[1])]), "llava", {}, "read as llava", ANSWER, "LLaVA, as it ships"),
    (for_both(chat(SAID)), "chat", {}, "read as chat", ANSWER, "content a text"),
    (for_both(chat([{"type": "text", "text": SAID}])), "chat", {}, "read as chat", ANSWER, "content in parts"),
    (for_both(COMPLETION), "batch", {}, "read as batch", ANSWER, "OpenAI chat completions"),
    (for_both(RESPONSE), "batch", {}, "read as batch", ANSWER, "OpenAI responses"),
    (for_both(MESSAGE), "batch", {}, "read as batch", ANSWER, "Anthropic messages"),
    (json.dumps({one["clip_id"]: one for one in TWO}), "by-clip", {}, "read as by-clip", ANSWER, "the name inside too"),
    (json.dumps(dict.fromkeys(CLIPS[:2], json.loads(SAID)), indent=1), "by-clip", {}, "read as", ANSWER, "over many"),
    (for_both(lambda _, clip: json.loads(SAID) | {"clip_id": clip}), "canonical", {}, None, ANSWER, "clip_id last"),
    (for_both(lm_eval), "lm-eval", {}, "read as lm-eval", ANSWER, "the clip stands in doc"),
    (for_both(lmms_eval), "lmms-eval", {"clip_map": CLIP_MAP}, "read as lmms-eval", ANSWER, "the clip by doc_id"),
    (json.dumps(activitynet(next_operation="Put Items")), "activitynet", {}, "read as activitynet",
     ANSWER | {"confidence_ppm": 700_000}, "best score, ties: the first"),
    (json.dumps(activitynet(), indent=2), "activitynet", {}, "read as", ANSWER | {"next_operation": None}, "abstains"),
    (f"{FLAT}\n{CLIPS[0]},Tape,14,98,Put Items\n{CLIPS[1]},Tape,14,98,Put Items\n", "csv", {},
     "read as csv", ANSWER, ""),
    (f"{FLAT}\r\n{CLIPS[0]},Tape,14,98,Put Items\r\n{CLIPS[1]},Tape,14,98,Put Items", "csv", {},
     "read as", ANSWER, "CRLF"),
    ("\ufeff" + f"{FLAT},confidence\n".replace(",", "\t") + "".join(
        f'"{clip}"\tTape\t\t\tPut Items\t0.5\n' for clip in CLIPS[:2]), "csv", {}, "byte order mark",
     ANSWER | {"start_frame": None, "end_frame": None, "confidence_ppm": 500_000}, "TSV, empty cells abstain"),
    (json.dumps([line(clip_id=clip, temporal_segment=[8, 59]) for clip in CLIPS[:2]]), "array",
     {"fps": 15, "clip_frames": 75}, "read as array", ANSWER | {"start_frame": 13}, "15 fps: 8 -> 13.3, 59 -> 98.3"),
]  # fmt: skip


@pytest.fixture(scope="module")
def truth():
    with small_truth() as opened:
        yield opened


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "file").write_bytes(text.encode())
    return tmp_path / "file"


@pytest.mark.parametrize(
    "text, adapter, options, note, answer, why", FORMATS, ids=[f"{row[1]} {row[-1]}" for row in FORMATS]
)
def test_recognised_and_read(text, adapter, options, note, answer, why, truth, tmp_path):
    file = write(tmp_path, text)
    found = read(truth, file, tmp_path, **options)
    assert (found.adapter, found.rows, found.lines, found.total) == (adapter, 2, 2, 0)
    assert any(note in said for said in found.notes) if note else found.notes == []
    for clip, row in truth.predictions().items():
        assert clip in CLIPS[:2] and answer.items() <= row.items()
    asked = read(truth, file, tmp_path, adapter=adapter, **options)
    assert asked == found, "asked for by name it is read alike"


def test_parquet(truth, tmp_path):
    flat = "SELECT 'clip-000' || i AS clip_id, 'Tape' AS dominant_operation, {}, 'Put Items' AS next_operation"
    flat += " FROM range(2) t(i)"
    for segment in (
        "14 AS start_frame, 98::TINYINT AS end_frame",
        "{'start_frame': 14, 'end_frame': 98} AS temporal_segment",
    ):
        duckdb.sql(flat.format(segment)).write_parquet(str(tmp_path / "s.parquet"))
        found = read(truth, tmp_path / "s.parquet", tmp_path)
        assert (found.adapter, found.rows, found.total) == ("parquet", 2, 0)
        assert all(ANSWER.items() <= row.items() for row in truth.predictions().values())
    duckdb.sql(flat.format("14.0::DOUBLE AS start_frame, 98 AS end_frame")).write_parquet(str(tmp_path / "s.parquet"))
    assert [problem.code for problem in read(truth, tmp_path / "s.parquet", tmp_path, lenient=True).problems] == [
        "TYPE"
    ] * 2
    (tmp_path / "s.parquet").write_bytes(b"PAR1" + bytes(40) + b"PAR1")
    with pytest.raises(SubmissionError, match="not a readable Parquet file"):
        read(truth, tmp_path / "s.parquet", tmp_path)


OPENPACK = {"U0102-S0100": {"unixtime": [1634885794], "prediction": [100]}}
REFUSED = [
    # text, options, error, what its message says
    (lines({**line(), "conversations": []}), {}, SubmissionError, "pass --adapter canonical or --adapter llava"),
    (lines(chat(SAID)(0, "a") | {"conversations": []}), {}, SubmissionError, "pass --adapter llava or --adapter chat"),
    (lines({"clip_id": "a", "response": "x", "conversations": []}), {}, SubmissionError,
     "pass --adapter raw-text or --adapter llava"),
    (lines(line()), {"adapter": "coco"}, UsageError, "unknown adapter 'coco'; there are canonical, array"),
    (for_both(lmms_eval), {}, UsageError, "pass --clip-map FILE"),
    (json.dumps(OPENPACK), {}, SubmissionError, "OpenPack challenge results"),
    (json.dumps(TWO)[:-1], {}, SubmissionError, "the document ends too early"),
    (json.dumps(TWO)[:-2], {}, SubmissionError, "a bracket is never closed"),
    (json.dumps(TWO)[:-1] + ",]", {}, SubmissionError, "trailing comma"),
    (json.dumps(TWO) + "[]", {}, SubmissionError, "something stands after the document"),
    (json.dumps(TWO).replace("}, {", "} {"), {}, SubmissionError, "no comma between two elements"),
    ("[]", {}, SubmissionError, "holds no prediction"),
    ('{"predictions": []}', {}, SubmissionError, "holds no prediction"),
    ('{"predictions": [], "predictions": []}', {"adapter": "predictions"}, SubmissionError, '2 times "predictions"'),
    (json.dumps(line()), {"adapter": "activitynet"}, SubmissionError, '0 times "results"'),
    ("clip_id,clip_id\na,b\n", {}, SubmissionError, "distinct names"),
    ("clip_id\n", {}, SubmissionError, "holds no prediction"),
    (json.dumps(TWO), {"adapter": "csv"}, SubmissionError, "the header needs"),
]  # fmt: skip


@pytest.mark.parametrize("text, options, error, message", REFUSED)
def test_refused(text, options, error, message, truth, tmp_path):
    with pytest.raises(error) as refused:
        read(truth, write(tmp_path, text), tmp_path, **options)
    assert message in str(refused.value)


BAD_OBJECTS = [
    # text with one bad object, line, column, code and what is wrong
    (json.dumps([TWO[0], line(clip_id=CLIPS[1], confidence=2)]), 1, 305, "RANGE", "2 is out of range"),
    (json.dumps([TWO[0], line(clip_id=CLIPS[1], x=1)]).replace('"x"', '"clip_id"'), 1, None, "DUPLICATE_KEY", "twice"),
    (json.dumps(TWO).replace("98", "NaN", 1), 1, None, "NOT_FINITE", "NaN is not JSON"),
    (json.dumps(TWO).replace("98", "9" * 5000, 1), 1, None, "NUMBER_RANGE", "out of range"),
    (json.dumps(TWO).replace("98", "[" * 100_000 + "]" * 100_000, 1), 1, None, "TOO_DEEP", "nested deeper"),
    (json.dumps(TWO, indent=1).replace("98", "980", 1), 7, 17, "RANGE", "980 is out of range"),
    (lines(llava(0, CLIPS[0]), {"id": CLIPS[1], "conversations": []}), 2, 1, "MISSING", "no text of the model"),
    (lines(chat(SAID)(0, CLIPS[0]), chat("")(1, CLIPS[1])), 2, 1, "MISSING", "no text of the model"),
    (lines(COMPLETION(0, CLIPS[0]), FAILED), 2, 1, "MISSING", "no text of the model"),
    (json.dumps({CLIPS[0]: line(), CLIPS[2]: line(clip_id=CLIPS[1])}), 1, None, "CONFLICT", "under the key"),
    (json.dumps({CLIPS[0]: line(), CLIPS[1]: 3}), 1, None, "NOT_OBJECT", ""),
    (lines(lm_eval(0, CLIPS[0]), {"doc": {}, "filtered_resps": ["x"]}), 2, 1, "MISSING", "names no clip"),
    (f"{FLAT}\n{CLIPS[0]},Tape,14,98,Put Items\n{CLIPS[1]},Tape\n", 3, 1, "COLUMNS", "2 cells"),
    (f"{FLAT}\n{CLIPS[0]},Tape,14,98,Put Items\n{CLIPS[1]},Tape,14.0,98,Pack\n", 3, 1, "TYPE", '"14.0" is a text'),
    (f"{FLAT}\n{CLIPS[0]},Tape,14,98,Put Items\n{CLIPS[1]},Tape,14,,Pack\n", 3, 1, "TYPE", "null is null"),
    (f'{FLAT}\n{CLIPS[0]},Tape,14,98,Put Items\n"{CLIPS[1]},Tape\n', 3, 1, "COLUMNS", "not a CSV row"),
    (json.dumps(activitynet()).replace("3.92", "5.3", 1), 1, None, "RANGE", "133 is out of range"),
]  # fmt: skip


@pytest.mark.parametrize("text, at_line, column, code, wrong", BAD_OBJECTS)
def test_documents_are_as_strict_as_lines(text, at_line, column, code, wrong, truth, tmp_path):
    found = read(truth, write(tmp_path, text), tmp_path, lenient=True)
    (problem,) = found.problems
    assert (problem.line, problem.code) == (at_line, code) and wrong in problem.wrong
    assert column is None or problem.column == column
    assert sum(row["outcome"] == 0 for row in truth.predictions().values()) == 1, "the other object answers"


TEXTS = [
    # what a model said, outcome (0 answered, 1 unreadable), source (0 model, 1 repaired), why
    (SAID, 0, 0, "JSON alone"),
    (f"  {SAID}\n", 0, 0, "with white space"),
    (f"```json\n{SAID}\n```", 0, 1, "fenced"),
    (f"The worker tapes {{the box}}.\n{SAID}\nDone.", 0, 1, "prose round it"),
    (f"<think>{SAID.replace('Tape', 'Idle')}</think>{SAID}", 0, 1, "the last whole answer counts"),
    (SAID.replace("}, ", "},], ").replace(",]", ",", 1).replace('"Put Items"}', '"Put Items",}'), 1, 0, "too broken"),
    (SAID.replace('"Put Items"}', '"Put Items",}'), 0, 1, "trailing comma"),
    (SAID.replace('"', "'"), 0, 1, "single quotes"),
    (SAID[:-1], 0, 1, "the last brace is missing"),
    (f"[{SAID}]", 0, 1, "in an array"),
    ("The worker tapes the box, frames 14 to 98; Put Items is next.", 1, 0, "prose alone: nothing is guessed"),
    ("", 1, 0, "nothing"),
    ('{"dominant_operation": "Tape"}', 1, 0, "half an answer"),
    (SAID.replace("98", "1e5"), 1, 0, "an answer that no line could hold"),
    (SAID[:-1] + ', "next_operation": "Pack"}', 1, 0, "a key twice"),
    ("{" * 50_000, 1, 0, "brackets without end"),
    ("[" * 100_000, 1, 0, "deep"),
    (SAID.replace('"Tape"', "null"), 0, 0, "an abstention is an answer"),
]


@pytest.mark.parametrize("text, outcome, source, why", TEXTS, ids=[row[-1] for row in TEXTS])
def test_answers_in_texts(text, outcome, source, why, truth, tmp_path):
    file = write(tmp_path, lines(line(clip_id=CLIPS[5]), {"clip_id": CLIPS[0], "raw_output": text}))
    found = read(truth, file, tmp_path)
    row = truth.predictions()[CLIPS[0]]
    assert (row["outcome"], row["source"], found.total) == (outcome, source, 0), why
    assert row["end_frame"] == (98 if outcome == 0 else None)
    assert found.counts["repaired"] == source and found.counts["unreadable"] == outcome


def test_a_mark_of_the_submitter_is_kept(truth, tmp_path):
    """A fallback whose text had to be repaired stays a fallback."""
    value = {"clip_id": CLIPS[0], "raw_output": f"so: {SAID}", "source": "fallback", "latency_ms": 3}
    read(truth, write(tmp_path, lines(value)), tmp_path)
    row = truth.predictions()[CLIPS[0]]
    assert (row["outcome"], row["source"], row["latency_us"]) == (0, 2, 3000)


def test_the_work_on_a_text_is_bounded():
    """A megabyte of open brackets is given up on; the answer at its end is not looked for for ever."""
    calls = []
    assert answer_in('{"a":' * 200_000, lambda value: bool(calls.append(value))) == (None, False)
    assert not calls


def test_clip_maps(tmp_path):
    file = tmp_path / "map.json"
    for text in ("[]", '{"0": 1}', "{", ""):
        file.write_text(text)
        with pytest.raises(UsageError, match="clip map"):
            read_clip_map(file)
    with pytest.raises(UsageError, match="clip map"):
        read_clip_map(tmp_path / "absent")
    file.write_text(json.dumps(CLIP_MAP))
    assert read_clip_map(file) == CLIP_MAP


def test_every_adapter_is_tested_and_described():
    assert set(ADAPTERS) == {row[1] for row in FORMATS} | {"parquet", "openpack"}
    assert all(adapter.description for adapter in ADAPTERS.values())
