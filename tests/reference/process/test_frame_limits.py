"""The limit that sampling sets, worked out by hand."""

from __future__ import annotations

import math

import pytest

from reference.process.frame_limits import check_answer, frame_limit, labels_at, overlaps, reconstruct, transitions
from reference.process.split import session_states
from reference.process.world import load_world
from reference.task import CLIP_FRAMES, DEFAULT_INDICES, Segment

WORLD = load_world("warehouse-v2")
EVERY = range(CLIP_FRAMES)

RECONSTRUCTED = [
    # labels, indices, operation, segment, why
    ("AAAA", (0, 40, 80, 124), "A", (0, 125), "one label fills the clip"),
    ("AABB", (0, 40, 80, 124), "B", (61, 125), "frame 60 is as near to 40 as to 80: the earlier one has it"),
    ("ABBA", (0, 41, 81, 121), "B", (21, 102), "boundaries 20.5 and 101"),
    ("AABBA", (0, 20, 70, 80, 124), "A", (0, 46), "A 46 + 22 frames over B 57; the longest run of A is the first"),
    ("ABA", (0, 62, 124), "A", (0, 32), "A 32 + 31 frames against B 62"),
    ("ABA", (10, 50, 110), "A", (81, 125), "frames before the first sampled one are its own: A 31 + 44, B 50"),
    ("BA", (10, 109), "A", (60, 125), "59.5: 60 frames of B, 65 of A"),
    ("A", (7,), "A", (0, 125), "one frame says it all"),
]


@pytest.mark.parametrize(("labels", "indices", "operation", "segment", "why"), RECONSTRUCTED)
def test_reconstruction_by_hand(labels, indices, operation, segment, why):
    found = reconstruct(labels, indices)
    assert (found.dominant_operation, found.temporal_segment) == (operation, segment), why


OVERLAPS = [
    ((0, 100), (0, 50), True, "exactly one half"),
    ((0, 100), (0, 49), False, "just below"),
    ((0, 50), (50, 100), False, "side by side"),
    ((0, 40), (60, 100), False, "apart"),
    ((10, 60), (10, 60), True, "the same"),
    ((0, 75), (25, 100), True, "50 of 100"),
    ((0, 75), (26, 101), False, "49 of 101"),
]


@pytest.mark.parametrize(("truth", "answer", "hit", "why"), OVERLAPS)
def test_overlap_in_whole_frames(truth, answer, hit, why):
    assert overlaps(Segment(*truth), Segment(*answer)) is hit, why


def shown(split="validation", sessions=6):
    return [found for index in range(sessions) for found in session_states(WORLD, split, index)]


def test_whoever_sees_every_frame_misses_nothing():
    found = frame_limit(shown(), EVERY)
    assert {name: (limit.oca, limit.tiou50) for name, limit in found.items()} == dict.fromkeys(found, (1.0, 1.0))


def test_the_parts_make_up_the_whole_and_more_frames_show_more():
    clips = shown()
    found = frame_limit(clips)
    whole, parts = found["all"], (found["dense"], found["not_dense"])
    assert whole.clips == sum(part.clips for part in parts) == len(clips)
    for name in ("oca", "tiou50"):
        assert getattr(whole, name) * whole.clips == pytest.approx(
            sum(getattr(part, name) * part.clips for part in parts)
        )
        assert getattr(whole, name) < getattr(frame_limit(clips, range(0, 125, 4))["all"], name)


def test_indices_may_be_chosen_for_each_clip():
    """Whoever looks at the two frames round each transition, and nowhere else, misses nothing either."""

    def around(clip_and_state):
        first = transitions(clip_and_state[1])
        return sorted({0, *(frame - 1 for frame in first), *first})

    assert frame_limit(shown(), around)["all"].tiou50 == 1.0
    assert frame_limit(shown(), lambda _: DEFAULT_INDICES) == frame_limit(shown())


def test_labels_are_those_on_screen():
    for clip, state in shown(sessions=2):
        start, end = clip.temporal_segment
        labels = labels_at(state, EVERY)
        assert set(labels[start:end]) == {clip.dominant_operation}
        assert transitions(state) == [frame for frame in EVERY if frame and labels[frame] != labels[frame - 1]]
        assert check_answer(clip, reconstruct(labels, EVERY)) == (True, True)


def test_no_clip_no_share():
    assert all(limit.clips == 0 and math.isnan(limit.oca) for limit in frame_limit([]).values())
