"""Rows that hold a target beside a model's text, failed replies, and answers to another clip: never a wrong reading."""

from __future__ import annotations

import json

import pytest

from harness.errors import SubmissionError
from tests.harness.ingestion.lines.test_line_checker import line
from tests.support.small_truth import CLIPS, read, small_truth

CLIP, OTHER = CLIPS[:2]


def said(operation="Tape", **changes) -> str:
    return json.dumps(line(dominant_operation=operation, clip_id=..., **changes))


GOLD, MODEL = said("Pack"), said("Tape")
TAPE = 2


def turns(text: str, key: str = "messages") -> dict:
    who, what = ("role", "content") if key == "messages" else ("from", "value")
    names = ("user", "assistant") if key == "messages" else ("human", "gpt")
    return {key: [{who: names[0], what: "What?"}, {who: names[1], what: text}]}


def canonical(operation: str = "Pack", **more) -> dict:
    return line(dominant_operation=operation) | more


@pytest.fixture(scope="module")
def truth():
    with small_truth() as opened:
        yield opened


def ingest_rows(truth, tmp_path, *rows, **options):
    file = tmp_path / "file.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read(truth, file, tmp_path, **options)


REFUSED = [
    # a row with a target and a model's text, both names that the refusal says
    ({"clip_id": CLIP, "answer": GOLD, "pred": MODEL}, '"pred" and "answer"'),
    ({"clip_id": CLIP, "answer": GOLD, "prediction": MODEL}, '"prediction" and "answer"'),
    ({"clip_id": CLIP, "answer": GOLD, "model_output": MODEL}, '"model_output" and "answer"'),
    ({"clip_id": CLIP, "completion": GOLD, "generated": MODEL}, '"generated" and "completion"'),
    ({"clip_id": CLIP, "output": GOLD, "prediction": MODEL}, '"prediction" and "output"'),
    ({"clip_id": CLIP, "text": GOLD, "Generated Text": MODEL}, '"Generated Text" and "text"'),
    ({"clip_id": CLIP, "answer": GOLD, "resps": [[MODEL]]}, '"resps" and "answer"'),
    ({"clip_id": CLIP, "answer": GOLD, "prediction": json.loads(MODEL)}, '"prediction" and "answer"'),
    ({"clip_id": CLIP, "answer": GOLD, "prediction": None}, '"prediction" and "answer"'),
    ({"clip_id": CLIP, "answer": GOLD, "prediction": ""}, '"prediction" and "answer"'),
    ({"clip_id": CLIP, "answer": GOLD, "label": "Pack"}, '"answer" and "label"'),
    ({"id": CLIP, **turns(GOLD, "conversations"), "prediction": MODEL}, '"conversations" and "prediction"'),
    ({"id": CLIP, **turns(GOLD, "conversations"), "output": MODEL}, '"conversations" and "output"'),
    ({"id": CLIP, **turns(GOLD, "conversations"), "response": None}, '"conversations" and "response"'),
    ({"id": CLIP, **turns(GOLD), "response": MODEL}, '"messages" and "response"'),
    ({"id": CLIP, **turns(GOLD), "predict": MODEL}, '"messages" and "predict"'),
    ({"id": CLIP, **turns(GOLD), "generated_text": [{"role": "assistant", "content": MODEL}]}, '"generated_text"'),
    ({"id": CLIP, "messages": turns(GOLD)["messages"][:1], "answer": GOLD}, '"messages" and "answer"'),
    (canonical(response=MODEL), '"response"'),
    (canonical(response="I cannot tell."), '"response"'),
    (canonical(prediction=json.loads(MODEL)), '"prediction"'),
    (canonical(output=MODEL), '"output"'),
    (canonical(predicted_operation="Tape"), '"predicted_operation"'),
    (canonical(next_operations=["Pack"], cut_kind="dense", raw_output=MODEL), "a row of the truth"),
    (canonical(next_operations=["Pack"], cut_kind="dense", response=MODEL), 'keep clip_id and "response"'),
]


