"""Tests of the second prior, the exact distribution and the eight-frame limit against the world file read anew."""

from __future__ import annotations

import pytest

from reference.process.ceiling import next_distribution
from reference.process.frame_limits import frame_limit
from reference.process.priors import fit
from reference.process.split import session_states
from reference.process.world import load_world
from reference.task import OPERATIONS
from tests.support.process_oracle import Process, usual

WORLD = load_world("warehouse-v2")
PROCESS = Process.of("warehouse-v2")


@pytest.fixture(scope="module")
def train():
    return [pair for index in range(288) for pair in session_states(WORLD, "train", index)]


@pytest.fixture(scope="module")
def held_out():
    return [pair for index in range(24) for pair in session_states(WORLD, "validation", index)]


def key(clip, state):
    """Return operation and look of the segment's run."""
    [step] = [run.step for run in state.runs if (run.start_frame, run.end_frame) == clip.temporal_segment]
    return clip.dominant_operation, PROCESS.looks(step)


def test_distribution_agrees_with_a_second_inference(held_out):
    for clip, state in held_out:
        if clip.next_visible:
            expected = {clip.next_operation: 1.0}
        else:
            expected = PROCESS.next_distribution(state)
            assert next_distribution(WORLD, state) == pytest.approx(expected, abs=1e-12), clip
        ppm = [expected.get(operation, 0.0) * 1e6 for operation in OPERATIONS]
        assert all(abs(known - value) <= 0.50001 for known, value in zip(clip.next_ppm, ppm, strict=True)), clip
        assert max(clip.next_ppm) == round(clip.ceiling * 1e6)


def test_state_prior_is_the_usual_next_of_operation_and_look(train, held_out):
    expected = usual(((key(*pair), pair[0].next_operation) for pair in train), OPERATIONS)
    fallback = usual(((clip.dominant_operation, clip.next_operation) for clip, _ in train), OPERATIONS)
    made = fit([clip for clip, _ in train], OPERATIONS)
    for clip, state in held_out:
        answer = made.state_next(OPERATIONS.index(clip.dominant_operation), clip.look)
        pair = key(clip, state)
        assert OPERATIONS[answer] == expected.get(pair, fallback[clip.dominant_operation])


def test_an_unseen_look_falls_back_to_the_operation(train):
    made = fit([clip for clip, _ in train], OPERATIONS)
    assert made.state_next(2, "no such step") == made.transition[2]
    assert made.state_next(2, None) is None


def test_frames_hit_is_the_limit_of_eight_frames(held_out):
    hits = sum(clip.frames_hit for clip, _ in held_out)
    assert hits / len(held_out) == frame_limit(held_out)["all"].tiou50
