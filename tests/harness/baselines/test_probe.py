"""The probe's parts worked out by hand, and a small version of tests/gates/validity.py."""

from __future__ import annotations

import numpy as np
import pytest

from harness.baselines import probe_model
from harness.baselines.frame_model import LABELS, Target
from harness.baselines.probe_model import SIDE
from reference.process.frame_limits import foresight, frame_limit
from reference.process.priors import fit
from reference.process.world import load_world
from reference.task import DEFAULT_INDICES, DEFAULT_WORLD, OPERATIONS
from tests.gates import samplers, sight_pictures, validity
from tests.gates.answers import learn
from tests.gates.sight_pictures import Drawing, Drawn, states

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


TRAIN, TEST = 8, 6


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sight_pictures, "FOLDER", tmp_path_factory.mktemp("sight"))
        yield


def drawn(split: str, sessions: int, paint_out: tuple[str, ...] = ()) -> Drawn:
    drawing = Drawing(DEFAULT_WORLD, split, ("probe",), sessions, paint_out=paint_out)
    sight_pictures.draw(drawing)
    return sight_pictures.read(drawing, "probe")


@pytest.fixture(scope="module")
def trained(folder):
    train = drawn("train", TRAIN)
    return learn(Drawing(DEFAULT_WORLD, "train", ("probe",), TRAIN), "probe"), fit(train.clips, OPERATIONS)


@pytest.fixture(scope="module")
def asked(folder):
    """Draw the test split's first sessions, as they are and with the signs painted out."""
    return {painted: drawn("test", TEST, painted) for painted in ((), validity.MARKS)}


@pytest.fixture(scope="module")
def judged(trained, asked):
    model, learned = trained
    return validity.Asked(
        *(validity.judge(each.clips, model.predict(each.kept, each.indices), learned) for each in asked.values())
    )


def test_what_the_probe_finds(judged, trained):
    """It stays below the ceiling, and signs painted out help it no more than they tell it operations."""
    constant = validity.floors(judged.plain.clips, trained[1])
    found = {demand.text: demand for demand in validity.demands("probe", judged, constant)}
    for text in (
        "probe: AA@1 - ceiling, upper limit",
        "probe: hidden AA@1 gained by painting signs out, lower limit",
    ):
        assert found[text].holds, found[text]
    assert abs(judged.gap("OCA").value) < 0.05


def test_answers_are_prediction_lines(trained, asked):
    model, _ = trained
    answers = model.predict(asked[()].kept[:40])
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
    forth = model.predict(asked[()].kept[:20])
    back = model.predict(asked[()].kept[19::-1])
    for one, other in zip(forth, back, strict=True):
        assert (one == other[::-1]).all()


def test_every_sampler_is_measured_on_its_own_frames(trained):
    """The uniform sampler's pictures of one session are those drawn without a sampler."""
    shown, found = states(Drawing(DEFAULT_WORLD, "test", sessions=1)), samplers.draw(DEFAULT_WORLD, "test", sessions=1)
    assert all(samplers.sound(each) for each in found.values())
    assert (np.array(found["uniform"].kept) == np.array(drawn("test", 1).kept)).all()
    world = load_world(DEFAULT_WORLD)
    figures = {name: samplers.measure(world, shown, each, trained[0]) for name, each in found.items()}
    for each in figures.values():
        assert 0 <= each.distance <= each.distance_90 < 125
        assert all(0 <= share <= 1 for share in each[2:])
    assert figures["uniform"].oca_limit == frame_limit(shown)["all"].oca
    assert figures["uniform"].aa1_hidden_limit == pytest.approx(foresight(world, shown, (8,))[8])
