"""Imported worlds: what makes one, what comes out again, what is refused and where."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import duckdb
import jsonschema
import pytest

import harness
from harness.resources import schema
from harness.worlds import describe
from reference.errors import TruthError, WorldError
from reference.process.split import build_split
from reference.process.world import load_world
from reference.truth import truth_files
from reference.truth.catalog import locate, names
from reference.truth.imported import import_world, imported_names, imported_origin
from reference.truth.sealed import REGISTERED
from reference.truth.store import export, open_truth
from reference.truth.truth_rows import fit_of, truth_row
from tests.support import hand

ROW = {
    "clip_id": "a",
    "session": "s",
    "dominant_operation": "Tape",
    "start_frame": 3,
    "end_frame": 90,
    "next_operation": "Label",
}
ANSWERS = ("dominant_operation", "temporal_segment", "next_operation")
KEPT = """SELECT clip_id, session, clip_index, start_ms, dominant_operation, start_frame, end_frame, next_operation,
    previous_operation, next_operations, next_visible, dense, cut_kind, domain, worker
    FROM truth.clips ORDER BY session_index, clip_index"""


def written(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("extension", ["jsonl", "csv", "parquet"])
def test_round_trip(extension, home, tmp_path):
    """All that does not need a process comes back: same rows, same order, in every format."""
    path = tmp_path / f"validation.{extension}"
    assert describe.export("warehouse-v2", "validation", path) == 480
    made = import_world([path], home, name=f"round-{extension}")
    assert (made.clips, made.sessions) == (480, 24)
    with open_truth("warehouse-v2", "validation") as before, open_truth(made.name) as after:
        assert before.connection.execute(KEPT).fetchall() == after.connection.execute(KEPT).fetchall()
        assert after.connection.execute(
            "SELECT count(ceiling_ppm), count(oracle_next) FROM truth.clips"
        ).fetchone() == (0, 0)
        assert (after.public, after.in_sample, set(after.script)) == (False, False, {None})


def test_json_lines_have_the_shape_of_a_prediction_and_of_a_rendering(tmp_path):
    """One shape of truth: a rendering's truth.jsonl and the export say the same of a clip, with the same keys."""
    path, world = tmp_path / "train.jsonl", load_world("warehouse-v2")
    describe.export("warehouse-v2", "validation", path)
    exported = [json.loads(line) for line in path.read_text().splitlines()]
    content = locate("warehouse-v2").content("validation")
    fit = fit_of(content)
    expected = [truth_row(clip, fit(clip), content.operations) for clip in build_split(world, "validation")]
    assert exported == expected
    assert [list(row) for row in exported] == [list(row) for row in expected], "in the same order, too"
    keys = list(exported[0])
    assert keys[4:7] == ["dominant_operation", "temporal_segment", "next_operation"]
    assert not {"start_frame", "end_frame"} & set(keys)
    assert list(exported[0]["temporal_segment"]) == ["start_frame", "end_frame"]
    answer = {key: exported[0][key] for key in schema("prediction")["properties"] if key in exported[0]}
    jsonschema.validate(answer, schema("prediction"))


FLAT = FRAMES = {"start_frame": 3, "end_frame": 90}
SHAPES = [
    ({"temporal_segment": FLAT}, None, "an object, like a prediction"),
    (FLAT, None, "two fields"),
    ({"temporal_segment": {"start_frame": 3}}, "x.jsonl:1: end_frame missing", "half an object"),
    ({"temporal_segment": [3, 90]}, None, "a pair, which predictions may have too"),
    ({"temporal_segment": FLAT, **FLAT}, None, "both shapes, which agree"),
    (
        {"temporal_segment": FLAT, "end_frame": 91},
        "end_frame is 91 and temporal_segment.end_frame is 90",
        "they differ",
    ),
    ({"temporal_segment": [3]}, r"x.jsonl:1: temporal_segment is \[3\], expected an object", "half a pair"),
    ({"temporal_segment": "3-90"}, "x.jsonl:1: temporal_segment is '3-90', expected an object", "a text"),
]


@pytest.mark.parametrize(("segment", "message", "why"), SHAPES, ids=[case[2] for case in SHAPES])
def test_segments_are_read_in_both_shapes(segment, message, why, tmp_path):
    row = {key: value for key, value in ROW.items() if key not in FLAT} | segment
    rows = [row | {"clip_id": name, "session": name} for name in "ab"]
    path, home = written(tmp_path / "x.jsonl", *rows), tmp_path / "home"
    if message:
        with pytest.raises(WorldError, match=message):
            import_world([path], home)
        return
    made = import_world([path], home)
    with open_truth(made.name, home=home) as truth:
        found = truth.connection.execute("SELECT DISTINCT start_frame, end_frame FROM truth.clips").fetchall()
    assert found == [(3, 90)]


def test_parquet_with_an_object_for_the_segment(tmp_path):
    path, home = tmp_path / "x.parquet", tmp_path / "home"
    describe.export("warehouse-v2", "validation", tmp_path / "x.jsonl")
    with duckdb.connect() as connection:
        source, target = tmp_path / "x.jsonl", path
        connection.execute(f"COPY (SELECT * FROM read_json('{source}')) TO '{target}' (FORMAT parquet)")
    assert import_world([path], home).clips == 480


def test_export_again_is_the_same_file(home, tmp_path):
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    describe.export("warehouse-v2", "validation", first)
    import_world([first], home, name="again")
    describe.export("again", "test", second, include_test=True)
    lost = ("domain_seen", "randomised", "off_script", "ceiling", "oracle_next", "prior_next", "look")
    lost += ("state_prior", "next_ppm", "later_ceilings_ppm", "later_oracle", "frames_hit")

    def lines(path):
        return [{k: v for k, v in json.loads(line).items() if k not in lost} for line in path.read_text().splitlines()]

    assert lines(first) == lines(second)