@pytest.mark.parametrize("row, named", REFUSED)
def test_a_target_is_never_scored_in_place_of_the_models_text(row, named, truth, tmp_path):
    """Which of two texts is the model's is not guessed: the row is refused by both names, and wrong with --lenient."""
    with pytest.raises(SubmissionError) as refused:
        ingest_rows(truth, tmp_path, row)
    assert "CONFLICT" in str(refused.value) and named in str(refused.value)
    ingest_rows(truth, tmp_path, row, lenient=True)
    assert {clip: found["outcome"] for clip, found in truth.predictions().items()} == {CLIP: 2}


READ = [
    # a row, why it is plain that the model said Tape
    ({"clip_id": CLIP, "prediction": MODEL, "label": GOLD}, "a target's name beside a model's"),
    ({"clip_id": CLIP, "predict": MODEL, "label": GOLD, "prompt": "What?"}, "LLaMA-Factory"),
    ({"clip_id": CLIP, "response": MODEL, "labels": GOLD}, "ms-swift"),
    ({"clip_id": CLIP, "response": MODEL, "labels": GOLD, **turns(MODEL)}, "the last turn is the response"),
    ({"id": CLIP, "response": MODEL, "labels": GOLD, **turns(MODEL)}, "the same without clip_id"),
    ({"clip_id": CLIP, "output": MODEL, "expected_output": GOLD}, "the target is named as such"),
    ({"clip_id": CLIP, "completion": MODEL, "solution": GOLD}, "GRPO"),
    ({"clip_id": CLIP, "model_response": MODEL, "expected_answer": GOLD}, "NeMo"),
    ({"clip_id": CLIP, "generation": MODEL, "ground_truth": json.loads(GOLD)}, "the target as an object"),
    ({"clip_id": CLIP, "resps": [[MODEL]], "gt": GOLD}, "a text alone in lists"),
    ({"clip_id": CLIP, "pred": MODEL, "answer": MODEL}, "both say the same"),
    ({"clip_id": CLIP, "answer": MODEL}, "one text"),
    ({"id": CLIP, "messages": turns(GOLD)["messages"][:1], "response": MODEL}, "only a question in the turns"),
    (
        {
            "clip_id": CLIP,
            "messages": turns(GOLD)["messages"] * 2 + [{"role": "user", "content": "?"}],
            "response": MODEL,
        },
        "the turns end with a question",
    ),
    (
        {"clip_id": CLIP, "conversations": turns(GOLD, "conversations")["conversations"][:1], "prediction": MODEL},
        "LLaVA",
    ),
    ({"id": CLIP, **turns(MODEL), "label": GOLD}, "the turn is the only text of a model"),
    (canonical("Tape", label="Pack", ground_truth=GOLD), "answer fields beside a target"),
    (canonical("Tape", response=f"So: {MODEL}"), "the response gives the same answer"),
    (canonical("Tape", raw_output=GOLD), "raw_output is an optional field of a prediction"),
    (canonical("Tape", session="s", clip_index=3, text="What is done?"), "facts about the clip"),
]


INSIDE = [
    # a row with an answer object inside a field, whether it is plainly the model's
    ({"clip_id": CLIP, "response": json.loads(MODEL)}, True),
    ({"clip_id": CLIP, "prediction": json.loads(MODEL), "target": json.loads(GOLD)}, True),
    ({"clip_id": CLIP, "target": json.loads(GOLD), "prediction": json.loads(MODEL)}, True),
    ({"video_id": CLIP, "model_output": json.loads(MODEL), "label": GOLD, "confidence": 0.5}, True),
    ({"clip_id": CLIP, "answer": json.loads(MODEL), "seed": 3}, True),
    ({"clip_id": CLIP, "answer": json.loads(GOLD), "question": "What?"}, False),
    ({"clip_id": CLIP, "instruction": "What?", "input": "", "output": json.loads(GOLD)}, False),
    ({"clip_id": CLIP, "response": json.loads(MODEL) | {"video": f"{CLIP}.mp4"}}, True),
    ({"clip_id": CLIP, "answer": json.loads(GOLD), "label": "Pack"}, False),
    ({"clip_id": CLIP, "answer": json.loads(GOLD), "response": None}, False),
    ({"clip_id": CLIP, "output": {"text": GOLD}, "prediction": json.loads(MODEL)}, False),
    ({"clip_id": CLIP, "answer": json.loads(GOLD), "prediction": json.loads(MODEL)}, False),
    ({"clip_id": CLIP, "response": json.loads(GOLD), "prediction": json.loads(MODEL)}, False),
    ({"clip_id": CLIP, "response": json.loads(GOLD) | {"clip_id": OTHER}}, False),
    ({"clip_id": CLIP, "response": json.loads(GOLD) | {"next_operations": [], "cut_kind": "x"}}, False),
    ({"clip_id": CLIP, "target": json.loads(GOLD)}, False),
    ({"clip_id": CLIP, "question": json.loads(GOLD)}, False),
]


