"""OpenPack files: a recording invented here, in each layout, its runs worked out by hand; and the published sample.

The sample is not part of the project (its licence is CC BY-NC-SA 4.0): OPENPACK_SAMPLE=folder runs its tests in place.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from reference.errors import WorldError
from reference.process.cutter import DEFAULT_PLAN, session_clips
from reference.task import OPERATIONS, UNKNOWN, Run
from reference.truth.openpack import Event, label_order, load_map, meanings, parse_map, read_sessions
from tests.support.slots import resample_1hz, score_slots

HEADER = "uuid,user,session,box,id,operation,start,end,actions\n"
OPERATIONS_FILE = HEADER + (
    "a,U0901,S0100,1,100,Picking,2031-05-06 08:00:00.500000+09:00,2031-05-06 08:00:03.500000+09:00,x;y\n"
    "b,U0901,S0100,1,400,Insert Items,2031-05-06 08:00:03.500000+09:00,2031-05-06 08:00:05+09:00,\n"
    "c,U0901,S0100,1,300,Assemble Box,2031-05-06 08:00:05+09:00,2031-05-06 08:00:09.010+09:00,\n"
    "d,U0901,S0100,1,500,Close Box,2031-05-06 08:00:09.049+09:00,2031-05-06 08:00:10.200999+09:00,\n"
    "e,U0901,S0100,1,600,Attach Box Label,2031-05-06 08:00:10.240+09:00,2031-05-06T08:00:12+09:00,\n"
    "f,U0901,S0100,1,800,Attach Shipping Label,2031-05-06 08:00:12+09:00,2031-05-06 08:00:13+09:00,\n"
    "g,U0901,S0100,2,200,Relocate Item Label,2031-05-05 23:00:13+00:00,2031-05-05T23:00:13.600Z,\n"
    "h,U0901,S0100,2,700,Scan Label,2031-05-06 08:00:13.600+09:00,2031-05-06 08:00:15+09:00,\n"
    "i,U0901,S0100,2,700,Scan Label,2031-05-06 08:00:17+09:00,2031-05-06 08:00:18+09:00,\n"
)
ZERO_S = 1935788400
"""2031-05-06 08:00:00 +09:00 in Unix time."""
RUNS = [
    ("Put Items", 0, 4500),  # 100 and 400
    ("Box Setup", 4500, 8549),  # with the 39 ms after it, less than a frame
    ("Tape", 8549, 9700),  # .200999 is cut to .200
    (UNKNOWN, 9700, 9740),  # one frame
    ("Label", 9740, 12500),  # 600 then 800
    ("Relocate Item Label", 12500, 13100),  # given in UTC
    ("Final Check", 13100, 14500),
    (UNKNOWN, 14500, 16500),
    ("Final Check", 16500, 17500),  # nothing is merged over a gap
]
SECONDS = [100] * 3 + [400] * 2 + [300] * 4 + [500] + [600] * 2 + [800] + [700] * 5
"""From 08:00:00 on. 200 and 700 both begin in second 13: the later one has it. 700 goes on through the gap."""


def one_hz(ids=SECONDS, header="unixtime,user,session,box,id", who="U0901,S0100", skip=()):
    rows = [f"{(ZERO_S + t) * 1000},{who},{1 + (t >= 13)},{i}" for t, i in enumerate(ids) if t not in skip]
    return "\n".join([header, *rows]) + "\n"


ONE_HZ_RUNS = [
    ("Put Items", 0, 5000),
    ("Box Setup", 5000, 9000),
    ("Tape", 9000, 10000),
    ("Label", 10000, 13000),
    ("Final Check", 13000, 18000),
]
GAP_RUNS = [
    ("Put Items", 0, 1000),
    (UNKNOWN, 1000, 2000),
    ("Put Items", 2000, 5000),
    *ONE_HZ_RUNS[1:],
]
SHUFFLED = HEADER + "".join(sorted(OPERATIONS_FILE.splitlines(keepends=True)[1:], reverse=True))
LEGACY = one_hz(header="unixtime,user,session,box,act_id", who="901,100")

LAYOUTS = [
    ("operations", OPERATIONS_FILE, RUNS, 500),
    ("rows in any order", SHUFFLED, RUNS, 500),
    ("byte order mark, CRLF, blank lines", "\ufeff" + OPERATIONS_FILE.replace("\n", "\r\n\r\n"), RUNS, 500),
    ("one second labels", one_hz(), ONE_HZ_RUNS, 0),
    ("legacy: act_id, bare integers", LEGACY, ONE_HZ_RUNS, 0),
    ("a missing second is a gap", one_hz(skip=[1]), GAP_RUNS, 0),
]


def write(folder: Path, text: str, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(("why", "text", "runs", "offset"), LAYOUTS, ids=[case[0] for case in LAYOUTS])
def test_runs_by_hand(tmp_path, why, text, runs, offset):
    sessions = read_sessions(write(tmp_path, text), load_map("openpack"))
    assert list(sessions) == ["U0901-S0100"]
    events, start_ms = sessions["U0901-S0100"]
    assert sessions["U0901-S0100"].runs == [Run(*run) for run in runs], why
    assert (events[0].start_ms, start_ms) == (0, ZERO_S * 1000 + offset)


def test_events_keep_id_and_box(tmp_path):
    events, _ = read_sessions(str(write(tmp_path, OPERATIONS_FILE)), load_map("openpack"))["U0901-S0100"]
    assert events[1] == Event("Put Items", 3000, 4500, 400, "1")
    assert [(event.id, event.box) for event in events[5:]] == [(800, "1"), (200, "2"), (700, "2"), (700, "2")]


def test_seconds_of_one_operation_are_one_event_within_a_box(tmp_path):
    events, _ = read_sessions(write(tmp_path, one_hz([100] * 14)), load_map("openpack"))["U0901-S0100"]
    assert events == (Event("Put Items", 0, 13000, 100, "1"), Event("Put Items", 13000, 14000, 100, "2"))


def test_resampling_gives_the_one_second_labels(tmp_path):
    slots = resample_1hz(*read_sessions(write(tmp_path, OPERATIONS_FILE))["U0901-S0100"])
    assert [(second, event.id) for second, event in slots] == [((ZERO_S + t) * 1000, i) for t, i in enumerate(SECONDS)]
    assert resample_1hz([], 0) == []


def test_resampling_the_one_second_labels_changes_nothing(tmp_path):
    slots = resample_1hz(*read_sessions(write(tmp_path, one_hz()))["U0901-S0100"])
    assert [event.id for _, event in slots] == SECONDS


def test_sessions_in_the_order_of_files_and_rows(tmp_path):
    first = write(tmp_path, one_hz(who="U0902,S0300") + one_hz().split("\n", 1)[1], "first.csv")
    second = write(tmp_path, one_hz(who="guest,morning"), "second.csv")
    assert list(read_sessions([first, second])) == ["U0902-S0300", "U0901-S0100", "guest-morning"]


def test_the_same_session_twice(tmp_path):
    paths = [write(tmp_path, OPERATIONS_FILE, "a.csv"), write(tmp_path, LEGACY, "b.csv")]
    with pytest.raises(WorldError, match=r"b\.csv:2: session U0901-S0100 was already read from .*a\.csv"):
        read_sessions(paths)


def test_the_sessions_can_be_cut(tmp_path):
    session = read_sessions(write(tmp_path, OPERATIONS_FILE))["U0901-S0100"]
    clips = list(session_clips("U0901-S0100", session.runs, DEFAULT_PLAN, b"key"))
    assert clips
    assert all(UNKNOWN not in (clip.dominant_operation, clip.next_operation) for clip in clips)


def row(**changes: str) -> str:
    fields = dict(zip(HEADER.strip().split(","), OPERATIONS_FILE.splitlines()[1].split(","), strict=True))
    return ",".join({**fields, **changes}.values()) + "\n"


LATE, LATER = "2031-05-06 08:00:03.499+09:00", "2031-05-06 09:00:00+09:00"
BROKEN = [
    ("empty file", "", r":1: the file is empty"),
    ("header alone", HEADER, r":1: no annotation after the header"),
    ("another file's header", "time,label\n1,2\n", r":1: header 'time,label' is not OpenPack's; expected the columns "),
    ("no header", row(), r":1: header .* is not OpenPack's"),
    ("a column twice", one_hz(header="unixtime,user,session,box,id,id"), r":1: header .* each once"),
    ("fields missing", HEADER + row() + "a,U0901\n", r":3: 2 fields under a header of 9"),
    ("unknown id", HEADER + row(id="650"), r":2: operation 650 has no label in the map openpack"),
    ("id is no number", HEADER + row(id="1e2"), r":2: id is '1e2', expected a whole number"),
    ("id in other digits", HEADER + row(id="١٠٠"), r":2: id is '١٠٠', expected a whole number"),
    ("no timestamp", HEADER + row(start="8 o'clock"), r":2: start is \"8 o'clock\", expected a timestamp in ISO 8601"),
    ("no offset", HEADER + row(end="2031-05-06 08:00:03"), r":2: end is .*, without an offset from UTC"),
    ("end = start", HEADER + row(end="2031-05-05 23:00:00.500+00:00"), r":2: end .* is not after start "),
    ("end < start", HEADER + row(end="2031-05-06 08:00:00.499+09:00"), r":2: end .* is not after start "),
    ("overlap", HEADER + row() + row(start=LATE, end=LATER), r":3: begins 1 ms before the operation of line 2 ends"),
    ("overlap, order reversed", HEADER + row(start=LATE, end=LATER) + row(), r":2: begins 1 ms .* line 3 ends"),
    ("the same row twice", one_hz([100]) + one_hz([100]).split("\n", 1)[1], r":3: begins 1000 ms .* line 2 ends"),
    ("unixtime with a fraction", "unixtime,user,session,box,id\n1.5,1,1,1,100\n", r":2: unixtime is '1.5'"),
    ("negative unixtime", "unixtime,user,session,box,id\n-1,1,1,1,100\n", r":2: unixtime is '-1'"),
    ("no user", HEADER + row(user=" "), r":2: user is empty"),
    ("quote left open", HEADER + row() + '"a,U0901\n', r":3: not CSV: "),
]


@pytest.mark.parametrize(("why", "text", "message"), BROKEN, ids=[case[0] for case in BROKEN])
def test_broken_files_are_refused_with_their_line(tmp_path, why, text, message):
    with pytest.raises(WorldError, match=r"file\.csv" + message):
        read_sessions(write(tmp_path, text), load_map("openpack"))


def test_unreadable_files(tmp_path):
    with pytest.raises(WorldError, match=r"none\.csv: No such file"):
        read_sessions(tmp_path / "none.csv")
    latin = tmp_path / "latin.csv"
    latin.write_bytes(HEADER.encode() + row(operation="?").encode().replace(b"?", b"\xe9"))
    with pytest.raises(WorldError, match=r"latin\.csv:2: not UTF-8"):
        read_sessions(latin)


TRUE_LABELS = {
    100: "Put Items",
    200: "Relocate Item Label",
    300: "Box Setup",
    400: "Put Items",
    500: "Tape",
    600: "Label",
    700: "Final Check",
    800: "Label",
    900: "Put on Back Table",
    1000: "Fill out Order",
    8100: "Idle",
}
TEN_LABELS = TRUE_LABELS | {200: "Inner Packing", 900: "Pack", 1000: "Wrap"}


def test_shipped_maps():
    """An operation that none of the ten labels is true of keeps its own name, unless one asks for the ten labels."""
    assert load_map("openpack").labels == TRUE_LABELS
    assert load_map("ten-labels").labels == TEN_LABELS


def test_descriptions_of_labels_are_openpacks_own_words(tmp_path):
    expected = {
        "Put Items": "Picking or Insert Items",
        "Box Setup": "Assemble Box",
        "Tape": "Close Box",
        "Label": "Attach Box Label or Attach Shipping Label",
        "Final Check": "Scan Label",
        "Idle": "none of the other operations",
    }
    assert meanings(load_map("openpack")) == expected, "a label that is OpenPack's own name says it already"
    others = {"Inner Packing": "Relocate Item Label", "Pack": "Put on Back Table", "Wrap": "Fill out Order"}
    assert meanings(load_map("ten-labels")) == expected | others
    assert meanings(load_map("identity")) == {"Null": "none of the other operations"}
    own = parse_map(b'[operations]\n500 = "Wrap"\n7 = "Unknown"', "own")
    assert meanings(own) == {"Wrap": "Close Box"}, "not what the word means elsewhere"


def test_identity_keeps_operations_apart(tmp_path):
    identity = load_map()
    assert identity == load_map("identity"), "the default"
    sessions = read_sessions(write(tmp_path, OPERATIONS_FILE.replace(",500,", ",550,")), identity)
    operations = [run.operation for run in sessions["U0901-S0100"].runs]
    assert operations[:4] == ["Picking", "Insert Items", "Assemble Box", "550"], "no name: the id itself"
    assert operations[5:7] == ["Attach Box Label", "Attach Shipping Label"], "600 and 800 do not merge"
    order = label_order(identity, sessions)
    assert order[:6] == ("Picking", "Relocate Item Label", "Assemble Box", "Insert Items", "Close Box", "550")
    assert order[-3:] == ("Fill out Order", "Null", UNKNOWN)


def test_a_map_of_ones_own(tmp_path):
    text = (
        '[operations]\n"scan_label" = "Check"\n100 = "Load"\n"paint" = "Paint"\n7 = "Unknown"\n[aliases]\n"Paint" = 5'
    )
    path = write(tmp_path, text, "own.toml")
    own = load_map(path)
    assert own.labels == {700: "Check", 100: "Load", 5: "Paint", 7: UNKNOWN}
    assert label_order(own, {}) == ("Paint", "Load", "Check", UNKNOWN)
    with pytest.raises(WorldError, match=r"file\.csv:3: operation 400 has no label in the map .*own\.toml"):
        read_sessions(write(tmp_path, OPERATIONS_FILE), own)


def test_labels_of_the_task_keep_its_order(tmp_path):
    own = parse_map(b'[operations]\n1 = "Tape"\n2 = "Box Setup"', "own")
    assert label_order(own, {}) == OPERATIONS


BROKEN_MAPS = [
    ("no TOML", "100 = ", "m: not a TOML file: "),
    ("no operations", "[aliases]\n", r"m: \[operations\] is missing or empty"),
    ("unknown key", "[operation]\n100 = 'Tape'", "m: unknown key 'operation'"),
    ("no table", "operations = 3", "m: operations is no table"),
    ("unknown name", "[operations]\n'Scan Labels' = 'Tape'", "m: operations: 'Scan Labels' is no id, no name of"),
    ("label is no text", "[operations]\n100 = 5", "m: operations: the label of '100' is 5, expected text"),
    ("label is empty", "[operations]\n100 = ' '", "m: operations: the label of '100' is ' ', expected text"),
    ("id and name", "[operations]\n100 = 'A'\nPicking = 'A'", "m: operations: 'Picking' is operation 100, which has a"),
    ("two spellings", "[operations]\n100 = 'My Op'\n200 = 'my-op'", "m: operations: 'my-op' and 'My Op' are one label"),
    ("spelt unlike the task", "[operations]\n100 = 'tape'", "m: operations: 'tape' and 'Tape' are one label"),
    ("alias of text", "[operations]\n1 = 'A'\n[aliases]\nx = '1'", "m: aliases.x is '1', expected an id"),
]


@pytest.mark.parametrize(("why", "text", "message"), BROKEN_MAPS, ids=[case[0] for case in BROKEN_MAPS])
def test_broken_maps_are_refused(why, text, message):
    with pytest.raises(WorldError, match=message):
        parse_map(text.encode(), "m")


def test_no_such_map():
    with pytest.raises(WorldError, match="no map 'none': give openpack, ten-labels, identity, or the path"):
        load_map("none")


@pytest.fixture(scope="module")
def sample() -> Path:
    folder = os.environ.get("OPENPACK_SAMPLE")
    if not folder:
        pytest.skip("OPENPACK_SAMPLE does not name the folder of OpenPack's sample annotations")
    return Path(folder)


def published_rows(sample: Path) -> list[tuple[int, str, str]]:
    with (sample / "operations-1hz_U0209_S0500.csv").open(encoding="utf-8") as file:
        return [(int(line["unixtime"]), line["box"], line["id"]) for line in csv.DictReader(file)]


def test_sample_operations(sample):
    sessions = read_sessions(sample / "operations_U0209_S0500.csv")
    events, start_ms = sessions["U0209-S0500"]
    assert (len(events), len({event.box for event in events}), start_ms) == (193, 20, 1648531522143)
    gaps = [run.end_ms - run.start_ms for run in sessions["U0209-S0500"].runs if run.operation == UNKNOWN]
    assert (len(gaps), max(gaps)) == (5, 3706)


def test_sample_one_second_labels_are_reproduced(sample):
    slots = resample_1hz(*read_sessions(sample / "operations_U0209_S0500.csv")["U0209-S0500"])
    ours = [(second, event.box, str(event.id)) for second, event in slots]
    rows = published_rows(sample)
    assert len(rows) == 1404
    assert ours[:1404] == rows
    assert len(ours) == 1407, "the published file stops before the last operation does"


def test_sample_other_layouts_read(sample):
    events, start_ms = read_sessions(sample / "operations-1hz_U0209_S0500.csv")["U0209-S0500"]
    assert (len(events), start_ms) == (193, 1648531522000)
    events, _ = read_sessions(sample / "legacy-work-process_U0000_S0100.csv")["U0102-S0100"]
    assert (events[0].id, events[-1].end_ms) == (100, 280_000)


REFERENCE = [
    ("the truth itself", lambda ids: ids, (1, 1, 1, 100, 100, 100, 100)),
    (
        "shifted by +1 s, the first label kept",
        lambda ids: [ids[0], *ids[:-1]],
        (0.834925, 0.863206, 0.863248, 100, 99.4819, 99.4819, 94.3005),
    ),
    (
        "every 600 replaced by 700",
        lambda ids: ["700" if label == "600" else label for label in ids],
        (0.886214, 0.935785, 0.955128, 89.6373, 94.5355, 94.5355, 94.5355),
    ),
    ("constant 100", lambda ids: ["100"] * len(ids), (0.019653, 0.021417, 0.108974, 0.5181, 0, 0, 0)),
]
DIGITS = (6, 6, 6, 4, 4, 4, 4)
"""To which the reference figures were published."""


@pytest.mark.parametrize(("why", "change", "expected"), REFERENCE, ids=[case[0] for case in REFERENCE])
def test_sample_reference_scores(sample, why, change, expected):
    truth = [operation_id for _, _, operation_id in published_rows(sample)]
    scores = score_slots(truth, change(truth), drop=("8100",))
    assert scores.n == 1404
    assert [round(value, digits) for value, digits in zip(scores[1:], DIGITS, strict=True)] == list(expected), why
