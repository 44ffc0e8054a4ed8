"""The second reader of prediction files, by hand; a small version of the proof that compares it with the harness."""

from __future__ import annotations

import json

import pytest

from reference.task import OPERATIONS
from tests.proof import table
from tests.proof.lines import try_all
from tests.support import strict_reader
from tests.support.strict_reader import ANSWERED, INVALID, OPEN, OTHER, UNDECIDED, UNPARSEABLE, NotRegular, Reading

SPLIT = strict_reader.split_of(("a", "b"), OPERATIONS)
ANSWER = '"dominant_operation": "Tape", "temporal_segment": [1, 2], "next_operation": "pack"'
GOOD = (ANSWERED, 2, 1, 2, 4)


def of_a(before: str = "", after: str = "", more: str = "") -> str:
    """Return a line of clip a with one part of its answer replaced, and more members."""
    return '{"clip_id": "a", ' + ANSWER.replace(before, after) + more + "}"


LINES = [
    # bytes of a line, its clip, the first fields of its reading
    (of_a(), "a", GOOD),
    (of_a("[1, 2]", "null"), "a", (ANSWERED, 2, None, None, 4)),
    (of_a("[1, 2]", "[1.0, 2]"), "a", (INVALID,)),
    (of_a(more=', "next_operations": ["Pack", "Tape"]'), "a", (*GOOD, None, None, None, 0, 2, None)),
    (of_a(more=', "next_operations": ["Tape"]'), "a", (INVALID,)),
    (of_a("Tape", "taping"), "a", (ANSWERED, OTHER, 1, 2, 4)),
    (of_a("Tape", "T\u0430pe"), "a", (INVALID,)),
    (of_a(more=', "x": 1, "x": 1'), "a", (INVALID,)),
    (of_a(more=', "x": 9223372036854775808'), "a", (INVALID,)),
    (of_a(more=', "x": "\\ud800"'), "a", (INVALID,)),
    (of_a(more=', "x": ' + "[" * 63 + "]" * 63), "a", GOOD),
    (of_a(more=', "x": ' + "[" * 64 + "]" * 64), None, (INVALID,)),
    (of_a()[:-1], None, (INVALID,)),
    ('{"clip_id": "a", "raw_output": "no"}', "a", (UNPARSEABLE,)),
    ('{"clip_id": "a", "raw_output": " "}', "a", (INVALID,)),
    ('{"clip_id": "a", "raw_output": "{x"}', "a", (UNDECIDED,)),
    ('{"clip_id": "a", "raw_output": "{ of b"}', "a", (OPEN,)),
    (json.dumps({"clip_id": "a", "raw_output": f"It is {{{ANSWER}}}."}), "a", GOOD),
    ("null", None, (INVALID,)),
]


@pytest.mark.parametrize(("text", "clip", "reading"), LINES)
def test_a_line(text, clip, reading):
    found = strict_reader.line(text.encode("utf-8", "surrogatepass"), SPLIT)
    assert (found.clip, found.reading[: len(reading)]) == (clip, reading)


def test_clips_on_several_lines_and_of_other_splits_are_problems():
    one, two, other = (f'{{"clip_id": "{clip}", {ANSWER}}}' for clip in "abc")
    found = strict_reader.lines("\n".join([one, two, "", one, other]).encode(), SPLIT)
    assert (found.readings, found.rejected) == ({"a": Reading(INVALID), "b": Reading(*GOOD)}, 2)


CELLS = [
    # text, its rows
    ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]),
    ('a,b\r\n"x ""y""","two\nlines"\r\n', [["a", "b"], ['x "y"', "two\nlines"]]),
    ("a,b\n\n,\n1,", [["a", "b"], ["", ""], ["1", ""]]),
]


@pytest.mark.parametrize(("text", "rows"), CELLS)
def test_cells(text, rows):
    assert strict_reader.cells(text, ",") == rows


@pytest.mark.parametrize("text", ['a,b\n"x"y,2', 'a,b\n"x', 'a,b\nx"y,2'])
def test_quotes_out_of_place(text):
    with pytest.raises(NotRegular):
        strict_reader.cells(text, ",")


def test_the_harness_reads_mutated_lines_and_files_as_the_second_reader_does():
    rows = try_all(seed=7, lines=500, files=44)
    assert table.holds(rows), table.markdown(rows)
    assert sum(row["tried"] for row in rows) == 544
