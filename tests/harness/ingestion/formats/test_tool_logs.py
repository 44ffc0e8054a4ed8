"""Logs of Inspect AI and lmms-eval, in the shape in which these tools write them: ids, failures, epochs, packing."""

from __future__ import annotations

import json
import zipfile
import zlib

import pytest
import zstandard

from harness.errors import SubmissionError
from harness.ingestion.packed.archives import ZSTD
from harness.ingestion.submission_file import open_submission
from tests.harness.ingestion.lines.test_line_checker import line
from tests.support.small_truth import CLIPS, read, small_truth

ANSWER = {"operation": 2, "start_frame": 14, "end_frame": 98, "next_operation": 3}
SAID = json.dumps({name: value for name, value in line().items() if name != "clip_id"})
MODEL = "vlm-2"
WITHOUT_TEXT = {"model": MODEL, "choices": [], "completion": ""}


def output(content, stop="stop"):
    message = {"id": "m", "content": content, "source": "generate", "role": "assistant", "model": MODEL}
    usage = {"input_tokens": 1200, "output_tokens": 40, "total_tokens": 1240}
    text = content if isinstance(content, str) else content[-1]["text"]
    choices = [{"message": message, "stop_reason": stop}]
    return {"model": MODEL, "choices": choices, "completion": text, "usage": usage, "time": 0.2}


def sample(clip, said, epoch=1, **more):
    """A sample of Inspect: the question twice, the reply in `messages` too."""
    asked = {
        "id": "q",
        "role": "user",
        "content": [
            {"type": "image", "image": "<base64-data-removed>"},
            {"type": "text", "text": "These are 8 frames"},
        ],
    }
    replies = [choice["message"] for choice in said["choices"]]
    return {
        "id": clip,
        "epoch": epoch,
        "input": [asked],
        "target": "",
        "messages": [asked | {"source": "input"}, *replies],
        "output": said,
        "scores": {},
        "metadata": {},
        "store": {},
        "events": [{"event": "sample_init"}],
        "model_usage": {},
        "uuid": "u",
        "error_retries": [],
        "attachments": {"6e": "These are 8 frames"},
        **more,
    }


ERROR = {"message": "APIStatusError('503')", "traceback": "Traceback", "traceback_ansi": "Traceback"}
THOUGHTS = [{"type": "reasoning", "reasoning": SAID.replace("Tape", "Pack")}, {"type": "text", "text": SAID}]


def packed(path, samples):
    """Write a log as Inspect does, its files compressed with Zstandard, which Python's zipfile does not write."""
    contents = {f"samples/{each['id']}_epoch_{each['epoch']}.json": json.dumps(each, indent=2) for each in samples}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {"_journal/start.json": "{}", **contents, "header.json": "{}"}.items():
            archive.writestr(name, zstandard.compress(content.encode()))
            member = archive.infolist()[-1]  # the directory is written at the end
            member.compress_type, member.file_size = ZSTD, len(content.encode())
            member.CRC = zlib.crc32(content.encode())
    return path


@pytest.fixture(scope="module")
def truth():
    with small_truth() as opened:
        yield opened


def test_a_log_of_inspect_is_read_as_it_is_packed(truth, tmp_path):
    file = packed(tmp_path / "log.eval", [sample(CLIPS[0], output(SAID)), sample(CLIPS[1], output(THOUGHTS))])
    found = read(truth, file, tmp_path)
    assert (found.adapter, found.rows, found.total) == ("inspect", 2, 0)
    assert all(ANSWER.items() <= row.items() for row in truth.predictions().values()), "thoughts are no answer"
    assert "the clip was taken from id on 2 lines" in found.notes
    assert found.usage["input_tokens"]["sum"] == 2400
    assert (found.usage["served_models"], found.usage["finish_reasons"]) == ({MODEL: 2}, {"stop": 2})


DAMAGED = [
    (lambda content: content.replace(b"\x28\xb5\x2f\xfd", b"\x00\x00\x00\x00"), "damaged", "no Zstandard"),
    (lambda content: content.replace(b"PK\x03\x04", b"PK\x03\x05").replace(b"PK\x03\x05", b"PK\x03\x04", 1),
     "no readable header", "headers elsewhere"),
]  # fmt: skip