def test_test_truth_leaves_only_when_asked(tmp_path):
    from harness.errors import UsageError

    assert describe.export_ids("warehouse-v2", "test", tmp_path / "ids.jsonl") == 2880
    rows = [json.loads(line) for line in (tmp_path / "ids.jsonl").read_text().splitlines()]
    assert len({row["clip_id"] for row in rows}) == 2880 and all(set(row) == {"clip_id"} for row in rows)
    assert rows == sorted(rows, key=lambda row: row["clip_id"]), "an order that says nothing of sessions"
    with pytest.raises(UsageError, match="--include-test"):
        describe.export("warehouse-v2", "test", tmp_path / "t.jsonl")
    with pytest.raises(UsageError, match="--include-test"):
        describe.export("warehouse-v2", "test-large", tmp_path / "t.jsonl")


def test_export_by_extension(tmp_path):
    with (
        open_truth("canonical-v1", "validation", allow_directories=[tmp_path]) as truth,
        pytest.raises(TruthError, match=r"ends in \.jsonl, \.csv, \.parquet"),
    ):
        export(truth, tmp_path / "x.xlsx")


def test_leave_one_session_out(home, tmp_path):
    """Three sessions; each one's floors and transitions come from the other two, worked out by hand."""
    rows = [
        ROW
        | {"clip_id": f"{session}{i}", "session": session, "dominant_operation": operation, "next_operation": following}
        for session, operation, following in (("s", "Tape", "Label"), ("t", "Tape", "Label"), ("u", "Pack", "Wrap"))
        for i in range(2)
    ]
    import_world([written(tmp_path / "three.jsonl", *rows)], home, name="three")
    with open_truth("three") as truth:
        code = truth.operations.index
        constants = truth.connection.execute("SELECT * FROM truth.constants ORDER BY fold").fetchall()
        usual = "SELECT next_operation FROM truth.transition WHERE operation = ? ORDER BY fold"
        tape = truth.connection.execute(usual, [code("Tape")]).fetchall()
    # of equals the earlier operation, the lowest start, the lowest end: [0, e) hits [3, 90) when 2 (e - 3) >= 90
    tie, majority = (code("Tape"), code("Wrap")), (code("Tape"), code("Label"))
    assert [(operation, following) for _, operation, _, _, following, _ in constants] == [tie, tie, majority]
    assert {(start, end) for _, _, start, end, *_ in constants} == {(0, 48)}
    assert tape == [(code("Label"),)] * 3


def sessions_of(name: str, split: str, home: Path) -> set[str]:
    with open_truth(name, split, home=home) as truth:
        return {session for (session,) in truth.connection.execute("SELECT session FROM truth.clips").fetchall()}


def six_sessions(path: Path) -> Path:
    """Two clips a session; those of day 1 and 2 are Tape, then Label, the others Pack, then Wrap."""
    answers = {"mon": ("Tape", "Label"), "tue": ("Tape", "Label"), "wed": ("Pack", "Wrap")}
    rows = [
        ROW
        | {"clip_id": f"{day}{half}{i}", "session": f"{day}-{half}", "clip_index": i}
        | dict(zip(("dominant_operation", "next_operation"), answers[day], strict=True))
        for day in answers
        for half in (1, 2)
        for i in range(2)
    ]
    return written(path, *rows)


def test_sessions_are_put_into_splits(tmp_path):
    """Learning needs train sessions with published truth; no session is in two splits, and floors come from train."""
    home = tmp_path / "home"
    made = import_world([six_sessions(tmp_path / "x.jsonl")], home, train=["mon-*"], validation=["tue-2"])
    assert made.splits == {"train": (4, 2), "validation": (2, 1), "test": (6, 3)}
    assert (made.clips, made.sessions) == (12, 6)
    assert made.notes[0] == "test: only 3 sessions: intervals are wide or not supported"
    assert locate("x", home).splits == ("train", "validation", "test")
    assert sessions_of("x", "train", home) == {"mon-1", "mon-2"}
    assert sessions_of("x", "validation", home) == {"tue-2"}
    assert sessions_of("x", "test", home) == {"tue-1", "wed-1", "wed-2"}
    for split in ("validation", "test"):
        with open_truth("x", split, home=home) as truth:
            rows = truth.connection.execute("SELECT dominant_operation, next_operation FROM truth.constants").fetchall()
            assert [tuple(truth.operations[code] for code in row) for row in rows] == [("Tape", "Label")], "of train"
            assert not truth.in_sample
    with open_truth("x", "train", home=home) as truth:
        assert truth.connection.execute("SELECT count(*) FROM truth.constants").fetchone() == (2,), "leave one out"


def test_without_named_sessions_everything_is_test(tmp_path):
    home = tmp_path / "home"
    assert import_world([six_sessions(tmp_path / "x.jsonl")], home).splits == {"test": (12, 6)}
    assert locate("x", home).splits == ("test",)
    with pytest.raises(TruthError, match="world x has no split 'train'; it has test"):
        open_truth("x", "train", home=home)
    everything = import_world([tmp_path / "x.jsonl"], home, name="y", train=["*"])
    assert everything.splits == {"train": (12, 6)}


WRONG_SPLITS = [
    ({"train": ["fri-1"]}, "--train fri-1: no session with clips has that name; there are mon-1, mon-2, tue-1"),
    ({"train": ["mon-1"], "validation": ["mon-*"]}, "session mon-1 was named for train and validation; it belongs"),
]


@pytest.mark.parametrize(("chosen", "message"), WRONG_SPLITS)
def test_sessions_that_cannot_be_split(tmp_path, chosen, message):
    with pytest.raises(WorldError, match=re.escape(message)):
        import_world([six_sessions(tmp_path / "x.jsonl")], tmp_path / "home", **chosen)
    assert not list((tmp_path / "home" / "worlds").iterdir())


