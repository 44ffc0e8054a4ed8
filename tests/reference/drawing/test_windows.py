"""A surface with a window shows its signs in the window and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reference.drawing.frame import render_frames
from reference.drawing.scene import Stage
from reference.drawing.scenery import boards
from reference.process.split import session_states
from reference.process.world import load_world, parse_world, world_file

WORLD = load_world("warehouse-v2")
PASSING = [place for place, attribute in enumerate(WORLD.attributes) if WORLD.surfaces[attribute.shown_by].window]


@pytest.fixture(scope="module")
def states():
    return [state for index in range(10) for _, state in session_states(WORLD, "test", index)]


def flipped(state):
    """Return the state with every passing sign that is known turned into its opposite."""
    orders = tuple(
        tuple(not value if place in PASSING and value is not None else value for place, value in enumerate(order))
        for order in state.orders
    )
    return replace(state, orders=orders)


def test_signs_are_drawn_in_their_window_alone(states):
    seen = 0
    for state in states:
        mine, other = (Stage(WORLD, each, 7) for each in (state, flipped(state)))
        for index in range(0, 125, 5):
            at_hand = next(run.order for run in state.runs if index < run.end_frame)
            now = [each for each in state.windows if each.start_frame <= index < each.end_frame]
            facing = any(each.surface == "slip" or each.order == at_hand for each in now)
            differ = mine.scene(index) != other.scene(index)
            assert differ == facing
            seen += facing
    assert seen > 100


def test_what_does_not_pass_is_shown_all_the_time():
    """A pair of slips and a screen without windows: the state knows what they say, so every picture shows it."""
    text = world_file("warehouse-v2").decode().replace("window = [10, 15], ", "").replace("{ window = [10, 15] }", "{}")
    world = parse_world(text.encode(), "plain.toml")
    assert not any(surface.window for surface in world.surfaces.values())
    for _, state in session_states(world, "test", 0):
        assert not state.windows and len(state.orders) == state.runs[-1].order + 2
        mine, other = (Stage(world, each, 7) for each in (state, flipped(state)))
        assert all(mine.scene(index) != other.scene(index) for index in (0, 60, 124))


def test_the_tote_says_which_slip_counts(states):
    """The slip with as many dots as the tote's plate is of the order at hand: both plate and signs change over."""
    state = next(state for state in states if not state.occluded)
    window = next(each for each in state.windows if each.surface == "slip")
    frames = [render_frames(WORLD, replace(state, swapped=side), 7, [window.start_frame]) for side in (False, True)]
    rows, columns = np.nonzero((frames[0] != frames[1]).any(axis=-1)[0])
    at = boards.places(Stage(WORLD, state, 7).look)

    def differing(name: str, above: int, below: int) -> int:
        x, y = at[name]
        return int((abs(columns - x) <= 16).astype(int) @ ((rows >= y - above) & (rows <= y + below)))

    assert differing("tote", 8, 8) > 20 and differing("slip 1", 64, 2) > 100 < differing("slip 2", 64, 2)
    assert differing("tote", 8, 8) + differing("slip 1", 64, 2) + differing("slip 2", 64, 2) == len(rows)


def test_what_an_occluder_hides_never_faces_the_camera(states):
    hidden = [state for state in states if "slip" in state.occluded]
    assert hidden
    for state in hidden:
        assert not any(window.surface == "slip" for window in state.windows)
        assert Stage(WORLD, state, 7).scene(60) == Stage(WORLD, flipped(state), 7).scene(60) or any(
            window.start_frame <= 60 < window.end_frame for window in state.windows
        )
