"""Endings count without regard to case, a key is no format by its name alone, and lone carriage returns are named."""

from __future__ import annotations

import gzip
import json

import pytest
import zstandard

from harness.errors import SubmissionError
from harness.ingestion.strict_json import parse
from tests.harness.ingestion.lines.test_line_checker import line
from tests.support.small_truth import CLIPS, read, small_truth

ROWS = [line(clip_id=clip) for clip in CLIPS[:3]]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


@pytest.fixture(scope="module")
def truth():
    with small_truth() as opened:
        yield opened


@pytest.mark.parametrize(
    "name, data", [("P.JSONL.GZ", gzip.compress(JSONL)), ("p.Zst", zstandard.compress(JSONL)), ("P.JSONL", JSONL)]
)
def test_endings_count_without_regard_to_case(name, data, truth, tmp_path):
    (tmp_path / name).write_bytes(data)
    read(truth, tmp_path / name, tmp_path / "scratch")
    assert len(truth.predictions()) == 3


@pytest.mark.parametrize("padding, remedy", [(0, r"jq -c '\.results\.results\[\]' FILE"), (2_000_000, "pass the file")])
def test_results_of_another_tool_are_no_detections(padding, remedy, truth, tmp_path):
    """promptfoo has results under results, too: the message says how to get at its rows."""
    answers = [{"vars": {"clip_id": row["clip_id"]}, "response": {"output": json.dumps(row)}} for row in ROWS]
    file = tmp_path / "p.json"
    file.write_text(json.dumps({"results": {"results": answers, "prompts": ["x" * padding]}}))
    with pytest.raises(SubmissionError, match=f"holds no answer and no text of a model.*{remedy}"):
        read(truth, file, tmp_path / "scratch")


def test_many_detections_are_still_results(truth, tmp_path):
    found = [{"label": "Tape", "score": 0.7, "segment": [0.56, 3.92], "why": "x" * 400_000}]
    (tmp_path / "p.json").write_text(json.dumps({"results": dict.fromkeys(CLIPS[:3], found)}))
    assert read(truth, tmp_path / "p.json", tmp_path / "scratch").adapter == "activitynet"


def test_a_carriage_return_between_objects_is_named():
    """Where the first object is longer than what a file is known by."""
    assert [fault.wrong for fault in parse('{"a": 1}\r{"a": 2}')[1]] == ["a carriage return alone ends a line"]
    assert [fault.wrong for fault in parse('{"a": 1} {"a": 2}')[1]] == ["a second value stands on the line"]