def test_names_with_brackets_are_no_patterns(tmp_path):
    rows = [ROW | {"clip_id": name, "session": name} for name in ("day[1]", "day1")]
    made = import_world([written(tmp_path / "x.jsonl", *rows)], tmp_path / "home", train=["day[[]1]"])
    assert made.splits == {"train": (1, 1), "test": (1, 1)}


@pytest.mark.parametrize(("whole", "saturated"), [(9, True), (8, False)])
def test_a_split_where_the_whole_clip_hits_says_so(tmp_path, whole, saturated):
    """63 of 125 frames are hit by [0, 125), 62 are not; from nine tenths on import, info and score warn."""
    rows = [
        ROW | {"clip_id": f"c{i}", "session": f"s{i}", "start_frame": 0, "end_frame": 63 if i < whole else 62}
        for i in range(10)
    ]
    path, home = written(tmp_path / "x.jsonl", *rows), tmp_path / "home"
    warning = "the whole clip as segment hits 90% at tIoU@0.5: this metric says little here"
    assert (warning in import_world([path], home).notes) == saturated
    assert describe.describe("x", home=home)["saturated"] is saturated
    answers = [{"clip_id": row["clip_id"], **dict.fromkeys(ANSWERS)} for row in rows]
    note = harness.score(answers, world="x", home=home).record["metrics"]["tiou50"]["note"]
    assert (warning in (note or "")) == saturated


def test_one_session_is_fitted_on_itself(home, tmp_path):
    made = import_world([written(tmp_path / "one.jsonl", ROW, ROW | {"clip_id": "b", "clip_index": 1})], home)
    assert made.name == "one" and "in_sample" in made.notes[0]
    with open_truth("one") as truth:
        assert (truth.in_sample, truth.sessions) == (True, 1)


def test_without_session_each_clip_is_its_own(home, tmp_path):
    bare = {key: value for key, value in ROW.items() if key != "session"}
    made = import_world([written(tmp_path / "bare.jsonl", bare, bare | {"clip_id": "b"})], home)
    assert made.sessions == 2
    assert made.notes[0].startswith("no session column: each clip is a session of its own")


def test_labels_of_its_own(home, tmp_path):
    rows = [
        ROW | {"dominant_operation": "Strapping"},
        ROW | {"clip_id": "b", "next_operation": "inner-packing", "clip_index": 1},
    ]
    import_world([written(tmp_path / "own.jsonl", *rows)], home)
    with open_truth("own") as truth:
        assert truth.operations == ("Inner Packing", "Tape", "Label", "Strapping")


BAD_ROWS = [
    ("not JSON", "{", "x.jsonl:2: not JSON"),
    ("a list", "[]", "x.jsonl:2: expected an object"),
    (
        "no answer",
        json.dumps({"clip_id": "b"}),
        "x.jsonl:2: dominant_operation, start_frame, end_frame, next_operation missing",
    ),
    (
        "segment",
        json.dumps(ROW | {"clip_id": "b", "end_frame": 126}),
        "x.jsonl:2: segment [3, 126) does not lie in a clip",
    ),
    ("empty segment", json.dumps(ROW | {"clip_id": "b", "end_frame": 3}), "x.jsonl:2: segment [3, 3)"),
    (
        "a float",
        json.dumps(ROW | {"clip_id": "b", "end_frame": 90.0}),
        "x.jsonl:2: end_frame is 90.0, expected an integer",
    ),
    ("label", json.dumps(ROW | {"clip_id": "b", "next_operation": 5}), "x.jsonl:2: 5 is no operation"),
    (
        "next is the same",
        json.dumps(ROW | {"clip_id": "b", "next_operation": "tape"}),
        "x.jsonl:2: next_operation 'Tape'",
    ),
    ("twice", json.dumps(ROW), "x.jsonl:2: clip_id 'a' was already read from x.jsonl:1"),
    (
        "same place",
        json.dumps(ROW | {"clip_id": "b", "clip_index": 0}),
        "two clips of a session have the same clip_index",
    ),
]


@pytest.mark.parametrize(("why", "line", "message"), BAD_ROWS, ids=[case[0] for case in BAD_ROWS])
def test_refused_rows(why, line, message, tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + line + "\n")
    with pytest.raises(WorldError) as caught:
        import_world([path], tmp_path / "home")
    assert message in str(caught.value), why
    assert not list((tmp_path / "home" / "worlds").iterdir()), "nothing is left of a refused import"


BARE = {key: value for key, value in ROW.items() if key != "session"}
ANSWER_FILES = [
    ("x.jsonl", json.dumps(BARE | {"confidence": 0.5}), "confidence"),
    ("x.json", json.dumps([BARE | {"raw_output": "{}", "latency_ms": 3.0}]), "raw_output, latency_ms"),
    ("x.jsonl", json.dumps({"clip_id": "a", "raw_output": "Tape, then Label"}), "raw_output"),
    ("x.csv", ",".join([*BARE, "next_confidence"]) + "\n" + ",".join([*map(str, BARE.values()), "1"]), "next_conf"),
]


