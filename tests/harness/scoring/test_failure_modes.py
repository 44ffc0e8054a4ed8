"""Tests of failure modes: one clip a mode, by hand, through the whole pipeline; which of several faults
names the mode; the funnel; gains.

The truth of every clip is Tape in [30, 70), Pack before it, Label after it.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

import harness
from harness.scoring.failure_modes import MODES
from reference.truth.store import open_truth
from tests.support import hand
from tests.support.hand import segment

HALF = segment(10, 50)  # 20 of 60 frames in common

CASES = [
    ("correct", {}, "all right"),
    ("correct", {"temporal_segment": segment(30, 110)}, "40 of 80 frames: exactly half is a hit"),
    ("abstained", {"dominant_operation": None}, "one field is null"),
    ("abstained", {"temporal_segment": None}, "one field is null"),
    ("abstained", {"next_operation": None}, "one field is null"),
    ("abstained", {"next_operation": None, "dominant_operation": "Wrap"}, "null before wrong"),
    ("confused_previous", {"dominant_operation": "Pack"}, "what came before"),
    ("confused_next", {"dominant_operation": "Label"}, "what comes after"),
    ("confused_other", {"dominant_operation": "Wrap"}, "another operation"),
    ("confused_other", {"dominant_operation": "Unknown"}, "Unknown is an ordinary wrong answer"),
    ("confused_other", {"dominant_operation": "Kitting"}, "no operation of this world"),
    ("confused_next", {"dominant_operation": "Label", "temporal_segment": segment(0, 125)}, "operation before segment"),
    ("degenerate", {"temporal_segment": segment(50, 50)}, "empty"),
    ("degenerate", {"temporal_segment": segment(70, 30)}, "turned round, not mended"),
    ("degenerate", {"temporal_segment": segment(125, 0)}, "turned round and long: degenerate before whole clip"),
    ("whole_clip", {"temporal_segment": segment(0, 125)}, "all frames"),
    ("whole_clip", {"temporal_segment": segment(2, 122)}, "120 frames"),
    ("too_long", {"temporal_segment": segment(2, 121)}, "119 frames are too long"),
    ("too_long", {"temporal_segment": segment(30, 111)}, "40 of 81 frames: just no hit"),
    ("disjoint", {"temporal_segment": segment(70, 120)}, "touching is no overlap; also too long, disjoint comes first"),
    ("disjoint", {"temporal_segment": segment(0, 3)}, "also too short, disjoint comes first"),
    ("too_short", {"temporal_segment": segment(30, 49)}, "19 of 40 frames"),
    ("start_early", {"temporal_segment": segment(3, 50)}, "47 frames, -27 and -20"),
    ("start_late", {"temporal_segment": segment(55, 85)}, "30 frames are three quarters, not less; +25 and +15"),
    ("end_early", {"temporal_segment": segment(10, 48)}, "38 frames, -20 and -22"),
    ("end_late", {"temporal_segment": segment(50, 103)}, "53 of 40 frames are not more than 4/3; +20 and +33"),
    ("start_early", {"temporal_segment": HALF}, "-20 and -20: of equals the start"),
    ("start_early", {"temporal_segment": HALF, "next_operation": "Wrap"}, "segment before next"),
    ("next_repeats", {"next_operation": "Tape"}, "the operation again"),
    ("next_other", {"next_operation": "Wrap"}, "another"),
    ("next_other", {"next_operation": "Pack"}, "what came before"),
    ("next_other", {"next_operation": "Kitting"}, "no operation of this world"),
]  # fmt: skip


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Score all cases in one world, and behind them a missing, an unreadable, a rejected and a repeated line."""
    folder = tmp_path_factory.mktemp("modes")
    rows = [hand.clip(0, i) for i in range(len(CASES) + 4)]
    hand.world("modes", rows, folder, folder)
    lines = [hand.right(row, **changes) for row, (_, changes, _) in zip(rows, CASES, strict=False)]
    _, unreadable, rejected, twice = rows[len(CASES) :]
    lines.append({"clip_id": unreadable["clip_id"], "raw_output": "I see a worker at a table."})
    lines.append(hand.right(rejected, temporal_segment=segment(30, 126)))
    lines += [hand.right(twice), hand.right(twice)]
    file = hand.write(folder / "answers.jsonl", lines)
    return harness.score(file, world="modes", home=folder, lenient=True)


LAST = ("missing", "unparseable", "invalid", "invalid")


