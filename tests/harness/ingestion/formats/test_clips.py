"""The clip of a row that has no clip_id: by map, by order, by another id, in a path or a prompt; never guessed."""

from __future__ import annotations

import json

import pytest

from harness.clip_map import read_clip_map
from harness.errors import HarnessError, SubmissionError, UsageError
from harness.ingestion.formats.clips import Clips, Mentions
from harness.ingestion.formats.records import Unshaped
from tests.harness.ingestion.formats.test_formats import write
from tests.harness.ingestion.formats.test_targets import said
from tests.support.small_truth import CLIPS, read, small_truth

FIVE = CLIPS[:5]
OPERATIONS = ("Tape", "Pack", "Wrap", "Label", "Idle")
CODES = [2, 4, 5, 6, 8]
QUESTION = "You see 8 frames of a clip of 5 s. Answer with one JSON object."


@pytest.fixture(scope="module")
def truth():
    with small_truth() as opened:
        yield opened


def rows_of(make) -> str:
    """Return the lines of five rows, each about its clip with an operation of its own."""
    rows = [make(number, clip, said(OPERATIONS[number])) for number, clip in enumerate(FIVE)]
    return "".join(json.dumps(row) + "\n" for row in rows)


def operations(truth) -> dict[str, int | None]:
    return {clip: row["operation"] for clip, row in truth.predictions().items()}


RIGHT = dict(zip(FIVE, CODES, strict=True))

NAMED = [
    # a row that names its clip, where
    (lambda n, clip, text: {"video": f"{clip}.mp4", "prediction": text}, "video"),
    (lambda n, clip, text: {"video": f"/data/test/{clip}.mp4", "prediction": text}, "video"),
    (lambda n, clip, text: {"images": [f"frames/{clip}/{at:03}.jpg" for at in range(8)], "response": text}, "images"),
    (lambda n, clip, text: {"images": [{"path": f"{clip}_{at}.jpg"} for at in range(3)], "response": text},
     "images.path"),
    (lambda n, clip, text: {"prompt": f"{QUESTION} The clip is {clip}.", "predict": text}, "prompt"),
    (lambda n, clip, text: {"prompt": QUESTION, "predict": text, "label": json.dumps({"clip_id": clip})}, "label"),
    (lambda n, clip, text: {"messages": [{"role": "user", "content": f"{clip}: what?"},
                                         {"role": "assistant", "content": text}]}, "messages.content"),
    (lambda n, clip, text: {"messages": [{"role": "user", "content": [{"type": "video", "video": f"v/{clip}.mp4"}]},
                                         {"role": "assistant", "content": text}]}, "messages.content.video"),
    (lambda n, clip, text: {"recordId": f"REC{n:07}", "modelInput": {"messages": [{"role": "user", "content": [
        {"video": {"source": {"s3Location": {"uri": f"s3://b/{clip}.mp4"}}}}, {"text": QUESTION}]}]},
        "modelOutput": {"output": {"message": {"content": [{"text": text}]}}}},
     "modelInput.messages.content.video.source.s3Location.uri"),
    (lambda n, clip, text: {"generated_text": [{"role": "user", "content": [{"type": "video", "path": f"{clip}.mp4"}]},
                                               {"role": "assistant", "content": text}]}, "generated_text.content.path"),
    (lambda n, clip, text: {"index": n, "model_response": text, "metadata": {"clip_id": clip}}, "metadata.clip_id"),
    (lambda n, clip, text: {"id": n, "response": text, "meta": {"video": clip}}, "meta.video"),
    (lambda n, clip, text: {"id": clip, "response": text}, "id"),
    (lambda n, clip, text: {"key": f"request-{clip}", "response": {"candidates": [
        {"content": {"parts": [{"text": "hm", "thought": True}, {"text": text}]}}]}}, "key"),
    (lambda n, clip, text: json.loads(text) | {"id": clip}, "id"),
    (lambda n, clip, text: json.loads(text) | {"file_name": f"clips/{clip}.webm"}, "file_name"),
    (lambda n, clip, text: {"doc_id": n, "doc": {"question": QUESTION, "video_path": f"{clip}.mp4"},
                            "filtered_resps": [text]}, "doc.video_path"),
]  # fmt: skip


@pytest.mark.parametrize("make, place", NAMED, ids=[place for _, place in NAMED])
def test_a_clip_is_found_where_all_lines_name_it(make, place, truth, tmp_path):
    found = read(truth, write(tmp_path, rows_of(make)), tmp_path)
    assert (found.total, operations(truth)) == (0, RIGHT)
    assert f"the clip was taken from {place} on 5 lines" in found.notes


