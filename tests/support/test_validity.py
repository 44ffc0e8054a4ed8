"""The parts of tests/gates/validity.py: facts that are exchanged, and what readers of sheets got right."""

from __future__ import annotations

import random

import pytest

from reference.process.split import session_states
from reference.process.world import load_world
from reference.randomness import render_seed
from reference.task import CLIP_FRAMES, DEFAULT_WORLD
from tests.gates import exchange, readers

pytest.importorskip("thorvg_python", reason="pictures need the `video` extra")

WORLD = load_world(DEFAULT_WORLD)


@pytest.fixture(scope="module")
def shown():
    return [list(session_states(WORLD, "test", number)) for number in range(4)]


def test_every_fact_is_exchanged_alone(shown):
    """Of every known sign, of operation, look, worker and slip that counts; each is shown in some frame of the clip."""
    kinds = set()
    for clip, state in shown[0]:
        found = list(exchange.facts(WORLD, clip, state, random.Random(1)))
        known = sum(value is not None for order in state.orders for value in order)
        assert sum(fact.kind.startswith("sign") for fact in found) == known
        for fact in found:
            assert fact.other != state and fact.frames and set(fact.frames) <= set(range(CLIP_FRAMES))
        kinds |= {fact.kind for fact in found}
    assert kinds == {
        "sign, slip",
        "sign, items",
        "sign, screen",
        "operation",
        "look of the box",
        "worker",
        "which slip counts",
    }


def test_a_passing_sign_shows_in_its_window_and_nowhere_else(shown):
    """The measure finds a fact that no picture shows."""
    clip, state = shown[0][0]
    seed = render_seed(WORLD.key, clip.session, clip.clip_index)
    fact = next(fact for fact in exchange.facts(WORLD, clip, state, random.Random(1)) if fact.kind == "sign, slip")
    others = [index for index in range(0, CLIP_FRAMES, 31) if index not in fact.frames]
    assert exchange.differing(WORLD, state, fact, seed) >= exchange.PIXELS
    assert exchange.differing(WORLD, state, fact._replace(frames=others), seed) == 0


def test_readers_by_hand(shown):
    """Forty of eighty clips are read: every operation is right, and every next one where it is on screen."""
    clips = [clip for session in shown for clip, _ in session]
    read = clips[:40]
    answers = {
        clip.clip_id: {
            "dominant_operation": clip.dominant_operation,
            "next_operation": clip.next_operation if clip.next_visible else "Unknown",
        }
        for clip in read
    }
    found = readers.measure(clips, read, answers)
    visible = sum(clip.next_visible for clip in read)
    assert (found.clips, found.hidden, found.operation, found.following) == (40, 40 - visible, 1, visible / 40)
    assert (found.hidden_following, found.hidden_expected) == (0, 0) and 0 < found.hidden_prior <= 1
    assert [demand.holds for demand in readers.demands(found)] == [True, False]
    assert "| 40 | 1.000 |" in readers.describe(found)


def test_without_readers_nothing_is_shown(tmp_path):
    assert readers.read(DEFAULT_WORLD, "test", tmp_path) is None
    assert not any(demand.holds for demand in readers.demands(None))
    assert readers.describe(None) == "No entry `sheet-readers` is committed yet."
