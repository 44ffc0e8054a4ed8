"""Answers to clips drawn clean: what is asked about, which entry they join, what resumes, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

import harness
from harness.cards import CLEAN, read_card
from harness.errors import UsageError
from harness.prediction.predictor import Reply, Wants
from harness.prediction.repeats import predict_repeats
from reference.files import sha256
from reference.truth.store import open_truth
from tests.support import hand

pytest.importorskip("thorvg_python", reason="ThorVG is not installed")

WANTS = Wants(2, 32, "uniform")
ANSWER = {"dominant_operation": "Tape", "temporal_segment": hand.segment(3, 90), "next_operation": "Wrap"}


class Model:
    """Says one thing, remembers what it was asked, and fails after `most` clips."""

    batch_size, training = 4, None

    def __init__(self, wants: Wants | None = WANTS, most: int = 100, **run):
        self.wants, self.most, self.asked = wants, most, []
        self.card = {"description": "made up", "model": "nobody/nothing", "run": {"seed": 3} | run}

    def ask(self, questions, operations):
        if len(self.asked) + len(questions) > self.most:
            raise RuntimeError("the model is tired")
        self.asked += questions
        return [Reply(json.dumps(ANSWER)) for _ in questions]


@pytest.fixture(scope="module")
def domains(world):
    with open_truth(world, "test") as truth:
        return dict(truth.connection.execute("SELECT clip_id, domain FROM truth.clips").fetchall())


def predict(model, folder, world, **choices):
    return harness.predict(model, folder, world=world, workers=1, **choices)


@pytest.fixture
def entry(world, tmp_path):
    predict(Model(), tmp_path / "mine", world)
    return tmp_path / "mine"


def test_the_same_clips_are_drawn_clean_but_for_those_that_would_show_more(entry, world, domains):
    first, second = Model(), Model()
    predict(first, entry.parent / "again", world)
    made = predict(second, entry, world, as_domain="clean")
    assert {question.clip_id for question in second.asked} == {
        clip for clip, domain in domains.items() if domain != "occlusion"
    }
    before = {question.clip_id: question.frames for question in first.asked}
    for question in second.asked:
        alike = np.array_equal(question.frames, before[question.clip_id])
        assert alike is (domains[question.clip_id] == "clean")
    assert (made.path, made.answered, made.expected) == (entry / CLEAN, 20, 20)
    assert repr(made).startswith("20 of 20 clips of tiny / test drawn as clean answered in ")
    assert sorted(path.name for path in entry.iterdir()) == ["card.toml", CLEAN, "predictions.jsonl"]


def test_they_join_the_entry_and_pair_its_gap(entry, world):
    plain = harness.score(entry, world=world).record
    predict(Model(), entry, world, as_domain="clean")
    card, record = read_card(entry), harness.score(entry, world=world).record
    assert card.clean_sha256 == sha256(entry / CLEAN) == record["transfer"]["clean_sha256"]
    assert card.run["clean"]["pictures"]["as_domain"] == "clean" and "as_domain" not in card.run["pictures"]
    assert card.run["clean"]["answers"] == {"model": 20, "repaired": 0, "fallback": 0}
    assert (record["transfer"]["paired"], record["transfer"]["pairs"]) == (True, 16)
    assert {row["gap"] for row in record["transfer"]["gaps"] if row["paired"]} == {0.0}, "it answers alike"
    assert record["metrics"] == plain["metrics"]


def test_a_run_that_was_cut_off_resumes(entry, world):
    with pytest.raises(harness.HarnessError, match="tired"):
        predict(Model(most=8), entry, world, as_domain="clean")
    assert not read_card(entry).clean_sha256
    assert harness.score(entry, world=world).record["coverage"] == 1
    rest = Model()
    predict(rest, entry, world, as_domain="clean")
    assert len(rest.asked) == 12 and len((entry / CLEAN).read_text().splitlines()) == 20


def test_a_rendering_of_the_users_own(entry, world, tmp_path):
    pictures = {"frames": 2, "size": 32, "workers": 1}
    harness.render(world, tmp_path / "as-judged", **pictures)
    harness.render(world, tmp_path / "clean", as_domain="clean", **pictures)
    with pytest.raises(UsageError, match="was not drawn with --as-domain clean"):
        predict(Model(), entry, world, as_domain="clean", frames=tmp_path / "as-judged")
    made = predict(Model(), entry, world, as_domain="clean", frames=tmp_path / "clean")
    assert made.answered == 20


def test_what_is_refused(entry, world, tmp_path):
    for model, folder, choices, message in [
        (Model(), tmp_path / "none", {}, "holds no entry yet; first the same command without --as-domain"),
        (Model(seed=4), entry, {}, "the entry there is of another model"),
        (Model(), entry, {"split": "validation"}, "the entry there is of another split, truth_digest"),
        (Model(wants=None), entry, {}, "looks at no pictures: it answers alike in every domain"),
        (Model(), entry, {"as_domain": "light"}, "as_domain='light': the gap is against clips drawn clean"),
        (Model(), entry, {"clips": tmp_path}, "--as-domain is about the clips of a split"),
    ]:
        with pytest.raises(UsageError, match=message):
            predict(model, folder, world, **{"as_domain": "clean"} | choices)
    with pytest.raises(UsageError, match="leave --repeats or --as-domain out"):
        predict_repeats(Model(), tmp_path / "k", 2, as_domain="clean")
    predict(Model(), entry, world, as_domain="clean", limit=3)
    with pytest.raises(UsageError, match="holds answers to clean pictures already; --fresh replaces them"):
        predict(Model(), entry, world, as_domain="clean")
    assert predict(Model(), entry, world, as_domain="clean", fresh=True).answered == 20