@pytest.mark.parametrize("row, is_read", INSIDE)
@pytest.mark.parametrize("container", ["lines", "array", "by-clip"])
def test_an_answer_inside_a_field_is_read_where_it_is_plainly_the_models(row, is_read, container, truth, tmp_path):
    """It counts as if its fields stood beside the clip; where it may be the target the row is refused."""
    if container == "by-clip":
        row = {CLIP: {key: item for key, item in row.items() if item != CLIP}}
    (tmp_path / "file").write_text(json.dumps([row] if container == "array" else row))
    if not is_read:
        with pytest.raises(SubmissionError):
            read(truth, tmp_path / "file", tmp_path)
        return
    found = read(truth, tmp_path / "file", tmp_path)
    answer = truth.predictions()[CLIP]
    assert (answer["outcome"], answer["operation"], answer["end_frame"]) == (0, TAPE, 98)
    assert any("the answer was taken from inside" in note for note in found.notes)


WITHOUT = [
    # rows that hold no answer, what the one message says
    ({"clip_id": CLIP, "question": "What?", "ground_truth": GOLD}, '"ground_truth" is a name of targets'),
    ({"clip_id": CLIP, "chosen": GOLD, "rejected": MODEL}, '"chosen" is a name of targets'),
    ({"clip_id": CLIP, "label": "Pack"}, '"label" is a name of targets'),
    ({"clip_id": CLIP, "frames": ["0.jpg"], "prompt": "What?"}, '"clip_id", "frames", "prompt"'),
    ({"clip_id": CLIP, "response": [MODEL, GOLD]}, '"response" holds no single text'),
    ({"totalRecordCount": 3, "errorRecordCount": 0}, '"totalRecordCount", "errorRecordCount"'),
    ({"id": "e", "runs": {"rows": [{"vars": {}}, {"vars": {}}]}}, "jq -c '.runs.rows[]' FILE"),
]


@pytest.mark.parametrize("row, message", WITHOUT)
def test_rows_without_an_answer_are_one_message(row, message, truth, tmp_path):
    with pytest.raises(SubmissionError, match="holds no answer and no text of a model") as refused:
        ingest_rows(truth, tmp_path, row, lenient=True)
    assert message in str(refused.value) and "\n" not in str(refused.value)


QUESTION = f"You see 8 frames of a clip. Answer like {GOLD}"
ECHOES = [
    # a question and how the model's text repeats it
    ({"prompt": [{"role": "user", "content": QUESTION}]}, QUESTION),
    ({"prompt": f"  {QUESTION}\n"}, QUESTION),
    ({"user_prompt": QUESTION}, f"\n{QUESTION}"),
    ({"input_text": QUESTION}, QUESTION),
    (
        {"prompt": f"<|im_start|>user\n<image>{QUESTION}<|im_end|>\n<|im_start|>assistant\n"},
        f"user\n{QUESTION}\nassistant",
    ),
    ({"prompt": f"<s>[INST] [IMG]{QUESTION} [/INST]"}, QUESTION),
    ({"prompt": f"Clip 7.\n\n{QUESTION}"}, f"Clip 7. {QUESTION}"),
    ({}, f"user\n{QUESTION}\nassistant\n"),
    ({}, f"<|channel|>analysis<|message|>Perhaps {GOLD}"),
]


@pytest.mark.parametrize("question, echo", ECHOES)
def test_an_example_in_a_repeated_question_is_no_answer(question, echo, truth, tmp_path):
    final = "<|end|><|channel|>final<|message|>" if "channel" in echo else "\n"
    rows = [{"clip_id": CLIP, "response": echo + " I see."}, {"clip_id": OTHER, "response": echo + final + MODEL}]
    ingest_rows(truth, tmp_path, *(row | question for row in rows))
    found = truth.predictions()
    assert [found[clip]["operation"] for clip in (CLIP, OTHER)] == [None, TAPE]


