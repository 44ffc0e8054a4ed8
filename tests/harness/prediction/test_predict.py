"""Asking models: every form of text, what a kill leaves behind, which pictures are shown, and that no truth is.

The models here are made up. They are asked about `tiny`, a world with 24 clips to judge on, in pictures of 32 pixels.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
import types
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import harness
from harness import progress
from harness.baselines.write import write_baseline
from harness.cards import predictions_of, read_card
from harness.errors import HarnessError, UsageError
from harness.prediction import models
from harness.prediction.floors import Floors
from harness.prediction.journal import IDENTITY, PART
from harness.prediction.predictor import Question, Reply, Wants
from harness.prediction.questions import is_whole
from harness.prediction.replies import Reader
from harness.resources import schema
from reference.errors import RenderError
from reference.task import OPERATIONS
from reference.truth.store import open_truth
from tests.support import hand

N, SIZE, FRAMES = 24, 32, 4
ANSWER = {"dominant_operation": "Tape", "temporal_segment": hand.segment(3, 90), "next_operation": "Wrap"}
TEXT = json.dumps(ANSWER)


class Model:
    """Answers with the replies it is given in turn, and remembers what it was asked."""

    def __init__(self, *replies: Reply, wants: Wants | None = None, batch_size: int = 5, training=None, **card):
        self.replies = itertools.cycle(replies or (Reply(TEXT),))
        self.wants, self.batch_size, self.training = wants, batch_size, training
        self.card = {"description": "made up", "model": "nobody/nothing", "run": {"seed": 3, "lora": {"r": 8}}} | card
        self.batches: list[list[Question]] = []

    def ask(self, questions, operations):
        assert tuple(operations) == OPERATIONS
        self.batches.append(list(questions))
        return [next(self.replies) for _ in questions]

    @property
    def asked(self):
        return list(itertools.chain(*self.batches))


@pytest.fixture(scope="module")
def floors(world):
    with open_truth(world, "test") as truth:
        return Floors(truth)


def lines_of(folder):
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


# What a model says

CUT = '{"dominant_operation": "put_items", "temporal_segment": {"start_fra'
LATER = ANSWER | {"next_operations": ["Wrap", "Pack"]}
SAID = [
    (Reply(TEXT), "model", ANSWER, "JSON alone"),
    (Reply(f"```json\n{TEXT}\n```"), "model", ANSWER, "a fence alone is no repair"),
    (Reply(f"Here:\n```json\n{TEXT}\n```"), "repaired", ANSWER, "a fence in prose"),
    (Reply(f"He tapes. {TEXT} Done."), "repaired", ANSWER, "in prose"),
    (Reply(TEXT.replace('"Wrap"', '"Wrap",')), "repaired", ANSWER, "a trailing comma"),
    (Reply(TEXT.replace('"', "'")), "repaired", ANSWER, "single quotes"),
    (Reply(f"{TEXT}\n{TEXT.replace('Tape', 'Pack')}"), "repaired", ANSWER | {"dominant_operation": "Pack"}, "the last"),
    (Reply(TEXT.replace("Tape", "TAPE ")), "model", ANSWER, "spelt otherwise"),
    (Reply(TEXT.replace("Tape", "taping")), "model", ANSWER | {"dominant_operation": "taping"}, "no such label"),
    (Reply(TEXT.replace('"Tape"', "null")), "model", ANSWER | {"dominant_operation": None}, "abstains"),
    (Reply(TEXT.replace("next_op", "anticipated_next_op")), "model", ANSWER, "the other name of the field"),
    (Reply(TEXT.replace("}, ", '}, "confidence": 0.5, ')), "model", ANSWER | {"confidence": 0.5}, "says how sure"),
    (Reply(TEXT, None, 0.25, 1.0000001), "model", ANSWER | {"confidence": 0.25, "next_confidence": 1.0}, "is measured"),
    (Reply(answer=ANSWER), "model", ANSWER, "fields"),
    (Reply(answer=ANSWER | {"next_operations": ["wrap", "PACK"]}), "model", LATER, "what follows, spelt otherwise"),
    (Reply("I think: tape", ANSWER, np.float32(0.5)), "model", ANSWER | {"confidence": 0.5}, "fields and text"),
    (Reply(""), "fallback", {}, "nothing"),
    (Reply("The worker tapes the box."), "fallback", {}, "prose alone"),
    (Reply("no idea", None, 0.9, 0.9), "fallback", {}, "whose confidence is about nothing"),
    (Reply(TEXT.replace("90", "990")), "fallback", {"dominant_operation": "Tape"}, "frames out of range"),
    (Reply(CUT, None, 0.9, 0.9), "fallback", {"dominant_operation": "Put Items", "confidence": 0.9}, "cut off"),
    (Reply(CUT.replace('s", ', "")), "fallback", {}, "cut off within the label"),
    (Reply(f"{CUT}\n\ndominant_operation: 'Pack' or so"), "fallback", {"dominant_operation": "Pack"}, "the last said"),
    (Reply("dominant_operation: 'flying'"), "fallback", {}, "a label that nobody knows"),
    (Reply("\ud800 {"), "fallback", {}, "half a surrogate pair"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "source", "expected", "why"), SAID, ids=[case[3] for case in SAID])
def test_what_is_read_out_of_a_reply(reply, source, expected, why, floors):
    clip_id = floors.clips[0]
    line = Reader(floors).line(clip_id, reply, 12.34567)
    assert (line.pop("clip_id"), line.pop("latency_ms"), line.pop("source")) == (clip_id, 12.346, source)
    raw = line.pop("raw_output", None)
    assert raw == (reply.text if reply.text is None or "\ud800" not in reply.text else "\\ud800 {")
    if source == "fallback":
        operation = expected.get("dominant_operation")
        after = {} if operation is None else {"next_operation": floors.after(clip_id, operation)}
        expected = floors.constant(clip_id) | after | expected
    assert line == expected


def test_every_line_is_valid(world, tmp_path, floors):
    """The published schema and the reader of `harness score` both accept it."""
    import jsonschema

    made = harness.predict(Model(*(case[0] for case in SAID)), tmp_path / "all", world=world)
    validator = jsonschema.Draft202012Validator(schema("prediction"))
    assert all(validator.is_valid(line) for line in lines_of(made.path.parent))
    found = harness.validate(made.path, world=world)
    assert (found.rows, found.total, found.adapter) == (N, 0, "canonical")
    assert made.sources == {"model": 11, "repaired": 5, "fallback": 8} and made.kept == 3
    assert harness.score(made.path, world=world).record["submission"]["sources"] == made.sources


def test_fallback_is_the_constant_baseline_and_the_usual_successor(floors, world):
    answers = floors.answers("constant")
    assert all(floors.constant(clip_id) == answers[clip_id] for clip_id in floors.clips)
    with open_truth(world, "test") as truth:
        rows = truth.connection.execute("SELECT operation, next_operation FROM truth.transition").fetchall()
    for operation, after in rows:
        assert floors.after(floors.clips[0], OPERATIONS[operation]) == OPERATIONS[after]


FAULTS = [
    (Reply(), "neither text nor answer"),
    (Reply(answer={}), "dominant_operation is not in the object"),
    (Reply(answer=ANSWER | {"temporal_segment": hand.segment(1.5, 9)}), "start_frame 1.5 is no integer"),
    (Reply(answer=ANSWER | {"next_operation": 3}), "next_operation 3 is a number"),
    (Reply(TEXT, confidence=1.5), "confidence 1.5, expected a probability"),
    (Reply(TEXT, next_confidence=float("nan")), "next_confidence nan, expected a probability"),
]


@pytest.mark.parametrize(("reply", "message"), FAULTS, ids=[case[1] for case in FAULTS])
def test_a_predictor_that_is_wrong_is_stopped(reply, message, floors):
    with pytest.raises(HarnessError, match=f"clip {floors.clips[0]}: .*{message}"):
        Reader(floors).line(floors.clips[0], reply, 1.0)


def test_a_model_that_does_not_stop_makes_no_line_too_long(floors):
    line = Reader(floors).line(floors.clips[0], Reply("\U0001f4e6" * 500_000), 1.0)
    assert len(json.dumps(line)) < 1 << 20
    long = Reader(floors).line(floors.clips[0], Reply(answer=ANSWER | {"next_operation": "x" * 2_000_000}), 1.0)
    assert len(long["next_operation"]) == 200


# The entry

TRAINING = {"device": "none", "steps": 3}


def test_an_entry_says_how_it_was_made(world, tmp_path):
    folder = tmp_path / "entry"
    made = harness.predict(Model(training=TRAINING, authors="me"), folder, world=world)
    card = read_card(folder)
    assert predictions_of(folder, card) == made.path
    assert (card.name, card.kind, card.model, card.authors) == ("entry", "model", "nobody/nothing", "me")
    assert card.world == "tiny" and len(card.truth_digest) == 64 and len(card.date) == 10
    assert card.run["predictor"] == {"seed": 3, "lora": {"r": 8}}
    assert card.run["answers"] == {"model": N, "repaired": 0, "fallback": 0}
    assert set(card.run) == {"batch_size", "harness", "python", "platform", "wall_s", "answers", "predictor"}
    assert json.loads((folder / "training.json").read_text()) == TRAINING
    assert sorted(path.name for path in folder.iterdir()) == ["card.toml", "predictions.jsonl", "training.json"]
    lines = lines_of(folder)
    assert [line["clip_id"] for line in lines] == sorted(line["clip_id"] for line in lines)
    assert all(line["latency_ms"] >= 0 for line in lines)
    harness.predict(Model(), folder, world=world, fresh=True)
    assert not (folder / "training.json").exists()  # it was the other model's


BAD_CARDS = [
    ({"licence": "MIT"}, "card says licence; it may say"),
    ({"kind": "reference"}, "kind = 'reference', expected one of model, baseline"),
    ({"model": 3}, "model = 3, expected a text"),
    ({"run": "x"}, "run = 'x', expected a table"),
    ({"run": {"a": [None]}}, r"run\.a\[0\] = None, expected a plain value"),
    ({"training": {"steps": 1}}, "a training record is an object with a text field `device`"),
]


@pytest.mark.parametrize(("card", "message"), BAD_CARDS, ids=[case[1] for case in BAD_CARDS])
def test_what_a_model_says_of_itself_is_checked_before_it_is_asked(card, message, world, tmp_path):
    model = Model(**card)
    with pytest.raises(UsageError, match=message):
        harness.predict(model, tmp_path / "entry", world=world)
    assert not model.asked and not (tmp_path / "entry").exists()


def test_clips_without_an_answer_are_said(world, tmp_path):
    from harness.prediction.predict import summary_lines

    made = harness.predict(Model(), tmp_path / "some", world=world, limit=7)
    assert (made.answered, made.expected) == (7, N) and "17 have no answer" in summary_lines(made)[-1]


# Functions


def test_a_function_answers_clip_by_clip(world, tmp_path, floors):
    """A dict of the fields, a text and a Reply are the same answer, with numbers of numpy, too."""
    numbers = {"start_frame": np.int64(3), "end_frame": np.int32(90)}
    asked: list[Question] = []
    replies = {
        "dict": (ANSWER, {}),
        "text": (TEXT, {"raw_output": TEXT}),
        "reply": (Reply(answer=ANSWER, confidence=0.5), {"confidence": 0.5}),
        "numpy": (ANSWER | {"temporal_segment": numbers, "confidence": np.float32(0.5)}, {"confidence": 0.5}),
        "raw": (ANSWER | {"raw_output": "He tapes."}, {"raw_output": "He tapes."}),
    }
    for name, (reply, more) in replies.items():
        made = harness.predict(
            lambda question, reply=reply: asked.append(question) or reply, tmp_path / name, world=world, limit=2
        )
        for line in lines_of(made.path.parent):
            assert line.pop("latency_ms") >= 0 and line.pop("source") == "model"
            assert line == {"clip_id": line["clip_id"]} | ANSWER | more
    assert [question.clip_id for question in asked] == list(floors.clips[:2]) * len(replies)
    assert all(type(question) is Question and not question.frames.size for question in asked)
    card = read_card(tmp_path / "dict")
    assert card.description.endswith("test_a_function_answers_clip_by_clip.<locals>.<lambda>")
    card = {"model": "nobody/nothing", "run": {"seed": 3}}
    harness.predict(lambda question: ANSWER, tmp_path / "carded", world=world, card=card)
    assert read_card(tmp_path / "carded").run["predictor"] == {"seed": 3}


WRONG_REPLIES = [
    (None, "the reply is None, expected a dict, a text or a Reply"),
    (TEXT.encode(), "the reply is an object of type bytes"),
    (3, "the reply is an object of type int"),
    (("text", None), "the reply is an object of type tuple"),
    ({}, "dominant_operation is not in the object"),
    ({"text": TEXT}, "dominant_operation is not in the object"),
    (ANSWER | {"dominant_operation": b"Tape"}, "dominant_operation is an object of type bytes, which JSON cannot hold"),
    (ANSWER | {"next_operation": 3}, "next_operation 3 is a number"),
    (ANSWER | {"temporal_segment": {3, 90}}, "temporal_segment is an object of type set"),
    (ANSWER | {"temporal_segment": hand.segment(3.0, 90)}, "3.0 is no integer"),
    (ANSWER | {"temporal_segment": hand.segment(float("nan"), 90)}, "NaN is no integer"),
    (ANSWER | {"dominant_operation": "\ud800"}, "dominant_operation .* holds U"),
    (ANSWER | {"confidence": 1.5}, "confidence 1.5, expected a probability"),
    (ANSWER | {"confidence": "high"}, "confidence 'high', expected a probability"),
    (ANSWER | {"clip_id": "another"}, "the reply is about clip 'another'"),
    (Reply(text=b"{}"), "the reply's text is an object of type bytes"),
    (Reply(answer=TEXT), "the reply's answer is an object of type str"),
    (Reply(answer=[ANSWER]), "the reply's answer is an object of type list"),
    (Reply("no answer", confidence="0.5"), "confidence '0.5', expected a probability"),
    (Reply("no answer", next_confidence=10**400), "next_confidence 1000.*, expected a probability"),
    (Reply(TEXT, confidence=True), "confidence True, expected a probability"),
]


@pytest.mark.parametrize(("reply", "message"), WRONG_REPLIES, ids=[case[1] for case in WRONG_REPLIES])
def test_a_reply_of_another_type_names_its_clip(reply, message, world, tmp_path, floors):
    """Whoever answered, a function or an object: the clip is named, and answers of earlier batches are kept."""
    replies = itertools.chain([ANSWER] * 5, itertools.repeat(reply))
    for model in (lambda question: next(replies), Model(*[Reply(TEXT)] * 5, *[reply] * 5)):
        with pytest.raises(HarnessError, match=f"clip {floors.clips[5]}: .*{message}"):
            harness.predict(model, tmp_path / type(model).__name__, world=world)
        assert len((tmp_path / type(model).__name__ / PART).read_text().splitlines()) == 5


@pytest.mark.parametrize("error", [ValueError("out of memory, say"), SystemExit(3), KeyError("x")], ids=repr)
def test_a_function_that_raises_names_its_clip(error, world, tmp_path, floors):
    def answer(question):
        if question.clip_id == floors.clips[2]:
            raise error
        return ANSWER

    message = rf"answer failed on {floors.clips[2]}: {type(error).__name__}: .*\(test_predict.py:\d+\)"
    with pytest.raises(HarnessError, match=message):
        harness.predict(answer, tmp_path / "entry", world=world)


def test_a_function_that_takes_no_question(world, tmp_path, floors):
    with pytest.raises(HarnessError, match=f"failed on {floors.clips[0]}: TypeError"):
        harness.predict(lambda: ANSWER, tmp_path / "entry", world=world)


NO_MODELS = [
    (None, {}, "NoneType cannot be asked: expected a function, an object with `ask`, or NAME:REST"),
    (3, {}, "int cannot be asked"),
    (Model, {}, "Model is a class, expected an object of it"),
    (types.SimpleNamespace(ask=len), {}, "SimpleNamespace has no wants, batch_size, card, training"),
    (Model(), {"wants": Wants()}, "Model says itself what it wants"),
    (Model(), {"card": {}}, "Model says itself what it wants and what its card holds"),
    ("baseline:constant", {"wants": Wants()}, "says itself what it wants"),
    (lambda question: ANSWER, {"wants": 8}, "wants = 8: expected a harness.Wants"),
    (lambda question: ANSWER, {"card": "mine"}, "card is 'mine', expected a dict of kind, description"),
    (lambda question: ANSWER, {"batch_size": 8}, "--batch-size 8: a function is asked clip by clip"),
    (Model(batch_size="all"), {}, "batch_size is 'all', expected an integer"),
]


@pytest.mark.parametrize(("model", "choices", "message"), NO_MODELS, ids=[case[2] for case in NO_MODELS])
def test_what_cannot_be_asked_is_refused(model, choices, message, world, tmp_path):
    with pytest.raises(UsageError, match=message):
        harness.predict(model, tmp_path / "entry", world=world, **choices)
    assert not (tmp_path / "entry").exists()


@pytest.mark.parametrize("name", ["limit", "batch_size", "workers"])
@pytest.mark.parametrize("number", [0, -3, 2.5, True, "5"], ids=repr)
def test_a_number_below_one_is_refused(name, number, world, tmp_path):
    model = Model()
    with pytest.raises(UsageError, match=f"{name}={number!r}: expected an integer from 1 on"):
        harness.predict(model, tmp_path / "entry", world=world, **{name: number})
    assert not model.asked and not (tmp_path / "entry").exists()


# Models by name


def points(monkeypatch, **values):
    found = [metadata.EntryPoint(name, value, models.GROUP) for name, value in values.items()]
    monkeypatch.setattr(models.metadata, "entry_points", lambda group: found)


@pytest.mark.parametrize("name", ["constant", "whole-clip", "random"])
@pytest.mark.parametrize("split", ["test", "validation"])
def test_floors_answer_as_their_baselines(name, split, world, tmp_path):
    options = {"seed": "5"} if name == "random" else {}
    harness.predict(f"baseline:{name}", tmp_path / "entry", world=world, split=split, options=options)
    write_baseline(name, tmp_path / "floor.jsonl", world=world, split=split, seed=5)
    expected = {line["clip_id"]: line for line in map(json.loads, (tmp_path / "floor.jsonl").open())}
    answers = ("clip_id", *ANSWER)
    found = {line["clip_id"]: {key: line[key] for key in answers} for line in lines_of(tmp_path / "entry")}
    assert found == expected and read_card(tmp_path / "entry").kind == "baseline"


def test_an_imported_world(tmp_path, home):
    """Its floors are those of the other sessions, session by session."""
    hand.world("predicted", hand.grid(4, 3), tmp_path, home)
    made = harness.predict("baseline:constant", tmp_path / "entry", world="predicted")
    assert made.answered == 12
    with pytest.raises(UsageError, match=r"predicted was imported.*harness world render predicted --video FILE"):
        harness.predict(Model(wants=Wants()), tmp_path / "seeing", world="predicted")


NAMES = [
    ("baseline:transition-prior", {}, "uses the truth, which a predictor may not see"),
    ("baseline:oracle", {}, "uses the truth"),
    ("baseline:truth-copy", {}, "uses the truth"),
    ("baseline:probe", {}, "harness baseline probe"),
    ("baseline:", {}, "no baseline ''; there are constant, whole-clip, random"),
    ("baseline:constant", {"speed": "1"}, "--option speed"),
    ("baseline:random", {"seed": "x"}, "--option seed=x"),
    ("nobody:x", {}, "no model 'nobody' is installed, expected NAME:REST with one of .*baseline"),
]


@pytest.mark.parametrize(("model", "options", "message"), NAMES, ids=[case[0] + str(case[1]) for case in NAMES])
def test_models_that_cannot_be_asked(model, options, message, world, tmp_path):
    with pytest.raises(UsageError, match=message):
        harness.predict(model, tmp_path / "entry", world=world, options=options)


def test_unknown_choices_are_named(world, tmp_path):
    with pytest.raises(UsageError, match="no choice 'speed'; there are world, split, frames"):
        harness.predict("baseline:constant", tmp_path / "entry", world=world, speed=3)


def test_what_a_model_is_loaded_with(monkeypatch, tmp_path, world):
    """Everything behind the first colon of NAME:REST is the model's."""
    loaded = []
    points(monkeypatch, mine="tests_mine:load")
    module = types.SimpleNamespace(load=lambda *given: loaded.append(given) or Model())
    monkeypatch.setitem(sys.modules, "tests_mine", module)
    harness.predict("mine:a:b", tmp_path / "entry", world=world, options={"x": "1"}, limit=2)
    assert loaded == [("a:b", {"x": "1"})]
    assert read_card(tmp_path / "entry").run["command"].endswith(" --limit 2 --option x=1")