GUESSES = [
    # rows in which no clip is plainly named, what the refusal says
    (lambda n, clip, text: {"prompt": QUESTION, "predict": text}, "pass --clip-map FILE"),
    (lambda n, clip, text: {"prompt": f"Such as {FIVE[0]}", "predict": text}, "pass --clip-map FILE"),
    (lambda n, clip, text: {"prompt": f"{clip} or {FIVE[n - 1]}?", "predict": text}, "pass --clip-map FILE"),
    (lambda n, clip, text: {"predict": f"{clip}: {text}"}, "pass --clip-map FILE"),
    (lambda n, clip, text: {"generated_text": [{"role": "user", "content": QUESTION},
                                               {"role": "assistant", "content": f"{clip} {text}"}]}, "pass --clip-map"),
    (lambda n, clip, text: {"images": [f"{clip}/0.jpg", f"{FIVE[n - 1]}/1.jpg"], "response": text},
     "images names 2 clips in one object"),
    (lambda n, clip, text: {"a": f"{clip}.mp4", "b": f"{FIVE[n - 1]}.mp4", "predict": text},
     f'a names "{FIVE[0]}" and b names "{FIVE[-1]}"'),
    (lambda n, clip, text: {"messages": [{"role": "user", "content": "What?"}, {"role": "assistant", "content":
     f"{clip} {text}"}]}, "pass --clip-map FILE"),
]  # fmt: skip


@pytest.mark.parametrize("make, message", GUESSES)
@pytest.mark.parametrize("lenient", [False, True])
def test_a_clip_is_never_guessed(make, message, lenient, truth, tmp_path):
    with pytest.raises(HarnessError) as refused:
        read(truth, write(tmp_path, rows_of(make)), tmp_path, lenient=lenient)
    assert message in str(refused.value)


def llama_factory(number, clip, text):
    return {"prompt": QUESTION, "predict": text}


MAPPED = [
    # a row, the map
    (llama_factory, FIVE),
    (lambda n, clip, text: {"predict": text, "index": n + 7}, {str(n + 7): clip for n, clip in enumerate(FIVE)}),
    (lambda n, clip, text: {"predict": text, "extra": {"row": f"r{n}"}}, {f"r{n}": c for n, c in enumerate(FIVE)}),
    (lambda n, clip, text: json.loads(text) | {"clip_id": f"c{n}"}, {f"c{n}": clip for n, clip in enumerate(FIVE)}),
    (lambda n, clip, text: json.loads(text) | {"clip_id": n}, {str(n): clip for n, clip in enumerate(FIVE)}),
    (lambda n, clip, text: json.loads(text), FIVE),
    (lambda n, clip, text: {"custom_id": f"request-{n}", "response": {"body": {"choices": [{"text": text}]}}},
     {f"request-{n}": clip for n, clip in enumerate(FIVE)}),
    (lambda n, clip, text: {"recordId": f"CALL{n:07}", "modelOutput": {"content": [{"type": "text", "text": text}]}},
     {f"CALL{n:07}": clip for n, clip in enumerate(FIVE)}),
    (lambda n, clip, text: {"clip_id": clip, "predict": text}, FIVE),
    (lambda n, clip, text: {"clip_id": clip, "predict": text}, FIVE[:2]),
    (lambda n, clip, text: json.loads(text) | {"clip_id": clip}, {"0": "elsewhere"}),
]  # fmt: skip


@pytest.mark.parametrize("make, clip_map", MAPPED)
@pytest.mark.parametrize("container", ["lines", "array"])
def test_a_clip_map_gives_the_clips_of_any_format(make, clip_map, container, truth, tmp_path):
    """By an id or in the order of the file; a clip that the row itself names counts."""
    text = rows_of(make)
    text = text if container == "lines" else f"[{','.join(text.splitlines())}]"
    found = read(truth, write(tmp_path, text), tmp_path, clip_map=clip_map)
    assert (found.total, operations(truth)) == (0, RIGHT)


def test_a_clip_map_translates_the_keys_of_a_document(truth, tmp_path):
    text = json.dumps({f"k{number}": json.loads(said(OPERATIONS[number])) for number in range(5)})
    read(truth, write(tmp_path, text), tmp_path, clip_map={f"k{number}": clip for number, clip in enumerate(FIVE)})
    assert operations(truth) == RIGHT


def test_a_map_in_order_is_of_the_length_of_the_file(truth, tmp_path):
    for clips in (FIVE[:4], CLIPS[:6]):
        with pytest.raises(SubmissionError, match=f"5 answers, but the clip map lists {len(clips)} clips"):
            read(truth, write(tmp_path, rows_of(llama_factory)), tmp_path, clip_map=clips, lenient=True)


