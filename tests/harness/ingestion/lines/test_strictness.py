"""Kinds of lines that two readers could take differently: each is refused, or read as the documents say."""

from __future__ import annotations

import json

import pytest

from harness.errors import SubmissionError
from tests.harness.ingestion.lines.test_line_checker import WORDS, check_line, line
from tests.support.small_truth import CLIPS, read, small_truth

SAID = json.dumps(line(clip_id=...))


@pytest.fixture
def truth():
    with small_truth() as truth:
        yield truth


DISGUISED = [
    # label, why it is refused though it folds to a known one
    ("\x1fTape", "a control character that Python takes for space"),
    ("\u0085Tape", "a control character outside ASCII"),
    ("Tape\u2028", "a separator of lines"),
    ("Box\tSetup", "a tab in its midst"),
    ("Pac\u212a", "the sign of kelvin, which is k in lower case"),
    ("Put Item\u017f", "the long s, which is s without regard to case"),
    ("\u0131dle", "an i without its dot"),
]


@pytest.mark.parametrize(("label", "why"), DISGUISED)
def test_labels_that_hide_characters_or_letters_are_refused(label, why):
    assert WORDS.label(label).verdict == "refused", why


@pytest.mark.parametrize("label", ["Tape\n", "\tTape\r\n", "Box\u00a0Setup", "Tape\u2003"])
def test_space_round_and_in_labels_does_not_matter(label):
    assert WORDS.label(label).verdict == "normalised"


OF_THE_LINE = [
    # fields beside a text that holds a whole answer, code of the problem or None
    ({"confidence": 62}, "RANGE"),
    ({"next_confidence": "x"}, "TYPE"),
    ({"latency_ms": -1}, "RANGE"),
    ({"Next_Operation": 1}, None),
    ({"CONFIDENCE": 1}, None),
    ({"note": 1, "Note": 2}, "KEY_CASE"),
]


@pytest.mark.parametrize(("fields", "code"), OF_THE_LINE)
def test_an_answer_in_a_text_neither_hides_nor_makes_faults_of_its_line(fields, code):
    said = json.dumps(json.loads(SAID) | {"confidence": 0.25, "next_confidence": 0.5})
    checked = check_line(WORDS, 1, json.dumps({"clip_id": CLIPS[0], "raw_output": said, **fields}))
    assert [problem.code for problem in checked.problems] == ([code] if code else [])


def test_a_line_with_two_problems_is_one_rejected_line(truth, tmp_path):
    rows = [line(), line(clip_id=CLIPS[1]), line(clip_id=CLIPS[0], confidence=2)]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read(truth, tmp_path / "s.jsonl", tmp_path, lenient=True)
    assert (found.rejected, found.codes) == (1, {"RANGE": 1, "CLIP_DUPLICATE": 1})


ONE_LINE = {
    "array": json.dumps([line(clip_id=CLIPS[at]) for at in (0, 1, 2, 0)]),
    "document": json.dumps({"predictions": [line(clip_id=CLIPS[at]) for at in (0, 1, 2, 0)]}),
    "by clip": "{" + ", ".join(f'"{CLIPS[at]}": {SAID}' for at in (0, 1, 2, 0)) + "}",
}


@pytest.mark.parametrize("container", ONE_LINE)
def test_a_clip_named_twice_in_a_document_on_one_line_is_refused(truth, tmp_path, container):
    (tmp_path / "s.json").write_text(ONE_LINE[container])
    with pytest.raises(SubmissionError, match="stands twice on line 1"):
        read(truth, tmp_path / "s.json", tmp_path)
    assert read(truth, tmp_path / "s.json", tmp_path, lenient=True).rejected == 1
    outcomes = {clip: row["outcome"] for clip, row in truth.predictions().items()}
    assert outcomes == dict(zip(CLIPS, (2, 0, 0), strict=False))


def test_an_answer_that_names_another_clip_than_its_key_costs_the_other_nothing(truth, tmp_path):
    answers = {CLIPS[0]: line(clip_id=CLIPS[1]), CLIPS[1]: line(clip_id=...), CLIPS[2]: line(clip_id=...)}
    (tmp_path / "s.json").write_text(json.dumps(answers))
    assert read(truth, tmp_path / "s.json", tmp_path, lenient=True).codes == {"CONFLICT": 1}
    assert {clip: row["outcome"] for clip, row in truth.predictions().items()} == dict(
        zip(CLIPS, (2, 0, 0), strict=False)
    )


HEADER = "note,clip_id,dominant_operation,temporal_segment,next_operation\n"
SPANNING = [
    # rows whose first cell spans lines: after HEADER, outcomes of clips by place, why
    (['"two\nlines",{},Tape,"[1, 2]",Pack\n'] * 3, {0: 0, 1: 0, 2: 0}, "their last line looks like a row"),
    (['"two\nlines",{},Tape\n', 'x,{},Tape,"[1, 2]",Pack\n'], {0: 2, 1: 0}, "too short: a bad row of its clip"),
    (['"two\nlines",{},Tape,"[1, 2]",Pack,x\n', 'x,{},Tape,"[1, 2]",Pack\n'], {0: 2, 1: 0}, "too long: the same"),
]


@pytest.mark.parametrize(("rows", "outcomes", "why"), SPANNING)
def test_cells_that_span_lines_are_one_row(truth, tmp_path, rows, outcomes, why):
    text = HEADER + "".join(row.format(clip) for row, clip in zip(rows, CLIPS, strict=False))
    (tmp_path / "s.csv").write_text(text)
    read(truth, tmp_path / "s.csv", tmp_path, lenient=True)
    found = {clip: row["outcome"] for clip, row in truth.predictions().items()}
    assert found == {CLIPS[place]: outcome for place, outcome in outcomes.items()}, why


HALVES = [
    '{"clip_id": "\\ud800"}',
    '{"\\udfff": 1, "clip_id": "clip-0001\\ud83d"}',
    '{"clip_id": "x", "a": ["\\ud800"]}',
]


@pytest.mark.parametrize("text", HALVES)
def test_half_a_character_is_a_problem_of_its_line(truth, tmp_path, text):
    (tmp_path / "s.jsonl").write_text(json.dumps(line()) + "\n" + text + "\n")
    found = read(truth, tmp_path / "s.jsonl", tmp_path, lenient=True)
    assert "SURROGATE" in found.codes
    assert [row["outcome"] for row in truth.predictions().values()] == [0]