def test_a_package_that_is_missing(monkeypatch, tmp_path, world):
    points(monkeypatch, video="no_such_module:load")
    with pytest.raises(UsageError, match="video needs no_such_module, which is not installed"):
        harness.predict("video:x", tmp_path / "entry", world=world)
    extras = types.SimpleNamespace(metadata=metadata.metadata("warehouse-harness"))
    shipped = types.SimpleNamespace(name="video", load=models.entry_points()["video"].load, dist=extras)
    monkeypatch.setattr(models.metadata, "entry_points", lambda group: [shipped])
    with pytest.raises(UsageError, match=r"needs no_such_module: pip install -e '\.\[video\]'"):
        harness.predict("video:x", tmp_path / "entry", world=world)


# What is shown

WANTS = Wants(FRAMES, SIZE, "uniform")
FORMS = {"frames": None, "video": N // 4, "shards": None}
"""Forms of a rendering, and how many clips are drawn in each: a video shows 125 pictures of a clip."""


@pytest.fixture(scope="module")
def renderings(world, tmp_path_factory):
    pytest.importorskip("av", reason="PyAV is not installed")
    pytest.importorskip("thorvg_python", reason="ThorVG is not installed")
    folder = tmp_path_factory.mktemp("renderings")
    for form, limit in FORMS.items():
        choices = {"form": form, "frames": FRAMES, "size": SIZE, "limit": limit}
        harness.render(world, folder / form / "test", split="test", workers=1, **choices)
    return folder


def test_all_forms_and_the_cache_show_the_same(renderings, world, tmp_path):
    asked, said = {}, []
    for form, limit in {**FORMS, None: None}.items():
        model, shown = Model(wants=WANTS), form and renderings / form
        harness.predict(model, tmp_path / str(form), world=world, workers=1, say=said.append, frames=shown, limit=limit)
        asked[form] = model.asked
    assert len(said) == 1 and "rendering tiny / test into" in said[0]
    for form, questions in asked.items():
        assert [question.frames.shape for question in questions] == [(FRAMES, SIZE, SIZE, 3)] * (FORMS.get(form) or N)
        for question, other in zip(questions, asked["frames"], strict=form != "video"):
            assert (question.clip_id, question.prompt) == (other.clip_id, other.prompt)
            assert (question.indices == other.indices).all() and (question.times == question.indices / 25).all()
            tolerance = 12 if form == "video" else 0  # its pictures went through another encoder
            assert np.abs(question.frames.astype(int) - other.frames).mean() <= tolerance
    pictures = read_card(tmp_path / "video").run["pictures"]
    assert (pictures["form"], pictures["frames"], pictures["size"]) == ("video", FRAMES, SIZE)


def test_a_function_is_shown_what_it_wants(renderings, world, tmp_path):
    shapes = []
    harness.predict(
        lambda question: shapes.append((question.frames.shape, question.prompt[:12])) or ANSWER,
        tmp_path / "entry",
        world=world,
        wants=WANTS,
        frames=renderings / "frames",
        limit=2,
    )
    assert shapes == [((FRAMES, SIZE, SIZE, 3), "These are 4 ")] * 2


def test_what_is_in_the_cache_is_not_drawn_again(world, tmp_path, renderings):
    said: list[str] = []
    for name, limit in (("a", 3), ("b", 3), ("c", 2)):
        harness.predict(
            Model(wants=WANTS._replace(size=34)), tmp_path / name, world=world, limit=limit, workers=1, say=said.append
        )
    assert [text.split("-")[-1].split()[0] for text in said] == ["3", "2"]


def test_no_truth_is_shown(world, tmp_path, renderings):
    """Renderings to learn from hold it, beside every sample."""
    model = Model(wants=WANTS, batch_size=2)
    harness.predict(model, tmp_path / "entry", world=world, split="validation", limit=3, workers=1)
    folder = next((Path(os.environ["HARNESS_HOME"]) / "renderings" / "tiny").glob("validation-*"))
    assert (folder / "truth.jsonl").exists()
    assert len(model.asked) == 3 and all(type(question) is Question for question in model.asked)
    assert Question._fields == ("clip_id", "frames", "indices", "times", "prompt")
    assert len({question.prompt for question in model.asked}) == 1
    blind = Model()
    harness.predict(blind, tmp_path / "blind", world=world, split="validation", limit=3)
    assert [question.clip_id for question in blind.asked] == [question.clip_id for question in model.asked]
    assert all(not question.frames.size and question.prompt == "" for question in blind.asked)


def altered(source, target, **request):
    """Copy a rendering and change what it says of itself."""
    target.mkdir(parents=True)
    for name in ("index.json", "clips.jsonl"):
        (target / name).write_bytes((source / name).read_bytes())
    said = json.loads((source / "render.json").read_text())
    (target / "render.json").write_text(json.dumps(said | {"request": said["request"] | request}))
    return target


MISFITS = [
    ({"world": "other"}, "shows other / test, expected tiny / test"),
    ({"split": "train"}, "shows tiny / train, expected tiny / test"),
    ({"as_domain": "clean"}, "drawn in another domain or painted out"),
    ({"paint_out": ["slip"]}, "drawn in another domain or painted out"),
    ({"frames": 8}, "has frames 8; the model wants a rendering with --frames 4"),
    ({"sampler": "motion", "size": 64}, "wants a rendering with --size 32 --sampler uniform"),
]


@pytest.mark.parametrize(("request_", "message"), MISFITS, ids=[case[1] for case in MISFITS])
def test_renderings_that_do_not_fit(request_, message, renderings, world, tmp_path):
    folder = altered(renderings / "frames" / "test", tmp_path / "pictures", **request_)
    with pytest.raises(UsageError, match=message):
        harness.predict(Model(wants=WANTS), tmp_path / "entry", world=world, frames=folder)


def test_renderings_that_are_none(renderings, world, tmp_path):
    good = renderings / "frames" / "test"
    for name, spoil, message in (
        ("nothing", lambda folder: (folder / "index.json").unlink(), "no whole rendering"),
        ("version", lambda folder: _changed(folder / "render.json", world_digest="0"), "another version of tiny"),
        ("unsaid", lambda folder: (folder / "render.json").write_text("[]"), "does not say what was rendered"),
        ("strange", lambda folder: _first_line(folder, clip_id="x"), "clips that are not of the split: 'x'"),
        ("marked", lambda folder: _first_line(folder, paint_out=["slip"]), "clips.jsonl:1: an altered picture"),
        ("twice", lambda folder: _first_line(folder, line=1), r"clips.jsonl:2: .*stands there twice"),
    ):
        folder = altered(good, tmp_path / name)
        spoil(folder)
        with pytest.raises(UsageError, match=message):
            harness.predict(Model(wants=WANTS), tmp_path / "entry", world=world, frames=folder)
    with pytest.raises(UsageError, match="looks at no pictures"):
        harness.predict(Model(), tmp_path / "entry", world=world, frames=good)


def _changed(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def _first_line(folder, line=0, **values):
    lines = (folder / "clips.jsonl").read_text().splitlines()
    lines[line] = json.dumps(json.loads(lines[0]) | values)
    (folder / "clips.jsonl").write_text("\n".join(lines) + "\n")


def test_a_rendering_of_a_part(world, tmp_path, renderings):
    from harness.prediction.predict import summary_lines

    harness.render(world, tmp_path / "part", split="test", frames=FRAMES, size=SIZE, limit=2, workers=1)
    made = harness.predict(Model(wants=WANTS), tmp_path / "entry", world=world, frames=tmp_path / "part")
    assert made.answered == 2 and "22 have no answer, 22 of them without pictures" in summary_lines(made)[-1]


def test_a_picture_that_cannot_be_read(world, tmp_path, renderings, floors):
    """The error names the picture, though it is read ahead of the answers; earlier answers are kept."""
    folder = tmp_path / "pictures"
    shutil.copytree(renderings / "frames" / "test", folder)
    next((folder / "frames" / floors.clips[9]).iterdir()).write_bytes(b"no picture")
    model = Model(wants=WANTS, batch_size=2)
    with pytest.raises(RenderError, match=f"{floors.clips[9]}/.*: not a readable picture"):
        harness.predict(model, tmp_path / "entry", world=world, frames=folder)
    assert [question.clip_id for question in model.asked] == list(floors.clips[:8])
    assert len((tmp_path / "entry" / PART).read_text().splitlines()) == 8


# What a kill leaves behind

SCRIPT = """
import os, signal, sys
import harness
from harness.prediction.predictor import Reply

class Model:
    wants, training, card = None, None, {{"run": {{"a": 1}}}}
    batch_size = 4
    calls = 0
    def ask(self, questions, operations):
        Model.calls += 1
        if Model.calls > int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        with open({log!r}, "a") as log:
            log.writelines(f"{{question.clip_id}}\\n" for question in questions)
        return [Reply("no JSON") for question in questions]

print(harness.predict(Model(), {folder!r}, world={world!r}).answered)
"""


def test_a_kill_loses_nothing_and_nothing_is_asked_twice(world, tmp_path):
    folder, log = tmp_path / "entry", tmp_path / "log"
    script = SCRIPT.format(log=str(log), folder=str(folder), world=world)
    for batches, code in ((3, -signal.SIGKILL), (1, -signal.SIGKILL), (100, 0)):
        done = subprocess.run([sys.executable, "-c", script, str(batches)], capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr
    asked = log.read_text().splitlines()
    assert len(asked) == len(set(asked)) == N == int(done.stdout)
    assert [line["clip_id"] for line in lines_of(folder)] == sorted(asked)
    assert not (folder / PART).exists() and not (folder / IDENTITY).exists()


@pytest.fixture
def begun(world, tmp_path):
    """Begin an entry: two batches are answered, the third fails."""
    folder = tmp_path / "entry"
    model = Model()
    model.ask = failing(model.ask)
    with pytest.raises(HarnessError) as stopped:
        harness.predict(model, folder, world=world)
    return folder, model, str(stopped.value)


def failing(ask):
    calls = itertools.count()

    def fail(questions, operations):
        if next(calls) == 2:
            raise ValueError("out of memory, say")
        return ask(questions, operations)

    return fail


def test_a_model_that_raises_stops_the_run(begun, world, floors):
    """The clips are named, earlier answers are kept, and the run resumes."""
    folder, _, message = begun
    assert "Model failed on " in message
    assert ", ".join(floors.clips[10:15]) in message and "ValueError: out of memory, say (test_predict.py:" in message
    assert not (folder / "card.toml").exists() and len((folder / PART).read_text().splitlines()) == 10
    said: list[str] = []
    second = Model(batch_size=3)
    made = harness.predict(second, folder, world=world, say=said.append)
    assert made.answered == N and said == ["10 of 24 clips were answered before, 14 to go"]
    assert [question.clip_id for question in second.asked] == list(floors.clips[10:])


def test_a_torn_line_is_asked_again(begun, world, floors):
    folder, *_ = begun
    whole = (folder / PART).read_bytes()
    for torn in (b'{"clip_id": "abc', whole.splitlines()[0][:-1], b"\x00\x00\x00\n"):
        (folder / PART).write_bytes(whole + torn)
        model = Model()
        model.ask = failing(model.ask)
        with pytest.raises(HarnessError):
            harness.predict(model, folder, world=world, batch_size=4)
        assert model.asked[0].clip_id == floors.clips[10]
        assert (folder / PART).read_bytes().startswith(whole)
        (folder / PART).write_bytes(whole)
    second = Model()
    harness.predict(second, folder, world=world)
    assert len(second.asked) == N - 10 and len(lines_of(folder)) == N


def test_the_answers_of_another_run_are_not_taken(begun, world):
    folder, *_ = begun
    before = (folder / PART).read_bytes()
    other = Model(run={"seed": 4})
    with pytest.raises(UsageError, match=r"holds the answers of another run \(card .*discard them with --fresh"):
        harness.predict(other, folder, world=world)
    with pytest.raises(UsageError, match='split "test", not "validation"'):
        harness.predict(Model(), folder, world=world, split="validation")
    assert (folder / PART).read_bytes() == before and not other.asked
    (folder / IDENTITY).unlink()
    with pytest.raises(UsageError, match="does not say whose answers it holds"):
        harness.predict(Model(), folder, world=world)
    harness.predict(other, folder, world=world, fresh=True)
    assert len(other.asked) == N and read_card(folder).run["predictor"] == {"seed": 4}


def interrupted(answer, after):
    """Return a function that is killed, as by Ctrl-C, after so many answers."""
    calls = itertools.count()

    def ask(question):
        if next(calls) == after:
            raise KeyboardInterrupt
        return answer

    return ask


def nameless(*replies):
    model = Model(*replies)
    model.card = {}
    return model


@pytest.mark.parametrize("kind", ["function", "object"])
def test_two_models_without_a_card_do_not_share_a_journal(kind, world, tmp_path, floors):
    """They have one name, so nothing tells them apart; a card does."""
    folder, other = tmp_path / "entry", ANSWER | {"dominant_operation": "Pack"}
    first, second = interrupted(ANSWER, 10), interrupted(other, -1)
    if kind == "object":
        first, second = nameless(Reply(TEXT)), nameless(Reply(answer=other))
        first.ask = failing(first.ask)
    with pytest.raises((KeyboardInterrupt, HarnessError)):
        harness.predict(first, folder, world=world)
    before = (folder / PART).read_bytes()
    with pytest.raises(UsageError, match=r"without a card nothing says that this model gave them; .*fresh=True"):
        harness.predict(second, folder, world=world)
    assert (folder / PART).read_bytes() == before and len(before.splitlines()) == 10
    harness.predict(second, folder, world=world, fresh=True)
    assert {line["dominant_operation"] for line in lines_of(folder)} == {"Pack"}


def test_a_function_with_a_card_resumes(world, tmp_path, floors):
    folder, card = tmp_path / "entry", {"run": {"checkpoint": 7}}
    with pytest.raises(KeyboardInterrupt):
        harness.predict(interrupted(ANSWER, 10), folder, world=world, card=card)
    with pytest.raises(UsageError, match="answers of another run"):
        harness.predict(interrupted(ANSWER, -1), folder, world=world, card={"run": {"checkpoint": 8}})
    asked: list[str] = []
    resumed = interrupted(ANSWER, -1)
    again = lambda question: asked.append(question.clip_id) or resumed(question)  # noqa: E731
    again.__qualname__, again.__module__ = resumed.__qualname__, resumed.__module__
    assert harness.predict(again, folder, world=world, card=card).answered == N
    assert asked == list(floors.clips[10:])


def test_an_entry_is_not_overwritten_unasked(world, tmp_path):
    harness.predict(Model(), tmp_path / "entry", world=world, limit=3)
    with pytest.raises(UsageError, match="holds an entry already; --fresh replaces it"):
        harness.predict(Model(), tmp_path / "entry", world=world)
    assert harness.predict(Model(), tmp_path / "entry", world=world, fresh=True).answered == N


def test_one_process_at_a_time(world, tmp_path):
    class Nested(Model):
        def ask(self, questions, operations):
            return harness.predict(Model(), tmp_path / "entry", world=world)

    with pytest.raises(HarnessError, match="another process is answering into it"):
        harness.predict(Nested(), tmp_path / "entry", world=world)


def test_replies_are_counted(world, tmp_path):
    class Short(Model):
        def ask(self, questions, operations):
            return super().ask(questions, operations)[1:]

    with pytest.raises(HarnessError, match="gave 4 replies to 5 questions"):
        harness.predict(Short(), tmp_path / "entry", world=world)


# The command


def test_the_command(world, tmp_path, home):
    done = hand.harness_command(
        "predict", "--model", "baseline:random", "--option", "seed=3", "--world", world, "-o", tmp_path / "r", home=home
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("24 of 24 clips of tiny / test answered in ") and "\nscore " in done.stdout
    assert tomllib.loads((tmp_path / "r" / "card.toml").read_text())["run"]["predictor"] == {"seed": 3}
    again = hand.harness_command(
        "predict", "--model", "baseline:random", "--world", world, "-o", tmp_path / "r", home=home
    )
    assert again.returncode == 2 and "--fresh replaces it" in again.stderr


@pytest.mark.parametrize("option", ["seed", "=3", "seed=1 seed=2"])
def test_options_are_pairs(option, world, tmp_path):
    from click.testing import CliRunner

    from harness.cli import cli

    words = [word for text in option.split() for word in ("--option", text)]
    done = CliRunner().invoke(cli, ["predict", "--model", "baseline:random", "-o", str(tmp_path), *words])
    assert done.exit_code == 2 and "expected key=value, each key once" in done.output


SPEEDS = [
    (30, 90, 0, 20.0, "x: 30 of 90 (33%), 1.5/s, 40 s left", "a slow one"),
    (40, 90, 10, 20.0, "x: 40 of 90 (44%), 1.5/s, 33 s left", "what was there before is no speed"),
    (10, 7210, 0, 10.0, "x: 10 of 7,210 (0%), 1/s, 2 h 00 min left", "hours"),
    (5000, 6000, 0, 1.0, "x: 5,000 of 6,000 (83%), 5,000/s, 0 s left", "a fast one"),
    (0, 9, 0, 1.0, "x: 0 of 9 (0%), 0/s, 0 s left", "not begun"),
]


@pytest.mark.parametrize(("done", "expected", "before", "seconds", "text", "why"), SPEEDS, ids=[c[5] for c in SPEEDS])
def test_progress_says_speed_and_remaining_time(done, expected, before, seconds, text, why):
    assert progress._Line("x", before, False).text(done, expected, seconds) == text


CACHED = [
    ("whole", lambda folder: None, True, True),
    ("an empty index", lambda folder: (folder / "index.json").write_text(""), False, True),
    ("a cut index", lambda folder: (folder / "index.json").write_text('{"clips": 2, "fi'), False, True),
    ("no index", lambda folder: (folder / "index.json").unlink(), False, True),
    ("a cut list", lambda folder: (folder / "clips.jsonl").write_text('{"clip_id": "a"}\n{"cli'), False, True),
    ("a list that ends early", lambda folder: (folder / "clips.jsonl").write_text('{"clip_id": "a"}\n'), False, True),
    ("no list", lambda folder: (folder / "clips.jsonl").unlink(), False, True),
    ("an empty description", lambda folder: (folder / "render.json").write_text(""), False, False),
    ("no description", lambda folder: (folder / "render.json").unlink(), False, False),
]


@pytest.mark.parametrize(("why", "damage", "whole", "kept"), CACHED, ids=[case[0] for case in CACHED])
def test_a_rendering_of_the_cache_that_cannot_be_read_is_made_anew(why, damage, whole, kept, tmp_path):
    """What a damaged list or index names is checked by the renderer; pictures of an unknown request are removed."""
    folder = tmp_path / "pictures"
    (folder / "frames").mkdir(parents=True)
    (folder / "render.json").write_text("{}")
    (folder / "index.json").write_text('{"clips": 2}')
    hand.write(folder / "clips.jsonl", [{"clip_id": "a"}, {"clip_id": "b"}])
    damage(folder)
    assert (is_whole(folder), folder.exists()) == (whole, kept), why