@pytest.mark.parametrize(("name", "text", "fields"), ANSWER_FILES)
def test_a_file_of_answers_is_no_truth(name, text, fields, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(WorldError, match=f"this is a prediction file, .*{fields}.*harness score {name} --world NAME"):
        import_world([tmp_path / name], tmp_path / "home")


def test_answers_in_parquet_are_no_truth(tmp_path):
    path = tmp_path / "x.parquet"
    with duckdb.connect() as connection:
        columns = ", ".join(f"{value!r} AS {key}" for key, value in BARE.items())
        connection.execute(f"COPY (SELECT {columns}, 0.5 AS confidence) TO '{path}' (FORMAT parquet)")
    with pytest.raises(WorldError, match="this is a prediction file"):
        import_world([path], tmp_path / "home")


def test_truth_that_names_its_sessions_may_hold_a_confidence(tmp_path):
    path = written(tmp_path / "x.jsonl", ROW | {"confidence": 0.5}, ROW | {"clip_id": "b", "clip_index": 1})
    assert import_world([path], tmp_path / "home").clips == 2


def test_rows_that_may_be_answers_get_a_note(tmp_path):
    for extra, noted in (({}, True), ({"worker": "w"}, False)):
        path = written(tmp_path / "x.jsonl", BARE | extra, BARE | extra | {"clip_id": "b"})
        notes = import_world([path], tmp_path / "home", replace=True).notes
        assert any("model's answers look the same" in note for note in notes) == noted


LABELS = {"dominant_operation": "Tape", "next_operation": "Label"}
ANSWER = {"temporal_segment": FLAT, "dominant_operation": "Tape"}
GPT = {"from": "gpt", "value": json.dumps(ANSWER | {"anticipated_next_operation": "Label"})}
FENCED = f"```json\n{GPT['value']}\n```"
HUMAN = {"from": "human", "value": "<video> What happens?"}
CONTAINERS = [
    ("an array", "x.json", json.dumps([ROW, ROW | {"clip_id": "b"}], indent=1)),
    ("an array named as lines", "x.jsonl", json.dumps([ROW, ROW | {"clip_id": "b"}])),
    ("lines named as a document", "x.json", f"{json.dumps(ROW)}\n{json.dumps(ROW | {'clip_id': 'b'})}"),
    (
        "the next operation by its other name",
        "x.jsonl",
        "\n".join(
            json.dumps({**ANSWER, "anticipated_next_operation": "label", "clip_id": name, "session": "s"})
            for name in "ab"
        ),
    ),
    (
        "LLaVA conversations",
        "x.json",
        json.dumps([{"id": n, "session": "s", "conversations": [HUMAN, GPT], "prediction": "?"} for n in "ab"]),
    ),
    (
        "messages with parts and a fence",
        "x.jsonl",
        "\n".join(
            json.dumps(
                {
                    "clip_id": name,
                    "session": "s",
                    "messages": [{"role": "assistant", "content": [{"type": "text", "text": FENCED}]}],
                }
            )
            for name in "ab"
        ),
    ),
    (
        "a table with ; and quotes",
        "x.csv",
        '"clip_id";"session";"dominant_operation";"start_frame";"end_frame";"anticipated_next_operation"\r\n'
        '"a";"s";"Tape";"3";"90";"Label"\r\n"b";"s";"tape";"3";"90";"label"\r\n',
    ),
]


def clips_of(path: Path, home: Path, **choices) -> list[tuple]:
    """Import a file; return id, session, both operations and both frames of each clip."""
    name = import_world([path], home, **choices).name
    with open_truth(name, home=home) as truth:
        return truth.connection.execute(
            """SELECT clip_id, session, d.operation, x.operation, start_frame, end_frame FROM truth.clips c
            JOIN truth.operations d ON d.code = c.dominant_operation
            JOIN truth.operations x ON x.code = c.next_operation ORDER BY session_index, clip_index"""
        ).fetchall()


@pytest.mark.parametrize(("why", "name", "text"), CONTAINERS, ids=[case[0] for case in CONTAINERS])
def test_truth_in_other_containers_and_under_other_names(why, name, text, tmp_path):
    (tmp_path / name).write_text(text)
    found = clips_of(tmp_path / name, tmp_path / "home")
    assert found == [(clip, "s", "Tape", "Label", 3, 90) for clip in "ab"], why


@pytest.mark.parametrize("session", [0, 0.0, False, "", "0"])
def test_a_session_is_absent_only_where_it_is_absent_or_null(session, tmp_path):
    """pandas numbers groups from 0, which is false in Python."""
    rows = [ROW | {"clip_id": name, "session": session} for name in "abc"] + [ROW | {"clip_id": "d"}]
    rows[3]["session"] = type(session)(1)
    made = import_world([written(tmp_path / "x.jsonl", *rows)], tmp_path / "home")
    assert (made.clips, made.sessions) == (4, 2)
    assert not any("session column" in note or "of its own" in note for note in made.notes)


def test_the_note_says_why_each_clip_is_a_session(tmp_path):
    distinct = [ROW | {"clip_id": name, "session": name} for name in "ab"]
    some = [*distinct, {key: value for key, value in (ROW | {"clip_id": "c"}).items() if key != "session"}]
    nulls = [row | {"session": None} for row in distinct]
    beginnings = [
        (distinct, "every clip has a session of its own"),
        (some, "every clip has a session of its own"),
        ([*some, ROW | {"clip_id": "d", "session": "a"}], "1 of 4 clips name no session"),
        (nulls, "no session column"),
    ]
    for place, (rows, beginning) in enumerate(beginnings):
        made = import_world([written(tmp_path / f"x{place}.jsonl", *rows)], tmp_path / "home")
        assert made.notes[0].startswith(beginning)


SPELLINGS = [
    (["Load Pallet", "load pallet", "Load_Pallet", " LOAD-PALLET "], "Load Pallet", "case, spaces, _ and -"),
    (["Caf\u00e9", "Cafe\u0301", "CAFE\u0301"], "Caf\u00e9", "composed first"),
    (["Cafe\u0301", "Caf\u00e9"], "Caf\u00e9", "decomposed first, as macOS writes"),
    (["inner_packing", "Inner Packing"], "Inner Packing", "one of the ten"),
]


@pytest.mark.parametrize(("spelt", "label", "why"), SPELLINGS, ids=[case[2] for case in SPELLINGS])
def test_one_label_in_several_spellings_is_one_label(spelt, label, why, tmp_path):
    rows = [ROW | {"clip_id": str(n), "clip_index": n, "dominant_operation": text} for n, text in enumerate(spelt)]
    found = clips_of(written(tmp_path / "x.jsonl", *rows), tmp_path / "home")
    assert {row[2] for row in found} == {label}
    answers = tmp_path / "answers.jsonl"
    written(answers, *({**FRAMES, "clip_id": str(n), **LABELS, "dominant_operation": t} for n, t in enumerate(spelt)))
    assert harness.score(answers, world="x", home=tmp_path / "home").metrics["oca"].value == 1


def test_a_decomposed_spelling_is_not_the_next_of_the_composed_one(tmp_path):
    row = ROW | {"dominant_operation": "Caf\u00e9", "next_operation": "Cafe\u0301"}
    with pytest.raises(WorldError, match=r"x\.jsonl:1: next_operation 'Caf\u00e9'"):
        import_world([written(tmp_path / "x.jsonl", row)], tmp_path / "home")


RATES = [
    ({"fps": 15}, (3, 70), (5, 117), "3 and 70 of 75 are 5.0 and 116.67 of 125"),
    ({"clip_frames": 75}, (0, 75), (0, 125), "the whole clip"),
    ({"fps": 30}, (3, 149), (3, 124), "half up: 2.5 and 124.17"),
    ({"clip_frames": 8}, (2, 3), (31, 47), "sampled frames: 31.25 and 46.88"),
    ({}, (3, 90), (3, 90), "frames of the clip"),
]


@pytest.mark.parametrize(("rate", "segment", "expected", "why"), RATES, ids=[case[3] for case in RATES])
def test_frames_at_another_rate_are_converted_as_answers_are(rate, segment, expected, why, tmp_path):
    frames = dict(zip(FRAMES, segment, strict=True))
    path = written(tmp_path / "x.jsonl", *(ROW | {"clip_id": name, "session": name} | frames for name in "ab"))
    found = clips_of(path, tmp_path / "home", **rate)
    assert {row[4:] for row in found} == {expected}
    assert not any("--fps" in note for note in import_world([path], tmp_path / "again", **rate).notes)
    answers = written(tmp_path / "answers.jsonl", *({"clip_id": name, **LABELS, **frames} for name in "ab"))
    score = harness.score(answers, world="x", home=tmp_path / "home", **rate)
    assert score.metrics["tiou50"].value == 1


def test_frames_that_stay_below_75_get_a_note_that_names_the_rate(tmp_path):
    path = written(tmp_path / "x.jsonl", ROW | {"end_frame": 75})
    assert any("--fps (15 for 75 frames)" in note for note in import_world([path], tmp_path / "home").notes)


OPTIONS = [
    ({"fps": 0}, "--fps 0: expected a frame rate above 0"),
    ({"fps": float("nan")}, "--fps nan"),
    ({"clip_frames": 1001}, "--clip-frames 1001: expected 1 to 1,000"),
    ({"fps": 15, "clip_frames": 80}, "80 frames at 15 fps are longer"),
    ({"fps": 15}, "segment [3, 90) does not lie in a clip of 75 frames"),
    ({"fps": 200}, "segment [1, 2) is shorter than a frame at 25 fps"),
]


@pytest.mark.parametrize(("rate", "message"), OPTIONS, ids=[str(case[0]) for case in OPTIONS])
def test_refused_rates(rate, message, tmp_path):
    row = ROW | ({"start_frame": 1, "end_frame": 2} if rate == {"fps": 200} else {})
    with pytest.raises(WorldError) as caught:
        import_world([written(tmp_path / "x.jsonl", row)], tmp_path / "home", **rate)
    assert message in str(caught.value)


HEADER = "clip_id,session,dominant_operation,start_frame,end_frame,next_operation"
TAPE = "a,s,Tape,3,90,Label"
LATIN = json.dumps(ROW | {"domain": "caf\u00e9"}, ensure_ascii=False).encode("latin-1")
TWO = json.dumps(ROW) + "\n"
B = ROW | {"clip_id": "b"}
SAID = {"role": "assistant", "content": "The worker tapes."}


def lines(*rows: dict) -> str:
    return "\n".join(map(json.dumps, rows))


MANY = "".join(f"c{i},s{i},Op{i},3,90,Label\n" for i in range(300))
STRICT = [
    ("an extra cell", "x.csv", f"{HEADER}\n{TAPE}, then Load\n", "x.csv:2: 7 cells under a header of 6"),
    ("a cell too few", "x.csv", f"{HEADER}\n{TAPE}\nb,s,Tape,3,90\n", "x.csv:3: 5 cells under a header of 6"),
    ("after a cell over lines", "x.csv", f'{HEADER}\n"a\nb",s,Tape,3,90,Label\n,', "x.csv:2: clip_id"),
    ("a column twice", "x.csv", f"{HEADER},session\n{TAPE},t\n", "x.csv:1: the column 'session' stands twice"),
    ("a column twice but for case", "x.csv", f"{HEADER},Session\n{TAPE},t\n", "differ only in case"),
    ("a float in a cell", "x.csv", f"{HEADER}\na,s,Tape,3.0,90,Label\n", "x.csv:2: start_frame is '3.0'"),
    ("a cell over any limit", "x.csv", f"{HEADER}\na,s,{'x' * 140_000},3,90,Label\n", "x.csv:2: "),
    ("an open quote", "x.csv", f'{HEADER}\na,"s,Tape,3,90,Label\n', "x.csv:2: not a CSV row"),
    ("no clip_id", "x.csv", f"user,session,operation\n{TAPE}", "no column clip_id, as truth has; OpenPack annotations"),
    ("Latin-1 in a table", "x.csv", f"{HEADER}\n{TAPE}\ncaf\u00e9".encode("latin-1"), "x.csv:3: not UTF-8"),
    ("UTF-16 in a table", "x.csv", f"{HEADER}\n{TAPE}\n".encode("utf-16"), "x.csv:1: not UTF-8 but UTF-16"),
    ("Latin-1", "x.jsonl", TWO.encode() + LATIN, "x.jsonl:2: not UTF-8"),
    ("UTF-16", "x.jsonl", TWO.encode("utf-16"), "x.jsonl:1: not UTF-8 but UTF-16"),
    ("a key twice", "x.jsonl", TWO + TWO.replace("{", '{"session": "t", '), "x.jsonl:2: not JSON (the key 'session'"),
    ("a key twice but for case", "x.jsonl", json.dumps(ROW | {"Session": 1}), "x.jsonl:1: 'session' and 'Session'"),
    ("an id that is a list", "x.jsonl", json.dumps(ROW | {"clip_id": ["a"]}), "x.jsonl:1: clip_id is ['a']"),
    ("an id that is a float", "x.jsonl", json.dumps(ROW | {"clip_id": 1.0}), "x.jsonl:1: clip_id is 1.0"),
    ("an id that is empty", "x.jsonl", json.dumps(ROW | {"clip_id": ""}), "x.jsonl:1: clip_id is ''"),
    ("an id that no answer can name", "x.jsonl", json.dumps(ROW | {"clip_id": "a\u200b"}), "x.jsonl:1: clip_id"),
    ("a session that is a list", "x.jsonl", json.dumps(ROW | {"session": [1]}), "x.jsonl:1: session is [1]"),
    ("sessions of two types", "x.jsonl", TWO + json.dumps(B | {"session": 1}), "jsonl:2: session is 1 (int), but str"),
    ("nesting", "x.jsonl", f'{TWO}{{"clip_id": {"[" * 99_999}{"]" * 99_999}}}', "x.jsonl:2: not JSON"),
    ("nesting in an array", "x.json", f"[{TWO},\n{'[' * 99_999}{']' * 99_999}]", "x.json:3: not JSON"),
    ("an open array", "x.json", f"[{TWO}", "x.json:2: not JSON (the array is not closed"),
    ("a comma at the end", "x.json", f"[{TWO},\n]", "x.json:3: not JSON"),
    ("two arrays", "x.json", f"[{TWO}]\n[{TWO}]", "x.json:3: more stands after the array"),
    ("no object in an array", "x.json", f"[{TWO}, 5]", "x.json:2: expected an object"),
    ("one object over lines", "x.json", json.dumps(ROW, indent=1), "x.json:1: an object over several lines"),
    ("an object around the rows", "x.json", json.dumps({"clips": [ROW]}), "next_operation missing; there are clips"),
    ("an index beyond 31 bits", "x.jsonl", json.dumps(ROW | {"clip_index": 1 << 31}), "x.jsonl:1: clip_index is 2147"),
    ("a time beyond 63 bits", "x.jsonl", json.dumps(ROW | {"start_ms": 1 << 63}), "x.jsonl:1: start_ms is 9223"),
    ("half a surrogate", "x.jsonl", json.dumps(ROW | {"domain": "\ud800"}), "x.jsonl:1: half a surrogate pair"),
    ("half a surrogate in an array", "x.json", json.dumps([ROW | {"clip_id": "\ud800"}]), "x.json:1: half a surrogate"),
    ("NaN", "x.jsonl", json.dumps(ROW | {"session": float("nan")}), "x.jsonl:1: not JSON (NaN"),
    ("domains of two types", "x.jsonl", lines(ROW | {"domain": "x"}, B | {"domain": 1}), "jsonl:2: domain is 1 (int)"),
    ("a worker that is an object", "x.jsonl", json.dumps(ROW | {"worker": {}}), "x.jsonl:1: worker is {}"),
    ("two next operations", "x.jsonl", json.dumps(ROW | {"anticipated_next_operation": "Wrap"}), "which is the truth?"),
    ("a text of next operations", "x.jsonl", json.dumps(ROW | {"next_operations": "Label"}), "expected an array"),
    ("no answer in the reply", "x.jsonl", json.dumps({"id": "a", "messages": [SAID]}), "reply in messages: not JSON"),
    ("two replies", "x.jsonl", json.dumps({"id": "a", "conversations": [GPT, HUMAN, GPT]}), "2 replies, expected one"),
    ("a reply and an answer", "x.jsonl", json.dumps(ROW | {"conversations": [GPT]}), "conversations stands beside"),
    ("a hidden character", "x.jsonl", json.dumps(ROW | {"dominant_operation": "Ta\u200bpe"}), "differ in U+200B alone"),
    ("no value", "x.jsonl", json.dumps(ROW | {"dominant_operation": None}), "x.jsonl:1: dominant_operation missing"),
    ("lines that end in CR", "x.csv", f"{HEADER}\r{TAPE}\r", "x.csv:1: its lines end in a carriage return alone"),
    ("JSON lines that end in CR", "x.jsonl", lines(ROW, B).replace("\n", "\r"), "x.jsonl:1: its lines end in"),
    ("a long operation", "x.jsonl", json.dumps(ROW | {"dominant_operation": "x" * 1001}), "operation has 1,001 char"),
    ("a long session", "x.jsonl", json.dumps(ROW | {"session": "x" * 1001}), "x.jsonl:1: session has 1,001 characters"),
    ("many operations", "x.csv", f"{HEADER}\n{MANY}", "x.csv: 301 different operations, at most 254"),
    ("no Parquet", "x.parquet", "PAR1", "x.parquet: not a readable Parquet file"),
]  # fmt: skip


@pytest.mark.parametrize(("why", "name", "content", "message"), STRICT, ids=[case[0] for case in STRICT])
def test_truth_is_read_as_strictly_as_predictions(why, name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(WorldError) as caught:
        import_world([path], tmp_path / "home")
    assert message in str(caught.value), why
    assert str(caught.value).startswith(name) and caught.value.exit_code == 2
    assert not list((tmp_path / "home" / "worlds").iterdir()), "nothing is left of a refused import"


def test_parquet_columns_that_are_no_truth_may_be_of_any_type(tmp_path):
    """A time with a zone cannot be fetched everywhere; 0 as session, a pair as segment and the other name can."""
    path = tmp_path / "x.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT 'a' AS clip_id, 0 AS session, 'Tape' AS dominant_operation, [3, 90] AS temporal_segment,
            'Label' AS anticipated_next_operation, now() AS seen) TO '{path}' (FORMAT parquet)"""
        )
    assert clips_of(path, tmp_path / "home") == [("a", "0", "Tape", "Label", 3, 90)]


COLUMNS = [
    ("'a' AS clip_id, now() AS domain", "x.parquet:1: the column domain holds times with a time zone", "a zone"),
    ("TIMESTAMP '2031-05-06' AS clip_id", "x.parquet:1: clip_id is datetime", "a time as an id"),
    ("1.0::DOUBLE AS clip_id", "x.parquet:1: clip_id is 1.0", "a float as an id"),
    ("['a'] AS clip_id", "x.parquet:1: clip_id is ['a']", "a list as an id"),
    ("repeat('x', 1000000) AS clip_id", "x.parquet: holds 2,0", "more than may be read"),
]


@pytest.mark.parametrize(("columns", "message", "why"), COLUMNS, ids=[case[2] for case in COLUMNS])
def test_parquet_columns_of_other_types_are_named(columns, message, why, tmp_path, monkeypatch):
    monkeypatch.setattr(truth_files, "MAX_BYTES", 1_000_000)
    path = tmp_path / "x.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT {columns}, 'Tape' AS dominant_operation, 3 AS start_frame, 90 AS end_frame,
            'Label' AS next_operation FROM range(2)) TO '{path}' (FORMAT parquet)"""
        )
    with pytest.raises(WorldError) as caught:
        import_world([path], tmp_path / "home")
    assert str(caught.value).startswith(message), why