def test_what_of_a_reply_was_not_read_is_said(truth, tmp_path):
    choices = [{"message": {"content": text}} for text in (MODEL, GOLD)]
    found = ingest_rows(truth, tmp_path, {"custom_id": CLIP, "response": {"body": {"choices": choices}}})
    assert truth.predictions()[CLIP]["operation"] == TAPE
    assert "of several choices of a reply the first counts, on line 1" in found.notes
    found = ingest_rows(truth, tmp_path, {"doc": {"clip_id": CLIP}, "resps": [[MODEL]], "filtered_resps": ["Tape"]})
    assert any("a filter cut the reply in resps down" in note for note in found.notes)


def test_a_word_for_nothing_is_met_with_null(truth, tmp_path):
    found = ingest_rows(truth, tmp_path, canonical("NA"))
    assert any('label "NA" on line 1' in note and "write null" in note for note in found.notes)


@pytest.mark.parametrize("row, why", READ, ids=[why for _, why in READ])
def test_the_models_text_is_read_where_it_is_plain(row, why, truth, tmp_path):
    found = ingest_rows(truth, tmp_path, row)
    row = truth.predictions()[CLIP]
    assert (found.total, row["outcome"], row["operation"], row["end_frame"]) == (0, 0, TAPE, 98)


def test_a_target_is_not_proposed_as_the_answer(truth, tmp_path):
    row = {"clip_id": CLIP, "prompt": "What?", "predict": said(next_operation=...), "label": GOLD}
    found = ingest_rows(truth, tmp_path, row, lenient=True)
    assert not any(
        '"label" meant' in text for text in (*found.notes, *(problem.sentence for problem in found.problems))
    )


CONTAINERS = [
    # a file of one truth row with a response, in each container
    (json.dumps([canonical(response=MODEL)]), "an array"),
    (json.dumps({"predictions": [canonical(response=MODEL)]}), "under predictions"),
    (json.dumps({CLIP: canonical(response=MODEL)}), "from clip to answer"),
    (json.dumps({CLIP: canonical(next_operations=[], cut_kind="x")}), "from clip to truth"),
    ("clip_id,dominant_operation,start_frame,end_frame,next_operation,response\n"
     f"{CLIP},Pack,14,98,Put Items,It tapes.\n", "CSV"),
]  # fmt: skip


@pytest.mark.parametrize("text, why", CONTAINERS, ids=[why for _, why in CONTAINERS])
def test_no_container_hides_a_target(text, why, truth, tmp_path):
    (tmp_path / "file").write_text(text)
    found = read(truth, tmp_path / "file", tmp_path, lenient=True)
    assert [problem.code for problem in found.problems] == ["CONFLICT"]
    assert truth.predictions()[CLIP]["outcome"] == 2


@pytest.mark.parametrize("adapter", ["raw-text", "canonical", "chat", "llava"])
def test_no_adapter_that_is_asked_for_reads_a_target(adapter, truth, tmp_path):
    rows = [canonical(response=MODEL), {"clip_id": OTHER, **turns(GOLD), **turns(GOLD, "conversations"), "pred": MODEL}]
    ingest_rows(truth, tmp_path, *rows, adapter=adapter, lenient=True)
    assert all(row["operation"] in (None, TAPE) for row in truth.predictions().values())


def test_a_row_that_differs_later_is_refused_by_itself(truth, tmp_path):
    """The format follows from the first row, the check of each row from itself."""
    rows = [{"clip_id": CLIP, "response": MODEL}, {"clip_id": OTHER, "answer": GOLD, "response": MODEL}]
    rows.append(line(clip_id=CLIPS[2], dominant_operation="Pack") | {"response": MODEL})
    found = ingest_rows(truth, tmp_path, *rows, lenient=True)
    assert [problem.code for problem in found.problems] == ["CONFLICT", "CONFLICT"]
    assert [row["outcome"] for row in truth.predictions().values()] == [0, 2, 2]


