"""The strict checker, the SQL screen that works ahead of it, and the published schema: all agree on every line."""

from __future__ import annotations

import json
import random

import jsonschema
import pytest

from harness.errors import UsageError
from harness.ingestion.ingest import Intake
from harness.ingestion.lines.fields import FIELDS
from harness.ingestion.lines.result import Row
from harness.ingestion.submission_file import open_submission
from harness.ingestion.vocabulary import Vocabulary
from harness.resources import schema
from harness.usage.fields import NAMES, Usage
from reference.task import OPERATIONS
from tests.support.small_truth import CLIPS, check_line, small_truth

WORDS = Vocabulary(OPERATIONS)
MUTANTS = 20_000


def line(**changes):
    """Return a canonical line with fields changed; a field set to ... is left out."""
    value = {
        "clip_id": CLIPS[0],
        "dominant_operation": "Tape",
        "temporal_segment": {"start_frame": 14, "end_frame": 98},
        "next_operation": "Put Items",
    }
    return {name: item for name, item in (value | changes).items() if item is not ...}


OPTIONAL = {
    "confidence": [0, 1, 0.5, 1.0, 0.123456789, 0.0000005, 2.5e-05, 0.9999995],
    "next_confidence": [0.25, 1, 0.3333333333333333],
    "latency_ms": [0, 12, 1234.5678, 0.0005, 999999999],
    "source": ["model", "repaired", "fallback"],
    "usage": [
        {"input_tokens": 1106, "output_tokens": 48},
        {"input_tokens": 0, "output_tokens": 12, "reasoning_tokens": 5, "cached_tokens": 1},
        {"input_tokens": 98, "output_tokens": 999_999_999, "cached_tokens": 14},
    ],
    "attempts": [1, 2, 14],
    "wait_ms": [0, 1234.5678, 0.0005, 98],
    "finish_reason": ["stop", "length", "é, "],
    "served_model": ["my/model-1", "a, 'ttft_ms': 1"],
    "ttft_ms": [12, 0.5],
    "model_ms": [7, 0.25],
    "raw_output": ["Tape", "", 'said "Tape"\n', '{"a": 1}', "é\u2028😀", 'a, "raw_output": b', None],
}


def a_line(generator: random.Random, usage: bool = False) -> str:
    """Return a good line as one of many programs would write it. `usage`: it may say what its answer cost."""
    left_out = {} if usage and generator.random() < 0.7 else NAMES
    value = line(
        clip_id=generator.choice(CLIPS),
        dominant_operation=generator.choice([*OPERATIONS, "tape", "BOX SETUP", "put_items", "Final-Check"]),
        temporal_segment={"start_frame": generator.randrange(126), "end_frame": generator.randrange(126)},
        next_operation=generator.choice(OPERATIONS),
    )
    if generator.random() < 0.2:
        value["anticipated_next_operation"] = value.pop("next_operation")
    for name, choices in OPTIONAL.items():
        if name not in left_out and generator.random() < (0.95 if name in ("usage", "attempts") else 0.3):
            value[name] = generator.choice(choices)
    separators = generator.choice([(", ", ": ")] * 6 + [(",", ":")] * 3 + [(", ", ":")])
    return json.dumps(value, ensure_ascii=generator.random() < 0.5, separators=separators)


JUNK = (
    '"',
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\t",
    "0",
    "1",
    "9",
    "-",
    "+",
    ".",
    "e",
    "E",
    "null",
    "true",
    "NaN",
    "Infinity",
    '""',
    "\\u0041",
    "\\ud800",
    "\u00e9",
    "\u202e",
    "\u0410",
    "\x00",
    "\x1f",
    "\x7f",
    "'",
    "//",
    ", ",
    '": ',
    '":',
    '"clip_id": "x", ',
    ', "confidence": 0.5',
    ', "next_operations": ["Pack"]',
    ', "x": {}',
    '"raw_output":',
    ', "raw_output": "y"',
    "1e999",
    "00",
    "_",
    "0x1",
)


NUMBERS = ("1.0", "1e1", "01", "-0", "126", "125", "1_0", "0.", ".5", "2", "1.", "9" * 25, '"7"', "+1", " 1")