NAMES = [
    ("shipped", "warehouse-v2", "no shipped name"),
    ("a scaled world", "warehouse-v2-x2", "no shipped name, also with -xN behind it"),
    ("a scaled world of no scale", "canonical-v1-x07", "also with -xN behind it"),
    ("a way out", "../../x", "cannot name an imported world"),
    ("quotes", "a'; DROP TABLE clips", "cannot name an imported world"),
    ("300 bytes", "a" * 300, "cannot name an imported world"),
    ("empty-like", ".", "cannot name an imported world"),
]


@pytest.mark.parametrize(("why", "name", "message"), NAMES, ids=[case[0] for case in NAMES])
def test_refused_names(why, name, message, tmp_path):
    with pytest.raises(WorldError, match=message):
        import_world([written(tmp_path / "x.jsonl", ROW)], tmp_path / "home", name=name)


def test_the_name_of_a_sealed_split_is_taken(tmp_path):
    home = tmp_path / "home"
    (home / "sealed" / "mine").mkdir(parents=True)
    seal = {"name": "mine", "split": "test", "commitment": "0" * 64, "secret_file": "secret.json"}
    (home / "sealed" / "mine" / REGISTERED).write_text(json.dumps(seal))
    with pytest.raises(WorldError, match="'mine' is the name of a sealed split"):
        import_world([written(tmp_path / "x.jsonl", ROW)], home, name="mine")


