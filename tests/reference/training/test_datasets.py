"""Renderings as training data: the same samples from every form, shared out among workers, with and without torch."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV is not installed")
pytest.importorskip("PIL", reason="Pillow is not installed")

from reference.errors import RenderError, ShardError
from reference.rendering.render_split import render
from reference.rendering.request import Request
from reference.training.augment import Augmentation
from reference.training.datasets import Clips, stream

N = 70
CLIPS = {"frames": N, "video": 24, "shards": N}
"""How many clips a rendering has: more than one shard's, and fewer where each is decoded."""


def paint(world, state, seed, indices, size, paint_out=()) -> np.ndarray:
    """The frame index as a grey level: a sample tells which frames it holds."""
    grey = np.array(indices, np.uint8) + np.uint8(seed % 60)
    return np.repeat(grey, size * size * 3).reshape(len(indices), size, size, 3)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    found = {}
    for form in ("frames", "video", "shards"):
        found[form] = tmp_path_factory.mktemp(form)
        render(Request(form=form, split="train", size=32, limit=CLIPS[form]), found[form], draw=paint)
    return found


@pytest.mark.parametrize("form", ["frames", "video", "shards"])
def test_samples(folders, form):
    clips = Clips(folders[form], trusted=True)
    truth = [json.loads(line) for line in (folders[form] / "truth.jsonl").read_text().splitlines()]
    assert len(clips) == CLIPS[form]
    for index in (0, 1, CLIPS[form] - 10, CLIPS[form] - 1):
        sample = clips[index]
        assert set(sample) == {"clip_id", "frames", "indices", "times", "prompt", "truth"}
        assert sample["frames"].shape == (8, 32, 32, 3) and sample["frames"].dtype == np.uint8
        assert sample["indices"].tolist() == [0, 17, 35, 53, 70, 88, 106, 124]
        assert sample["times"][1] == 0.68
        assert sample["clip_id"] == truth[index]["clip_id"]
        answers = ("dominant_operation", "temporal_segment", "next_operation")
        assert sample["truth"] == {name: truth[index][name] for name in answers}
        grey = sample["frames"].mean(axis=(1, 2, 3))
        assert np.abs(grey - grey[0] - sample["indices"]).max() < 4
    assert clips[-1]["clip_id"] == truth[-1]["clip_id"]
    with pytest.raises(IndexError):
        clips[CLIPS[form]]


def test_all_forms_hold_the_same(folders):
    frames, shards = Clips(folders["frames"]), Clips(folders["shards"])
    for index in range(0, N, 9):
        assert (frames[index]["frames"] == shards[index]["frames"]).all()
    apart, trusted = Clips(folders["video"]), Clips(folders["video"], trusted=True)
    assert (apart[3]["frames"] == trusted[3]["frames"]).all()


@pytest.mark.parametrize("part", [(2, 2), (-1, 2), (1, 1), (0, 0), (0, -1)], ids=str)
def test_a_part_that_does_not_exist_is_refused(part, tmp_path):
    """Ranks counted from 1 would never see clip 0, and see the clips of another rank twice."""
    with pytest.raises(ValueError, match=r"expected \(index, number of parts\) with an index from 0"):
        stream(tmp_path, part=part)


@pytest.mark.parametrize("form", ["frames", "video", "shards"])
def test_streams_share_the_clips_out(folders, form):
    ids = [json.loads(line)["clip_id"] for line in (folders[form] / "clips.jsonl").read_text().splitlines()]
    assert [sample["clip_id"] for sample in stream(folders[form], trusted=True)] == ids
    parts = [[sample["clip_id"] for sample in stream(folders[form], trusted=True, part=(part, 2))] for part in (0, 1)]
    assert sorted(parts[0] + parts[1]) == sorted(ids) and all(parts)
    flows = [stream(folders[form], trusted=True, shuffle=1, epoch=epoch) for epoch in (0, 0, 1)]
    shuffled = [[sample["clip_id"] for sample in flow] for flow in flows]
    assert shuffled[0] == shuffled[1] != shuffled[2] != ids and sorted(shuffled[2]) == sorted(ids)