@pytest.mark.parametrize("clip_map", [FIVE[::-1], dict(zip(FIVE, FIVE[::-1], strict=True))])
def test_a_map_that_contradicts_the_clips_of_the_file_is_refused(clip_map, truth, tmp_path):
    """Either may be right, so none is taken; where both have one clip it is read."""
    text = rows_of(lambda n, clip, text: {"clip_id": clip, "predict": text})
    found = read(truth, write(tmp_path, text), tmp_path, clip_map=clip_map, lenient=True)
    assert found.codes == {"CONFLICT": 4} and "no map is needed" in found.problems[0].suggestion
    assert {row["operation"] for row in truth.predictions().values()} == {None, CODES[2]}


def test_a_map_in_another_order_than_the_file_says_so(truth, tmp_path):
    """Where the rows' own words name the clips, as targets do, the map must agree."""

    def row(number, clip, text):
        return {"predict": text, "label": json.dumps({"clip_id": clip})}

    turned = (*FIVE[1:], FIVE[0])
    found = read(truth, write(tmp_path, rows_of(row)), tmp_path, clip_map=turned, lenient=True)
    assert found.codes == {"CONFLICT": 5} and set(operations(truth).values()) <= {None}


def test_an_id_that_the_map_lacks_is_a_problem_of_its_line(truth, tmp_path):
    text = rows_of(lambda n, clip, text: {"predict": text, "doc_id": n})
    found = read(truth, write(tmp_path, text), tmp_path, clip_map={"0": FIVE[0], "4": FIVE[4]}, lenient=True)
    assert [(problem.line, problem.wrong) for problem in found.problems] == [
        (2, '"1" is not in the clip map'),
        (3, '"2" is not in the clip map'),
        (4, '"3" is not in the clip map'),
    ]
    assert operations(truth) == {FIVE[0]: 2, FIVE[4]: 8}


MAPS = [
    # text of a clip map, what it says
    ('{"0": "a", "1": "b"}', {"0": "a", "1": "b"}),
    ('["a", "b"]', ("a", "b")),
    ('[{"clip_id": "a", "start_ms": 1}, {"clip_id": "b", "start_ms": 2}]', ("a", "b")),
    ('{"clip_id": "a", "frames": [], "session": "s"}\n{"clip_id": "b", "frames": [], "session": "s"}\n', ("a", "b")),
    ('{"clip_id": "a", "frames": 1, "x": 2}', ("a",)),
    ('{"doc_id": 3, "clip_id": "a"}\n{"doc_id": 4, "clip_id": "b"}\n', {"3": "a", "4": "b"}),
    ("a\nb\n", ("a", "b")),
    ("\ufeffa\r\nb", ("a", "b")),
]


@pytest.mark.parametrize("text, expected", MAPS)
def test_clip_maps(text, expected, tmp_path):
    assert read_clip_map(write(tmp_path, text)) == expected


NO_MAPS = [
    "",
    "[]",
    "{}",
    '{"0": 1}',
    '["a", 1]',
    '[{"id": "a"}]',
    '{"0": "a", "0": "b"}',
    '{"0": "a"',
    "[" * 100_000,
    '{"id": 1, "clip_id": "a"}\n{"id": 1, "clip_id": "b"}',
]


@pytest.mark.parametrize("text", NO_MAPS, ids=[text[:20] for text in NO_MAPS])
def test_what_is_no_clip_map_is_refused(text, tmp_path):
    with pytest.raises(UsageError, match="clip map"):
        read_clip_map(write(tmp_path, text))


def test_longer_ids_win_and_short_ones_are_no_words():
    mentions = Mentions(["a-1", "clip-1", "clip-1-b", "1", "7"])
    assert mentions.inside("see clip-1-b.mp4") == {"clip-1-b"}
    assert mentions.inside("clip-1/7.jpg") == {"clip-1"}
    assert mentions.inside("7") == {"7"} and mentions.inside("7 frames") == set()
    assert mentions.inside("xclip-1 clip-12") == set()


def test_a_row_without_the_place_that_names_the_others_is_a_bad_row(truth, tmp_path):
    def row(number, clip, text):
        return {"images": [f"{clip}.jpg"] if number != 3 else [], "predict": text}

    found = read(truth, write(tmp_path, rows_of(row)), tmp_path, lenient=True)
    assert [(problem.code, problem.line) for problem in found.problems] == [("MISSING", 4)]
    assert operations(truth) == {clip: code for clip, code in RIGHT.items() if clip != FIVE[3]}