def mutated(text: str, generator: random.Random) -> str:
    """Return a line after one to three small accidents."""
    for _ in range(generator.choice((1, 1, 1, 2, 3))):
        at, to = sorted(generator.randrange(len(text) + 1) for _ in range(2))
        kind = generator.randrange(8)
        if kind == 0:
            text = text[:at] + generator.choice(JUNK) + text[at:]
        elif kind == 1:
            text = text[:at] + generator.choice(JUNK) + text[at + 1 :]
        elif kind == 2:
            text = text[:at] + text[at + 1 :]
        elif kind == 3:
            text = text[:at] + text[at : min(to, at + 40)] + text[at:]
        elif kind == 4:
            text = text[: max(at, len(text) - 40)]
        elif kind == 5:
            text = reordered(text, generator)
        elif kind == 6:
            text = text.replace('": ', generator.choice(['" : ', '":  ', '":']), 1)
        else:
            number = generator.choice(NUMBERS)
            text = text.replace(generator.choice(["14", "0.5", "1", "98", "12"]), number, 1)
        text = text.replace("\n", " ") or "x"
    return text


def reordered(text: str, generator: random.Random) -> str:
    try:
        members = list(json.loads(text).items())
    except (ValueError, AttributeError):
        return text
    generator.shuffle(members)
    return json.dumps(dict(members))


def screened(lines: list[str], folder, words=WORDS, usage=False) -> dict[int, tuple[Row, Usage | None]]:
    """Return the rows that the SQL screen accepts, and what each says of its cost, by line number."""
    file = folder / "lines.jsonl"
    file.write_bytes("".join(f"{text}\n" for text in lines).encode())
    with small_truth() as truth, open_submission(file, folder) as source:
        Intake(truth, source, words).screen(usage=usage)
        rows = truth.connection.execute("SELECT * EXCLUDE (place) FROM predictions").fetchall()
        said = truth.connection.execute("SELECT rowid + 1, * FROM usage_said").fetchall() if usage else []
    costs = {number: Usage(*values) for number, *values in said if any(value is not None for value in values)}
    return {row[1]: (Row(*row), costs.get(row[1])) for row in rows}


