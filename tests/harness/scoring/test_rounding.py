"""Tests of what is said about the rounding of frames to 25 fps: by hand, and against fractions."""

from __future__ import annotations

import json
import math
import random
import re
from fractions import Fraction as F

import click
import pytest

import harness
from harness.cli import cli
from harness.scoring.rounding import rounding_note
from reference.truth.imported import import_world
from tests.support.random_worlds import make_world

LABELS = {"dominant_operation": "Tape", "next_operation": "Label"}
ROUNDED = [
    # frame rate, true segment at 25 fps, answered one (None: no line), hit unrounded, hit rounded, a frame is rounded
    (15, (5, 10), (2, 5), True, False, True, "[3.33, 8.33): 3.33 of 6.67 is exactly enough, 3 of 7 is not"),
    (15, (2, 8), (1, 3), False, True, True, "[1.67, 5): 3 of 6.33 is too little, 3 of 6 is enough"),
    (15, (0, 10), (0, 3), True, True, False, "[0, 5): nothing to round"),
    (15, (0, 50), (1, 4), False, False, True, "[1.67, 6.67): too short either way"),
    (15, (5, 10), (3, 3), False, False, False, "degenerate, and nothing to round"),
    (15, (5, 10), None, False, False, False, "no answer"),
    (50, (2, 3), (5, 6), True, False, True, "[2.5, 3): half of the true frame; rounded, no frame is left"),
    (30, (2, 3), (3, 4), False, False, True, "[2.5, 3.33): 0.5 of 1.33; rounded, no frame is left"),
]


def lines(answers):
    """Return canonical lines of segments by clip."""
    segments = {name: dict(zip(("start_frame", "end_frame"), pair, strict=True)) for name, pair in answers.items()}
    return [{"clip_id": name, "temporal_segment": segment} | LABELS for name, segment in segments.items()]


def canonical(rows):
    """Return rows with their keys in canonical order, which the fast path reads."""
    keys = ("clip_id", "dominant_operation", "temporal_segment", "next_operation")
    return [{key: row[key] for key in keys} for row in rows]


