"""Formats of other projects: each is recognised, said, and read as the same three answers."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harness.errors import SubmissionError, UsageError
from harness.ingestion.formats.registry import ADAPTERS
from harness.ingestion.lines.model_text import answer_in
from harness.ingestion.submission_file import Limits, open_submission
from harness.usage.fields import TOKENS
from tests.harness.ingestion.lines.test_line_checker import line
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
INSPECT = {
    "samples": [
        {
            "id": number,
            "epoch": 1,
            "input": "What?",
            "target": "x",
            "messages": [],
            "metadata": {"clip_id": clip},
            "output": {
                "model": "m",
                "choices": [{"message": {"role": "assistant", "content": SAID}}],
                "completion": SAID,
            },
        }
        for number, clip in enumerate(CLIPS[:2])
    ]
}


def inspect_log(**before):
    return {"version": 2, "status": "success", "eval": {"task": "t"}, "results": {"scores": []}, **before, **INSPECT}


def evalscope(number, clip):
    reply = {"choices": [{"message": {"content": SAID}, "stop_reason": "stop"}]}
    turns = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": SAID}]
    return {"index": number, "model_output": reply, "messages": turns, "metadata": {"clip_id": clip}}


def vlmevalkit(number, clip):
    return {"index": number, "video": clip, "question": "What?", "answer": GOLD, "prediction": SAID}


GOLD = json.dumps({name: value for name, value in line(dominant_operation="Pack").items() if name != "clip_id"})
PARTS = [{"text": "Let me think. " + GOLD, "thought": True}, {"text": SAID}]
GEMINI = {"candidates": [{"content": {"role": "model", "parts": PARTS}, "finishReason": "STOP"}]}
REPLY_ROWS = [
    # a row of a batch or of a model's own reply, whose it is
    (lambda n, clip: {"key": clip, "response": GEMINI}, "Gemini"),
    (lambda n, clip: {"status": "", "request": {"contents": [{"parts": [{"fileData": {"fileUri":
     f"gs://b/{clip}.mp4"}}]}]}, "response": GEMINI}, "Vertex"),
    (lambda n, clip: {"recordId": clip, "modelInput": {"messages": []}, "modelOutput":
     {"content": [{"type": "thinking", "thinking": GOLD}, {"type": "text", "text": SAID}]}}, "Bedrock, Claude"),
    (lambda n, clip: {"recordId": clip, "modelOutput": {"output": {"message": {"content": [{"text": SAID}]}}}},
     "Bedrock, Nova"),
    (lambda n, clip: {"recordId": clip, "modelOutput": {"generation": SAID}}, "Bedrock, Llama"),
    (lambda n, clip: {"recordId": clip, "modelOutput": {"results": [{"outputText": SAID}]}}, "Bedrock, Titan"),
    (lambda n, clip: {"recordId": clip, "modelOutput": {"outputs": [{"text": SAID}]}}, "Bedrock, Mistral"),
    (lambda n, clip: {"custom_id": clip, "response": {"body": {"object": "text_completion", "choices":
     [{"text": SAID}]}}}, "vLLM completions"),
    (lambda n, clip: {"custom_id": clip, "response": {"choices": [{"message": {"content": SAID}}]}}, "no body"),
    (lambda n, clip: {"clip_id": clip, "choices": [{"message": {"content": SAID, "reasoning_content": GOLD}}]},
     "a reply with its clip"),
    (lambda n, clip: {"clip_id": clip, "response": {"choices": [{"message": {"content": SAID}}]}, "answer": GOLD},
     "a target beside a reply object"),
    (lambda n, clip: {"clip_id": clip, "outputs": [{"text": SAID, "token_ids": [1]}], "prompt": "What?"}, "vLLM"),
    (lambda n, clip: {"clip_id": clip, "message": {"role": "assistant", "content": SAID}, "done": True}, "Ollama"),
    (lambda n, clip: {"clip_id": clip, "output": [{"type": "reasoning", "summary": []}, {"type": "message",
     "role": "assistant", "content": [{"type": "output_text", "text": SAID}]}]}, "OpenAI responses"),
    (lambda n, clip: {"clip_id": clip, "output": [{"generated_text": SAID}]}, "a transformers pipeline"),
    (lambda n, clip: {"clip_id": clip, "response": {"generated_text": SAID}}, "text-generation-inference"),
]  # fmt: skip
CALL = {"name": "answer", "arguments": SAID}
LOOK_UP = {"name": "look", "arguments": '{"frame": 3}'}
CALL_ROWS = [
    # a row in which the model answers by calling a function, whose it is
    (lambda n, clip: {"custom_id": clip, "response": {"body": {"choices": [{"message": {"role": "assistant",
     "content": None, "tool_calls": [{"type": "function", "function": CALL}]}}]}}}, "batch", "OpenAI"),
    (lambda n, clip: {"custom_id": clip, "response": {"body": {"choices": [{"message": {"content": "",
     "function_call": CALL}}]}}}, "batch", "OpenAI, functions"),
    (lambda n, clip: {"custom_id": clip, "response": {"body": {"output": [{"type": "reasoning", "summary": []},
     {"type": "function_call"} | LOOK_UP, {"type": "function_call"} | CALL]}}}, "batch", "OpenAI responses"),
    (lambda n, clip: {"custom_id": clip, "result": {"type": "succeeded", "message": {"role": "assistant", "content":
     [{"type": "tool_use", "name": "answer", "input": json.loads(SAID)}]}}}, "batch", "Anthropic"),
    (lambda n, clip: {"key": clip, "response": {"candidates": [{"content": {"role": "model", "parts":
     [{"functionCall": {"name": "answer", "args": json.loads(SAID)}}]}}]}}, "batch", "Gemini"),
    (lambda n, clip: {"recordId": clip, "modelOutput": {"output": {"message": {"content":
     [{"toolUse": {"name": "answer", "input": json.loads(SAID)}}]}}}}, "batch", "Bedrock, Nova"),
    (lambda n, clip: {"clip_id": clip, "message": {"role": "assistant", "content": "", "tool_calls":
     [{"function": CALL | {"arguments": json.loads(SAID)}}]}}, "batch", "Ollama"),
    (lambda n, clip: {"id": clip, "messages": [{"role": "user", "content": GOLD},
     {"role": "assistant", "content": None, "tool_calls": [{"function": CALL}]}]}, "chat", "turns"),
]  # fmt: skip
TEXT_ROWS = [
    # a row with the model's text in a field, why
    (lambda n, clip: {"clip_id": clip, "generated_text": [{"role": "user", "content": GOLD},
     {"role": "assistant", "content": SAID}]}, "turns of an HF pipeline"),
    (lambda n, clip: {"clip_id": clip, "prompt": [{"role": "user", "content": "?"}], "completion":
     [{"role": "assistant", "content": SAID}]}, "TRL"),
    (lambda n, clip: {"clip_id": clip, "prompt": f"Answer as in {GOLD}", "generated_text":
     f"Answer as in {GOLD}{SAID}"}, "the prompt repeated before the answer"),
    (lambda n, clip: {"clip_id": clip, "output": f"<|im_start|>user\n{GOLD}<|im_end|>\n<|im_start|>assistant\n{SAID}"},
     "a whole chat template"),
    (lambda n, clip: {"clip_id": clip, "response": [{"type": "text", "text": SAID}]}, "parts"),
    (lambda n, clip: {"clip_id": clip, "response": [{"type": "thinking", "thinking": GOLD}, {"type": "text", "text":
     SAID}]}, "parts with a thought"),
    (lambda n, clip: {"clip_id": clip, "response": [[{"type": "text", "text": "x"}]], "raw_output": SAID}, "two, one"),
]  # fmt: skip


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
    ("\n".join(json.dumps(one, indent=2) for one in TWO), "stream", {}, "read as stream", ANSWER, "as jq prints it"),
    ("\n\n".join(json.dumps(one, indent=4) for one in TWO) + "\n\n", "stream", {}, "read as", ANSWER,
     "blank lines between"),
    ("".join(json.dumps(llava(0, clip), indent=1) + "\n" for clip in CLIPS[:2]), "llava", {}, "read as llava", ANSWER,
     "LLaVA over lines"),
    (for_both(lambda _, clip: line(clip_id=clip, temporal_segment=..., start_frame=14, end_frame=98)), "canonical", {},
     "start_frame and end_frame beside the other fields read as temporal_segment on 2 lines", ANSWER, "flat"),
    (for_both(lambda _, clip: line(clip_id=clip, temporal_segment=[14, 98])), "canonical", {},
     "temporal_segment read from [start, end] on 2 lines (first: line 1)", ANSWER, "pairs"),
    (for_both(lambda _, clip: {"clip_id": clip, "raw_output": SAID}), "raw-text", {},
     "raw_output judged", ANSWER, "text"),
    (for_both(lambda _, clip: {"clip_id": clip, "response": f"```json\n{SAID}\n```"}), "raw-text", {},
     "raw_output judged", ANSWER, "fenced"),
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
    (json.dumps(inspect_log()), "inspect", {}, "read as inspect", ANSWER, "a log"),
    (json.dumps(inspect_log(plan={}), indent=1), "inspect", {}, "read as inspect", ANSWER, "a log over lines"),
    (json.dumps(inspect_log(stats={"stderr": float("nan")})), "inspect", {}, "read as", ANSWER, "NaN beside them"),
    (lines(*INSPECT["samples"]), "inspect", {}, "read as inspect", ANSWER, "samples"),
    (for_both(evalscope), "evalscope", {}, "read as evalscope", ANSWER, "the turn repeats the reply"),
    (for_both(vlmevalkit), "vlmevalkit", {}, "read as vlmevalkit", ANSWER, "the target as answer"),
    *((for_both(row), "batch", {}, "read as batch", ANSWER, why) for row, why in REPLY_ROWS),
    *((for_both(row), name, {}, f"read as {name}", ANSWER, f"called: {why}") for row, name, why in CALL_ROWS),
    *((for_both(row), "raw-text", {}, "read as raw-text", ANSWER, why) for row, why in TEXT_ROWS),
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
    ("clip_id\n", {}, SubmissionError, "a table without a column of answers"),
    (json.dumps(TWO), {"adapter": "csv"}, SubmissionError, "the header needs"),
]  # fmt: skip


@pytest.mark.parametrize("text, options, error, message", REFUSED)
def test_refused(text, options, error, message, truth, tmp_path):
    with pytest.raises(error) as refused:
        read(truth, write(tmp_path, text), tmp_path, **options)
    assert message in str(refused.value)


def test_an_inspect_log_is_read_as_it_is_stored(truth, tmp_path):
    """A zip archive of one JSON file a sample, printed over lines or not."""
    for indent in (None, 2):
        file = tmp_path / f"log-{indent}.eval"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("_journal/start.json", "{}")
            for sample in INSPECT["samples"]:
                archive.writestr(f"samples/{sample['id']}_epoch_1.json", json.dumps(sample, indent=indent))
            archive.writestr("header.json", "{}")
            archive.writestr("summaries.json", "[]")
        found = read(truth, file, tmp_path)
        assert (found.adapter, found.rows, found.total) == ("inspect", 2, 0)
        assert all(ANSWER.items() <= row.items() for row in truth.predictions().values())
    with pytest.raises(SubmissionError, match="over the cap of 50 decompressed bytes"):
        read(truth, file, tmp_path, Limits(max_bytes=50))
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("predictions.jsonl", json.dumps(line()))
    with pytest.raises(SubmissionError, match="a zip archive: unpack it"):
        read(truth, file, tmp_path)


def test_one_object_over_lines(truth, tmp_path):
    found = read(truth, write(tmp_path, json.dumps(line(), indent=2)), tmp_path)
    assert (found.adapter, found.rows, found.total) == ("stream", 1, 0)
    assert ANSWER.items() <= truth.predictions()[CLIPS[0]].items()
    named = read(truth, write(tmp_path, json.dumps(line(), indent=2)), tmp_path, adapter="canonical")
    assert named == found, "canonical objects, whatever their lines"


VOTED = CLIPS[:6]


def canonical(_, clip):
    return line(clip_id=clip)


def response(_, clip):
    return {"clip_id": clip, "response": SAID}


FAILURES = [
    # a good object, a failed one in its place, the adapter, outcome of the failed clip, problems
    (canonical, lambda clip: {"clip_id": clip, "raw_output": "", "error": "out of memory"}, "canonical", 2, 1),
    (canonical, lambda clip: {"clip_id": clip, "response": None}, "canonical", 2, 3),
    (canonical, lambda clip: {"clip_id": clip, "output": "no answer"}, "canonical", 2, 3),
    (canonical, lambda clip: {"clip_id": clip, "messages": []}, "canonical", 2, 3),
    (canonical, lambda clip: {"custom_id": clip, "error": "timeout"}, "canonical", None, 1),
    (canonical, lambda clip: "CUDA out of memory", "canonical", None, 1),
    (canonical, lambda clip: None, "canonical", None, 1),
    (canonical, lambda clip: [clip], "canonical", None, 1),
    (response, lambda clip: {"clip_id": clip, "response": None, "error": "timeout"}, "raw-text", 2, 1),
    (response, lambda clip: {"clip_id": clip, "error": "timeout"}, "raw-text", 2, 1),
    (llava, lambda clip: {"id": clip, "error": "timeout"}, "llava", 2, 1),
    (chat(SAID), lambda clip: {"clip_id": clip, "messages": None}, "chat", 2, 1),
    (chat(SAID), lambda clip: {"id": clip, "error": "timeout"}, "chat", 2, 1),
    (COMPLETION, lambda clip: {"id": "1", "custom_id": clip, "response": None, "error": {"code": 1}}, "batch", 2, 1),
    (COMPLETION, lambda clip: {"clip_id": clip, "raw_output": SAID}, "batch", 2, 1),
    (lm_eval, lambda clip: {"doc": {"clip_id": clip}, "filtered_resps": []}, "lm-eval", 2, 1),
]


@pytest.mark.parametrize("place", [0, 3, 5])
@pytest.mark.parametrize("good, failed, adapter, outcome, problems", FAILURES)
def test_one_failed_line_decides_no_format(good, failed, adapter, outcome, problems, place, truth, tmp_path):
    """Wherever it stands the good lines answer; a clip that the failed line names is invalid, not missing."""
    values = [failed(clip) if number == place else good(number, clip) for number, clip in enumerate(VOTED)]
    found = read(truth, write(tmp_path, lines(*values)), tmp_path, lenient=True)
    assert (found.adapter, found.lines, found.total) == (adapter, 6, problems)
    assert all(problem.line == place + 1 for problem in found.problems)
    rows = truth.predictions()
    for number, clip in enumerate(VOTED):
        if number != place:
            assert ANSWER.items() <= rows[clip].items()
    assert (rows[VOTED[place]]["outcome"] if VOTED[place] in rows else None) == outcome
    if problems:
        with pytest.raises(SubmissionError, match=f"read as {adapter}: .* nothing was scored"):
            read(truth, write(tmp_path, lines(*values)), tmp_path)


@pytest.mark.parametrize(
    "before", ["[INFO] loading model\n", "{\n", "Loading: 100%\n", "{'a': 1}\n", "\n# x\n", "[]\n"]
)
def test_no_log_line_before_them_decides_the_format(before, truth, tmp_path):
    text = before + lines(*(response(0, clip) for clip in VOTED))
    found = read(truth, write(tmp_path, text), tmp_path, lenient=True)
    assert (found.adapter, found.rows, found.total) == ("raw-text", 6, 1)


def test_failed_elements_of_an_array_decide_no_format(truth, tmp_path):
    values = [{"clip_id": VOTED[0], "response": None}, *(response(0, clip) for clip in VOTED[1:])]
    for text in (json.dumps(values), json.dumps(values, indent=1)):
        found = read(truth, write(tmp_path, text), tmp_path, lenient=True)
        assert (found.adapter, found.rows, found.total) == ("raw-text", 6, 1)
        assert truth.predictions()[VOTED[0]]["outcome"] == 2


def test_many_failed_elements_decide_no_format(truth, tmp_path):
    failed = [{"clip_id": f"x{number}", "error": "loading"} for number in range(100)]
    found = read(truth, write(tmp_path, json.dumps([*failed, response(0, VOTED[0])])), tmp_path, lenient=True)
    assert found.adapter == "raw-text" and ANSWER.items() <= truth.predictions()[VOTED[0]].items()


@pytest.mark.parametrize("failed", [None, "timeout", {"error": "timeout"}, []])
def test_failed_members_of_an_object_by_clip_decide_no_format(failed, truth, tmp_path):
    """The key names the clip, so that it is invalid."""
    value = {VOTED[0]: failed, **dict.fromkeys(VOTED[1:], json.loads(SAID))}
    for indent in (None, 2):
        found = read(truth, write(tmp_path, json.dumps(value, indent=indent)), tmp_path, lenient=True)
        assert (found.adapter, found.lines, found.rejected) == ("by-clip", 6, 1)
        assert [truth.predictions()[clip]["outcome"] for clip in VOTED] == [2, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("inside", [SAID, "null"])
def test_a_key_that_is_not_utf_8_names_no_clip(inside, truth, tmp_path):
    (tmp_path / "file").write_bytes(f'{{"{VOTED[0]}": {SAID}, "caf\xe9": {inside}}}'.encode("latin-1"))
    found = read(truth, tmp_path / "file", tmp_path, lenient=True)
    assert [problem.code for problem in found.problems] == ["ENCODING"]
    assert list(truth.predictions()) == [VOTED[0]]


@pytest.mark.parametrize("failed", [None, "timeout", {"error": "timeout"}, ["timeout"]])
def test_failed_results_of_activitynet_decide_no_format(failed, truth, tmp_path):
    results = {VOTED[0]: failed, VOTED[1]: activitynet()["results"][CLIPS[0]]}
    for indent in (None, 2):
        found = read(truth, write(tmp_path, json.dumps({"results": results}, indent=indent)), tmp_path, lenient=True)
        assert (found.adapter, [problem.code for problem in found.problems]) == ("activitynet", ["TYPE"])
        assert [truth.predictions()[clip]["outcome"] for clip in VOTED[:2]] == [2, 0]


def test_texts_beside_answers_are_canonical(truth, tmp_path):
    """raw_output without an answer field is a canonical line among others, be they few."""
    values = [{"clip_id": clip, "raw_output": SAID} for clip in VOTED[:5]] + [line(clip_id=VOTED[5])]
    for order in (values, values[::-1]):
        found = read(truth, write(tmp_path, lines(*order)), tmp_path)
        assert (found.adapter, found.rows, found.total) == ("canonical", 6, 0)
        assert all(ANSWER.items() <= row.items() for row in truth.predictions().values())


BY_CLIP = [
    # what the members of an object by clip hold
    SAID, [SAID], [json.loads(SAID)], {"response": SAID, "usage": 3}, {"prediction": json.loads(SAID)},
    [{"role": "user", "content": "What?"}, {"role": "assistant", "content": SAID}],
]  # fmt: skip


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("member", BY_CLIP, ids=[str(member)[:30] for member in BY_CLIP])
def test_an_object_by_clip_may_hold_the_models_texts(member, indent, truth, tmp_path):
    value = dict.fromkeys(CLIPS[:3], member) | {CLIPS[3]: None}
    found = read(truth, write(tmp_path, json.dumps(value, indent=indent)), tmp_path, lenient=True)
    assert (found.adapter, found.total) == ("by-clip", 1)
    assert [ANSWER.items() <= truth.predictions()[clip].items() for clip in CLIPS[:4]] == [True, True, True, False]


def test_results_that_stand_alone_in_lists_are_read(truth, tmp_path):
    text = json.dumps([[{"generated_text": SAID}] for _ in CLIPS[:2]])
    found = read(truth, write(tmp_path, text), tmp_path, clip_map=CLIPS[:2])
    assert found.total == 0 and all(ANSWER.items() <= row.items() for row in truth.predictions().values())


REPLY_OBJECTS = [
    # a row with a text deep in an object
    {"clip_id": CLIPS[0], "response": {"output": SAID, "tokenUsage": {}}},
    {"clip_id": CLIPS[0], "response": {"text": SAID}},
    {"inputs": {"clip_id": CLIPS[0]}, "outputs": {"output": SAID}, "reference_outputs": json.loads(SAID)},
    {"inputs": {"clip_id": CLIPS[0]}, "outputs": {"generations": [[{"text": SAID}]]}},
]


@pytest.mark.parametrize("row", REPLY_OBJECTS)
def test_texts_in_reply_objects_are_read(row, truth, tmp_path):
    found = read(truth, write(tmp_path, lines(row)), tmp_path)
    assert found.total == 0 and ANSWER.items() <= truth.predictions()[CLIPS[0]].items()


def test_two_formats_in_one_file_are_refused(truth, tmp_path):
    """Neither has two thirds; the message counts what was seen, and a name decides."""
    two = [line(clip_id=VOTED[0]), response(0, VOTED[1])]
    for text, name, seen in (
        (lines(*two), "canonical", "1 line looks like canonical, 1 like raw-text; name one with --adapter"),
        (json.dumps(two), "array", "1 object looks like array, 1 like raw-text; name one with --adapter"),
    ):
        file = write(tmp_path, text)
        with pytest.raises(SubmissionError) as refused:
            read(truth, file, tmp_path)
        assert seen in str(refused.value) and "\n" not in str(refused.value)
        assert read(truth, file, tmp_path, lenient=True, adapter=name).rejected == 1


def test_the_vote_looks_at_the_whole_of_a_large_file(truth, tmp_path):
    """The second half of 1,000 lines is of another format than the first 500, or only its last line is."""
    first, second = [json.dumps(line()) for _ in range(500)], [json.dumps(response(0, CLIPS[1])) for _ in range(500)]
    with pytest.raises(SubmissionError, match=r"of 64 lines looked at, 3[0-9] lines look like .*, [23][0-9] like"):
        read(truth, write(tmp_path, "\n".join(first + second)), tmp_path)
    found = read(truth, write(tmp_path, "\n".join(first * 2 + second[:1])), tmp_path, lenient=True)
    assert found.adapter == "canonical"


def test_samples_of_lines(tmp_path):
    """First, last, and evenly spread in between; all of a small file; long, blank and cut-off lines are bounded."""

    def sample(text: bytes, count: int = 5, **limits: int) -> list[bytes | None]:
        (tmp_path / "s.jsonl").write_bytes(text)
        with open_submission(tmp_path / "s.jsonl", tmp_path, Limits(**limits)) as source:
            return source.sample(count)

    many = [b"%03d\n" % number for number in range(100)]
    assert sample(b"") == [] and sample(b" \n\n") == []
    assert sample(b"".join(many[:5])) == many[:5]
    assert sample(b"\xef\xbb\xbf" + b"\n".join(many[:3])) == [b"000\n", b"001\n", b"002\n"]
    assert sample(b"".join(many)) == [b"000\n", b"025\n", b"050\n", b"075\n", b"099\n"]
    assert sample(b"\xef\xbb\xbf" + b"".join(many))[0] == b"000\n"
    assert sample(b"".join(many) + b"\n \n\n")[-1] == b"099\n"
    assert sample(b"".join(many).rstrip())[-1] == b"099"
    long = sample(b"".join(many) + b"x" * 5_000, max_line_bytes=1_000)
    assert long[0] == b"000\n" and len(long) <= 5 and b"x" * 5_000 not in long
    assert len(sample(b"x" * 5_000 + b"\n" + b"".join(many), max_line_bytes=1_000)) <= 5


OTHER_CONTENT = [
    # a document, what the one message says of it, and the way out
    ({"base_model": {"OCA": 0.25, "AA@1": 0.1}, "finetuned_model": {"OCA": 0.7, "AA@1": 0.4}},
     "holds scores, no answers", "pass the file with the model's answers"),
    ([{"model": "base", "OCA": 0.25}, {"model": "tuned", "OCA": 0.7}], "holds scores, no answers", "pass the file"),
    ({"tIoU@0.5": 0.25}, "holds scores, no answers", "pass the file"),
    ({"model": "m", "metrics": {"accuracy": 1}}, "holds scores, no answers", "pass the file"),
    ({"results": {"warehouse": {"alias": "w", "exact_match,none": 0.3}}, "configs": {}}, "holds scores",
     "samples_*.jsonl"),
    ({"results": TWO}, 'holds answers under "results", not at the top',
     "to a file of their own: jq -c '.results[]' FILE"),
    ({"my results": [response(0, CLIPS[0])]}, 'holds answers under "my results"', "jq -c '.[\"my results\"][]' FILE"),
    ({"base_model": TWO, "finetuned_model": TWO}, 'holds answers under "base_model" and "finetuned_model"',
     "each to a file of its own: jq -c '.base_model[]' FILE, jq -c '.finetuned_model[]' FILE"),
    ({"m": {clip: json.loads(SAID) for clip in CLIPS[:2]}}, 'holds answers under "m"', "jq -c '.m' FILE"),
    ({"results": {clip: json.loads(SAID) for clip in CLIPS[:2]}}, 'holds answers under "results"',
     "jq -c '.results' FILE"),
]  # fmt: skip


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("value, what, way", OTHER_CONTENT)
def test_a_document_of_something_else_is_one_message(value, what, way, indent, truth, tmp_path):
    with pytest.raises(SubmissionError) as refused:
        read(truth, write(tmp_path, json.dumps(value, indent=indent)), tmp_path, lenient=True)
    assert what in str(refused.value) and way in str(refused.value) and "\n" not in str(refused.value)


def test_what_a_large_document_holds_is_said_too(truth, tmp_path):
    answers = [line(clip_id=f"clip-{number}") for number in range(9_000)]
    with pytest.raises(SubmissionError, match='holds answers under "a" and "b"'):
        read(truth, write(tmp_path, json.dumps({"a": answers, "b": answers}, indent=1)), tmp_path)


STREAM = "\n".join(json.dumps(line(clip_id=clip), indent=2) for clip in VOTED)
BROKEN_STREAMS = [
    # text, the single message
    (STREAM[:-10], ":46:1: JSON: a bracket is never closed"),
    (STREAM[: len(STREAM) // 6 - 20], ":1:1: JSON: a bracket is never closed"),
    (json.dumps({"results": TWO}, indent=2)[:-9], "a bracket is never closed"),
    (STREAM.replace("}\n{", "} {", 1), ":9:3: JSON: a second value stands on the line"),
]


@pytest.mark.parametrize("text, message", BROKEN_STREAMS)
def test_a_broken_stream_is_one_message(text, message, truth, tmp_path):
    with pytest.raises(SubmissionError) as refused:
        read(truth, write(tmp_path, text), tmp_path)
    assert message in str(refused.value) and "jq -c ." in str(refused.value) and "\n" not in str(refused.value)


def test_objects_of_a_stream_are_checked_one_by_one(truth, tmp_path):
    """A bad object is a problem of its own, with its line; an object over the cap is not read."""
    file = write(
        tmp_path, STREAM.replace("98", "980", 1).replace('"Tape",', '"Tape"', 2).replace('"Tape"\n', '"Tape",\n', 1)
    )
    found = read(truth, file, tmp_path, lenient=True)
    assert (found.adapter, found.lines) == ("stream", 6)
    assert [(problem.line, problem.code) for problem in found.problems] == [(6, "RANGE"), (13, "JSON")]
    assert truth.predictions()[VOTED[0]]["outcome"] == 2 and truth.predictions()[VOTED[2]]["outcome"] == 0
    long = STREAM.replace('"Tape"', json.dumps("x" * 3_000), 1)
    found = read(truth, write(tmp_path, long), tmp_path, Limits(max_line_bytes=2_000), lenient=True)
    assert [(problem.line, problem.code) for problem in found.problems] == [(1, "TOO_LONG")]


CUT_LINES = [
    json.dumps(TWO[0])[:-1] + "\n" + json.dumps(TWO[1]),
    json.dumps(TWO[0]).replace('"Tape', "Tape") + "\n" + json.dumps(TWO[1]),
    json.dumps(TWO[0]).replace('Tape"', "Tape") + "\n" + json.dumps(TWO[1]),
    json.dumps(TWO[1]) + "\n" + json.dumps(TWO[0])[:-20],
]


@pytest.mark.parametrize("text", CUT_LINES)
def test_a_broken_line_makes_no_stream(text, truth, tmp_path):
    found = read(truth, write(tmp_path, text), tmp_path, lenient=True)
    assert (found.adapter, found.lines, [problem.code for problem in found.problems]) == ("canonical", 2, ["JSON"])
    assert truth.predictions()[CLIPS[1]]["outcome"] == 0


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
    (f"{FLAT}\n{CLIPS[0]},Tape,14,98,Put Items\n{CLIPS[1]},Tape,14.0,98,Pack\n", 3, 1, "TYPE", "14.0 is no integer"),
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
    (f"```json\n{SAID}\n```", 0, 0, "fenced"),
    (f"\n```\n{SAID}\n```\n", 0, 0, "fenced without a language"),
    (f"The answer:\n```json\n{SAID}\n```", 0, 1, "fenced, in prose"),
    (f"```json\n{SAID},\n```", 0, 1, "fenced, with a slip"),
    (f"The worker tapes {{the box}}.\n{SAID}\nDone.", 0, 1, "prose round it"),
    (f"<think>{SAID.replace('Tape', 'Idle')}</think>{SAID}", 0, 0, "a thought is no answer"),
    (f"So {SAID.replace('Tape', 'Idle')}, or {SAID}", 0, 1, "the last whole answer counts"),
    (f"<think>{SAID}</think> I am not sure.", 1, 0, "a thought alone"),
    (f"<think>{SAID}", 1, 0, "a thought without end"),
    (f"{SAID} </think> I am not sure.", 1, 0, "a thought that began in the prompt"),
    (f"◁think▷{SAID}◁/think▷ {SAID[:-9]}", 1, 0, "an answer cut off after a thought"),
    (SAID.replace("}, ", "},], ").replace(",]", ",", 1).replace('"Put Items"}', '"Put Items",}'), 1, 0, "too broken"),
    (SAID.replace('"Put Items"}', '"Put Items",}'), 0, 1, "trailing comma"),
    (SAID.replace('"', "'"), 0, 1, "single quotes"),
    (SAID[:-1], 0, 1, "the last brace is missing"),
    (f"[{SAID}]", 0, 1, "in an array"),
    ("The worker tapes the box, frames 14 to 98; Put Items is next.", 1, 0, "prose alone: nothing is guessed"),
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


@pytest.mark.parametrize("text", ["", " \n", None])
@pytest.mark.parametrize("name", ["raw_output", "response", "prediction"])
def test_an_empty_reply_is_invalid(name, text, truth, tmp_path):
    """Its request was answered with nothing: the clip is not missing, and there is no text that could be unreadable."""
    file = write(tmp_path, lines({"clip_id": CLIPS[5], name: SAID}, {"clip_id": CLIPS[0], name: text}))
    with pytest.raises(SubmissionError, match="MISSING"):
        read(truth, file, tmp_path)
    assert read(truth, file, tmp_path, lenient=True).counts["unreadable"] == 0
    assert truth.predictions()[CLIPS[0]]["outcome"] == 2


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


def test_every_adapter_is_tested_and_described():
    assert set(ADAPTERS) == {row[1] for row in FORMATS} | {"parquet", "openpack"}
    assert all(adapter.description for adapter in ADAPTERS.values())


USAGE = {
    # tokens of a reply, and as a prediction line holds them
    "OpenAI chat completions, vLLM": (
        {"usage": {"prompt_tokens": 1106, "completion_tokens": 48, "total_tokens": 1154,
                   "prompt_tokens_details": {"cached_tokens": 1024},
                   "completion_tokens_details": {"reasoning_tokens": 20}}},
        {"input_tokens": 1106, "output_tokens": 48, "reasoning_tokens": 20, "cached_tokens": 1024},
    ),
    "vLLM without details": (
        {"usage": {"prompt_tokens": 7, "completion_tokens": 0, "prompt_tokens_details": None}},
        {"input_tokens": 7, "output_tokens": 0},
    ),
    "OpenAI responses": (
        {"usage": {"input_tokens": 75, "input_tokens_details": {"cached_tokens": 5}, "output_tokens": 1186,
                   "output_tokens_details": {"reasoning_tokens": 1024}}},
        {"input_tokens": 75, "output_tokens": 1186, "reasoning_tokens": 1024, "cached_tokens": 5},
    ),
    "Anthropic messages": (
        {"usage": {"input_tokens": 50, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 1000,
                   "output_tokens": 33}},
        {"input_tokens": 1250, "output_tokens": 33, "cached_tokens": 1000},
    ),
    "Gemini": (
        {"usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 30, "thoughtsTokenCount": 70,
                           "cachedContentTokenCount": 400}},
        {"input_tokens": 1000, "output_tokens": 100, "reasoning_tokens": 70, "cached_tokens": 400},
    ),
    "Bedrock Converse": (
        {"usage": {"inputTokens": 30, "outputTokens": 12, "totalTokens": 42}},
        {"input_tokens": 30, "output_tokens": 12},
    ),
    "Inspect": (
        {"usage": {"input_tokens": 200, "output_tokens": 40, "total_tokens": 1240, "input_tokens_cache_write": 100,
                   "input_tokens_cache_read": 900, "reasoning_tokens": 10}},
        {"input_tokens": 1200, "output_tokens": 40, "reasoning_tokens": 10, "cached_tokens": 900},
    ),
    "lmms-eval": (
        {"token_counts": [{"input_tokens": 15683, "output_tokens": 11, "reasoning_tokens": 0}]},
        {"input_tokens": 15683, "output_tokens": 11, "reasoning_tokens": 0},
    ),
    "Ollama": ({"prompt_eval_count": 9, "eval_count": 3}, {"input_tokens": 9, "output_tokens": 3}),
    "wrong counts": ({"usage": {"prompt_tokens": "9", "completion_tokens": -3}}, None),
    "the input alone": ({"usage": {"prompt_tokens": 9}}, None),
    "no object": ({"usage": 3}, None),
}  # fmt: skip


@pytest.mark.parametrize("stated, tokens", USAGE.values(), ids=list(USAGE))
@pytest.mark.parametrize(
    "row",
    [
        lambda reply: {"custom_id": CLIPS[0], "response": {"status_code": 200, "body": reply}},
        lambda reply: {"clip_id": CLIPS[0], "response": SAID} | {k: v for k, v in reply.items() if k != "choices"},
    ],
    ids=["a reply", "beside a text"],
)
def test_tokens_of_replies_become_usage(row, stated, tokens, truth, tmp_path):
    """Wrong ones are left out and refuse no file: the name may mean something else there."""
    reply = {"choices": [{"message": {"content": SAID}}]} | stated
    found = read(truth, write(tmp_path, json.dumps(row(reply)) + "\n"), tmp_path)
    sums = {name: found.usage[name]["sum"] for name in TOKENS if found.usage[name]} if found.usage else None
    assert (found.total, sums) == (0, tokens)