GOOD_BATCH = {"custom_id": OTHER, "response": {"body": {"choices": [{"message": {"content": MODEL}}]}}, "error": None}
FAILED = [
    # a failed reply after a good one, what is said
    (GOOD_BATCH, {"custom_id": CLIP, "response": None, "error": {"message": "prompt too long"}}, "prompt too long"),
    (GOOD_BATCH, {"custom_id": CLIP, "response": None, "error": {"code": "batch_expired"}}, "batch_expired"),
    (
        GOOD_BATCH,
        {"custom_id": CLIP, "response": {"status_code": 400, "body": {"error": {"message": "bad image"}}}},
        "bad image",
    ),
    (
        GOOD_BATCH,
        {"custom_id": CLIP, "result": {"type": "errored", "error": {"error": {"message": "overloaded"}}}},
        "overloaded",
    ),
    (GOOD_BATCH, {"custom_id": CLIP, "result": {"type": "expired"}}, "expired"),
    (
        GOOD_BATCH,
        {"custom_id": CLIP, "response": {"body": {"choices": [{"message": {"refusal": "I will not"}}]}}},
        "I will not",
    ),
    (
        {"recordId": OTHER, "modelOutput": {"content": [{"type": "text", "text": MODEL}]}},
        {"recordId": CLIP, "modelInput": {}, "error": {"errorCode": 429, "errorMessage": "too many tokens"}},
        "too many tokens",
    ),
    (canonical("Tape", clip_id=OTHER), {"clip_id": CLIP, "error": "out of memory"}, "out of memory"),
    ({"id": OTHER, **turns(MODEL)}, {"id": CLIP, "messages": [], "error": "out of memory"}, "out of memory"),
    ({"id": OTHER, **turns(MODEL)}, {"id": CLIP, **turns("")}, "no text of the model"),
    (
        {"id": OTHER, **turns(MODEL)},
        {"id": CLIP, "messages": turns(GOLD)["messages"] * 2 + [{"role": "user", "content": "?"}]},
        "no text of the model",
    ),
    ({"id": OTHER, **turns(MODEL, "conversations")}, {"id": CLIP, "conversations": None}, "no text of the model"),
    ({"clip_id": OTHER, "response": MODEL}, {"clip_id": CLIP, "response": None, "error": "timed out"}, "timed out"),
    ({"clip_id": OTHER, "response": MODEL}, {"clip_id": CLIP, "response": "", "error": "timed out"}, "timed out"),
    (
        {"doc": {"clip_id": OTHER}, "filtered_resps": [MODEL]},
        {"doc": {"clip_id": CLIP}, "filtered_resps": []},
        "no text of the model",
    ),
]


@pytest.mark.parametrize("good, failed, message", FAILED)
def test_a_failed_reply_is_an_invalid_answer_of_its_clip(good, failed, message, truth, tmp_path):
    """It is not missing, since its id is readable, and the error is shown in its own words."""
    found = ingest_rows(truth, tmp_path, good, failed, lenient=True)
    (problem,) = found.problems
    assert message in problem.sentence
    assert {clip: row["outcome"] for clip, row in truth.predictions().items()} == {OTHER: 0, CLIP: 2}


def test_a_faulty_object_of_a_batch_is_an_invalid_answer_of_its_clip(truth, tmp_path):
    file = tmp_path / "file.jsonl"
    bad = json.dumps(GOOD_BATCH | {"custom_id": CLIP, "logprob": 0.5}).replace("0.5", "NaN")
    file.write_text(json.dumps(GOOD_BATCH) + "\n" + bad + "\n")
    found = read(truth, file, tmp_path, lenient=True)
    assert [problem.code for problem in found.problems] == ["NOT_FINITE"]
    assert {clip: row["outcome"] for clip, row in truth.predictions().items()} == {OTHER: 0, CLIP: 2}


NAMED = [
    # the clip that an answer text names, its line's clip is CLIP; whether it is another clip of the split
    ({"clip_id": OTHER}, True),
    ({"clip_id": OTHER.upper()}, True),
    ({"video": f"frames/{OTHER}.mp4"}, True),
    ({"clip_id": CLIP}, False),
    ({"clip_id": f"{CLIP}.mp4"}, False),
    ({"clip_id": "example"}, False),
    ({"clip_id": 7}, False),
    ({}, False),
]


