"""Hard negatives, checked against the grammar: swapping what is visible swaps the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reference.process.ceiling import forecast
from reference.process.split import session_states
from reference.process.world import load_world
from reference.training.hard_negatives import hard_negatives, until_segment_ends


@pytest.fixture(scope="module")
def world():
    return load_world("warehouse-v2")


@pytest.fixture(scope="module")
def clips(world):
    pairs = (pair for index in range(world.split("train").sessions) for pair in session_states(world, "train", index))
    return {clip.clip_id: (clip, state) for clip, state in pairs}


@pytest.fixture(scope="module")
def negatives(world):
    return hard_negatives(world)


def test_every_pair_looks_alike_and_goes_on_differently(world, clips, negatives):
    habits = {worker.name: worker.habit for worker in world.workers}
    for negative in negatives.values():
        clip, state = clips[negative.clip_id]
        other, there = clips[negative.negative_id]
        assert clip.dominant_operation == other.dominant_operation
        for here, away in zip(clip.temporal_segment, other.temporal_segment, strict=True):
            assert abs(here - away) <= 5
        assert habits[state.worker] == habits[there.worker]
        assert (negative.next_operation, negative.negative_next) == (clip.next_operation, other.next_operation)
        assert clip.next_operation != other.next_operation and negative.attributes


def test_the_visible_attributes_make_the_difference(world, clips, negatives):
    """The clip with the other's orders before its eyes would be expected to go on as the other does."""
    for negative in list(negatives.values())[::7]:
        past = until_segment_ends(world, *clips[negative.clip_id])
        there = until_segment_ends(world, *clips[negative.negative_id])
        assert forecast(world, past).oracle_next == negative.next_operation
        assert forecast(world, replace(past, orders=there.orders)).oracle_next == negative.negative_next


def test_many_clips_have_one(world, clips, negatives):
    assert len(negatives) > len(clips) // 3
    alone = sum(len(negative.attributes) == 1 for negative in negatives.values())
    assert alone > len(negatives) // 2, "mostly a single attribute tells them apart"
    wider = hard_negatives(world, tolerance=10)
    assert set(negatives) < set(wider)


def test_a_world_without_attributes_has_none():
    assert hard_negatives(load_world("canonical-v1"), "validation") == {}
