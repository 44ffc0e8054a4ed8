"""Imported worlds: what makes one, what comes out again, what is refused and where."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import jsonschema
import pytest

from harness.resources import schema
from harness.worlds import describe
from reference.errors import TruthError, WorldError
from reference.process.split import build_split
from reference.process.world import load_world
from reference.truth.catalog import names
from reference.truth.imported import import_world
from reference.truth.store import export, open_truth
from reference.truth.truth_rows import truth_row

ROW = {
    "clip_id": "a",
    "session": "s",
    "dominant_operation": "Tape",
    "start_frame": 3,
    "end_frame": 90,
    "next_operation": "Label",
}
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
    assert describe.export("warehouse-v1", "validation", path) == 480
    made = import_world([path], home, name=f"round-{extension}")
    assert (made.clips, made.sessions) == (480, 24)
    with open_truth("warehouse-v1", "validation") as before, open_truth(made.name) as after:
        assert before.connection.execute(KEPT).fetchall() == after.connection.execute(KEPT).fetchall()
        assert after.connection.execute(
            "SELECT count(ceiling_ppm), count(oracle_next) FROM truth.clips"
        ).fetchone() == (0, 0)
        assert (after.public, after.in_sample, set(after.script)) == (False, False, {None})


def test_json_lines_have_the_shape_of_a_prediction_and_of_a_rendering(tmp_path):
    """One shape of truth: what a rendering's truth.jsonl says of a clip, the export says with the same keys."""
    path = tmp_path / "train.jsonl"
    describe.export("warehouse-v1", "validation", path)
    exported = [json.loads(line) for line in path.read_text().splitlines()]
    expected = [truth_row(clip) for clip in build_split(load_world("warehouse-v1"), "validation")]
    assert [{key: row[key] for key in expected[0]} for row in exported] == expected
    keys = list(exported[0])
    assert keys[4:7] == ["dominant_operation", "temporal_segment", "next_operation"]
    assert not {"start_frame", "end_frame"} & set(keys)
    assert list(exported[0]["temporal_segment"]) == ["start_frame", "end_frame"]
    answer = {key: exported[0][key] for key in schema("prediction")["properties"] if key in exported[0]}
    jsonschema.validate(answer, schema("prediction"))


FLAT = {"start_frame": 3, "end_frame": 90}
SHAPES = [
    ({"temporal_segment": FLAT}, None, "an object, like a prediction"),
    (FLAT, None, "two fields"),
    ({"temporal_segment": {"start_frame": 3}}, "x.jsonl:1: end_frame missing", "half an object"),
    ({"temporal_segment": [3, 90]}, None, "a pair, which predictions may have too"),
    ({"temporal_segment": FLAT, **FLAT}, None, "both shapes, which agree"),
    ({"temporal_segment": FLAT, "end_frame": 91}, "end_frame is 91 and temporal_segment.end_frame is 90", "they differ"),
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
    describe.export("warehouse-v1", "validation", tmp_path / "x.jsonl")
    with duckdb.connect() as connection:
        source, target = tmp_path / "x.jsonl", path
        connection.execute(f"COPY (SELECT * FROM read_json('{source}')) TO '{target}' (FORMAT parquet)")
    assert import_world([path], home).clips == 480


def test_export_again_is_the_same_file(home, tmp_path):
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    describe.export("warehouse-v1", "validation", first)
    import_world([first], home, name="again")
    describe.export("again", "test", second, include_test=True)
    lost = ("domain_seen", "randomised", "off_script", "ceiling", "oracle_next", "prior_next")

    def lines(path):
        return [{k: v for k, v in json.loads(line).items() if k not in lost} for line in path.read_text().splitlines()]

    assert lines(first) == lines(second)


def test_test_truth_leaves_only_when_asked(tmp_path):
    from harness.errors import UsageError

    with pytest.raises(UsageError, match="--include-test"):
        describe.export("warehouse-v1", "test", tmp_path / "t.jsonl")
    with pytest.raises(UsageError, match="--include-test"):
        describe.export("warehouse-v1", "test-large", tmp_path / "t.jsonl")


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
    assert [(operation, following) for _, operation, _, _, following in constants] == [tie, tie, majority]
    assert {(start, end) for _, _, start, end, _ in constants} == {(0, 48)}
    assert tape == [(code("Label"),)] * 3


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


NAMES = [
    ("shipped", "warehouse-v1", "no shipped name"),
    ("a way out", "../../x", "cannot name an imported world"),
    ("quotes", "a'; DROP TABLE clips", "cannot name an imported world"),
    ("300 bytes", "a" * 300, "cannot name an imported world"),
    ("empty-like", ".", "cannot name an imported world"),
]


@pytest.mark.parametrize(("why", "name", "message"), NAMES, ids=[case[0] for case in NAMES])
def test_refused_names(why, name, message, tmp_path):
    with pytest.raises(WorldError, match=message):
        import_world([written(tmp_path / "x.jsonl", ROW)], tmp_path / "home", name=name)


def test_replacing_is_asked_for(tmp_path):
    home, path = tmp_path / "home", written(tmp_path / "x.jsonl", ROW)
    import_world([path], home)
    with pytest.raises(WorldError, match="already; --replace"):
        import_world([path], home)
    written(path, ROW, ROW | {"clip_id": "b", "clip_index": 1})
    assert import_world([path], home, replace=True).clips == 2
    with open_truth("x", home=home) as truth:
        assert truth.n == 2
    assert names(home) == ["canonical-v1", "warehouse-v1", "x"]


def test_kept_file_that_was_altered_is_refused(tmp_path):
    home = tmp_path / "home"
    import_world([written(tmp_path / "x.jsonl", ROW)], home)
    kept = next((home / "worlds" / "x").glob("*.jsonl"))
    kept.write_text(kept.read_text().replace("90", "91"))
    with pytest.raises(WorldError, match="not the file that was imported"):
        open_truth("x", home=home)


ANNOTATIONS = """user,session,box,id,operation,start,end
U0001,S0100,1,300,Assemble Box,2022-03-29 14:00:00.000000+09:00,2022-03-29 14:00:08.000000+09:00
U0001,S0100,1,400,Insert Items,2022-03-29 14:00:08.000000+09:00,2022-03-29 14:00:20.000000+09:00
U0001,S0100,1,500,Close Box,2022-03-29 14:00:20.000000+09:00,2022-03-29 14:00:23.000000+09:00
U0001,S0100,1,600,Attach Box Label,2022-03-29 14:00:23.000000+09:00,2022-03-29 14:00:30.000000+09:00
U0001,S0100,2,300,Assemble Box,2022-03-29 14:00:30.000000+09:00,2022-03-29 14:00:40.000000+09:00
"""
PAIRS = {("Box Setup", "Put Items"), ("Put Items", "Tape"), ("Tape", "Label"), ("Label", "Box Setup")}


def test_annotations_become_a_scored_world(tmp_path):
    home, path = tmp_path / "home", tmp_path / "operations.csv"
    path.write_text(ANNOTATIONS)
    made = import_world([path], home, name="packing")
    with open_truth("packing", home=home) as truth:
        rows = truth.connection.execute("""SELECT d.operation, x.operation, session FROM truth.clips c
            JOIN truth.operations d ON d.code = c.dominant_operation
            JOIN truth.operations x ON x.code = c.next_operation""").fetchall()
    assert made.clips == len(rows) > 0
    assert {pair[:2] for pair in rows} <= PAIRS and {pair[2] for pair in rows} == {"U0001-S0100"}


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
        import_world([path], tmp_path / "home")
