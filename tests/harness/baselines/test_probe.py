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
from tests.support import hand

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
TRAIN, TEST = 9, 6


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return the file of a world as the default one, with sessions of four clips."""
    path = tmp_path_factory.mktemp("world") / "tiny.toml"
    path.write_text(hand.tiny_world().replace("clips = 20", "clips = 4"))
    return str(path)


@pytest.fixture(scope="module")
def trained(world):
    clips = shown.states(world, "train", TRAIN)
    drawn = shown.draw(world, "train", sessions=TRAIN, **SMALL)
    found = probe_model.train(drawn.pictures, [shown.truth(clip) for clip, _ in clips], drawn.indices)
    return found, validity.usual_successors([clip for clip, _ in clips])


@pytest.fixture(scope="module")
def asked(world):
    """Draw the test split's first sessions, as they are and with the marks painted out."""
    return {
        painted: shown.draw(world, "test", sessions=TEST, paint_out=painted, **SMALL) for painted in ((), shown.MARKS)
    }


@pytest.fixture(scope="module")
def judged(world, trained, asked):
    clips = shown.states(world, "test", TEST)
    model, usual = trained
    return {painted: validity.judge(clips, model.predict(*drawn), usual) for painted, drawn in asked.items()}


def test_every_demand_is_measured(judged, asked):
    """What the probe must reach takes the whole training split to learn: `make gates`. Nobody surpasses the ceiling."""
    plain, painted = judged[()], judged[shown.MARKS]
    found = validity.demands(plain, painted)
    assert len(found) == 6 and found[-1].text == "AA@1 - ceiling, upper limit" and found[-1].holds
    gone = validity.lost(plain, painted)
    for metric in validity.METRICS:
        assert gone.differences[metric] == pytest.approx(plain.share(metric) - painted.share(metric))
        assert 0 < gone.p[metric] <= 1
    assert (asked[()].pictures != asked[shown.MARKS].pictures).any()


def test_answers_are_prediction_lines(trained, asked):
    model, _ = trained
    answers = model.predict(asked[()].pictures[:8])
    lines = list(answers.lines([f"clip-{number}" for number in range(8)]))
    assert [line["clip_id"] for line in lines] == [f"clip-{number}" for number in range(8)]
    for line in lines:
        start, end = line["temporal_segment"]["start_frame"], line["temporal_segment"]["end_frame"]
        assert 0 <= start < end <= 125
        assert line["dominant_operation"] in LABELS and line["next_operation"] in LABELS
        assert line["dominant_operation"] != line["next_operation"]
        assert 0 <= line["confidence"] <= 1 and 0 <= line["next_confidence"] <= 1


def test_a_clip_is_answered_by_itself(trained, asked):
    """Neither a clip's place nor its neighbours count."""
    model, _ = trained
    forth = model.predict(asked[()].pictures[:8])
    back = model.predict(asked[()].pictures[7::-1])
    for one, other in zip(forth, back, strict=True):
        assert (one == other[::-1]).all()


def test_every_sampler_is_measured_on_its_own_frames(world, trained):
    """The uniform sampler's pictures of one session are those drawn without a sampler."""
    clips, drawn = shown.states(world, "test", 1), samplers.draw(world, "test", sessions=1)
    assert all(samplers.sound(found) for found in drawn.values())
    assert (drawn["uniform"].pictures == shown.draw(world, "test", sessions=1).pictures).all()
    figures = {name: samplers.measure(clips, found, *trained) for name, found in drawn.items()}
    for found in figures.values():
        assert 0 <= found.distance <= found.distance_90 < 125
        assert all(0 <= share <= 1 for share in found[2:])
    assert figures["uniform"].oca_limit == frame_limit(clips)["all"].oca
