"""Functions and objects of a module as models: how each is asked, what is refused in words, and changed code."""

from __future__ import annotations

import json
import sys
from importlib import metadata

import pytest

import harness
from harness.askers import function
from harness.cards import read_card
from harness.errors import HarnessError, UsageError
from harness.prediction import models
from harness.prediction.predictor import Wants
from reference.files import sha256
from tests.support import hand

N = 24
ANSWER = {"dominant_operation": "Tape", "temporal_segment": hand.segment(3, 90), "next_operation": "Wrap"}

MODULE = f"""
import asyncio
from harness import Reply, Wants

ANSWER = {ANSWER!r}
calls = []

def middle(question):
    calls.append(1)
    return ANSWER

def warm(question, temperature=0.5):
    return Reply(answer=ANSWER, confidence=temperature)

async def later(question):
    calls.append(1)
    await asyncio.sleep(0)
    return ANSWER

def batch(questions):
    calls.append(len(questions))
    return [ANSWER for question in questions]

def labelled(questions, operations):
    assert "Tape" in operations
    return [ANSWER for question in questions]

def shown(question):
    return f"{{question.frames.shape}}"

shown.wants = Wants(frames=2, size=32, sampler="uniform")
shown.card = {{"description": "says what it is shown", "run": {{"temperature": 0.5}}}}

def odd(question):
    return ANSWER

odd.wants = (8, 336)

class Model:
    wants, batch_size, training = None, 5, None
    card = {{"description": "an object", "run": {{"seed": 3}}}}

    def ask(self, questions, operations):
        return [ANSWER for question in questions]

    def __call__(self, question):
        return ANSWER

class Many:
    wants, connections, training, card = None, 4, None, {{}}

    async def prepare(self, setting):
        return {{"said": setting.clips}}

    async def answer(self, question):
        return ANSWER

    async def close(self):
        calls.append("closed")

class Half:
    async def answer(self, question):
        return ANSWER

def make():
    return Model()

def two(question, temperature):
    return ANSWER

async def many(questions):
    return [ANSWER for question in questions]

model, asker, half, number = Model(), Many(), Half(), 17
sub = Model.__call__
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("world") / "tiny.toml"
    path.write_text(hand.tiny_world())
    return str(path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Enter a folder with the module `own`, which no other test has imported."""
    point = metadata.EntryPoint("python", "harness.askers.function:load", models.GROUP)
    monkeypatch.setattr(models.metadata, "entry_points", lambda group: [point])
    monkeypatch.setattr(function, "_loaded", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("own", None)


ASKED = [
    ("middle", {}, {"batch_size": 1}, "clip by clip"),
    ("warm", {}, {"batch_size": 1}, "with a parameter that has a default"),
    ("later", {}, {"connections": 8}, "many at once"),
    ("batch", {}, {"batch_size": 16}, "in batches"),
    ("batch", {"batch": "7"}, {"batch_size": 7}, "in batches of seven"),
    ("labelled", {}, {"batch_size": 16}, "in batches, with the labels"),
    ("model", {}, {"batch_size": 5}, "an object that is a Predictor"),
    ("model.ask.__self__", {}, {"batch_size": 5}, "an attribute of an attribute"),
    ("asker", {}, {"connections": 4}, "an object that is an Asker"),
]


@pytest.mark.parametrize(("name", "options", "expected", "why"), ASKED, ids=[case[3] for case in ASKED])
def test_how_it_is_asked(name, options, expected, why, folder, world):
    made = harness.predict(f"python:own:{name}", folder / "entry", world=world, options=options)
    assert (made.answered, made.sources["model"]) == (N, N)
    lines = [json.loads(line) for line in made.path.read_text().splitlines()]
    assert all(ANSWER.items() <= line.items() for line in lines)
    run = read_card(folder / "entry").run
    assert expected.items() <= run.items()
    assert run["predictor"]["module_sha256"] == sha256(folder / "own.py")


def test_batches_are_as_large_as_the_option_says(folder, world):
    harness.predict("python:own:batch", folder / "entry", world=world, options={"batch": "7"})
    assert sys.modules["own"].calls == [7, 7, 7, 3]


def test_an_object_keeps_its_card(folder, world):
    harness.predict("python:own:model", folder / "entry", world=world)
    card = read_card(folder / "entry")
    assert card.description == "an object"
    assert card.run["predictor"] == {"seed": 3, "module_sha256": sha256(folder / "own.py")}


def test_pictures_come_from_the_function_and_the_options_over_it(folder, world):
    assert function.load("own:shown", {}).wants == Wants(2, 32, "uniform")
    assert function.load("own:shown", {"frames": "3"}).wants == Wants(3, 32, "uniform")
    assert function.load("own:shown", {"frames": "0"}).wants is None
    assert function.load("own:middle", {}).wants is None
    assert function.load("own:middle", {"size": "64"}).wants == Wants(8, 64, "uniform")
    made = harness.predict("python:own:shown", folder / "entry", world=world, limit=2)
    assert [json.loads(line)["raw_output"] for line in made.path.read_text().splitlines()] == ["(2, 32, 32, 3)"] * 2
    assert read_card(folder / "entry").run["predictor"]["temperature"] == 0.5


REFUSED = [
    ("own", {}, "expected python:MODULE:NAME, such as python:ask:middle"),
    ("own.py:middle", {}, "such as python:own:middle"),
    ("./pack/own.py:middle", {}, "such as python:pack.own:middle"),
    ("owm:middle", {}, "there is no module 'owm' in "),
    ("own.sub:middle", {}, "there is no module 'own.sub' in "),
    ("own:midle", {}, "there is no 'midle' in {own}; did you mean middle?"),
    ("own:number", {}, "number is 17, expected a function, or an object with `ask`"),
    ("own:Model", {}, "is a class: make an object of it in its module, such as model = Model(...)"),
    ("own:make", {}, "takes no question; if it makes a model, call it in its module, such as model = make()"),
    ("own:two", {}, "takes question, temperature: expected question, or questions and operations"),
    ("own:many", {}, "is asynchronous and takes a batch: let it take one question"),
    ("own:half", {}, "own.Half cannot be asked"),
    ("own:odd", {}, "wants = (8, 336): expected a harness.Wants"),
    ("own:model", {"frames": "4"}, "model says itself what it wants and takes no options: leave --option frames out"),
    ("own:middle", {"batch": "4"}, "python:own:middle has no --option batch;"),
    ("own:batch", {"batch": "0"}, "--option batch=0: expected an integer from 1 to 100000"),
]


@pytest.mark.parametrize(("rest", "options", "expected"), REFUSED, ids=[f"{case[0]} {case[1]}" for case in REFUSED])
def test_what_is_refused(rest, options, expected, folder, world):
    with pytest.raises(UsageError) as caught:
        harness.predict(f"python:{rest}", folder / "entry", world=world, options=options)
    assert expected.replace("{own}", str(folder / "own.py")) in str(caught.value)
    assert not (folder / "entry").exists()


IMPORTS = [
    ("1 / 0\n", "ZeroDivisionError: division by zero (own.py:1)"),
    ("x = 1\ny = = 2\n", "SyntaxError: invalid syntax (own.py, line 2)"),
    ("import no_such_package\n", "python:own needs no_such_package, which is not installed"),
    ("from json import no_such_name\n", "ImportError: cannot import name 'no_such_name' from 'json'"),
    ("import sys\nsys.exit(3)\n", "SystemExit: 3 (own.py:2)"),
    ("import os\nos._exit(0)\n", "SystemExit: os._exit(0)"),
]


@pytest.mark.parametrize(("content", "expected"), IMPORTS, ids=[case[1].split(":")[0] for case in IMPORTS])
def test_a_module_that_cannot_be_imported(content, expected, folder, world):
    (folder / "own.py").write_text(content)
    with pytest.raises(UsageError) as caught:
        harness.predict("python:own:middle", folder / "entry", world=world)
    assert expected in str(caught.value)


FAILS = MODULE.replace("calls.append(1)\n    return", "calls.append(1)\n    1 / (len(calls) - 9)\n    return")
"""The module with functions that fail at their ninth call."""


def test_what_a_function_raises_stops_the_run_and_the_same_code_resumes(folder, world):
    (folder / "own.py").write_text(FAILS)
    with pytest.raises(HarnessError, match=r"ZeroDivisionError: division by zero \(own.py:10\)"):
        harness.predict("python:own:middle", folder / "entry", world=world)
    assert harness.predict("python:own:middle", folder / "entry", world=world).answered == N
    assert len(sys.modules["own"].calls) == 9 + N - 8


def test_changed_code_is_another_run_and_is_what_is_asked(folder, world):
    """Also in a process that imported the module before it changed."""
    (folder / "own.py").write_text(FAILS)
    with pytest.raises(HarnessError, match="division by zero"):
        harness.predict("python:own:middle", folder / "entry", world=world)
    (folder / "own.py").write_text(MODULE)
    with pytest.raises(HarnessError, match="card"):
        harness.predict("python:own:middle", folder / "entry", world=world)
    assert harness.predict("python:own:middle", folder / "entry", world=world, fresh=True).answered == N
    assert len(sys.modules["own"].calls) == N