@pytest.mark.parametrize("name, another", NAMED)
def test_an_answer_to_another_clip_of_the_split_is_no_answer(name, another, truth, tmp_path):
    answer = json.dumps(name | json.loads(MODEL))
    rows = [{"clip_id": CLIP, "response": f"It is {answer}"}, {"id": CLIP, **turns(answer)}]
    if "video" not in name:
        rows += [line(raw_output=answer), line(raw_output=answer, model="m")]
    for row in rows:
        found = ingest_rows(truth, tmp_path, row, lenient=True)
        assert [(problem.code, OTHER in problem.wrong) for problem in found.problems] == [("CONFLICT", True)] * another
        assert truth.predictions()[CLIP]["outcome"] == 2 * another


def test_a_line_with_two_faults_reports_both(truth, tmp_path):
    row = line(clip_id="nope", temporal_segment={"start_frame": 3, "end_frame": 400})
    found = ingest_rows(truth, tmp_path, line(), row, lenient=True)
    assert [problem.code for problem in found.problems] == ["CLIP_UNKNOWN", "RANGE"]
    assert (found.rejected, found.rows) == (1, 1)


MEANT = [
    # an id that is not of the split, the clip that is meant, or None
    (f"{CLIP}.mp4", CLIP), (f"data/videos/{CLIP}.mp4", CLIP), (f"C:\\videos\\{CLIP}.avi", CLIP),
    (f"frames/test/{CLIP}/000.jpg", CLIP), (f"v_{CLIP}", CLIP), (f"V_{CLIP}.MP4", CLIP), (CLIP.upper(), CLIP),
    (f"{CLIP}.tar.gz", CLIP), (f"{CLIP}_000", CLIP), (f"test-{CLIP}", CLIP), ("p-0000", CLIP),
    ("lip-0199", CLIPS[199]), ("clip-00", None), ("clip-00000", CLIP), ("x", None), ("", None), ("/", None),
    (f" {CLIP} ", CLIP), (f"#{CLIP}", CLIP), (f"video_{CLIP}", CLIP), (f"clip_{CLIP}", CLIP), (f"clip_id={CLIP}", CLIP),
    (f"Clip: {CLIP}", CLIP), (f'"{CLIP}"', CLIP), (f"<{CLIP}>", CLIP), (f"{CLIP},", CLIP), (f"{CLIP}.3gp", CLIP),
    (f"https://host.example/v/{CLIP}.mp4?start=3#t=4", CLIP), (f"file:///data/{CLIP}.mp4", CLIP),
    (f"s3://bucket/my%20clips/{CLIP}.webm", CLIP), (f"/data/my clips/{CLIP}", CLIP), (f"{CLIP}/", CLIP),
    ("clip-7", CLIPS[7]), ("clip-07", CLIPS[7]), ("clip-000007.mp4", CLIPS[7]), ("7", None), ("clip-", None),
    ("v_" * 400_000 + CLIP, None),
    (f"{CLIP}/{OTHER}.mp4", None), (f"{CLIP}_{OTHER}", None), (f"test-{CLIP}-000", CLIP),
]  # fmt: skip


@pytest.mark.parametrize("name, meant", MEANT)
def test_an_unknown_clip_is_met_with_the_one_that_was_meant(name, meant, truth, tmp_path):
    (problem,) = ingest_rows(truth, tmp_path, line(clip_id=name), lenient=True).problems
    assert problem.code == "CLIP_UNKNOWN"
    assert problem.suggestion.startswith(f'did you mean "{meant}"?' if meant else "does it belong to another --split?")


ALIKE = ("Cam1", "cam1", "cam01", "cam001-a", "cam001_a", "run-1", "run-1-2", "v_ride", "ride", "abcd-x", "x-abcd")
AMBIGUOUS = [
    # a name, the clip that is meant, or None where two fit
    ("CAM1", None), ("cam1.mp4", None), ("cam0001", None), ("cam1-a", None), ("run-1-2-000", None),
    ("run-1-000", "run-1"), ("run-1-2.mp4", "run-1-2"), ("v_ride.mp4", "v_ride"), ("abcd", None), ("cam001", None),
    ("RIDE", "ride"),
]  # fmt: skip


