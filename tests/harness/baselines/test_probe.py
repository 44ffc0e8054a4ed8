"""The probe's parts worked out by hand, and a small version of tests/gates/validity.py."""

from __future__ import annotations

import numpy as np
import pytest

from harness.baselines import probe_model
from harness.baselines.frame_model import LABELS, Target
from harness.baselines.probe_model import SIDE
from reference.process.frame_limits import frame_limit
from reference.task import DEFAULT_INDICES
from tests.gates import samplers, shown, validity

A, B, C, D = range(4)


def test_reduce_takes_means_over_blocks():
    picture = np.zeros((1, 84, 84, 3), np.uint8)
    picture[0, :2, :2] = [[[1, 10, 100], [2, 20, 200]], [[3, 30, 0], [5, 40, 1]]]
    small = probe_model.reduce(picture)
    assert small.shape == (1, SIDE, SIDE, 3) and small.dtype == np.uint8
    assert small[0, 0, 0].tolist() == [3, 25, 75]  # 11 / 4 and 301 / 4, rounded
    assert not small[0, 1:].any()


@pytest.mark.parametrize("size", [42, 84, 100, 336, 350])
def test_a_plain_picture_stays_plain_at_any_size(size):
    assert (probe_model.reduce(np.full((2, size, size + 5, 3), 77, np.uint8)) == 77).all()


def test_a_picture_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="at least 42 x 42"):
        probe_model.reduce(np.zeros((1, 42, 41, 3), np.uint8))


HUES = [
    ((0.9, 0.1, 0.1), 0, "red"),
    ((0.9, 0.6, 0.1), 1, "orange: 37 degrees"),
    ((0.1, 0.9, 0.1), 4, "green: 120 degrees"),
    ((0.1, 0.1, 0.9), 8, "blue: 240 degrees"),
    ((0.9, 0.1, 0.5), 11, "magenta: 330 degrees, and the last part"),
]


@pytest.mark.parametrize(("colour", "place", "why"), HUES)
def test_hues_by_hand(colour, place, why):
    """One pixel of four: chroma 0.8, of which 0.12 do not count."""
    pixels = np.full((1, 4, 3), 0.5, np.float32)
    pixels[0, 2] = colour
    expected = np.zeros(12)
    expected[place] = np.sqrt((0.8 - probe_model.CHROMA) / 4)
    assert probe_model.hues(pixels)[0] == pytest.approx(expected, abs=1e-6), why


def test_grey_and_pale_have_no_hue():
    assert not probe_model.hues(np.array([[[0.3, 0.3, 0.3], [0.5, 0.45, 0.4]]], np.float32)).any()


def test_a_lamp_of_another_colour_changes_little():
    """Pictures are balanced: a tint that clips nothing leaves the same description, but for rounding."""
    clip = np.random.default_rng(1).integers(20, 120, (8, SIDE, SIDE, 3), np.uint8)
    tinted = (clip * [2, 1, 1]).astype(np.uint8)
    for one, other in zip(probe_model.describe(clip), probe_model.describe(tinted), strict=True):
        assert one == pytest.approx(other, abs=0.01)


