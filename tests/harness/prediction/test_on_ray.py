"""Asking and rendering on Ray: the bytes of one process, whoever dies. A stand-in takes the place of Ray.

Two real workers are asked where Ray is installed; `make proof` kills them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import harness
from harness.errors import HarnessError, UsageError
from harness.worlds.rendering import render
from tests.support import hand
from tests.support.pretend_ray import PretendRay

MODEL = """
from harness import Wants

class Looking:
    wants, batch_size, training = Wants(2, 32), 3, None
    card = {"description": "answers from the sum of all pixels"}

    def ask(self, questions, operations):
        return [self.answer(int(question.frames.sum()), operations) for question in questions]

    def answer(self, total, operations):
        segment = {"start_frame": total % 60, "end_frame": 61 + total % 60}
        operation, following = operations[total % 5], operations[total % 5 + 1]
        return {"dominant_operation": operation, "temporal_segment": segment, "next_operation": following}

class Failing(Looking):
    def ask(self, questions, operations):
        raise ValueError("the model's own words")

async def many(question):
    return ""

looking, failing = Looking(), Failing()
"""
WORLD = "tiny.toml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small world, a model, and what one process answers."""
    folder = tmp_path_factory.mktemp("ray")
    (folder / WORLD).write_text(hand.tiny_world(sessions=2), encoding="utf-8")
    (folder / "looking_far.py").write_text(MODEL, encoding="utf-8")
    return folder


@pytest.fixture
def home(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    return folder / "home"


@pytest.fixture
def ray(monkeypatch):
    fake = PretendRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


def predict(home, output, model="looking", **choices):
    return harness.predict(f"python:looking_far:{model}", output, world=WORLD, home=home, **choices)


def lines(folder):
    return re.sub(r'"latency_ms": [0-9.e-]+', "", (folder / "predictions.jsonl").read_text())


@pytest.fixture
def one(home):
    """What one process answers; its pictures are drawn in a home of its own, so that workers draw theirs."""
    if not Path("one").exists():
        predict(home.with_name("another"), "one")
    return lines(Path("one"))


@pytest.mark.heavy
@pytest.mark.parametrize("dies", [set(), {0}, {2, 4}], ids=["nobody", "the first, as it loads", "two"])
def test_answers_are_those_of_one_process(home, one, ray, tmp_path, dies):
    ray.dies = dies
    made = predict(home, tmp_path / "entry", on="ray", workers=2)
    assert (lines(tmp_path / "entry"), made.answered) == (one, 8)
    assert not ray.runs
    assert not (home / "renderings").exists()


@pytest.mark.heavy
def test_a_shard_of_a_sample_is_that_of_one_process(home, ray, tmp_path):
    choices = {"sample": 1, "shard": "2/2", "batch_size": 2}
    predict(home.with_name("another"), tmp_path / "one", **choices)
    made = predict(home, tmp_path / "entry", on="ray", **choices)
    assert (lines(tmp_path / "entry"), made.answered) == (lines(tmp_path / "one"), 2)


@pytest.mark.heavy
def test_a_run_resumes_by_clip(home, one, ray, tmp_path):
    ray.dies = set(range(4, 50))
    with pytest.raises(HarnessError):
        predict(home, tmp_path / "entry", on="ray", workers=1)
    kept = (tmp_path / "entry" / "predictions.jsonl.part").read_text().count("\n")
    said = []
    ray.dies = set()
    predict(home, tmp_path / "entry", on="ray", workers=2, say=said.append)
    assert f"{kept} of 8 clips were answered before, {8 - kept} to go" in said
    assert 0 < kept < 8
    assert lines(tmp_path / "entry") == one


@pytest.mark.heavy
def test_a_model_fails_in_the_same_words(home, ray, tmp_path):
    said = []
    for name, place in (("here", {}), ("there", {"on": "ray"})):
        with pytest.raises(HarnessError, match=r"failed on .*: ValueError: the model's own words") as failed:
            predict(home, tmp_path / name, "failing", **place)
        said.append(str(failed.value))
    assert said[0] == said[1]


def test_a_batch_that_kills_its_workers_is_named(home, ray, tmp_path):
    ray.dies = set(range(2, 50, 2))
    with pytest.raises(HarnessError, match=r"failed on [0-9a-f]{16}, .*: 3 workers died while they answered"):
        predict(home, tmp_path / "entry", on="ray", workers=1, batch_size=8)


def test_refusals(home, ray, tmp_path):
    with pytest.raises(UsageError, match="only a model given by its name"):
        harness.predict(lambda question: "", tmp_path / "entry", on="ray")
    with pytest.raises(UsageError, match="leave --on out"):
        predict(home, tmp_path / "entry", "many", on="ray")
    with pytest.raises(UsageError, match=r"--batch: .*leave --on out"):
        predict(home, tmp_path / "entry", on="ray", batch="submit")
    with pytest.raises(HarnessError, match="expected ray, ray://HOST:PORT, or ray:ADDRESS"):
        predict(home, tmp_path / "entry", on="dask")


@pytest.mark.heavy
@pytest.mark.parametrize("form", ["frames", "video", "shards"])
def test_renderings_are_those_of_one_process(home, ray, tmp_path, form):
    request = {"form": form, "size": 32, "frames": 2, "limit": 1 if form == "video" else 6}
    for name, place in (("one", {"workers": 1}), ("ray", {"on": "ray"})):
        render(WORLD, tmp_path / name, **request, **place)
    files = {path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()}
    assert files == {path.relative_to(tmp_path / "ray") for path in (tmp_path / "ray").rglob("*") if path.is_file()}
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "ray" / file).read_bytes(), file
    assert render(WORLD, tmp_path / "ray", **request, on="ray")["rendered"] == 0


@pytest.mark.heavy
def test_two_real_workers(home, one, tmp_path):
    pytest.importorskip("ray")
    predict(home, tmp_path / "entry", on="ray", workers=2)
    assert lines(tmp_path / "entry") == one