def clips_of(rows, *, clip_map=None, ids=tuple(str(number) for number in range(1, 41))) -> list[str]:
    """Return the clips that rows are about in a world whose ids are numbers; raises what a file is refused with."""
    clips = Clips(lambda: ids, clip_map, rows, "file")
    clips_found = [clips.named(row, number, foreign=False).get("clip_id", "") for number, row in enumerate(rows)]
    clips.check_count(len(rows))
    return clips_found


def answer(start: int) -> dict:
    return {"dominant_operation": "Tape", "temporal_segment": {"start_frame": start, "end_frame": 90}, "confidence": 1}


NUMBERS = [
    # rows of a world whose ids are numbers, their clips
    ([answer(start) for start in (4, 3, 2)], ["", "", ""], "frames are no clips"),
    (
        [{"latency_ms": n, "usage": {"input_tokens": n + 1, "output_tokens": 7}} for n in (9, 5, 7)],
        ["", "", ""],
        "cost",
    ),
    ([{"tokens": n, "response": "x"} for n in (9, 5, 7)], ["", "", ""], "a number under another name than an id's"),
    ([{"id": str(n), **answer(8 - n)} for n in (1, 2, 3)], ["1", "2", "3"], "an id beside frames"),
    ([{"id": str(n), "latency_ms": 29} for n in (1, 2, 3)], ["1", "2", "3"], "an id beside a latency"),
]


@pytest.mark.parametrize("rows, expected, why", NUMBERS, ids=[why for *_, why in NUMBERS])
def test_the_numbers_of_an_answer_name_no_clip(rows, expected, why):
    assert clips_of(rows) == expected


def test_an_id_goes_before_other_numbers_in_a_map():
    rows = [{"index": n + 1, **answer(2 - n), "tokens": 2 - n} for n in range(3)]
    clip_map = {"0": "7", "1": "8", "2": "9"}
    assert clips_of(rows[:2], clip_map=clip_map) == ["8", "9"]
    with pytest.raises(Unshaped, match='"3" is not in the clip map'):
        clips_of(rows, clip_map=clip_map)


ORDERS = [
    # ids of rows, whether they are in the order of the file
    ([{"custom_id": f"request-{n}"} for n in (0, 1, 2, 3)], True),
    ([{"custom_id": f"request-{n}"} for n in (3, 2, 1, 0)], False),
    ([{"doc_id": n} for n in (2, 4, 9, 10)], True),
    ([{"doc_id": n} for n in (0, 2, 1, 3)], False),
    ([{"index": n, "doc_id": 3 - n} for n in range(4)], False),
    ([{"index": n, "question_id": 7_000_000 - 50_000 * n} for n in range(4)], True),
    ([{"id": name} for name in ("9f3", "a12", "7bc", "b00")], True),
    ([{"doc_id": 0} for n in range(4)], True),
]


@pytest.mark.parametrize("rows, in_order", ORDERS)
def test_a_map_in_order_needs_rows_whose_numbers_ascend(rows, in_order):
    if in_order:
        assert clips_of(rows, clip_map=FIVE[:4], ids=CLIPS) == list(FIVE[:4])
    else:
        with pytest.raises(SubmissionError, match=r"in answer [12] and .* not in the order of the clip map"):
            clips_of(rows, clip_map=FIVE[:4], ids=CLIPS)


A, B, C = "clip-aa", "clip-bb", "clip-cc"
PAIRS = [
    # rows, the map, whether they name two clips
    ([{"clip_id": A, "video": f"{B}.mp4"}], None, True),
    ([{"clip_id": A, "images": [f"{B}/0.jpg", f"{B}/1.jpg"], "response": "x"}], None, True),
    ([{"clip_id": A, "metadata": {"clip_id": B}}], None, True),
    ([{"doc_id": 0, "video": f"{B}.mp4"}], {"0": A}, True),
    ([{"doc_id": 0, "index": 1}], {"0": A, "1": B}, True),
    ([{"clip_id": A, "video": f"data/{A}.mp4"}], None, False),
    ([{"clip_id": A, "prompt": f"As in {B}: answer"}], None, False),
    ([{"clip_id": A, "previous_clip": B}], None, False),
    ([{"clip_id": A, "shots": [B, C]}], None, False),
    ([{"clip_id": A, "raw_output": B, "response": B}], None, False),
]


@pytest.mark.parametrize("rows, clip_map, two", PAIRS)
def test_a_row_is_about_one_clip(rows, clip_map, two):
    if two:
        with pytest.raises(Unshaped) as refused:
            clips_of(rows, clip_map=clip_map, ids=(A, B, C))
        assert refused.value.fault.code == "CONFLICT" and refused.value.fault.suggestion
    else:
        assert clips_of(rows, clip_map=clip_map, ids=(A, B, C)) == [A]
