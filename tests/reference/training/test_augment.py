"""Augmentation: equal seeds give equal bytes, pictures change as they should, a shifted truth is still the truth."""

from __future__ import annotations

import numpy as np
import pytest

from reference.process.cutter import label_clip
from reference.randomness import stream
from reference.task import CLIP_FRAMES, FRAME_MS, OPERATIONS, Run
from reference.training import augment
from reference.training.augment import Augmentation


def sample(clip_id: str = "aa", side: int = 32) -> dict:
    rng = np.random.default_rng(5)
    frames = rng.integers(0, 256, (4, side, side, 3)).astype(np.uint8)
    indices = np.array([0, 41, 82, 124])
    return {"clip_id": clip_id, "frames": frames, "indices": indices, "times": np.zeros(4), "prompt": "p"}


def test_equal_for_equal_epoch_and_clip_only():
    change = Augmentation(interpolate=True)
    first = change(sample(), 3, OPERATIONS)
    assert (first["frames"] == change(sample(), 3, OPERATIONS)["frames"]).all()
    for other in (
        change(sample(), 4, OPERATIONS),
        change(sample("bb"), 3, OPERATIONS),
        Augmentation(interpolate=True, seed=1)(sample(), 3, OPERATIONS),
    ):
        assert (first["frames"] != other["frames"]).any()


def test_nothing_asked_for_changes_nothing():
    none = Augmentation(crop_percent=0, colour_percent=0, blur=0, noise=0, shift=0)
    changed = none(sample(), 0, OPERATIONS)
    assert (changed["frames"] == sample()["frames"]).all() and changed["prompt"] == "p"
    assert none.draw_shift(0, "aa", {"temporal_segment": {"start_frame": 0, "end_frame": 125}}) == 0


def test_interpolation_brings_times_and_prompt_along():
    changed = Augmentation(interpolate=True, noise=0)(sample(), 0, OPERATIONS)
    assert changed["indices"].tolist() == [0, 20, 41, 61, 82, 103, 124]
    assert changed["times"].tolist() == [0.0, 0.8, 1.64, 2.44, 3.28, 4.12, 4.96]
    assert "These are 7 frames" in changed["prompt"] and "20 (at 0.80 s)" in changed["prompt"]


def test_interpolation_by_hand():
    frames = np.array([0, 100, 200], np.uint8).reshape(3, 1, 1, 1).repeat(3, 3)
    found, indices = augment.interpolate_frames(frames, [10, 13, 14])
    assert indices.tolist() == [10, 11, 13, 14], "nothing lies between neighbours"
    assert found[:, 0, 0, 0].tolist() == [0, 33, 100, 200]


def test_crop_by_hand():
    ramp = np.arange(0, 200, 20, dtype=np.uint8).reshape(1, 1, 10, 1).repeat(10, 1).repeat(3, 3)
    assert (augment.crop(ramp, 0, 0.5, 0.5) == ramp).all()
    cut = augment.crop(ramp, 50, 0.0, 0.999)[0, 0, :, 0]
    assert (cut[0], cut[-1]) == (100, 180) and (np.diff(cut.astype(int)) >= 0).all(), "the right half, stretched"
    assert augment.crop(ramp, 50, 0.0, 0.0)[0, 0, -1, 0] == 80


COLOURS = [
    ((100, 100, 100), (120, 60, 40), "as it was"),
    ((50, 100, 100), (60, 30, 20), "half as bright"),
    ((100, 0, 100), (128, 128, 128), "no contrast"),
    ((100, 100, 0), (75, 75, 75), "grey: (77 x 120 + 150 x 60 + 29 x 40) / 256"),
]


@pytest.mark.parametrize(("percent", "expected", "why"), COLOURS)
def test_colour(percent, expected, why):
    pixel = np.array([[[[120, 60, 40]]]], np.uint8)
    assert tuple(augment.colour(pixel, *percent)[0, 0, 0]) == expected, why


def test_blur_by_hand():
    dot = np.zeros((1, 7, 7, 3), np.uint8)
    dot[0, 3, 3] = 255
    row = augment.blur(dot, 1)[0, 3, :, 0]
    assert row.tolist() == [0, 6, 24, 36, 24, 6, 0], "255 x 6/16, then 1 4 6 4 1 of 16 of it"
    assert (augment.blur(np.full((1, 5, 5, 3), 77, np.uint8), 3) == 77).all()


def test_noise():
    flat = np.full((4, 64, 64, 3), 128, np.uint8)
    noisy = augment.noise(flat, 10, b"k" * 32).astype(int)
    assert abs(noisy.mean() - 128) < 0.7 and 9 < noisy.std() < 11
    assert (augment.noise(flat, 10, b"k" * 32) == noisy).all() and (augment.noise(flat, 10, b"l" * 32) != noisy).any()
    assert noisy[0, 0, :8, 0].tolist() == [133, 135, 117, 122, 132, 144, 126, 125], "raw PRNG words"


SHIFTS = [
    ((0, 125), list(range(-3, 4)), "the whole clip stays the whole clip"),
    ((40, 80), [0], "dense, between two others: either may become the dominant one"),
    ((0, 50), [0, 1, 2, 3], "held at the left, it only grows"),
    ((70, 125), [-3, -2, -1, 0], "held at the right"),
    ((2, 100), list(range(-3, 4)), "most of the frames whatever happens"),
    ((60, 123), [-3, -2, -1, 0, 1], "63 of 125; the next operation stays on screen"),
    ((62, 125), [-3, -2, -1, 0], "63 of 125; later it would lose frames"),
]


@pytest.mark.parametrize(("segment", "expected", "why"), SHIFTS)
def test_shifts(segment, expected, why):
    assert augment.shifts(*segment, most=3) == expected, why


def random_runs(rng) -> list[Run]:
    """Runs that fill at least a clip."""
    runs, at, last = [], 0, ""
    while at < 125 * FRAME_MS:
        operation = [name for name in OPERATIONS[:4] if name != last][int(rng() * 3)]
        end = at + FRAME_MS * (1 + int(rng() * (20 if rng() < 0.5 else 120)))
        runs.append(Run(operation, at, end))
        at, last = end, operation
    return runs


def relabelled(operations: list[str]) -> tuple:
    """The truth of 125 frames with these operations, by the cutter itself."""
    runs, at = [], 0
    for frame, operation in enumerate(operations):
        if frame == 124 or operations[frame + 1] != operation:
            runs.append(Run(operation, at, (frame + 1) * FRAME_MS))
            at = (frame + 1) * FRAME_MS
    return label_clip(runs, 0)[:2]


def test_a_shifted_truth_is_the_truth_of_the_shifted_frames():
    rng, moved = stream(b"shift").random, 0
    for _ in range(300):
        runs = random_runs(rng)
        frames = [run.operation for run in runs for _ in range(run.start_ms, run.end_ms, FRAME_MS)][:CLIP_FRAMES]
        operation, segment = relabelled(frames)
        for shift in augment.shifts(*segment, most=8):
            shown = [frames[index] for index in augment.source_frames(range(CLIP_FRAMES), shift)]
            truth = augment.shift_truth({"temporal_segment": segment._asdict()}, shift)["temporal_segment"]
            assert relabelled(shown) == (operation, (truth["start_frame"], truth["end_frame"])), (segment, shift)
            moved += shift != 0
    assert moved > 500


def test_shift_is_drawn_among_the_certain_ones():
    truth = {"temporal_segment": {"start_frame": 0, "end_frame": 50}}
    drawn = {Augmentation(shift=3).draw_shift(epoch, "aa", truth) for epoch in range(60)}
    assert drawn == {0, 1, 2, 3}