def test_a_shift_moves_pictures_and_truth_together(folders):
    """Frames carry their index as grey: shown[f] = frame f - shift, held at the edges."""
    plain = Clips(folders["video"], trusted=True)
    only_shift = Augmentation(crop_percent=0, colour_percent=0, blur=0, noise=0, shift=8)
    moved = Clips(folders["video"], trusted=True, augment=only_shift, epoch=2)
    shifts = set()
    for index in range(CLIPS["video"]):
        before, after = plain[index], moved[index]
        shift = only_shift.draw_shift(2, before["clip_id"], before["truth"])
        expected = np.clip(before["indices"] - shift, 0, 124) - before["indices"]
        grey = [sample["frames"].mean(axis=(1, 2, 3)) for sample in (after, before)]
        assert np.abs(grey[0] - grey[1] - expected).max() < 4
        segment, old = after["truth"]["temporal_segment"], before["truth"]["temporal_segment"]
        assert segment["start_frame"] in (0, old["start_frame"] + shift)
        assert after["truth"]["next_operation"] == before["truth"]["next_operation"]
        shifts.add(shift)
    assert len(shifts) > 3


def test_without_truth_there_is_none(tmp_path):
    render(Request(size=32, limit=3), tmp_path / "out", draw=paint)
    assert all("truth" not in sample for sample in Clips(tmp_path / "out"))


def test_can_be_sent_to_other_processes(folders):
    made = Clips(folders["frames"]), stream(folders["shards"], part=(1, 2))
    clips, flow = (pickle.loads(pickle.dumps(dataset)) for dataset in made)
    assert clips[5]["clip_id"] == Clips(folders["frames"])[5]["clip_id"]
    assert len(list(flow)) == 10


def test_torch_is_not_imported():
    script = "import sys, reference.training.datasets; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "False", run.stderr


def one(batch):
    return batch[0]["clip_id"]


@pytest.mark.parametrize("workers", [0, 2])
def test_torch_takes_them(folders, workers):
    data = pytest.importorskip("torch.utils.data", reason="torch is not installed")
    ids = [Clips(folders["frames"])[index]["clip_id"] for index in range(N)]
    loader = data.DataLoader(Clips(folders["frames"]), batch_size=10, num_workers=workers)
    batches = list(loader)
    assert batches[0]["frames"].shape == (10, 8, 32, 32, 3)
    assert batches[0]["truth"]["temporal_segment"]["end_frame"].shape == (10,)
    assert [name for batch in batches for name in batch["clip_id"]] == ids
    flow = data.DataLoader(stream(folders["shards"]), batch_size=10, num_workers=workers)
    assert sorted(name for batch in flow for name in batch["clip_id"]) == sorted(ids), "each clip once"


def hostile(folder: Path, **changes) -> Path:
    row = {"clip_id": "aa", "frames": ["frames/aa/000.jpg"], "indices": [0], "times_s": [0.0], "prompt": "p", **changes}
    (folder / "clips.jsonl").write_text(json.dumps(row) + "\n")
    return folder


def test_paths_stay_inside_the_folder(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    folder = tmp_path / "rendering"
    folder.mkdir()
    for name in ("../secret.jpg", str(tmp_path / "secret.jpg")):
        with pytest.raises(RenderError, match=r"clips\.jsonl: .* leads out of the folder"):
            Clips(hostile(folder, frames=[name]))[0]
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(RenderError, match="leads out of the folder"):
        Clips(hostile(folder, frames=["link.jpg"]))[0]


def test_what_is_no_rendering(tmp_path):
    with pytest.raises(RenderError, match=r"clips\.jsonl: not the list of a rendering"):
        Clips(tmp_path)
    hostile(tmp_path, shard="shards/x.tar")
    with pytest.raises(RenderError, match=r"index\.json: not the index of a rendering"):
        Clips(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"files": [{"path": "shards/x.tar", "offsets": {"aa": 0}}]}))
    with pytest.raises(ShardError, match=r"x\.tar: No such file"):
        Clips(tmp_path)[0]