@pytest.mark.parametrize("usage", [False, True])
def test_the_screen_passes_nothing_that_the_checker_rejects_and_reads_the_same_values(usage, tmp_path):
    generator = random.Random(21)
    good = [a_line(generator, usage) for _ in range(MUTANTS // 4)]
    lines = good + [mutated(generator.choice(good), generator) for _ in range(MUTANTS)]
    passed = screened(lines, tmp_path, usage=usage)
    for number, (row, cost) in passed.items():
        checked = check_line(WORDS, number, lines[number - 1])
        assert (checked.row, checked.problems, checked.usage) == (row, [], cost), lines[number - 1]
    assert sum(number <= len(good) for number in passed) > len(good) * 0.8, "the screen takes most of what is usual"
    assert sum(number > len(good) for number in passed) > MUTANTS * 0.05, "and some mutants are good lines still"
    assert sum(bool(check_line(WORDS, 1, text).problems) for text in lines[len(good) :]) > MUTANTS * 0.4


AGREEMENT = [
    # text of a line, codes of its problems
    (json.dumps(line()), ()),
    (json.dumps(line(extra=1)), ()),
    (json.dumps(line(dominant_operation=None, temporal_segment=None, next_operation=None)), ()),
    (json.dumps(line(temporal_segment=[3, 9])), ()),
    (json.dumps(line(temporal_segment=..., start_frame=3, end_frame=9)), ()),
    (json.dumps(line(temporal_segment=..., start_frame=None, end_frame=None)), ()),
    (json.dumps(line(next_operation=..., anticipated_next_operation="Pack")), ()),
    (json.dumps(line(confidence=None, next_confidence=0, latency_ms=0, source=None, raw_output=None)), ()),
    (json.dumps({"clip_id": "a", "raw_output": "no answer"}), ()),
    (json.dumps(line(temporal_segment={"start_frame": 90, "end_frame": 20})), ()),
    (json.dumps(line(dominant_operation="Kitting")), ()),
    (json.dumps(line(usage={"input_tokens": 1106, "output_tokens": 48, "reasoning_tokens": 0}, attempts=1)), ()),
    (json.dumps(line(usage={"cached_tokens": None, "prompt_tokens": 7}, wait_ms=0, ttft_ms=1.5)), ()),
    (json.dumps(line(usage=None, attempts=None, wait_ms=None, finish_reason=None, served_model=None)), ()),
    (json.dumps(line(usage={}, finish_reason="", served_model="m" * 1000, ttft_ms=None)), ()),
    (json.dumps({"clip_id": "a", "raw_output": "no answer", "usage": {"input_tokens": 5}, "attempts": 2}), ()),
    (json.dumps(line(usage=5)), ("TYPE",)),
    (json.dumps(line(usage=[{"input_tokens": 1}])), ("TYPE",)),
    (json.dumps(line(usage={"input_tokens": "7", "output_tokens": -1})), ("TYPE", "RANGE")),
    (json.dumps(line(usage={"input_tokens": 1.5, "output_tokens": True})), ("TYPE", "TYPE")),
    (json.dumps(line(usage={"input_tokens": 1_000_000_001})), ("RANGE",)),
    (json.dumps(line(attempts=0)), ("RANGE",)),
    (json.dumps(line(attempts="2")), ("TYPE",)),
    (json.dumps(line(wait_ms=-0.5, ttft_ms="1", model_ms=-1)), ("RANGE", "TYPE", "RANGE")),
    (json.dumps(line(finish_reason=3, served_model=["m"])), ("TYPE", "TYPE")),
    (json.dumps(line(served_model="m" * 1001)), ("RANGE",)),
    (json.dumps(line(next_operations=None)), ()),
    (json.dumps(line(next_operation="Pack", next_operations=["Pack"])), ()),
    (json.dumps(line(next_operation="Pack", next_operations=["Pack", "Kitting", "Tape"])), ()),
    (json.dumps(line(next_operation="Pack", next_operations=[])), ("TYPE",)),
    (json.dumps(line(next_operation="Pack", next_operations="Pack")), ("TYPE",)),
    (json.dumps(line(next_operation="Pack", next_operations=["Pack", None])), ("TYPE",)),
    (json.dumps(line(next_operation="Pack", next_operations=["Pack", "Tape", "Wrap", "Label"])), ("RANGE",)),
    (json.dumps(line(clip_id=...)), ("MISSING",)),
    (json.dumps(line(clip_id=7)), ("TYPE",)),
    (json.dumps(line(clip_id=None)), ("TYPE",)),
    (json.dumps(line(dominant_operation=...)), ("MISSING",)),
    (json.dumps(line(dominant_operation=3)), ("TYPE",)),
    (json.dumps(line(temporal_segment=...)), ("MISSING",)),
    (json.dumps(line(temporal_segment=5)), ("TYPE",)),
    (json.dumps(line(temporal_segment=[1, 2, 3])), ("TYPE",)),
    (json.dumps(line(temporal_segment={"start_frame": 1})), ("MISSING",)),
    (json.dumps(line(temporal_segment={"start_frame": 1, "end_frame": None})), ("TYPE",)),
    (json.dumps(line(temporal_segment={"start_frame": "1", "end_frame": 2})), ("TYPE",)),
    (json.dumps(line(temporal_segment={"start_frame": True, "end_frame": 2})), ("TYPE",)),
    (json.dumps(line(temporal_segment={"start_frame": 1.5, "end_frame": 2})), ("TYPE",)),
    (json.dumps(line(temporal_segment={"start_frame": -1, "end_frame": 126})), ("RANGE", "RANGE")),
    (json.dumps(line(start_frame=3)), ("CONFLICT",)),
    (json.dumps(line(temporal_segment=..., start_frame=3)), ("MISSING",)),
    (json.dumps(line(temporal_segment=..., start_frame=3, end_frame=None)), ("TYPE",)),
    (json.dumps(line(next_operation=...)), ("MISSING",)),
    (json.dumps(line(anticipated_next_operation="Pack")), ("CONFLICT",)),
    (json.dumps(line(confidence=1.01)), ("RANGE",)),
    (json.dumps(line(confidence="0.5")), ("TYPE",)),
    (json.dumps(line(next_confidence=-0.1)), ("RANGE",)),
    (json.dumps(line(latency_ms=-1)), ("RANGE",)),
    (json.dumps(line(latency_ms=True)), ("TYPE",)),
    (json.dumps(line(source="oracle")), ("VALUE",)),
    (json.dumps(line(raw_output=["a"])), ("TYPE",)),
    (json.dumps({"clip_id": "a"}), ("MISSING", "MISSING", "MISSING")),
    ('["clip_id"]', ("NOT_OBJECT",)),
]


@pytest.mark.parametrize("text, codes", AGREEMENT)
def test_checker_and_schema_agree(text, codes):
    assert tuple(problem.code for problem in check_line(WORDS, 1, text).problems) == codes
    assert jsonschema.Draft202012Validator(schema("prediction")).is_valid(json.loads(text)) == (not codes)


def test_the_schema_is_one_and_its_examples_are_good_lines():
    published = schema("prediction")
    jsonschema.Draft202012Validator.check_schema(published)
    assert set(published["properties"]) == FIELDS
    for example in published["examples"]:
        jsonschema.validate(example, published)
        assert check_line(WORDS, 1, json.dumps(example)).problems == []


BEYOND_THE_SCHEMA = [
    # next_operation, next_operations, code of the problem or None, codes of the second and third, why
    ("Pack", [" pack", "TAPE"], None, (2, None), "other spellings of the labels"),
    ("Kitting", ["Kitting", "Tape", "Kitting"], None, (2, 255), "labels that the world does not know"),
    ("Pack", ["Tape", "Pack"], "CONFLICT", (None, None), "begins with another label"),
    (None, ["Pack", "Tape"], "CONFLICT", (None, None), "the next operation is abstained from"),
    ("Pack", ["Pack", "T\u0430pe"], "CHARACTERS", (None, None), "a letter that looks like a"),
]


@pytest.mark.parametrize(
    "following, given, code, later, why", BEYOND_THE_SCHEMA, ids=[c[-1] for c in BEYOND_THE_SCHEMA]
)
def test_what_follows_the_next_operation(following, given, code, later, why, tmp_path):
    text = json.dumps(line(next_operation=following, next_operations=given))
    checked = check_line(WORDS, 1, text)
    assert [problem.code for problem in checked.problems] == ([code] if code else []), why
    assert (checked.row.second_operation, checked.row.third_operation) == later
    assert not screened([text], tmp_path, WORDS), "the screen leaves such lines to the checker"


TEXTS = [
    # next_operations in an answer of a model's text, codes of the second and third, why
    (["Pack", "Tape", "Wrap"], (2, 5), "in its form"),
    (["Tape", "Pack"], (None, None), "begins otherwise, so it is left out"),
    ("Tape, then Wrap", (None, None), "no list, so it is left out"),
]


@pytest.mark.parametrize("given, later, why", TEXTS, ids=[case[-1] for case in TEXTS])
def test_what_follows_the_next_operation_in_a_text(given, later, why):
    said = json.dumps(line(clip_id=..., next_operation="Pack", next_operations=given))
    checked = check_line(WORDS, 1, json.dumps({"clip_id": CLIPS[0], "raw_output": said, "next_operations": ["Idle"]}))
    assert checked.problems == [] and checked.row.next_operation == 4, why
    assert (checked.row.second_operation, checked.row.third_operation) == later


VALUES = [
    # fields of a line, the row's column, its value, why
    ({"confidence": 0.8300005}, "confidence_ppm", 830_001, "millionths, half up"),
    ({"confidence": 1}, "confidence_ppm", 1_000_000, "an integer is a number"),
    ({"next_confidence": 1e-7}, "next_confidence_ppm", 0, "below half a millionth"),
    ({"latency_ms": 12.3456}, "latency_us", 12_346, "microseconds"),
    ({"source": "fallback"}, "source", 2, "model 0, repaired 1, fallback 2"),
    ({"source": None}, "source", 0, "not given is model"),
    ({"dominant_operation": " box_SETUP "}, "operation", 0, "the one normalisation"),
    ({"dominant_operation": "Picking"}, "operation", 255, "a label the world does not know"),
    ({"next_operation": None}, "next_operation", None, "abstained"),
    ({"temporal_segment": [125, 0]}, "start_frame", 125, "degenerate is valid, never swapped"),
]


@pytest.mark.parametrize("fields, column, expected, why", VALUES)
def test_values(fields, column, expected, why):
    assert getattr(check_line(WORDS, 1, json.dumps(line(**fields))).row, column) == expected, why


CONVERSIONS = [
    # --fps, --clip-frames, frame of the answer, frame at 25 fps or None where it is out of range
    (None, None, 125, 125), (None, None, 126, None),
    (15, 75, 0, 0), (15, 75, 1, 2), (15, 75, 74, 123), (15, 75, 75, 125), (15, 75, 76, None),
    (15, None, 75, 125), (None, 8, 4, 63), (None, 8, 9, None), (30, None, 150, 125), (29.97, None, 150, 125),
    (2, 8, 8, 100),
]  # fmt: skip


@pytest.mark.parametrize("fps, clip_frames, frame, expected", CONVERSIONS)
def test_frame_rates(fps, clip_frames, frame, expected, tmp_path):
    """The checker and the screen convert alike."""
    words = Vocabulary(OPERATIONS, fps, clip_frames)
    text = json.dumps(line(temporal_segment={"start_frame": frame, "end_frame": 0}))
    assert check_line(words, 1, text).row.start_frame == expected
    passed = screened([text], tmp_path, words)
    assert [row.start_frame for row, _ in passed.values()] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    "fps, clip_frames", [(0, None), (-5, None), (float("nan"), None), (25, 126), (None, 0), (10, 100)]
)
def test_frame_rates_that_make_no_sense_are_refused(fps, clip_frames):
    with pytest.raises(UsageError):
        Vocabulary(OPERATIONS, fps, clip_frames)


COLUMNS = [
    # a line, field and column of its problem
    (
        '{"clip_id": "a", "dominant_operation": 5, "temporal_segment": null, "next_operation": null}',
        "dominant_operation",
        40,
    ),
    (
        '{"clip_id": "a", "dominant_operation": null, "temporal_segment": {"start_frame": -7, "end_frame": 9}, '
        '"next_operation": null}',
        "temporal_segment.start_frame",
        82,
    ),
    ('  {"clip_id": 3, "dominant_operation": null, "temporal_segment": null, "next_operation": null}', "clip_id", 15),
    ('{"clip_id": "a", "x": 1, "x": 2}', "x", 26),
    ('{"clip_id": "a", "x": NaN}', "", 23),
    ('{"clip_id": "a"} {"clip_id": "b"}', "", 18),
    ('{"clip_id": "a", "dominant_operation": "Ta', "", 43),
    ("{'clip_id': 1}", "", 2),
    ('{"clip_id": "a",}', "", 16),
    ('{"clip_id": "a" // id\n}', "", 17),
]


@pytest.mark.parametrize("text, field, column", COLUMNS)
def test_a_problem_is_shown_where_it_stands(text, field, column):
    (problem,) = check_line(WORDS, 1, text).problems
    assert (problem.field, problem.column) == (field, column), str(problem)


def test_labels_of_other_worlds_are_screened_and_checked_alike(tmp_path):
    """Imported labels may be in any script, hold quotes, or be spelt like each other's other spelling."""
    labels = ("包装", "cut", "CUT", 'tape "x"', "a\\b", "x_y", "Ümlaut Ding")
    words = Vocabulary(labels)
    said = [*labels, "Cut", "X Y", "ümlaut_ding", "ÜMLAUT DING"]
    answers = [
        line(clip_id=clip, dominant_operation=label, next_operation=label)
        for clip, label in zip(CLIPS, said, strict=False)
    ]
    lines = [json.dumps(answer, ensure_ascii=False) for answer in answers]
    passed = screened(lines, tmp_path, words)
    assert {1, 2, 3, 6, 7} <= passed.keys()
    for number, text in enumerate(lines, 1):
        checked = check_line(words, number, text)
        assert not checked.problems
        assert passed.get(number, (checked.row, None)) == (checked.row, None)