def test_replacing_is_asked_for(tmp_path):
    home, path = tmp_path / "home", written(tmp_path / "x.jsonl", ROW)
    import_world([path], home)
    with pytest.raises(WorldError, match="already; --replace"):
        import_world([path], home)
    written(path, ROW, ROW | {"clip_id": "b", "clip_index": 1})
    assert import_world([path], home, replace=True).clips == 2
    with open_truth("x", home=home) as truth:
        assert truth.n == 2
    assert names(home) == ["canonical-v1", "warehouse-v2", "x"]


def test_kept_file_that_was_altered_is_refused(tmp_path):
    home = tmp_path / "home"
    import_world([written(tmp_path / "x.jsonl", ROW)], home)
    kept = next((home / "worlds" / "x").glob("*.jsonl"))
    kept.write_text(kept.read_text().replace("90", "91"))
    with pytest.raises(WorldError, match="not the file that was imported"):
        open_truth("x", home=home)


DESCRIPTIONS = [
    *("[]", "null", "{", "{}", "[" * 100_000, "\0", '{"kind": "truth", "files": [{"file": 1}]}'),
    *('{"kind": "truth", "files": [], "splits": {"test": 3}}', '{"kind": "openpack", "files": []}'),
]


@pytest.mark.parametrize("text", DESCRIPTIONS, ids=[text[:40] for text in DESCRIPTIONS])
def test_a_damaged_description_is_refused(text, tmp_path):
    home = tmp_path / "home"
    import_world([written(tmp_path / "x.jsonl", ROW)], home)
    (home / "worlds" / "x" / "world.json").write_text(text)
    with pytest.raises(WorldError, match=r"world\.json: not readable; import x again"):
        imported_origin("x", home)