SHAPES = {
    "fast path": lambda rows: "".join(json.dumps(row) + "\n" for row in canonical(rows)),
    "line by line": lambda rows: "".join(json.dumps(row) + "\n" for row in rows),
    "one array": lambda rows: json.dumps(rows),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a home with world `hand`, the truth of ROUNDED, a session for each clip."""
    folder = tmp_path_factory.mktemp("home")
    truth = [
        {"clip_id": f"c{place}", "session": f"s{place}", "start_frame": row[1][0], "end_frame": row[1][1]} | LABELS
        for place, row in enumerate(ROUNDED)
    ]
    make_world("hand", truth, folder, folder)
    return folder


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rate", [{"fps": 15}, {"clip_frames": 75}, {"fps": 50}, {"fps": 30}], ids=str)
def test_rounding_by_hand(rate, shape, home, tmp_path):
    fps = rate.get("fps", 15)
    cases = {f"c{place}": row for place, row in enumerate(ROUNDED) if row[0] == fps}
    file = tmp_path / "answers.jsonl"
    file.write_text(SHAPES[shape](lines({name: row[2] for name, row in cases.items() if row[2] is not None})))
    score = harness.score(file, world="hand", home=home, **rate)
    assert score.record["submission"]["rounding"] == {
        "fps": fps,
        "rounded": sum(row[5] for row in cases.values()),
        "hits_lost": sum(row[3] and not row[4] for row in cases.values()),
        "hits_gained": sum(row[4] and not row[3] for row in cases.values()),
    }
    hits = score.clips.set_index("clip_id")["segment_hit"]
    assert {name: hits[name] for name in cases} == {name: row[4] for name, row in cases.items()}


RANDOM = [
    ({"fps": 15}, "standard"),
    ({"fps": 15}, "inclusive-ends"),
    ({"fps": 15}, "drop-degenerate,one-frame-degenerate"),
    ({"fps": 30}, "standard"),
    ({"fps": 29.97002997002997}, "standard"),
    ({"clip_frames": 8}, "standard"),
    ({"fps": 2, "clip_frames": 9}, "standard"),
]


@pytest.mark.parametrize(("rate", "rules"), RANDOM, ids=str)
def test_rounding_against_fractions(rate, rules, tmp_path):
    """300 answers around half of the true segment, many of them ties."""
    generator = random.Random(11)
    unit = F(25) / F(str(rate["fps"])) if "fps" in rate else F(125, rate["clip_frames"])
    last = rate.get("clip_frames") or math.floor(125 / unit + F(1, 2))
    truth, answers = {}, {}
    for place in range(300):
        start = generator.randrange(110)
        end = generator.randint(start + 1, 125)
        near = (
            start + (end - start) * F(generator.randrange(3), 4),
            end - (end - start) * F(generator.randrange(3), 4),
        )
        truth[f"c{place:03d}"] = start, end
        answers[f"c{place:03d}"] = tuple(max(0, min(last, math.floor(at / unit + F(1, 2)))) for at in near)
    rows = [
        {"clip_id": name, "session": name, "start_frame": start, "end_frame": end} | LABELS
        for name, (start, end) in truth.items()
    ]
    make_world("random", rows, tmp_path, tmp_path)
    exact = {name: tuple(frame * unit for frame in pair) for name, pair in answers.items()}
    near_25 = {name: tuple(math.floor(at + F(1, 2)) for at in pair) for name, pair in exact.items()}
    least = 2 if "one-frame-degenerate" in rules else 1
    good = {name: end - start >= least for name, (start, end) in answers.items()}
    hits = [tuple(good[name] and hit(row[name], truth[name], rules) for row in (exact, near_25)) for name in truth]
    record = harness.score(canonical(lines(answers)), world="random", home=tmp_path, rules=rules, **rate).record
    found = record["submission"]["rounding"]
    assert found["rounded"] == sum(exact[name] != near_25[name] for name in truth) > 0
    assert (found["hits_lost"], found["hits_gained"]) == (hits.count((True, False)), hits.count((False, True)))


def hit(answer, true, rules):
    """Say whether tIoU >= 0.5, of segments in frames at 25 fps, also in fractions of them."""
    longer = "inclusive-ends" in rules
    if answer[1] <= answer[0]:
        return False
    overlap = max(0, min(answer[1], true[1]) - max(answer[0], true[0]) + longer)
    return 2 * overlap >= answer[1] - answer[0] + longer + true[1] - true[0] + longer - overlap


@pytest.mark.parametrize("rate", [{}, {"fps": 25}, {"clip_frames": 125}, {"fps": 25.0, "clip_frames": 120}], ids=str)
def test_frames_at_25_fps_are_not_rounded(rate, home):
    rows = lines({"c0": (5, 10)})
    assert harness.score(rows, world="hand", home=home, **rate).record["submission"]["rounding"] is None


@pytest.mark.parametrize("rate", [{"fps": 30}, {"fps": 15}, {"clip_frames": 8}], ids=str)
def test_right_answers_stay_right_where_the_truth_was_rounded_too(rate, tmp_path):
    """Truth and answers at one rate are rounded alike; compared unrounded, right answers would not be 1."""
    last = rate.get("clip_frames") or rate["fps"] * 5
    segments = {f"c{place}": (place % last, place % last + 1 + place % 3) for place in range(last - 3)}
    segments = {name: pair for name, pair in segments.items() if pair[1] - pair[0] > 1}
    rows = [dict(row, session=row["clip_id"]) for row in lines(segments)]
    file = tmp_path / "truth.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_world([file], tmp_path, name="own", **rate)
    record = harness.score(lines(segments), world="own", home=tmp_path, **rate).record
    assert record["metrics"]["tiou50"]["value"] == record["temporal"]["mean_tiou"]["value"] == 1
    assert record["submission"]["rounding"] == {
        "fps": rate.get("fps", last / 5),
        "rounded": len([pair for pair in segments.values() if any(frame * 125 % (last) for frame in pair)]),
        "hits_lost": None,
        "hits_gained": None,
    }
    assert rounding_note(record) == ""


ONE_FRAME = [
    ({"fps": 15}, (4, 5), "degenerate", "one frame of the file, [6.67, 8.33), is [7, 8) at 25 fps"),
    ({"fps": 15}, (2, 3), "degenerate", "one frame of the file, [3.33, 5), is two frames at 25 fps"),
    ({"fps": 15}, (2, 4), "too_short", "two frames of the file"),
    ({"fps": 50}, (2, 4), "too_short", "two frames of the file are one at 25 fps"),
    ({"fps": 50}, (2, 3), "degenerate", "one frame of the file"),
    ({"fps": 50}, (5, 6), "degenerate", "no frame is left at 25 fps"),
]


@pytest.mark.parametrize(("rate", "segment", "mode", "why"), ONE_FRAME, ids=[case[3] for case in ONE_FRAME])
def test_a_single_frame_is_one_of_the_file(rate, segment, mode, why, home):
    """A published figure counts the frames of its own files; the truth is [0, 50). A score from the cache agrees."""
    rows = lines({"c3": segment})
    for _ in range(2):
        score = harness.score(rows, world="hand", home=home, rules="one-frame-degenerate", **rate)
        assert dict(zip(score.clips["clip_id"], score.clips["mode"], strict=True))["c3"] == mode, why
        assert {row["mode"]: row["n"] for row in score.record["modes"]}[mode] == 1


NOTES = [
    (None, "", "frames at 25 fps"),
    ({"fps": 50.0, "rounded": 0, "hits_lost": 0, "hits_gained": 0}, "", "even frames alone"),
    ({"fps": 30.0, "rounded": 9, "hits_lost": None, "hits_gained": None}, "", "the truth was rounded too"),
    (
        {"fps": 15.0, "rounded": 1, "hits_lost": 0, "hits_gained": 0},
        "frames at 15 fps were rounded to 25 fps in 1 answer, which changes no hit of tIoU@0.5",
        "no tie",
    ),
    (
        {"fps": 29.97, "rounded": 1200, "hits_lost": 1, "hits_gained": 3},
        "frames at 29.97 fps were rounded to 25 fps in 1,200 answers; unrounded they would gain 1 hit of tIoU@0.5 and "
        "lose 3",
        "both ways",
    ),
]


@pytest.mark.parametrize(("rounding", "note", "why"), NOTES, ids=[case[2] for case in NOTES])
def test_note(rounding, note, why):
    assert rounding_note({"submission": {"rounding": rounding}}) == note, why


def test_a_note_advises_an_option_of_the_command_that_it_names():
    """`harness predict` prints the note too, and has no --fps."""
    record = {"submission": {"rounding": {"fps": 25.0, "rounded": 0, "hits_lost": None, "hits_gained": None}}}
    _, name, _, option, _ = re.search("`(.*?)`", rounding_note(record))[1].split()
    command = cli.get_command(click.Context(cli), name)
    assert option in [name for parameter in command.params for name in parameter.opts]


def test_a_record_without_the_key_has_no_note():
    """A record of an earlier version, as a page may hold it."""
    assert rounding_note({"submission": {}}) == ""
