"""Files that harm a reader: texts that UTF-8 cannot hold, empty documents, garbage beside the rest, long answers."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from harness.clip_map import read_clip_map
from harness.errors import SubmissionError, UsageError
from harness.ingestion.lines.model_text import answer_in
from harness.ingestion.strict_json import objects_inside
from harness.ingestion.vocabulary import Vocabulary
from reference.task import OPERATIONS
from tests.support.small_truth import CLIPS, check_line, read, small_truth

ANSWER = '{"dominant_operation": "Tape", "temporal_segment": null, "next_operation": null}'
DETECTIONS = '[{"label": "Tape", "score": 0.5, "segment": [0, 1]}]'
GOOD = CLIPS[0]


def problems(tmp_path, content, **options):
    file = tmp_path / "f.json"
    file.write_bytes(content)
    with small_truth() as truth:
        found = read(truth, file, tmp_path / "scratch", lenient=True, **options)
        return [(p.code, p.line, p.column) for p in found.problems], set(truth.predictions())


UNHOLDABLE = [
    ("line", b'{"clip_id": "\\ud800"}\n', [("SURROGATE", 1, 14)], set()),
    ("line, bytes", b'{"clip_id": "\xe9"}\n', [("ENCODING", 1, 14)], set()),
    ("key", f'{{"{GOOD}": {ANSWER},\n "\\ud800": {ANSWER}}}'.encode(), [("SURROGATE", 2, 3)], {GOOD}),
    ("key, bytes", f'{{"{GOOD}": {ANSWER},\n "'.encode() + b'\xe9": {}}', [("ENCODING", 2, 3)], {GOOD}),
    (
        "detections",
        f'{{"results": {{"{GOOD}": {DETECTIONS},\n"\\ud800": []}}}}'.encode(),
        [("SURROGATE", 2, 2)],
        {GOOD},
    ),
    (
        "detections, bytes",
        f'{{"results": {{"{GOOD}": {DETECTIONS},\n"'.encode() + b'\xe9": []}}',
        [("ENCODING", 2, 2)],
        {GOOD},
    ),
]


@pytest.mark.parametrize(("kind", "content", "found", "clips"), UNHOLDABLE, ids=[case[0] for case in UNHOLDABLE])
def test_ids_that_utf8_cannot_hold_are_problems_of_their_line(tmp_path, kind, content, found, clips):
    assert problems(tmp_path, content) == (found, clips)


def test_a_clip_map_with_such_an_id_is_refused(tmp_path):
    file = tmp_path / "map.json"
    file.write_text('{"1": "\\ud800"}')
    with pytest.raises(UsageError, match="half a surrogate pair"):
        read_clip_map(file)
    file.write_text("[" * 100_000)
    with pytest.raises(UsageError, match="nested deeper than 64"):
        read_clip_map(file)


@pytest.mark.parametrize("adapter", ["array", "predictions", "by-clip", "activitynet", "csv", "canonical", "stream"])
def test_an_empty_file_read_as_any_format(tmp_path, adapter):
    with pytest.raises(SubmissionError, match=r"f\.json: (holds no prediction|a table needs)"):
        problems(tmp_path, b"", adapter=adapter)


def test_seconds_beyond_every_frame(tmp_path):
    text = f'{{"results": {{"{GOOD}": [{{"label": "Tape", "score": 0.5, "segment": [0, 1e308]}}]}}}}'
    found, _ = problems(tmp_path, text.encode())
    assert [code for code, *_ in found] == ["RANGE"]


BESIDE = ["garbage", "NaN", '{"a": 1, "a": 2}', '"\\ud800"', "[1,]", "[" * 80 + "]" * 80]


@pytest.mark.parametrize("beside", BESIDE)
def test_json_beside_the_elements_is_checked(tmp_path, beside, monkeypatch):
    """Two readers could take the document differently; a long value is checked part by part."""
    for text in (beside, f"[{'1,' * 600_000}{beside}]"):
        with pytest.raises(SubmissionError, match=r"f\.json:1:\d+: JSON: "):
            problems(tmp_path, f'{{"predictions": [{{"clip_id": "{GOOD}"}}], "x": {text}}}'.encode())


def whole(value):
    return "dominant_operation" in value


DRAFT = ANSWER.replace("Tape", "Pack")
LONG = [
    ("31 drafts", f"{'x ' * 1500}{DRAFT}" * 31 + ANSWER),
    ("braces of prose", ("{a or b}" + "y" * 3000) * 30 + ANSWER),
    ("an object never closed", DRAFT + '{"a": ' * 5000 + ANSWER),
    ("quotes in quotes", f'{{"reason": "it is {ANSWER}"}}'),
    ("a million braces", "{" * 1_000_000 + ANSWER),
    ("objects never closed", '{"' * 400_000 + " " + ANSWER),
]


@pytest.mark.parametrize(("kind", "text"), LONG, ids=[case[0] for case in LONG])
def test_the_last_whole_answer_of_a_long_text_counts(kind, text):
    value, repaired = answer_in(text, whole)
    assert (value, repaired) == (json.loads(ANSWER), True)


def test_objects_inside_are_the_outermost():
    assert objects_inside('{"a": {"b": 1}} {"c": {"d": 2}, {"e": 3}') == [{"a": {"b": 1}}, {"d": 2}, {"e": 3}]


@pytest.mark.parametrize(
    "label", ["\u13a2ape", "\ua4d4ape", "\u1d1bape", "T\u0430pe", "\u0442ape", "Ta\u0440e", "La\u042cel"]
)
def test_letters_of_any_script_that_look_latin_are_refused(label):
    assert Vocabulary(OPERATIONS).label(label).verdict == "refused"


HELD = [
    # where a line has a text of 40 kB, and may have one of a megabyte
    ("a label", lambda text: {"dominant_operation": text}),
    ("a key", lambda text: {text: 1}),
    ("raw_output", lambda text: {"raw_output": text}),
    ("a source", lambda text: {"source": text}),
    ("a frame", lambda text: {"start_frame": text, "end_frame": 1}),
]


@pytest.mark.parametrize(("where", "fields"), HELD, ids=[case[0] for case in HELD])
def test_long_texts_of_lines_are_not_kept_in_memory(where, fields):
    words = Vocabulary(OPERATIONS)
    tracemalloc.start()
    try:
        for number in range(10):
            check_line(words, number, json.dumps({"clip_id": GOOD, **fields(f"{number:04}" * 10_000)}))
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