ANNOTATIONS = """user,session,box,id,operation,start,end
U0001,S0100,1,300,Assemble Box,2022-03-29 14:00:00.000000+09:00,2022-03-29 14:00:08.000000+09:00
U0001,S0100,1,400,Insert Items,2022-03-29 14:00:08.000000+09:00,2022-03-29 14:00:20.000000+09:00
U0001,S0100,1,500,Close Box,2022-03-29 14:00:20.000000+09:00,2022-03-29 14:00:23.000000+09:00
U0001,S0100,1,600,Attach Box Label,2022-03-29 14:00:23.000000+09:00,2022-03-29 14:00:30.000000+09:00
U0001,S0100,2,300,Assemble Box,2022-03-29 14:00:30.000000+09:00,2022-03-29 14:00:40.000000+09:00
"""
PAIRS = {("Box Setup", "Put Items"), ("Put Items", "Tape"), ("Tape", "Label"), ("Label", "Box Setup")}
OWN_NAMES = {
    ("Assemble Box", "Insert Items"),
    ("Insert Items", "Close Box"),
    ("Close Box", "Attach Box Label"),
    ("Attach Box Label", "Assemble Box"),
}


@pytest.mark.parametrize(("operation_map", "pairs"), [(None, OWN_NAMES), ("openpack", PAIRS)])
def test_annotations_become_a_scored_world(operation_map, pairs, tmp_path):
    """By default operations keep the names that OpenPack gives them."""
    home, path = tmp_path / "home", tmp_path / "operations.csv"
    path.write_text(ANNOTATIONS)
    made = import_world([path], home, name="packing", operation_map=operation_map)
    with open_truth("packing", home=home) as truth:
        rows = truth.connection.execute("""SELECT d.operation, x.operation, session FROM truth.clips c
            JOIN truth.operations d ON d.code = c.dominant_operation
            JOIN truth.operations x ON x.code = c.next_operation""").fetchall()
    assert made.clips == len(rows) > 0
    assert {pair[:2] for pair in rows} <= pairs and {pair[2] for pair in rows} == {"U0001-S0100"}