def test_every_clip_has_the_mode_of_its_first_fault(record):
    clips = record.clips.set_index("clip_id")["mode"]
    found = [clips[f"c00-{i:02d}"] for i in range(len(CASES) + 4)]
    wrong = [(why, expected, mode) for (expected, _, why), mode in zip(CASES, found, strict=False) if mode != expected]
    assert wrong == []
    assert tuple(found[len(CASES) :]) == LAST


def test_every_mode_has_a_case():
    """The memorised script needs a process: it is tested below."""
    assert {case[0] for case in CASES} | {*LAST, "next_script"} == {mode.name for mode in MODES}
    assert len({mode.title for mode in MODES}) == len(MODES) > 12


def test_funnel(record):
    """36 clips; one has no line; one is unreadable; two are invalid; the rest by the table."""
    names = [case[0] for case in CASES]
    operation = len(names) - sum(name.startswith(("abstained", "confused")) for name in names)
    operation += 2  # abstained, but of the segment or the next operation: the operation is right
    next_wrong = sum(name.startswith("next") for name in names)
    passed = {row["stage"]: row["passed"] for row in record.record["funnel"]}
    segment_right = names.count("correct") + next_wrong + 1  # and the one that abstained of the next operation only
    assert passed == {
        "expected": 36,
        "present": 35,
        "parsed": 34,
        "valid": 32,
        "operation": operation,
        "segment": segment_right,
        "next": names.count("correct"),
    }
    assert (operation, segment_right) == (24, 7)
    assert [row["lost"] for row in record.record["funnel"]] == [0, *(a - b for a, b in pairwise(passed.values()))]


GAINS = [
    ("missing", 1, 1 / 36, 1 / 36, "all three fields of one clip"),
    ("invalid", 2, 2 / 36, 2 / 36, "of two"),
    ("confused_next", 2, (0.3 + 0.6) / 36, 0.6 / 36, "one clip lacks the operation, one the segment too"),
    ("start_early", 3, (0.3 + 0.3 + 0.7) / 36, 0.9 / 36, "the third lacks the next operation too"),
    ("next_repeats", 1, 0.4 / 36, 0.4 / 36, "the next operation"),
]


@pytest.mark.parametrize(("mode", "n", "gain", "field_gain", "why"), GAINS, ids=[case[0] for case in GAINS])
def test_gains(mode, n, gain, field_gain, why, record):
    row = next(row for row in record.record["modes"] if row["mode"] == mode)
    assert (row["n"], row["gain"], row["field_gain"]) == (n, pytest.approx(gain), pytest.approx(field_gain)), why
    assert row["gain_low"] is None  # one session supports no interval


def test_largest_gain_first_and_examples_are_clips_of_the_mode(record):
    rows = record.record["modes"]
    assert [row["gain"] for row in rows] == sorted((row["gain"] for row in rows), reverse=True)
    modes = record.clips.set_index("clip_id")["mode"]
    for row in rows:
        assert row["examples"] and {modes[clip] for clip in row["examples"]} == {row["mode"]}


SCRIPT = [
    (True, True, "next_script", "off script, the usual successor"),
    (True, False, "next_other", "off script, something else"),
    (False, False, "next_other", "on script, so the script is right and anything wrong is not it"),
]


@pytest.fixture(scope="module")
def scripted():
    """Return (off script, right line, usual successor of the operation) of each validation clip."""
    with open_truth("warehouse-v2", "validation") as truth:
        rows = truth.connection.execute("""SELECT clip_id, dominant_operation, start_frame, end_frame, next_operation,
            off_script FROM truth.clips ORDER BY clip_id""").fetchall()
        names = truth.operations
        found = []
        for clip_id, operation, start, end, following, off in rows:
            row = {
                "clip_id": clip_id,
                "dominant_operation": names[operation],
                "start_frame": start,
                "end_frame": end,
                "next_operation": names[following],
            }
            found.append((off, hand.right(row), names[truth.script[operation]]))
    return found


@pytest.mark.parametrize(("off", "answers_script", "mode", "why"), SCRIPT, ids=[case[3] for case in SCRIPT])
def test_memorised_script(off, answers_script, mode, why, scripted, tmp_path):
    _, line, usual = next(case for case in scripted if case[0] is off)
    assert (line["next_operation"] == usual) is not off
    others = [
        name
        for name in ("Wrap", "Idle", "Pack", "Label")
        if name not in (usual, line["next_operation"], line["dominant_operation"])
    ]
    answer = line | {"next_operation": usual if answers_script else others[0]}
    file = hand.write(tmp_path / "one.jsonl", [answer])
    clips = harness.score(file, split="validation").clips.set_index("clip_id")["mode"]
    assert clips[line["clip_id"]] == mode, why
