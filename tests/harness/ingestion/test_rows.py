"""Rows of a program are read as the lines of a file: lists, generators, DataFrames; problems name the row."""

from __future__ import annotations

import io
import itertools
import json

import numpy as np
import pandas as pd
import pytest

import harness
from harness.errors import SubmissionError, UsageError
from tests.support import hand

SESSIONS, CLIPS = 8, 3


@pytest.fixture(scope="module")
def rows(tmp_path_factory, home):
    """Make a world of 24 clips and return right answers to it, but for three abstentions and four wrong labels."""
    truth = hand.grid(SESSIONS, CLIPS)
    hand.world("rows", truth, tmp_path_factory.mktemp("rows"), home)
    found = [hand.right(row) for row in truth]
    for row in found[2:5]:
        row["temporal_segment"] = None
    for row in found[5:9]:
        row["dominant_operation"] = "Label"
    return found


@pytest.fixture(scope="module")
def expected(rows, tmp_path_factory):
    return metrics(hand.write(tmp_path_factory.mktemp("file") / "rows.jsonl", rows))


def metrics(submission, **choices):
    return harness.score(submission, world="rows", **choices).metrics


def flat(rows, dtype="Int64"):
    frame = pd.DataFrame(rows)
    for name in ("start_frame", "end_frame"):
        frame[name] = [segment[name] if segment else None for segment in frame["temporal_segment"]]
        frame[name] = frame[name].astype(dtype)
    return frame.drop(columns="temporal_segment")


def with_numpy(rows):
    numbers = {"start_frame": np.int64(30), "end_frame": np.int32(70)}  # those of all clips
    return [row | {"temporal_segment": row["temporal_segment"] and numbers} for row in rows]


