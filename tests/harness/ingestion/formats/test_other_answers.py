"""Rows with a second answer under any name: refused where it differs, read where it says the same or is none."""

from __future__ import annotations

import json

import pytest

from harness.ingestion.formats.other_answers import OtherAnswers
from harness.ingestion.formats.records import Item, Options
from harness.ingestion.formats.tools import raw_text
from harness.ingestion.lines.line_checker import check
from harness.ingestion.lines.result import ANSWERED
from harness.ingestion.vocabulary import Vocabulary
from reference.task import OPERATIONS
from tests.harness.ingestion.formats.test_targets import CLIP, GOLD, MODEL, canonical, said, turns

WORDS = Vocabulary(OPERATIONS)
OPTIONS = Options(connection=None, rate=25.0)  # type: ignore[arg-type]
OTHER = said("Idle", next_operation="Idle")
OBJECT = json.loads(OTHER)


def checked(value: dict, *voters: dict):
    """Return the result of a row that is read as one of a model's texts, or of answer fields."""
    shaped = raw_text(value, OPTIONS)
    result = check(WORDS, 1, shaped, [], json.dumps(value))
    return OtherAnswers(WORDS, voters).check(Item(1, value, [], json.dumps(value)), shaped, result)


TWO = [
    # a row with two answers, the field that the refusal names
    *[(canonical(**{name: OTHER}), name) for name in ("qwen2.5-vl", "result", "decoded", "choice", "raw", "y_pred")],
    *[(canonical(**{name: OBJECT}), name) for name in ("parsed", "content", "final")],
    (canonical(choices=[{"message": {"role": "assistant", "content": OTHER}}]), "choices"),
    (canonical(message={"content": OTHER}), "message"),
    (canonical(result={"content": [{"type": "text", "text": OTHER}]}), "result"),
    (canonical(**turns(OTHER)), "messages"),
    (canonical(qwen=f"```json\n{OTHER}\n```"), "qwen"),
    ({"clip_id": CLIP, "question": "What?", "answer": GOLD, "qwen2.5-vl": OTHER}, "qwen2.5-vl"),
    ({"clip_id": CLIP, "response": MODEL, "vlm_output": OTHER}, "vlm_output"),
    ({"clip_id": CLIP, "response": "It tapes.", "parsed": OBJECT}, "parsed"),
    ({"clip_id": CLIP, "response": OTHER, "prediction": json.loads(MODEL)}, "response"),
    ({"clip_id": CLIP, "raw_output": OTHER, "prediction": json.loads(MODEL)}, "raw_output"),
    *[(canonical(**{name: "Idle"}), name) for name in ("dominant_operation_hat", "dominant_operation_qwen")],
    *[(canonical(**{name: "Idle"}), name) for name in ("llm_dominant_operation", "next_operation_y", "next operation")],
    (canonical(qwen_dominant_operation="Pack", qwen_start_frame="3", qwen_end_frame="98"), "qwen_start_frame"),
    (canonical(start_frame_pred=3), "start_frame_pred"),
    (canonical(qwen_dominant_operation="Pack", qwen_temporal_segment="[0, 2]"), "qwen_temporal_segment"),
    (canonical(predicted_op="Idle"), "predicted_op"),
]  # fmt: skip


@pytest.mark.parametrize("row, named", TWO)
def test_two_answers_in_a_row_are_refused(row, named):
    found = checked(row)
    assert [(problem.code, problem.field) for problem in found.problems[-1:]] == [("CONFLICT", named)]
    assert found.row.outcome != ANSWERED


ONE = [
    # a row with one answer, why
    (canonical(qwen=GOLD, raw=json.loads(GOLD)), "the same answer"),
    (canonical(ground_truth=OTHER, gt_dominant_operation="Idle", dominant_operation_label="Idle"), "targets"),
    (canonical(prompt=f"Such as {OTHER}", system=f"Answer like {OTHER}"), "an example in a question"),
    (canonical(reasoning=f"Perhaps {OTHER}", thoughts=OTHER), "thoughts"),
    (canonical(dominant_operation_confidence=0.3, next_operation_reason="as always"), "facts about the answer"),
    (canonical(clip_start_frame=0, clip_end_frame=125, video_start_frame=3), "frames of the clip"),
    (
        canonical(samples=[OTHER, GOLD], model="qwen", previous_operation="Idle", predecessor="Idle"),
        "samples and facts",
    ),
    ({"clip_id": CLIP, "response": GOLD, "labels": OTHER, "rejected_response": OTHER}, "a target beside a text"),
    ({"clip_id": CLIP, "prompt": f"As {OTHER} or", "response": f"As {OTHER} or {GOLD}"}, "a repeated question"),
    ({"clip_id": CLIP, "response": "It packs.", "prediction": json.loads(GOLD)}, "an object beside the model's words"),
    ({"clip_id": CLIP, "raw_output": "It packs.", "prediction": json.loads(GOLD)}, "an object beside raw_output"),
    ({"clip_id": CLIP, "raw_output": GOLD, "prediction": json.loads(GOLD)}, "an object that says the same"),
]


@pytest.mark.parametrize("row, why", ONE, ids=[why for _, why in ONE])
def test_one_answer_in_a_row_is_read(row, why):
    found = checked(row)
    assert (found.problems, found.row.outcome, found.row.operation) == ([], ANSWERED, OPERATIONS.index("Pack"))


def test_prose_whose_answers_differ_from_row_to_row_is_no_question():
    rows = [canonical(qwen=f"I see: {text}.") for text in (OTHER, MODEL)]
    assert not checked(rows[0], rows[0], rows[0]).problems
    assert [problem.field for problem in checked(rows[0], *rows).problems] == ["qwen"]