@pytest.mark.parametrize(("harm", "message", "why"), DAMAGED, ids=[case[2] for case in DAMAGED])
def test_a_damaged_log_is_refused(harm, message, why, tmp_path):
    file = packed(tmp_path / "log.eval", [sample(CLIPS[0], output(SAID))])
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(SubmissionError, match=message), open_submission(file, scratch=tmp_path):
        pass


def test_a_log_whose_content_is_another_one_is_refused(tmp_path):
    file = packed(tmp_path / "log.eval", [sample(CLIPS[0], output(SAID))])
    with zipfile.ZipFile(file, "a") as archive:
        next(each for each in archive.filelist if each.filename.startswith("samples/")).CRC = 0
        archive.writestr("more.json", "{}")
    with pytest.raises(SubmissionError, match="bad content of file"), open_submission(file, scratch=tmp_path):
        pass


NO_TEXT = "no text of the model"
FAILED = [
    (WITHOUT_TEXT, {"error": ERROR}, f"{NO_TEXT}, but error \"APIStatusError('503')\"", "an error"),
    (output("", "content_filter"), {}, f'{NO_TEXT}, but stop_reason "content_filter"', "refused"),
    (output("", "max_tokens"), {}, f'{NO_TEXT}, but stop_reason "max_tokens"', "thoughts alone"),
    (output(""), {}, NO_TEXT, "nothing said"),
]


@pytest.mark.parametrize(("said", "more", "wrong", "why"), FAILED, ids=[case[3] for case in FAILED])
def test_a_sample_without_a_text_is_a_bad_line(said, more, wrong, why, truth, tmp_path):
    """As of any reply: the file is refused, and --lenient counts the clip as wrong."""
    file = tmp_path / "log.json"
    log = {"version": 2, "status": "success", "eval": {"task": "warehouse"}}
    file.write_text(json.dumps(log | {"samples": [sample(CLIPS[0], output(SAID)), sample(CLIPS[1], said, **more)]}))
    found = read(truth, file, tmp_path, lenient=True)
    assert [problem.wrong for problem in found.problems] == [wrong] and found.adapter == "inspect"


def test_a_log_of_failures_alone_is_one_of_inspect(truth, tmp_path):
    file = tmp_path / "samples.jsonl"
    file.write_text("".join(json.dumps(sample(clip, WITHOUT_TEXT, error=ERROR)) + "\n" for clip in CLIPS[:2]))
    assert read(truth, file, tmp_path, lenient=True).adapter == "inspect"


def test_a_text_that_was_cut_off_is_no_answer(truth, tmp_path):
    found = read(truth, packed(tmp_path / "log.eval", [sample(CLIPS[0], output(SAID[:30], "max_tokens"))]), tmp_path)
    assert (found.total, found.counts["unreadable"]) == (0, 1)


def test_epochs_are_runs_and_no_answers_of_one_file(truth, tmp_path):
    both = [sample(CLIPS[0], output(SAID), epoch) for epoch in (1, 2)]
    found = read(truth, packed(tmp_path / "log.eval", both), tmp_path, lenient=True)
    [problem] = found.problems
    assert problem.code == "CLIP_DUPLICATE" and "each epoch is a run of a method" in problem.suggestion
    (tmp_path / "2.jsonl").write_text(json.dumps(both[1]) + "\n")
    assert read(truth, tmp_path / "2.jsonl", tmp_path).total == 0, "as the remedy writes it"


def test_samples_of_lmms_eval_name_their_clips(truth, tmp_path):
    file = tmp_path / "samples.jsonl"
    rows = [
        {
            "doc_id": number,
            "target": "",
            "filtered_resps": said,
            "doc_hash": "7",
            "input": "These are 8 frames",
            "input_media": [f"frames/{clip}/000.jpg"],
            "answered": {"clip_id": clip},
            "token_counts": [{"input_tokens": 900, "output_tokens": 40, "reasoning_tokens": 0}],
        }
        for number, (clip, said) in enumerate(zip(CLIPS[:2], (SAID, ""), strict=True))
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read(truth, file, tmp_path, lenient=True)
    assert (found.adapter, found.rows, found.usage["input_tokens"]["sum"]) == ("lmms-eval", 2, 900)
    assert [problem.wrong for problem in found.problems] == ["no text of the model"]
    assert "the clip was taken from answered.clip_id on 2 lines" in found.notes
