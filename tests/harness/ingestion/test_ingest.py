"""Bad input, case by case (the numbers are those of the table of bad inputs): what is refused and how it is worded,
what is accepted and how it is said."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import zstandard

from harness.errors import SubmissionError, UsageError
from harness.ingestion.diagnostics import Problem
from harness.ingestion.ingest import Limits
from harness.ingestion.problem_kinds import Problems, problem_lines
from tests.harness.ingestion.lines.test_line_checker import line
from tests.support.small_truth import CLIPS, read, small_truth

CLIP = CLIPS[0]
GOOD = json.dumps(line()).encode()
NEXT = json.dumps(line(clip_id=CLIPS[1])).encode()


def with_text(old: str, new: str) -> bytes:
    """Return the good line with a piece of its text replaced."""
    assert old.encode() in GOOD
    return GOOD.replace(old.encode(), new.encode())


@pytest.fixture(scope="module")
def truth():
    with small_truth((*CLIPS, "caf\u00e9")) as opened:
        yield opened


@dataclass
class Case:
    number: int
    why: str
    data: bytes
    expected: Any
    options: dict[str, Any] = field(default_factory=dict)


REJECTED = [
    # the problem of the one bad line, as it is printed from the code on
    Case(
        5,
        "invalid UTF-8 byte",
        GOOD.replace(b"Tape", b"Ta\xffpe"),
        "ENCODING: byte 0xff is not UTF-8 (byte 51 of the line)",
    ),
    Case(8, "two objects on a line", GOOD + b" " + NEXT, "JSON: a second value stands on the line"),
    Case(9, "trailing comma", GOOD[:-1] + b",}", "JSON: trailing comma"),
    Case(
        9,
        "trailing comma in an array",
        with_text('{"start_frame": 14, "end_frame": 98}', "[14, 98,]"),
        "JSON: trailing comma",
    ),
    Case(9, "comment", GOOD + b" // said so", 'JSON: "// said so" after the value'),
    Case(9, "comment inside", with_text(": 14", ": /* x */ 14"), "JSON: a comment"),
    Case(9, "single quotes", GOOD.replace(b'"', b"'"), "JSON: single quotes"),
    Case(10, "truncated last line", GOOD[:-9], "JSON: the value is not complete"),
    Case(11, "null", b"null", "NOT_OBJECT: null is not an object"),
    Case(11, "a scalar", b"17", "NOT_OBJECT: 17 is not an object"),
    Case(
        12, "duplicate key", GOOD[:-1] + b', "clip_id": "x"}', 'DUPLICATE_KEY clip_id: the key "clip_id" stands twice'
    ),
    Case(
        12,
        "duplicate key inside",
        with_text('"end_frame": 98', '"end_frame": 98, "end_frame": 99'),
        "DUPLICATE_KEY end_frame",
    ),
    Case(12, "duplicate key, spelt with an escape", GOOD[:-1] + b', "clip\\u005fid": "x"}', "DUPLICATE_KEY clip_id"),
    Case(
        13,
        "keys that differ only in case",
        GOOD[:-1] + b', "Clip_ID": "x"}',
        'KEY_CASE Clip_ID: "clip_id" and "Clip_ID"',
    ),
    Case(
        13,
        "one key, in another case",
        GOOD.replace(b"clip_id", b"Clip_ID"),
        'KEY_CASE clip_id: is spelt "Clip_ID"; expected clip_id; rename "Clip_ID"',
    ),
    Case(
        13,
        "also in the segment",
        with_text('"end_frame": 98', '"end_frame": 98, "End_Frame": 9'),
        'KEY_CASE temporal_segment.End_Frame: "end_frame" and "End_Frame"',
    ),
    Case(14, "NaN", GOOD[:-1] + b', "confidence": NaN}', "NOT_FINITE: NaN is not JSON"),
    Case(
        14, "-Infinity in a field nobody reads", GOOD[:-1] + b', "x": [-Infinity]}', "NOT_FINITE: -Infinity is not JSON"
    ),
    Case(14, "1e999", GOOD[:-1] + b', "latency_ms": 1e999}', "NUMBER_RANGE: 1e999 is out of range"),
    Case(15, "2^63", with_text("98", "9223372036854775808"), "NUMBER_RANGE: 9223372036854775808 is out of range"),
    Case(
        15,
        "a 5,000-digit integer",
        with_text("98", "9" * 5000),
        "NUMBER_RANGE: 99999999999999999999... (5000 characters)",
    ),
    Case(
        16,
        "frame 1.5",
        with_text("14", "1.5"),
        "TYPE temporal_segment.start_frame: 1.5 is no integer; expected an integer",
    ),
    Case(
        16,
        "frame 1.0",
        with_text("14", "1.0"),
        "TYPE temporal_segment.start_frame: 1.0 is no integer; expected an integer from 0 to 125; write 1",
    ),
    Case(16, "frame 1e1", with_text("14", "1e1"), "TYPE temporal_segment.start_frame: 10.0 is no integer"),
    Case(
        17,
        'frame "1"',
        with_text("14", '"1"'),
        'TYPE temporal_segment.start_frame: "1" is a text; expected an integer from 0 to 125; remove the quotes',
    ),
    Case(17, "frame true", with_text("14", "true"), "TYPE temporal_segment.start_frame: true is a boolean"),
    Case(18, "negative frame", with_text("14", "-14"), "RANGE temporal_segment.start_frame: -14 is out of range"),
    Case(
        18,
        "frame beyond the clip",
        with_text("98", "126"),
        "RANGE temporal_segment.end_frame: 126 is out of range; expected "
        "an integer from 0 to 125; give --fps and --clip-frames",
    ),
    Case(
        20,
        "missing required field",
        b'{"clip_id": "clip-0000", "temporal_segment": null, "next_operation": null}',
        "MISSING dominant_operation: is not in the object; expected an answer, or null to abstain",
    ),
    Case(
        20,
        "with a look-alike key",
        GOOD.replace(b"dominant_operation", b"dominantOperation"),
        "MISSING dominant_operation: is not in the object; expected an answer, or null to abstain; "
        'is "dominantOperation" meant',
    ),
    Case(
        20,
        "no clip",
        GOOD.replace(b"clip_id", b"id"),
        'MISSING clip_id: is not in the object; expected a text; is "id" meant',
    ),
    Case(
        22,
        "nesting 100,000 deep",
        GOOD[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "TOO_DEEP: nested deeper",
    ),
    Case(22, "never closed", b'{"a":' * 100_000, "TOO_DEEP: nested deeper"),
    Case(
        23,
        "line over 1 MiB",
        GOOD[:-1] + b', "raw_output": "' + b"x" * (1 << 20) + b'"}',
        "TOO_LONG: over the cap of 1,048,576",
    ),
    Case(27, "lone surrogate", GOOD[:-1] + b', "raw_output": "\\ud83d"}', "SURROGATE: half a surrogate pair"),
    Case(27, "two halves in the wrong order", GOOD[:-1] + b', "raw_output": "\\ude00\\ud83d"}', "SURROGATE"),
    Case(28, "NUL in an id", with_text(CLIP, "clip\\u00000000"), 'CHARACTERS clip_id: "clip\\u00000000" holds U+0000'),
    Case(28, "a raw control character", GOOD.replace(b"clip-0000", b"clip\x01000"), "JSON: control character U+0001"),
    Case(
        30,
        "NFD id where the truth has NFC",
        with_text(CLIP, "cafe\u0301"),
        'CLIP_UNKNOWN clip_id: "cafe\\u0301" holds U+0301 COMBINING ACUTE ACCENT and is not of the split; expected a '
        'clip of small / test; did you mean "caf\\u00e9"?',
    ),
    Case(
        31,
        "Cyrillic letters in an id",
        with_text(CLIP, "\u0441lip-0000"),
        'CLIP_UNKNOWN clip_id: "\\u0441lip-0000" holds U+0441 CYRILLIC SMALL LETTER ES',
    ),
    Case(
        31,
        "a bidirectional override in an id",
        with_text(CLIP, "clip-\u202e0000"),
        'CHARACTERS clip_id: "clip-\\u202e0000" holds U+202E RIGHT-TO-LEFT OVERRIDE',
    ),
    Case(
        31,
        "Cyrillic letters in a label",
        with_text("Tape", "\u0422ape"),
        'CHARACTERS dominant_operation: "\\u0422ape" holds U+0422 CYRILLIC CAPITAL LETTER TE',
    ),
    Case(
        31,
        "a zero-width space in a label",
        with_text("Tape", "Ta\u200bpe"),
        'CHARACTERS dominant_operation: "Ta\\u200bpe" holds U+200B ZERO WIDTH SPACE',
    ),
    Case(
        34,
        "duplicate clip_id, same values",
        GOOD + b"\n" + GOOD,
        'CLIP_DUPLICATE clip_id: "clip-0000" stands on lines 2 and 3',
    ),
    Case(34, "duplicate clip_id, other values", GOOD + b"\n" + with_text("14", "15"), "CLIP_DUPLICATE clip_id"),
    Case(
        36,
        "a clip that is not of the split",
        with_text(CLIP, "clip-9999"),
        'CLIP_UNKNOWN clip_id: "clip-9999" is not of the split; expected a clip of small / test; '
        "does it belong to another --split",
    ),
    Case(36, "the id in another case", with_text(CLIP, "Clip-0000 "), 'did you mean "clip-0000"?'),
]


@pytest.mark.parametrize("case", REJECTED, ids=lambda case: f"{case.number} {case.why}")
def test_rejected(case, truth, tmp_path):
    """The file is refused with place and words; with --lenient the line is counted, the good one beside it answers."""
    file = tmp_path / "s.jsonl"
    file.write_bytes(NEXT + b"\n" + case.data)
    with pytest.raises(SubmissionError) as refused:
        read(truth, file, tmp_path)
    last = 1 + len(case.data.split(b"\n"))
    assert f"\n{file}:{last}:" in str(refused.value) and case.expected in str(refused.value)
    assert str(refused.value).replace("\n", "").isprintable()
    found = read(truth, file, tmp_path, lenient=True)
    assert (found.total, found.rejected) == (1, 1)
    assert truth.predictions()[CLIPS[1]]["outcome"] == 0
    assert truth.predictions().get(CLIP, {"outcome": 2})["outcome"] == 2


ACCEPTED = [
    # a note that is made (None: no note at all)
    Case(3, "UTF-8 BOM", b"\xef\xbb\xbf" + GOOD, "begins with a byte order mark, ignored"),
    Case(6, "CRLF", GOOD + b"\r\n" + NEXT + b"\r\n", None),
    Case(6, "blank lines", b"\n\n" + GOOD + b"\n  \t\r\n\n" + NEXT + b"\n\n", None),
    Case(6, "no final newline", GOOD + b"\n" + NEXT, None),
    Case(19, "start = end", with_text("98", "14"), None),
    Case(19, "start > end", with_text("98", "3"), None),
    Case(
        21,
        "unknown extra field",
        GOOD[:-1] + b', "model": 1}\n' + NEXT[:-1] + b', "model": 2}',
        'unknown field "model" ignored on 2 lines (first: line 1)',
    ),
    Case(29, "U+2028 inside a string", GOOD[:-1] + ', "raw_output": "a\u2028b\u0085c"}'.encode() + b"\n" + NEXT, None),
    Case(
        32,
        "label in another case",
        with_text("Tape", "tAPE"),
        "labels spelt otherwise (case, spaces, _ or -) normalised: 1 (first: line 1)",
    ),
    Case(
        32,
        "spaces round it",
        with_text("Put Items", "  put_items "),
        "labels spelt otherwise (case, spaces, _ or -) normalised: 1 (first: line 1)",
    ),
    Case(
        32,
        "one that the screen knows and one that it does not",
        with_text("Put Items", "put_items").replace(b"Tape", b" Tape"),
        "labels spelt otherwise (case, spaces, _ or -) normalised: 2 (first: line 1)",
    ),
    Case(
        33,
        "unknown label",
        with_text("Tape", "Taping"),
        'label "Taping" on line 1 is not known to this world, so it is never right; nearest: Tape',
    ),
    Case(35, "missing clips", GOOD, None),
    Case(
        36,
        "--ignore-extra",
        GOOD + b"\n" + with_text(CLIP, "x") + b"\n" + with_text(CLIP, "y"),
        "lines for clips that are not of the split ignored: 2 (first: line 2)",
        {"ignore_extra": True},
    ),
    Case(37, "all abstain", with_text('"Tape"', "null"), None),
    Case(
        0,
        "the assignment's name of the field",
        GOOD.replace(b"next_op", b"anticipated_next_op"),
        "anticipated_next_operation read as next_operation on line 1",
    ),
    Case(0, "keys in another order", json.dumps(dict(reversed(line().items()))).encode(), None),
    Case(0, "escapes", GOOD.replace(b"clip-0000", b"\\u0063lip-0000").replace(b"Tape", b"\\u0054ape"), None),
]


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: f"{case.number} {case.why}")
def test_accepted(case, truth, tmp_path):
    file = tmp_path / "s.jsonl"
    file.write_bytes(case.data)
    found = read(truth, file, tmp_path, **case.options)
    assert found.total == found.rejected == 0
    assert found.notes == ([] if case.expected is None else [case.expected])
    assert truth.predictions()[CLIP]["outcome"] == 0
    assert found.rows == (2 if NEXT.strip(b"}") in case.data else 1)


def write(tmp_path: Path, name: str, data: bytes) -> Path:
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


PACKED, ZSTD = gzip.compress(GOOD * 50), zstandard.compress(GOOD * 50)
BOMB = gzip.compress(bytes(3_000_000))
UNREADABLE = [
    # what is passed, the error, what its message says
    (1, "empty file", lambda p: write(p, "s", b""), SubmissionError, "holds no prediction"),
    (1, "blank lines only", lambda p: write(p, "s", b"\n \n\r\n"), SubmissionError, "holds no prediction"),
    (2, "missing file", lambda p: p / "absent.jsonl", UsageError, "absent.jsonl: No such file or directory"),
    (2, "directory", lambda p: p, UsageError, "is a directory"),
    (4, "UTF-16", lambda p: write(p, "s", GOOD.decode().encode("utf-16")), SubmissionError, "not UTF-8"),
    (
        4,
        "UTF-16 without a mark",
        lambda p: write(p, "s", GOOD.decode().encode("utf-16-le")),
        SubmissionError,
        "not UTF-8",
    ),
    (
        24,
        "gzip bomb",
        lambda p: write(p, "s.gz", BOMB),
        SubmissionError,
        "over the cap of 1,000,000 decompressed bytes",
    ),
    (
        24,
        "zstd bomb",
        lambda p: write(p, "s.zst", zstandard.compress(bytes(3_000_000))),
        SubmissionError,
        "over the cap",
    ),
    (24, "zip", lambda p: write(p, "s.zip", b"PK\x03\x04" + bytes(50)), SubmissionError, "a zip archive: unpack it"),
    (
        24,
        "gzip inside gzip",
        lambda p: write(p, "s.gz", gzip.compress(b"PK\x03\x04")),
        SubmissionError,
        "a zip archive",
    ),
    (25, "truncated gzip", lambda p: write(p, "s.gz", PACKED[:-9]), SubmissionError, "the gzip data is truncated"),
    (
        25,
        "damaged gzip",
        lambda p: write(p, "s.gz", PACKED[:40] + b"\0\1" + PACKED[42:]),
        SubmissionError,
        "gzip data is",
    ),
    (25, "truncated zstd", lambda p: write(p, "s.zst", ZSTD[:-9]), SubmissionError, "the zstd data is truncated"),
    (25, "gzip named .jsonl", lambda p: write(p, "s.jsonl", PACKED), SubmissionError, "this is gz data"),
    (25, "zstd named .jsonl", lambda p: write(p, "s.jsonl", ZSTD), SubmissionError, "this is zst data"),
    (25, "JSONL named .gz", lambda p: write(p, "s.gz", GOOD), SubmissionError, "named .gz but holds no such data"),
    (
        26,
        "more lines than the cap",
        lambda p: write(p, "s", b"\n" * 5_001),
        SubmissionError,
        "the cap of 5,000 lines (--max-lines)",
    ),
    (
        26,
        "more bytes than the cap",
        lambda p: write(p, "s", b" " * 1_000_001),
        SubmissionError,
        "the cap of 1,000,000 bytes",
    ),
    (44, "FIFO", fifo, UsageError, "not a regular file"),
    (44, "device", lambda p: Path("/dev/null"), UsageError, "not a regular file"),
    (
        47,
        "a DuckDB database",
        lambda p: write(p, "s.duckdb", bytes(8) + b"DUCK" + bytes(99)),
        SubmissionError,
        "a DuckDB database",
    ),
    (47, "a SQLite database", lambda p: write(p, "s", b"SQLite format 3\0"), SubmissionError, "a SQLite database"),
    (41, "a name that is no path", lambda p: "a\0b", UsageError, "a\\x00b"),
]
SMALL = Limits(max_lines=5_000, max_bytes=1_000_000)


@pytest.mark.parametrize(
    "number, why, make, error, message", UNREADABLE, ids=[f"{row[0]} {row[1]}" for row in UNREADABLE]
)
def test_files_that_cannot_be_read(number, why, make: Callable, error, message, truth, tmp_path):
    with pytest.raises(error) as refused:
        read(truth, make(tmp_path), tmp_path / "scratch", SMALL, lenient=True)
    assert message in str(refused.value)
    assert "\0" not in str(refused.value)


NAMES = [
    # a file's name and what it holds
    (6, "plain.jsonl", GOOD), (25, "whole.jsonl.gz", gzip.compress(GOOD)), (25, "whole.zst", zstandard.compress(GOOD)),
    (25, "members.gz", gzip.compress(GOOD + b"\n") + gzip.compress(NEXT)),
    (25, "frames.zst", zstandard.compress(GOOD + b"\n") + zstandard.compress(NEXT)),
    (45, "a*b?.jsonl", GOOD), (45, "a[12].jsonl", GOOD), (45, "{a,b}.jsonl", GOOD), (45, "**", GOOD),
    (46, "it's; DROP TABLE predictions --.jsonl", GOOD), (46, 'say "x"', GOOD), (46, "back\\slash", GOOD),
    (43, "=1+1.jsonl", GOOD), (43, "-rf", GOOD), (41, "s3:x", GOOD), (40, "<script>", GOOD),
]  # fmt: skip


@pytest.mark.parametrize("number, name, data", NAMES, ids=[row[1] for row in NAMES])
def test_names_are_names(number, name, data, truth, tmp_path, monkeypatch):
    """A name is read literally, also one that DuckDB or SQL could read as a pattern; no neighbour is read for it."""
    write(tmp_path, "aXb1.jsonl", b"not this one")
    write(tmp_path, name, data)
    monkeypatch.chdir(tmp_path)
    found = read(truth, name, tmp_path / "scratch")
    assert CLIP in truth.predictions() and found.total == 0


def test_standard_input(truth, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD + b"\r\n" + NEXT)))
    found = read(truth, "-", tmp_path)
    assert (found.name, found.rows) == ("standard input", 2)


def test_the_digest_is_that_of_the_bytes_handed_in(truth, tmp_path):
    packed = read(truth, write(tmp_path, "s.gz", gzip.compress(GOOD, mtime=0)), tmp_path)
    plain = read(truth, write(tmp_path, "s", GOOD), tmp_path)
    assert len({packed.sha256, plain.sha256}) == 2 and packed.rows == plain.rows == 1


def test_nothing_stays_in_the_scratch_folder(truth, tmp_path):
    """It becomes the stored score."""
    read(truth, write(tmp_path, "s.gz", gzip.compress(GOOD + b"\r\n")), tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []


MANY = [NEXT] + [json.dumps(line(clip_id=CLIPS[2 + n], confidence=2)).encode() for n in range(120)] + [GOOD, b"{", GOOD]


def test_all_problems_in_one_pass(truth, tmp_path):
    """Each kind is one entry with its count and three examples; all problems are counted and in the diagnostics."""
    file = write(tmp_path, "s.jsonl", b"\n".join(MANY))
    with pytest.raises(SubmissionError) as refused:
        read(truth, file, tmp_path)
    assert str(refused.value).splitlines() == [
        f"{file}, read as canonical: 122 problems, nothing was scored",
        "120 lines: RANGE confidence: 2 is out of range",
        "    expected a number from 0 to 1",
        *(f"  {file}:{number}:159: 2" for number in (2, 3, 4)),
        f"{file}:123:2: JSON: the value is not complete; expected a closed object; was the file cut off?",
        f'{file}:124:1: CLIP_DUPLICATE clip_id: "{CLIP}" stands on lines 122 and 124; expected one line a clip; '
        "remove all but one",
    ]
    assert refused.value.total == 122
    report = read(truth, file, tmp_path, lenient=True).diagnostics()
    assert (report["problems_total"], report["rejected"], len(report["problems"])) == (122, 122, 122)
    assert len({tuple(problem) for problem in report["problems"]}) == 1, "equal keys"
    assert [problem["line"] for problem in report["problems"]][-2:] == [123, 124]
    assert str(tmp_path) not in json.dumps(report), "the same report wherever the file lies"


KINDS = [
    # lines of a file; the first lines of its entries; why
    ([line(clip_id=clip, source=f"x{clip}") for clip in CLIPS[:9]],
     ["9 lines: VALUE source: ... is none of the sources"], "texts differ"),
    ([line(clip_id=clip, temporal_segment=[0.5, 3.6]) for clip in CLIPS[:5]],
     ["5 lines: TYPE temporal_segment.start_frame, temporal_segment.end_frame: ... is no integer"], "two fields alike"),
    ([line(clip_id=clip, dominant_operation=[1] * number) for number, clip in enumerate(CLIPS[:5])],
     ["5 lines: TYPE dominant_operation: ... is an array"], "arrays differ in length"),
    ([line(clip_id=clip, dominant_operation={"c": number, "a": {"b" * 99: 1}}) for number, clip in enumerate(CLIPS)],
     ["200 lines: TYPE dominant_operation: ... is an object"], "objects, cut short"),
    ([line(clip_id=clip, source="y" * (55 + number)) for number, clip in enumerate(CLIPS[:9])],
     ["9 lines: VALUE source: ... is none of the sources"], "texts of which some are cut short"),
    ([line(clip_id=clip, confidence=2, next_confidence=2) for clip in CLIPS[:2]] + [line(clip_id=CLIPS[2], source=3)],
     ["2 lines: RANGE confidence, next_confidence: 2 is out of range", "s:3:"], "the most frequent first"),
    ([line(clip_id=CLIPS[0], confidence=2, next_confidence=2)], ["s:1:", "s:1:"], "on one line each by itself"),
    ([line(clip_id=f"nowhere-{number}") for number in range(7)],
     ["7 lines: CLIP_UNKNOWN clip_id: ... is not of the split"], "unknown clips"),
]  # fmt: skip


@pytest.mark.parametrize("rows, entries, why", KINDS, ids=[why for *_, why in KINDS])
def test_problems_of_one_kind_are_one_entry(rows, entries, why, truth, tmp_path):
    file = write(tmp_path, "s", "\n".join(map(json.dumps, rows)).encode())
    found = read(truth, file, tmp_path, lenient=True)
    shown = [kind.text()[0].removeprefix(f"{tmp_path}/") for kind in found.kinds]
    assert len(shown) == len(entries) and all(map(str.startswith, shown, entries)), (shown, why)
    assert sum(kind.count for kind in found.kinds) == found.total
    assert all(len(kind.examples) == min(3, kind.count) or len(kind.fields) > 1 for kind in found.kinds)


def test_many_kinds_are_cut_short():
    problems = Problems("s")
    problems.extend(Problem(line, 1, "JSON", "", f"{'so ' * (line % 60)}wrong") for line in range(1, 122))
    *shown, last = problem_lines(problems.kinds())
    assert shown[0] == "3 lines: JSON: so wrong" and len(shown) == 4 + 19 * 3
    assert last == "... and 40 more kinds of problem, on 80 lines (harness validate --format json lists them)"


def test_kinds_beyond_a_thousand_are_counted_by_their_code():
    problems = Problems("s")
    problems.extend(Problem(line, 1, "JSON", "", "so " * line) for line in range(1, 2_001))
    kinds = problems.kinds()
    assert len(kinds) == 1_001 and kinds[0].text()[0] == "1,000 lines: JSON: not one JSON value by RFC 8259"
    assert sum(kind.count for kind in kinds) == 2_000


def test_what_a_text_holds_makes_no_kind_of_its_own(truth, tmp_path):
    texts = ["{" + "x" * number for number in range(1, 30)]
    texts += [json.dumps(line(clip_id=clip))[:-1] + " " + "!" * number + "}" for number, clip in enumerate(CLIPS, 1)]
    texts += [json.dumps({f"Key{number}": 1, f"key{number}": 2} | line()) for number in range(30)]
    texts += [json.dumps(line())[:-1] + f', "k{number}": 1, "k{number}": 2}}' for number in range(30)]
    found = read(truth, write(tmp_path, "s", "\n".join(texts).encode()), tmp_path, lenient=True)
    assert len(found.kinds) < 8, [kind.text()[0] for kind in found.kinds]


def test_lenient_outcomes(truth, tmp_path):
    """A rejected line is its clip's invalid answer, or of no clip; a clip named twice has no valid answer."""
    lines = [
        GOOD,
        NEXT,
        json.dumps(line(clip_id=CLIPS[2], confidence=7)).encode(),
        b'{"clip_id": "clip-0003", ',
        NEXT,
        json.dumps(line(clip_id=CLIPS[4], next_operation=...)).encode(),
        json.dumps(line(clip_id=CLIPS[4])).encode(),
        json.dumps(line(clip_id="elsewhere")).encode(),
    ]
    found = read(truth, write(tmp_path, "s", b"\n".join(lines)), tmp_path, lenient=True)
    rows = truth.predictions()
    assert {clip: (row["outcome"], row["line"]) for clip, row in rows.items()} == {
        CLIP: (0, 1),
        CLIPS[1]: (2, 2),
        CLIPS[2]: (2, 3),
        CLIPS[4]: (2, 6),
    }
    assert [rows[CLIPS[1]][name] for name in ("operation", "start_frame", "end_frame", "next_operation")] == [None] * 4
    assert (found.lines, found.rows, found.rejected) == (8, 4, 6)


