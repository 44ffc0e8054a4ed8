"""The cutter against DEFINITIONS: gold cases in frames, drops, causality, and what two clips of a session may share."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.process.cutter import (
    LAST_FRAME_MS,
    CutPlan,
    cut,
    join_events,
    label_clip,
    make_clip,
    session_clips,
    visible_parts,
)
from reference.task import CLIP_FRAMES, CLIP_MS, DENSE_FRAMES, FRAME_MS, Run

PLAN = CutPlan(mid=1, boundary=1, dense=2)


def in_frames(*spec: tuple[str, int]) -> list[Run]:
    """Runs of the given numbers of frames, from 0."""
    runs, start = [], 0
    for operation, frames in spec:
        runs.append(Run(operation, start, start + frames * FRAME_MS))
        start += frames * FRAME_MS
    return runs


GOLD = [
    ("the sum decides", in_frames(("A", 40), ("B", 45), ("A", 40), ("C", 9)), 0, ("A", (0, 40), 0)),
    ("longest run of it, not the first", in_frames(("A", 30), ("B", 45), ("A", 50), ("C", 9)), 0, ("A", (75, 125), 2)),
    ("tie: longer longest run", in_frames(("A", 30), ("B", 60), ("A", 30), ("C", 5), ("D", 9)), 0, ("B", (30, 90), 1)),
    ("full tie: the earlier one", in_frames(("A", 50), ("B", 50), ("C", 25), ("D", 9)), 0, ("A", (0, 50), 0)),
    ("full tie of split runs", in_frames(("A", 30), ("B", 31), ("A", 32), ("B", 32)), 0, ("B", (93, 125), 3)),
    ("one run fills the clip", in_frames(("A", 300), ("B", 9)), 4000, ("A", (0, 125), 0)),
    ("run ends with the clip: next not visible", in_frames(("A", 20), ("B", 105), ("C", 9)), 0, ("B", (20, 125), 1)),
    ("run ends one frame before", in_frames(("A", 20), ("B", 104), ("C", 9)), 0, ("B", (20, 124), 1)),
    ("interruption: three runs", in_frames(("Tape", 50), ("Idle", 30), ("Tape", 60)), 0, ("Tape", (0, 50), 0)),
    ("a frame belongs to start <= t", [Run("A", 0, 1000), Run("B", 1000, 9000)], 0, ("B", (25, 125), 1)),
    ("1 ms later it is the first run's", [Run("A", 0, 1001), Run("B", 1001, 9000)], 0, ("B", (26, 125), 1)),
    ("between two frames", [Run("A", 0, 41), Run("B", 41, 79), Run("C", 79, 9000)], 0, ("C", (2, 125), 2)),
    ("off the 40 ms grid", [Run("A", 0, 3000), Run("B", 3000, 9000)], 10, ("A", (0, 75), 0)),
    ("gap counts as Unknown", in_frames(("A", 40), ("Unknown", 50), ("A", 9), ("B", 26)), 0, ("Unknown", (40, 90), 1)),
    ("beyond the session: Unknown", in_frames(("A", 50)), 0, ("Unknown", (50, 125), -1)),
]


@pytest.mark.parametrize(("why", "runs", "start_ms", "expected"), GOLD, ids=[case[0] for case in GOLD])
def test_gold_labels(why, runs, start_ms, expected):
    assert label_clip(runs, start_ms) == expected, why


def test_two_orders_back_to_back():
    runs = join_events([Run("Label", 0, 2000), Run("Box Setup", 2000, 6000), Run("Put Items", 6000, 9000)])
    assert label_clip(runs, 1000) == ("Box Setup", (25, 125), 1)
    assert runs[2].operation == "Put Items"


JOINED = [
    ("600 then 800, both Label", [("Label", 0, 900), ("Label", 900, 2000)], [("Label", 0, 2000)]),
    ("a gap of one frame", [("A", 0, 100), ("A", 140, 200)], [("A", 0, 100), ("Unknown", 100, 140), ("A", 140, 200)]),
    ("a gap below one frame", [("A", 0, 100), ("B", 139, 200)], [("A", 0, 139), ("B", 139, 200)]),
    ("merged over a gap below one frame", [("A", 0, 100), ("A", 139, 200)], [("A", 0, 200)]),
    ("a gap beside Unknown", [("Unknown", 0, 100), ("B", 200, 300)], [("Unknown", 0, 200), ("B", 200, 300)]),
    ("Tape, Idle, Tape stays three", [("Tape", 0, 9), ("Idle", 9, 20), ("Tape", 20, 30)], None),
    ("nothing", [], []),
]


@pytest.mark.parametrize(("why", "events", "expected"), JOINED, ids=[case[0] for case in JOINED])
def test_join_events(why, events, expected):
    assert join_events([Run(*event) for event in events]) == [Run(*run) for run in (expected or events)], why


@pytest.mark.parametrize("events", [[("A", 5, 5)], [("A", 0, 100), ("B", 99, 200)]], ids=["empty", "overlap"])
def test_join_events_refuses(events):
    with pytest.raises(ValueError, match=" ms "):
        join_events([Run(*event) for event in events])


def random_session(seed: int, runs: int = 400) -> list[Run]:
    rng = random.Random(seed)
    session: list[Run] = []
    start = 0
    for _ in range(runs):
        operation = rng.choice([name for name in "ABCD" if not session or name != session[-1].operation])
        length = rng.choice([200, 700, 1500, 4000, 7000, 12000]) + rng.randrange(900)
        session.append(Run(operation, start, start + length))
        start += length
    return session


@pytest.mark.parametrize("seed", range(5))
def test_clips_share_no_frame_and_no_hidden_answer(seed):
    runs = random_session(seed)
    cuts = list(cut(runs, PLAN, random.Random(seed)))
    assert {chosen.kind for chosen in cuts} == {"mid", "boundary", "dense"}
    for before, after in pairwise(cuts):
        assert after.start_ms >= before.start_ms + CLIP_MS
        if before.label.temporal_segment.end_frame == CLIP_FRAMES:
            assert after.start_ms >= runs[before.label.run_index + 1].end_ms


@pytest.mark.parametrize("seed", range(5))
def test_every_cut_is_what_it_aimed_at(seed):
    runs = random_session(seed)
    for chosen in cut(runs, PLAN, random.Random(seed)):
        assert chosen.label == label_clip(runs, chosen.start_ms)
        if chosen.kind == "mid":
            assert chosen.label.temporal_segment == (0, CLIP_FRAMES)
        if chosen.kind == "boundary":
            assert len(chosen.parts) > 1
        if chosen.kind == "dense":
            assert chosen.label.temporal_segment.frames <= DENSE_FRAMES


def other_future(runs: list[Run], last_ms: int, rng: random.Random) -> list[Run]:
    """The same timeline up to and including the instant `last_ms`, and another one from there on."""
    past = [run for run in runs if run.start_ms <= last_ms]
    end = last_ms + rng.choice([1, 40, 3000, 20000])
    changed = [*past[:-1], Run(past[-1].operation, past[-1].start_ms, end)]
    following = random_session(rng.randrange(1000), 40)
    if following[0].operation == changed[-1].operation:
        following = following[1:]
    shift = end - following[0].start_ms
    return changed + [Run(run.operation, run.start_ms + shift, run.end_ms + shift) for run in following]


@pytest.mark.parametrize("seed", range(5))
def test_cutter_does_not_see_the_future(seed):
    runs = random_session(seed, 150)
    cuts = list(cut(runs, PLAN, random.Random(seed)))
    for count, chosen in enumerate(cuts[:-1], 1):
        changed = other_future(runs, chosen.start_ms + LAST_FRAME_MS, random.Random(count))
        again = list(cut(changed, PLAN, random.Random(seed), count))
        assert [(one.start_ms, one.kind, one.parts) for one in again] == [
            (one.start_ms, one.kind, one.parts) for one in cuts[:count]
        ]


MID = CutPlan(mid=1, boundary=0, dense=0, offset_ms=(0, 0))
DROPPED = [
    ("the session's last run", [("A", 200)], []),
    ("next is Unknown", [("A", 200), ("Unknown", 9), ("B", 9)], []),
    ("dominant is Unknown", [("Unknown", 200), ("B", 9)], []),
    ("next is Idle: kept", [("A", 200), ("Idle", 9)], [0]),
    ("the last run is not cut, the one before is", [("A", 200), ("B", 300)], [0]),
]


@pytest.mark.parametrize(("why", "spec", "starts"), DROPPED, ids=[case[0] for case in DROPPED])
def test_drops(why, spec, starts):
    cuts = cut(in_frames(*spec), MID, random.Random(0))
    assert [chosen.start_ms for chosen in cuts] == starts, why


def test_timeline_is_read_only_as_far_as_needed():
    read = []

    def endless():
        start = 0
        while True:
            read.append(start)
            yield Run("AB"[len(read) % 2], start, start + 8000)
            start += 8000

    assert len(list(cut(endless(), PLAN, random.Random(3), 5))) == 5
    assert len(read) < 60


def test_clip_row_of_an_imported_session():
    runs = in_frames(("A", 200), ("B", 50), ("Unknown", 50), ("C", 50), ("D", 50))
    clip = next(session_clips("U0209-S0500", runs, MID, b"key"))
    assert (clip.previous_operation, clip.next_operation) == (None, "B")
    assert clip.next_operations == ("B", "Unknown", "C")
    assert (clip.domain, clip.ceiling, clip.off_script) == (None, None, None)


def test_ids_hang_on_key_session_and_index_alone():
    runs, other = in_frames(("A", 200), ("B", 50)), in_frames(("A", 200), ("C", 70))
    chosen, changed = (next(cut(session, MID, random.Random(0))) for session in (runs, other))
    assert make_clip(b"k", "s", 0, chosen, runs).clip_id == make_clip(b"k", "s", 0, changed, other).clip_id
    assert make_clip(b"k", "s", 0, chosen, runs).clip_id != make_clip(b"k", "s", 1, chosen, runs).clip_id
    assert make_clip(b"k", "s", 0, chosen, runs).clip_id != make_clip(b"x", "s", 0, chosen, runs).clip_id


@given(st.integers(0, 50), st.integers(-6000, 60_000))
def test_parts_fill_the_clip_and_agree_with_each_frame(seed, start_ms):
    runs = random_session(seed, 8)
    shown = {
        frame: part.run_index
        for part in visible_parts(runs, start_ms)
        for frame in range(part.start_frame, part.end_frame)
    }
    assert sorted(shown) == list(range(CLIP_FRAMES))
    for frame, index in shown.items():
        time = start_ms + FRAME_MS * frame
        holders = [place for place, run in enumerate(runs) if run.start_ms <= time < run.end_ms]
        assert holders == ([index] if index >= 0 else [])