def test_a_name_that_two_clips_fit_is_not_guessed(tmp_path):
    with small_truth(ALIKE) as truth:
        found = ingest_rows(truth, tmp_path, *(line(clip_id=name) for name, _ in AMBIGUOUS), lenient=True)
        meant = [problem.suggestion.split('"')[1] if '"' in problem.suggestion else None for problem in found.problems]
        assert list(zip([name for name, _ in AMBIGUOUS], meant, strict=True)) == AMBIGUOUS


CHANGED = [
    # how a file writes every id, what its only entry says to change
    ("{}.mp4", 'remove ".mp4" after the id'), ("v_{}", 'remove "v_" before the id'),
    ("  {} ", "remove the spaces round the id"),
    ("data/{}.mp4", 'remove "data/" before the id and ".mp4" after the id'),
]  # fmt: skip


@pytest.mark.parametrize("written, remedy", CHANGED)
def test_one_and_the_same_change_of_all_ids_is_said_once(written, remedy, truth, tmp_path):
    rows = [line(clip_id=written.format(clip)) for clip in CLIPS]
    (kind,) = ingest_rows(truth, tmp_path, *rows, lenient=True).kinds
    text = kind.text()
    assert text[0] == "200 lines: CLIP_UNKNOWN clip_id: ... is not of the split" and text[2].strip() == remedy
    assert len(text) == 6 and text[3].endswith(f'did you mean "{CLIP}"?') and remedy not in "".join(text[3:])


def test_the_case_of_all_ids_is_said_once(truth, tmp_path):
    (kind,) = ingest_rows(truth, tmp_path, *(line(clip_id=clip.upper()) for clip in CLIPS), lenient=True).kinds
    assert kind.text()[2].strip() == "mind the case of the id"


def test_a_cut_off_id_is_met_with_the_only_clip_that_it_begins(tmp_path):
    with small_truth(("08c38ce8f1c16b72", "08c3ffffffffffff", "f8a8a59e2177512f")) as truth:
        found = ingest_rows(
            truth, tmp_path, *(line(clip_id=name) for name in ("f8a8a59e", "08c3", "1c16b72")), lenient=True
        )
        meant = [problem.suggestion.split('"')[1] if '"' in problem.suggestion else None for problem in found.problems]
        assert meant == ["f8a8a59e2177512f", None, "08c38ce8f1c16b72"]


UNREADABLE = [
    # an answer in a text, why it is none
    ({"temporal_segment": {"start_frame": 3, "end_frame": 126}},
     "RANGE temporal_segment.end_frame: 126 is out of range; expected an integer from 0 to 125; give --fps and"),
    ({"temporal_segment": {"start_frame": 3.0, "end_frame": 60.0}}, "TYPE temporal_segment.start_frame: 3.0 is"),
    ({"temporal_segment": {"start_frame": 0.4, "end_frame": 3.2}}, "if these are seconds, a frame is seconds x 25"),
    ({"temporal_segment": [3, 200]}, "RANGE temporal_segment.end_frame: 200"),
    ({"temporal_segment": "0:01-0:03"}, 'TYPE temporal_segment: "0:01-0:03" is a text'),
    ({"temporal_segment": {"start": 1, "end": 3}}, "MISSING temporal_segment.start_frame"),
    ({"next_operation": ...}, "MISSING next_operation"),
    ({"next_operation": ..., "next": "Pack"}, 'MISSING next_operation: is not in the object; expected an answer, or '
     'null to abstain; is "next" meant to be next_operation?'),
    ({"temporal_segment": [0.4, 3.6]}, "TYPE temporal_segment.start_frame: 0.4 is no integer; expected an integer"),
    ({"temporal_segment": {"start": 0.4, "end": 3.6}}, 'are "start" and "end" meant to be start_frame and end_frame? '
     "if these are seconds, a frame is seconds x 25, rounded"),
    ({"temporal_segment": ..., "start_time": 1, "end_time": 3}, 'MISSING temporal_segment: is not in the object; '
     'expected an answer, or null to abstain; are "start_time" and "end_time" meant to be start_frame and end_frame?'),
    ({"temporal_segment": {"start_frame": "10", "end_frame": "90"}}, '"10" is a text; expected an integer from 0 to '
     "125; remove the quotes"),
    ({"temporal_segment": {"start_frame": "10.0", "end_frame": "90.0"}}, "; write 10"),
    ({"temporal_segment": {"start_frame": 0.0, "end_frame": 3.2}}, "0.0 is no integer; expected an integer from 0 to "
     "125; if these are seconds"),
    ({"temporal_segment": ["10%", "90%"]}, "if 10% is a share of the clip, multiply it by 125, rounded"),
    ({"temporal_segment": [[3, 20], [30, 90]]}, "one segment a clip"),
    ({"temporal_segment": [{"start_frame": 3, "end_frame": 20}]}, "one segment a clip"),
    ({"next_operation": ["Tape"]}, 'TYPE next_operation: ["Tape"] is an array'),
]  # fmt: skip