SHAPES = {
    "a list": list,
    "a tuple": tuple,
    "a generator": iter,
    "integers of numpy": with_numpy,
    "a DataFrame with segments": pd.DataFrame,
    "a DataFrame with frames, missing ones as NA": flat,
    "a DataFrame with the clip as its index": lambda rows: flat(rows).set_index("clip_id"),
    "a DataFrame in parts of another order": lambda rows: flat(rows).sample(frac=1, random_state=3),
    "a DataFrame with a column of dates, an unknown field": lambda rows: flat(rows).assign(when=pd.Timestamp(0)),
    "a DataFrame with confidences, some missing": lambda rows: pd.DataFrame(rows).assign(
        confidence=[0.5, np.nan] * (len(rows) // 2)
    ),
    "a DataFrame of plain objects": lambda rows: flat(rows).astype(object),
    "a DataFrame with categories": lambda rows: flat(rows).astype({"dominant_operation": "category"}),
    "a DataFrame with types of Arrow": lambda rows: flat(rows).convert_dtypes(dtype_backend="pyarrow"),
    "a Series of dicts": pd.Series,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_rows_score_as_their_file(shape, rows, expected):
    found = metrics(shape(rows))
    assert found == expected
    assert found["oca"].value == 20 / 24 and found["tiou50"].value == 21 / 24


def test_missing_answer_cells_are_abstentions(rows, expected):
    """NaN, None, NA and NaT in a DataFrame are null: valid, and wrong."""
    frame = flat(rows)
    frame["next_operation"] = frame["next_operation"].astype(object)
    for place, missing in enumerate((np.nan, None, pd.NA, pd.NaT)):
        frame.loc[place, "next_operation"] = missing
    assert metrics(frame)["aa1"].value == expected["aa1"].value - 4 / 24
    nothing = frame.assign(start_frame=np.nan, end_frame=np.nan)  # a column of floats, but no float is lost
    assert metrics(nothing)["tiou50"].value == 0


def test_missing_rows_are_wrong_clips(rows):
    assert metrics(rows[:12])["oca"].value == 8 / 24


def changed(rows, place, **fields):
    return [row | fields if number == place else row for number, row in enumerate(rows, start=1)]


REFUSED = [
    ("floats of pandas", lambda rows: flat(rows, float), UsageError, r"floats such as 30\.0 in start_frame and end_f"),
    ("the remedy for floats", lambda rows: flat(rows, float), UsageError, r'astype\(\{"start_frame": "Int64", "end_'),
    ("half frames", lambda rows: flat(rows, float).assign(start_frame=0.5, end_frame=9), SubmissionError, "0.5 is no"),
    ("a float in a row", lambda rows: changed(rows, 7, temporal_segment={"start_frame": np.float64(3), "end_frame": 9}),
     SubmissionError, r"rows:7:\d+: TYPE temporal_segment.start_frame: 3.0 is no integer"),
    ("NaN in a row", lambda rows: changed(rows, 9, next_operation=float("nan")), SubmissionError, r"rows:9:\d+: NOT_F"),
    ("a row without a clip", lambda rows: [*rows, {}], SubmissionError, "rows:25:1: MISSING clip_id"),
    ("a clip twice", lambda rows: [*rows, rows[0]], SubmissionError, r"rows:25.*lines 1 and 25"),
    ("bytes", lambda rows: changed(rows, 3, next_operation=b"Pack"), UsageError, "row 3: next_operation is an obj"),
    ("a set", lambda rows: changed(rows, 3, more={1}), UsageError, "row 3: more is an object of type set"),
    ("NA in a row", lambda rows: changed(rows, 3, next_operation=pd.NA), UsageError, "row 3: next_operation is an obj"),
    ("a key that is no text", lambda rows: [*rows[:3], {1: 2}], UsageError, "row 4: a field is called 1, exp"),
    ("half a surrogate", lambda rows: changed(rows, 2, next_operation="\ud800"), SubmissionError, "rows:2:"),
    ("None among rows", lambda rows: [*rows[:3], None], UsageError, "row 4 is None, expected a dict"),
    ("lines of an open file", lambda rows: io.StringIO("{}"), UsageError, "row 1 is an object of type str.*pass"),
    ("one dict", lambda rows: rows[0], UsageError, "one dict is no list of rows"),
    ("None", lambda rows: None, UsageError, "None holds no predictions; expected a path, a list of dicts"),
    ("a number", lambda rows: 3, UsageError, "an object of type int holds no predictions"),
    ("the bytes of a file", lambda rows: b"{}", UsageError, "an object of type bytes holds no predictions"),
    ("nothing", lambda rows: [], SubmissionError, "rows: holds no prediction"),
    ("an empty DataFrame", lambda rows: pd.DataFrame(), SubmissionError, "rows: holds no prediction"),
    ("a column twice", lambda rows: pd.concat([flat(rows), flat(rows)], axis=1), UsageError, "two columns 'clip_id'"),
    ("a column without a name", lambda rows: flat(rows).assign(x=1).rename(columns={"x": 0}), UsageError, "called 0"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "shape", "kind", "message"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused_rows_are_named_by_number(why, shape, kind, message, rows):
    for verb in (harness.score, lambda *args, **choices: harness.compare(*args, rows, **choices)):
        with pytest.raises(kind, match=message) as refused:
            verb(shape(rows), world="rows")
        assert "/" not in str(refused.value).split(":")[0], "no path of a scratch folder"


def test_rows_without_an_end_are_refused(rows):
    for caps in ({"max_lines": 100}, {"max_bytes": 10_000}):
        with pytest.raises(SubmissionError, match=r"rows: over the cap of .* rows or .* bytes"):
            harness.score(itertools.cycle(rows), world="rows", **caps)


def test_validate_takes_rows(rows):
    found = harness.validate(changed(rows, 9, next_operation=3), world="rows")
    assert (found.name, found.rows, found.rejected, found.problems[0].line) == ("rows", 24, 1, 9)


def test_compare_takes_rows(rows, tmp_path):
    file = hand.write(tmp_path / "file.jsonl", rows)
    other = pd.DataFrame(changed(rows, 1, dominant_operation="Label"))
    found = harness.compare(rows, other, file, world="rows")
    assert [entry["name"] for entry in found["entries"]] == ["rows 1", "rows 2", "file"]
    assert found["pairs"][1]["verdict"]["kind"] == "identical" and found["pairs"][0]["counts"]["all"]["only_a"] == 1


def test_nothing_of_the_rows_is_left(rows, tmp_path):
    """The cache keeps the record and the answers alone, and a training record of another file is not taken."""
    hand.world("rows", hand.grid(SESSIONS, CLIPS), tmp_path, tmp_path / "home")
    result = harness.score(rows, world="rows", home=tmp_path / "home")
    assert sorted(path.name for path in result.answers.parent.iterdir() if path.is_file()) == [
        "answers.parquet",
        "score.json",
    ]
    assert not list((tmp_path / "home" / "scores").rglob("rows.jsonl"))
    assert json.loads(json.dumps(result.record)) == result.record