def test_map_is_kept_with_the_world(tmp_path):
    """Editing the map file afterwards changes nothing."""
    home, path, chosen = tmp_path / "home", tmp_path / "operations.csv", tmp_path / "mine.toml"
    path.write_text(ANNOTATIONS)
    chosen.write_text('[operations]\n300 = "Build"\n400 = "Fill"\n500 = "Close"\n600 = "Mark"\n')
    import_world([path], home, name="mine", operation_map=str(chosen))
    chosen.write_text("")
    with open_truth("mine", home=home) as truth:
        assert truth.operations == ("Build", "Fill", "Close", "Mark", "Unknown")
    shutil.rmtree(home / "truth")
    with open_truth("mine", home=home) as truth:
        assert truth.n > 0


def test_annotation_errors_name_the_users_file(tmp_path):
    path = tmp_path / "operations.csv"
    path.write_text(ANNOTATIONS.replace("500,Close", "555,Close"))
    with pytest.raises(WorldError, match=r"^operations\.csv:4: operation 555 has no label"):
        import_world([path], tmp_path / "home", operation_map="openpack")


def quoted(text: str) -> str:
    return "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines())


first, *rest = ANNOTATIONS.splitlines()
LONG = "\n".join([first, *(row.replace(" 14:00:", f" 14:{m:02d}:") for m in range(10) for row in rest)])
HEADERS = [
    ("quoted names", LONG.replace("user,session,box,id", '"user","session","box","id"')),
    ("quoted cells", quoted(LONG)),
    ("semicolons", LONG.replace(",", ";")),
    ("semicolons and quotes", quoted(LONG).replace(",", ";")),
    ("tabs", LONG.replace(",", "\t")),
    ("a byte order mark", "\ufeff" + LONG),
]


@pytest.mark.parametrize(("why", "text"), HEADERS, ids=[case[0] for case in HEADERS])
def test_annotations_are_recognised_however_the_header_is_written(why, text, tmp_path):
    path = tmp_path / "operations.csv"
    path.write_text(text, encoding="utf-8")
    made = import_world([path], tmp_path / "home")
    with open_truth(made.name, home=tmp_path / "home") as truth:
        assert truth.connection.execute("SELECT DISTINCT session FROM truth.clips").fetchall() == [("U0001-S0100",)]


def test_annotations_and_truth_are_imported_apart(tmp_path):
    annotations = tmp_path / "operations.csv"
    annotations.write_text(ANNOTATIONS)
    truth = written(tmp_path / "x.jsonl", ROW)
    for files in ([annotations, truth], [truth, annotations]):
        with pytest.raises(WorldError, match=r"operations\.csv holds OpenPack annotations and x\.jsonl does not"):
            import_world(files, tmp_path / "home")
    with pytest.raises(WorldError, match="--fps and --clip-frames belong to truth"):
        import_world([annotations], tmp_path / "home", fps=15)


def test_a_replacement_that_is_killed_loses_no_world(tmp_path, monkeypatch):
    """The moment between the two renames: the old world is aside, the new one not yet in place."""
    home = tmp_path / "home"
    old, new = hand.grid(2, 3), hand.grid(2, 4)
    for name, rows in (("old", old), ("new", new)):
        hand.write(tmp_path / f"{name}.jsonl", rows)
    import_world([tmp_path / "old.jsonl"], home, name="mine")
    rename = Path.rename

    def killed(self, target):
        if self.name.startswith(".new-"):
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", killed)
        import_world([tmp_path / "new.jsonl"], home, name="mine", replace=True)
    assert not (home / "worlds" / "mine").exists()
    with open_truth("mine", "test", home=home) as truth:
        assert truth.n == len(old)
    import_world([tmp_path / "new.jsonl"], home, name="mine", replace=True)
    with open_truth("mine", "test", home=home) as truth:
        assert truth.n == len(new)
    assert [path.name for path in (home / "worlds").iterdir()] == ["mine"]


def test_a_replacement_killed_at_its_end_leaves_the_new_world_alone(tmp_path):
    home = tmp_path / "home"
    hand.world("mine", hand.grid(2, 3), tmp_path, home)
    shutil.copytree(home / "worlds" / "mine", home / "worlds" / ".replaced-mine")
    assert imported_names(home) == ["mine"]
    assert [path.name for path in (home / "worlds").iterdir()] == ["mine"]