@pytest.mark.parametrize("changes, why", UNREADABLE)
def test_an_unreadable_answer_says_why(changes, why, truth, tmp_path):
    text = f'{{"note": 1}} My answer: {said(**changes)}. {{"done": true}}'
    found = ingest_rows(truth, tmp_path, {"clip_id": CLIP, "response": text})
    (note,) = [note for note in found.notes if "no answer could be read from the text on line 1" in note]
    assert why in note
    assert truth.predictions()[CLIP]["outcome"] == 1


def test_unreadable_answers_of_one_kind_are_one_note(truth, tmp_path):
    rows = [
        {"clip_id": clip, "response": said(temporal_segment=[3, 126 + number])} for number, clip in enumerate(CLIPS[:9])
    ]
    found = ingest_rows(truth, tmp_path, *rows)
    (note,) = [note for note in found.notes if "no answer could" in note]
    assert "on 9 lines (first: line 1)" in note and "126 is out of range" in note
    assert found.counts["unreadable"] == 9


NO_ANSWER = [
    # a whole text without an answer, why it is none
    ('{"answer": ' + said() + "}", 'the answer stands inside "answer"'),
    ('{"action": "Tape", "start": 0.4, "end": 3.2, "next": "Pack"}', 'is "action" meant to be dominant_operation?'),
    (said()[:-20], "the value is not complete; expected a closed object; was the answer cut off?"),
    ("```json\n" + said()[:-20], "was the answer cut off?"),
]


@pytest.mark.parametrize("text, why", NO_ANSWER)
def test_a_text_without_an_answer_says_why(text, why, truth, tmp_path):
    found = ingest_rows(truth, tmp_path, {"clip_id": CLIP, "response": text})
    assert any("no answer could be read" in note and why in note for note in found.notes), found.notes


ELSEWHERE = [
    # a row whose answer lacks a name or a place, the field of its only problem, its remedy
    ({"response": said()}, "clip_id", "add clip_id"),
    ({"clip_id": CLIP, "result": json.loads(said())}, "", 'write the fields of "result" beside clip_id'),
    (
        {
            "clip_id": CLIP,
            "dominant_operation": "Tape",
            "segment": {"start_frame": 3, "end_frame": 9},
            "next_operation": None,
        },
        "temporal_segment",
        'is "segment" meant to be temporal_segment?',
    ),
    (canonical(temporal_segment=..., start=3, end=9), "temporal_segment", 'are "start" and "end" meant'),
    (canonical(confidence=85), "confidence", "if it counts in percent, divide it by 100"),
]


@pytest.mark.parametrize("row, field, remedy", ELSEWHERE)
def test_a_line_without_its_name_or_place_is_one_problem_with_the_way_out(row, field, remedy, truth, tmp_path):
    row = {key: item for key, item in row.items() if item is not ...}
    (problem,) = ingest_rows(truth, tmp_path, row, lenient=True, adapter="canonical").problems
    assert problem.field == field and remedy in problem.suggestion, str(problem)


def test_seconds_in_every_line_are_one_entry(truth, tmp_path):
    rows = [line(clip_id=clip, temporal_segment=[0.4, number / 10]) for number, clip in enumerate(CLIPS[:50])]
    (kind,) = ingest_rows(truth, tmp_path, *rows, lenient=True).kinds
    assert kind.text()[0].startswith("50 lines: TYPE temporal_segment.start_frame, temporal_segment.end_frame: ...")
    assert "if these are seconds" in kind.text()[2]
