"""What a frozen tower says of a clip is kept, finite and whole or not at all, within its bytes; and reused."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from finetune.checkpoint import newest_checkpoint
from finetune.layers import vision_cache
from finetune.layers.vision_cache import VisionCache, clip_digest, tower_key
from finetune.model import Answerer
from finetune.run_log import read_log
from finetune.train import train
from tests.support.finetune_material import QLORA, placed, renderings

CLIP = np.arange(12, dtype=np.float16).reshape(3, 4)
BYTES = 10_000_000


def digest(number: int) -> bytes:
    return clip_digest(np.full((2, 4, 4, 3), number, np.uint8))


def test_a_clip_is_read_as_it_was_written(tmp_path):
    cache = VisionCache(tmp_path, "tower", BYTES)
    assert cache.write(digest(0), CLIP) and cache.write(digest(1), CLIP + 1)
    assert np.array_equal(cache.read([digest(1), digest(0)]), np.concatenate([CLIP + 1, CLIP]))
    assert cache.read([digest(0), digest(2)]) is None, "a pass of which one clip is missing is computed"
    assert VisionCache(tmp_path, "another tower", BYTES).read([digest(0)]) is None


NOT_KEPT = [(np.full_like(CLIP, np.inf), "infinite"), (np.full_like(CLIP, np.nan), "no numbers")]


@pytest.mark.parametrize(("features", "why"), NOT_KEPT, ids=[case[1] for case in NOT_KEPT])
def test_what_is_not_finite_is_not_kept(features, why, tmp_path):
    cache = VisionCache(tmp_path, "tower", BYTES)
    assert not cache.write(digest(0), features)
    assert cache.read([digest(0)]) is None


def test_no_more_bytes_are_taken_than_given_and_none_where_the_place_is_full(tmp_path, monkeypatch):
    cache = VisionCache(tmp_path, "tower", 3 * CLIP.nbytes)
    assert [cache.write(digest(number), CLIP) for number in range(5)] == [True, True, True, False, False]
    assert VisionCache(tmp_path / "full", "tower", 10).left <= 10
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=vision_cache.RESERVE + 10))
    assert VisionCache(tmp_path / "full", "tower", BYTES).left == 10
    assert VisionCache(tmp_path / "full", "tower", BYTES, writers=2).left == 5, "a half for each of two processes"


def test_features_of_other_towers_make_room(tmp_path):
    VisionCache(tmp_path, "old", BYTES).write(digest(0), CLIP)
    cache = VisionCache(tmp_path, "new", 100)
    assert cache.left == 100 and not (tmp_path / "old").exists()


def test_a_place_that_cannot_be_written_costs_nothing_but_time(tmp_path):
    (tmp_path / "file").write_text("")
    cache = VisionCache(tmp_path / "file", "tower", BYTES)
    assert not cache.write(digest(0), CLIP) and cache.read([digest(0)]) is None


def test_a_kill_while_writing_tears_nothing(tmp_path):
    """Ten processes, each killed with signal 9 while it writes and deletes: what can be read is whole."""
    features = np.ones((64, 64), np.float16)
    for turn in range(10):
        if (child := os.fork()) == 0:
            cache = VisionCache(tmp_path, "tower", BYTES)
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            signal.setitimer(signal.ITIMER_REAL, 0.005 * (turn + 1))
            for number in range(1 << 20):
                cache.write(digest((turn * 7 + number % 200) % 256), features)
                if number % 200 == 199:
                    shutil.rmtree(cache.folder, ignore_errors=True)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        cache = VisionCache(tmp_path, "tower", BYTES)
        for path in cache.folder.glob("*/*.npy"):
            assert np.array_equal(np.load(path), features)


def test_a_tower_is_known_by_its_weights_and_its_type():
    one, other = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
    assert tower_key(one, "fp16") == tower_key(one, "fp16")
    assert len({tower_key(one, "fp16"), tower_key(one, "fp32"), tower_key(other, "fp16")}) == 3


def parameters(run):
    return load_file(newest_checkpoint(run) / "state.safetensors")


def test_a_clip_is_seen_once_and_the_run_is_the_same(tmp_path, monkeypatch):
    """Three epochs of four clips, and two of an evaluation: the tower sees each once, and none in a second run, which
    learns what the first did."""
    seen = []
    see = Answerer._see

    def counted(self, batch):
        seen.append(len(batch["input_ids"]))
        return see(self, batch)

    monkeypatch.setattr(Answerer, "_see", counted)
    frames = renderings(tmp_path / "frames", train=4, validation=2)
    changes = {"quantise": False, "compute": "fp32", "checkpointing": False, "optimizer": "adamw", "accumulation": 2}
    config = placed(replace(QLORA, **changes), frames, steps=3, threads=1, evaluate_clips=2, checkpoint_every=3)
    monkeypatch.setattr("finetune.train.estimate_peak_gib", lambda *_, **__: 1.0)  # it runs the tower, too
    config = replace(config, scratch=str(tmp_path / "scratch"))
    train(config, tmp_path / "first")
    assert sum(seen) <= 3 * 4 + 2 and len(list((tmp_path / "scratch").rglob("*.npy"))) == 4 + 2
    seen.clear()
    train(config, tmp_path / "second")
    assert seen == []
    first, second = parameters(tmp_path / "first"), parameters(tmp_path / "second")
    assert all(torch.allclose(first[name], second[name], rtol=1e-4, atol=1e-6) for name in first)
    train(replace(config, cache_gb=0.0), tmp_path / "without")
    losses = [
        [row["loss"] for row in read_log(tmp_path / name / "log.jsonl") if "loss" in row]
        for name in ("first", "without")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3), "features are rounded to fp16"
    assert json.loads((tmp_path / "first" / "training.json").read_text())["steps"] == 3