def test_an_unreadable_line_names_no_clip_of_the_truth(truth, tmp_path):
    """A message about a wrong answer does not hold the right one."""
    bad = json.dumps(line(clip_id=CLIP, dominant_operation=5, next_operation=[])).encode()
    with pytest.raises(SubmissionError) as refused:
        read(truth, write(tmp_path, "s", bad), tmp_path)
    assert CLIP not in str(refused.value)


def test_messages_are_printable(truth, tmp_path):
    """No escape sequence or bidirectional character of a file reaches the terminal through a message or note."""
    evil = "\x1b[31m\u202e"
    lines = [line(dominant_operation=evil), line(clip_id=evil), line(clip_id=CLIPS[1], **{evil: 1}), line(source=evil)]
    file = write(tmp_path, f"s{evil}", "\n".join(json.dumps(item) for item in lines).encode())
    found = read(truth, file, tmp_path, lenient=True)
    assert all(text.isprintable() for text in [*map(str, found.problems), *found.notes, found.name])


def test_line_caps_are_exact(truth, tmp_path):
    pad = GOOD[:-1] + b', "x": "'
    for size, total in ((1_000, 0), (1_001, 1)):
        data = b"\n".join([pad + b"y" * (size - len(pad) - 2) + b'"}', NEXT, b""])
        assert len(data.split(b"\n")[0]) == size
        found = read(truth, write(tmp_path, "s", data), tmp_path, Limits(max_line_bytes=1_000), lenient=True)
        assert (found.total, found.rows) == (total, 2 - total)


def test_a_file_that_changes_while_it_is_read_is_refused(truth, tmp_path):
    from harness.ingestion.ingest import ingest, open_submission

    file = write(tmp_path, "s", GOOD)
    with pytest.raises(UsageError, match="changed while it was read"), open_submission(file, tmp_path) as source:
        file.write_bytes(GOOD + b"\n" + NEXT)
        ingest(truth, source)


def test_the_order_of_lines_changes_no_row_but_its_line(truth, tmp_path):
    lines = [json.dumps(line(clip_id=clip, confidence=number / 200)) for number, clip in enumerate(CLIPS)]
    rows = []
    for order in (lines, lines[::-1]):
        read(truth, write(tmp_path, "s", "\n".join(order).encode()), tmp_path)
        rows.append({clip: row | {"line": 0} for clip, row in truth.predictions().items()})
    assert rows[0] == rows[1] and len(rows[0]) == len(CLIPS)