def test_disturbing_is_seeded_and_keeps_the_shape():
    clip = np.random.default_rng(1).integers(0, 256, (8, SIDE, SIDE, 3), np.uint8)
    turns = [probe_model.disturb(clip, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert (turns[0] == turns[1]).all() and (turns[0] != turns[2]).any()
    assert all(turn.shape == clip.shape and turn.dtype == np.uint8 for turn in turns)


FOLLOWERS = [
    # frames in the segment, previous, operation, next, after that; seen -> what follows each frame
    ([0, 1, 2, 3], -1, A, B, C, [A, A, A, A], [B, B, B, B], "one run"),
    ([1, 2], A, B, C, D, [A, B, B, C], [B, C, C, D], "the runs beside it are known"),
    ([2, 3], A, B, C, D, [C, A, B, B], [-1, B, C, C], "what stood before the run before is not followed up"),
    ([0], -1, A, B, C, [A, C, C, C], [B, -1, -1, -1], "B fell between two frames: truth says no more of C"),
    ([0, 1], -1, A, B, -1, [A, A, B, B], [B, B, -1, -1], "truth does not say what follows B"),
    ([], A, B, C, D, [A, A, C, C], [-1, -1, -1, -1], "the segment fell between two frames"),
]


@pytest.mark.parametrize(
    ("inside", "previous", "operation", "following", "later", "seen", "expected", "why"), FOLLOWERS
)
def test_what_follows_each_frame(inside, previous, operation, following, later, seen, expected, why):
    target = Target(np.array(inside, int), 4, operation, previous, following, later)
    assert target.followers(np.array(seen)).tolist() == expected, why
    assert target.operations().tolist() == [operation if place in inside else -1 for place in range(4)]


def test_a_target_reads_a_truth_row_and_no_more_than_it_says():
    row = {
        "dominant_operation": "Tape",
        "temporal_segment": {"start_frame": 17, "end_frame": 70},
        "next_operation": "Label",
    }
    bare = Target.of(row, DEFAULT_INDICES)
    assert bare.inside.tolist() == [1, 2, 3]
    assert (LABELS[bare.operation], LABELS[bare.following], bare.previous, bare.after_that) == ("Tape", "Label", -1, -1)
    full = Target.of(row | {"previous_operation": "Pack", "next_operations": ("Label", "Idle")}, DEFAULT_INDICES)
    assert (LABELS[full.previous], LABELS[full.after_that]) == ("Pack", "Idle")


SMALL = {"size": 84}
TRAIN, TEST = 25, 9


@pytest.fixture(scope="module")
def trained():
    clips = shown.states("warehouse-v2", "train", TRAIN)
    drawn = shown.draw("warehouse-v2", "train", sessions=TRAIN, **SMALL)
    found = probe_model.train(drawn.pictures, [shown.truth(clip) for clip, _ in clips], drawn.indices)
    return found, validity.usual_successors([clip for clip, _ in clips])


@pytest.fixture(scope="module")
def asked():
    """Draw the test split's first sessions, as they are and with the marks painted out."""
    return {
        painted: shown.draw("warehouse-v2", "test", sessions=TEST, paint_out=painted, **SMALL)
        for painted in ((), shown.MARKS)
    }


@pytest.fixture(scope="module")
def judged(trained, asked):
    clips = shown.states("warehouse-v2", "test", TEST)
    model, usual = trained
    return {painted: validity.judge(clips, model.predict(*drawn), usual) for painted, drawn in asked.items()}


def test_five_hundred_clips_teach_what_is_done_and_some_of_what_comes(judged):
    """The probe meets every demand but the size of the loss, which takes the whole training split to learn."""
    found = {demand.text: demand for demand in validity.demands(judged[()], judged[shown.MARKS])}
    for text in (
        "clean: OCA / OCA of the 8-frame limit",
        "hidden: AA@1 - own prior, lower limit",
        "AA@1 - ceiling, upper limit",
    ):
        assert found[text].holds, found[text]
    gone = validity.lost(judged[()], judged[shown.MARKS])
    assert gone.differences["aa1_hidden"] > 0
    assert abs(gone.differences["oca"]) < 0.05


def test_answers_are_prediction_lines(trained, asked):
    model, _ = trained
    answers = model.predict(asked[()].pictures[:40])
    lines = list(answers.lines([f"clip-{number}" for number in range(40)]))
    assert [line["clip_id"] for line in lines] == [f"clip-{number}" for number in range(40)]
    for line in lines:
        start, end = line["temporal_segment"]["start_frame"], line["temporal_segment"]["end_frame"]
        assert 0 <= start < end <= 125
        assert line["dominant_operation"] in LABELS and line["next_operation"] in LABELS
        assert line["dominant_operation"] != line["next_operation"]
        assert 0 <= line["confidence"] <= 1 and 0 <= line["next_confidence"] <= 1


def test_a_clip_is_answered_by_itself(trained, asked):
    """Neither a clip's place nor its neighbours count."""
    model, _ = trained
    forth = model.predict(asked[()].pictures[:20])
    back = model.predict(asked[()].pictures[19::-1])
    for one, other in zip(forth, back, strict=True):
        assert (one == other[::-1]).all()


def test_every_sampler_is_measured_on_its_own_frames(trained):
    """The uniform sampler's pictures of one session are those drawn without a sampler."""
    clips, drawn = shown.states("warehouse-v2", "test", 1), samplers.draw("warehouse-v2", "test", sessions=1)
    assert all(samplers.sound(found) for found in drawn.values())
    assert (drawn["uniform"].pictures == shown.draw("warehouse-v2", "test", sessions=1).pictures).all()
    figures = {name: samplers.measure(clips, found, *trained) for name, found in drawn.items()}
    for found in figures.values():
        assert 0 <= found.distance <= found.distance_90 < 125
        assert all(0 <= share <= 1 for share in found[2:])
    assert figures["uniform"].oca_limit == frame_limit(clips)["all"].oca
