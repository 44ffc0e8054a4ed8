"""Models on frames: each learns from a few plain pictures, answers twice alike, and takes its own frames or refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.baselines import floor_models, frame_model
from harness.baselines.floor_models import histograms
from harness.baselines.frame_model import LABELS
from harness.baselines.on_frames import FRAME_BASELINES, write_answers
from harness.baselines.write import ON_FRAMES
from harness.commands import baseline
from harness.errors import UsageError
from reference.rendering.render_split import render
from reference.rendering.request import Request
from reference.task import DEFAULT_INDICES

SIDE = 42
COLOURS = ((200, 60, 60), (60, 200, 60), (60, 60, 200))
FRAMES = {name: baseline.indices for name, baseline in FRAME_BASELINES.items()}


def plain_clips(count, indices, seed):
    """A few clips in which operation k is a bright spot at place k of colour k, and k + 1 comes after it."""
    random = np.random.default_rng(seed)
    pictures, truths = [], []
    for _ in range(count):
        first, change = int(random.integers(3)), int(random.integers(1, 63))
        after = (first + 1) % 3
        pictures.append(np.stack([spot(after if index >= change else first, random) for index in indices]))
        truths.append(
            {
                "dominant_operation": LABELS[after],
                "temporal_segment": {"start_frame": change, "end_frame": 125},
                "previous_operation": LABELS[first],
                "next_operation": LABELS[(after + 1) % 3],
            }
        )
    return pictures, truths


def spot(operation, random):
    picture = random.integers(90, 110, (SIDE, SIDE, 3), np.uint8)
    picture[4 + 12 * operation : 12 + 12 * operation, 20:30] = COLOURS[operation]
    return picture


@pytest.mark.parametrize(("name", "count"), [("histogram", 30), ("thumbnail", 30), ("last-frame", 250)])
def test_a_model_learns_and_answers_twice_alike(name, count):
    indices = FRAMES[name]
    pictures, truths = plain_clips(count, indices, 1)
    asked, expected = plain_clips(20, indices, 2)
    twice = []
    for _ in range(2):
        model = frame_model.train(FRAME_BASELINES[name].design, pictures, truths, [indices] * count)
        twice.append(model.predict(asked, [indices] * 20))
    for one, other in zip(*twice, strict=True):
        assert (one == other).all()
    lines = list(twice[0].lines([str(number) for number in range(20)]))
    for field in ("dominant_operation", "next_operation"):
        right = sum(line[field] == truth[field] for line, truth in zip(lines, expected, strict=True))
        assert right >= 18, (field, right)


def test_a_histogram_by_hand():
    """Cells are 0 to 42, 43 to 85, ..., 214 to 255: three of four pixels are red, one is nearly black."""
    picture = np.array([[[255, 0, 0], [214, 42, 0]], [[240, 3, 9], [42, 42, 43]]], np.uint8)
    expected = np.zeros(216)
    expected[5 * 36], expected[1] = np.sqrt(3 / 4), 1 / 2
    assert histograms(picture[None])[0] == pytest.approx(expected)


def test_a_thumbnail_is_of_16_x_16():
    frames = np.full((3, 168, 168, 3), 9, np.uint8)
    small = floor_models.THUMBNAIL.shrink(frames)
    assert small.shape == (3, 16, 16, 3) and (small == 9).all()


def test_names_are_said_once_more_where_nothing_heavy_may_load():
    assert tuple(ON_FRAMES) == tuple(FRAME_BASELINES) == baseline.ON_FRAMES


@pytest.fixture(scope="module")
def renderings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    for split in ("train", "test"):
        render(Request(split=split, size=SIDE, limit=12), folder / split)
    return folder


@pytest.mark.parametrize("name", ["thumbnail", "last-frame"])
def test_a_rendering_is_answered(name, renderings, tmp_path, capsys):
    assert write_answers(name, renderings, tmp_path / "answers.jsonl") == 12
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").open()]
    assert [line["clip_id"] for line in lines] == [
        json.loads(line)["clip_id"] for line in (renderings / "test" / "clips.jsonl").open()
    ]
    if name == "last-frame":
        assert all(line["temporal_segment"] == {"start_frame": 0, "end_frame": 125} for line in lines)
    assert f"{name}, after" in capsys.readouterr().err


def test_a_model_refuses_other_frames_than_its_own(renderings, tmp_path):
    assert not set(FRAMES["probe-16"]) >= set(DEFAULT_INDICES), "so no rendering serves both"
    with pytest.raises(
        UsageError, match=r"lacks frames that probe-16 looks at \(0, 8, .*frames-16/train .*--frames 16"
    ):
        write_answers("probe-16", renderings, tmp_path / "answers.jsonl")
