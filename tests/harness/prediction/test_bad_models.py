"""Models that do what no model should: each run ends in a sentence that names the clip, and keeps earlier answers.

Every model of the table answers the first batch and then, or before, does one thing. The outcome is written by hand:
what the sentence says, and how many answers are on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import harness
from harness.cards import read_card
from harness.errors import HarnessError, UsageError
from harness.prediction import model_code, models
from harness.prediction.journal import PART
from harness.prediction.predictor import Reply, Wants
from reference.truth.store import open_truth
from tests.support import hand

N, BATCH = 24, 5
ANSWER = {"dominant_operation": "Tape", "temporal_segment": hand.segment(3, 90), "next_operation": "Wrap"}


class Model:
    """Answers every clip alike; `second` is called in place of the second batch's answer."""

    wants, batch_size, training = None, BATCH, None
    card = {"run": {"a": 1}}  # noqa: RUF012

    def __init__(self):
        self.calls = 0

    def ask(self, questions, operations):
        self.calls += 1
        return self.second(questions) if self.calls == 2 else [Reply(answer=ANSWER) for _ in questions]

    def second(self, questions):
        raise NotImplementedError


def answering(second):
    """Return a model of the table whose second batch is answered so."""
    return type("Bad", (Model,), {"second": lambda self, questions: second(questions)})


def raising(error):
    def second(questions):
        raise error

    return answering(second)


class Unsayable(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class Own(BaseException):
    """An exit of somebody's library."""


class Evil(dict):
    def __getitem__(self, name):
        raise SystemExit(3)

    get = __getitem__


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no words")


class Lazy(Model):
    """Answers by a generator that fails on the way."""

    def second(self, questions):
        yield Reply(answer=ANSWER)
        raise ValueError("the rest is gone")

    def ask(self, questions, operations):
        self.calls += 1
        return self.second(questions) if self.calls == 2 else (Reply(answer=ANSWER) for _ in questions)


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


def recursion(questions):
    return recursion(questions)


def around():
    value = dict(ANSWER)
    value["self"] = value
    return value


def endless(questions):
    while True:
        yield ANSWER


async def later(questions):
    return [ANSWER for _ in questions]


def many(reply):
    return answering(lambda questions: [reply] * len(questions))


def swapped(questions):
    return [ANSWER | {"clip_id": question.clip_id} for question in reversed(questions)]


BAD = [
    ("sys.exit(3)", raising(SystemExit(3)), r"failed on {all}: SystemExit: 3"),
    ("sys.exit(0)", raising(SystemExit(0)), r"failed on {all}: SystemExit: 0"),
    ("sys.exit()", answering(lambda questions: sys.exit()), r"failed on {all}: SystemExit"),
    ("os._exit(0)", answering(lambda questions: os._exit(0)), r"failed on {all}: SystemExit: os\._exit\(0\) \(test"),
    ("an exception", raising(ValueError("no")), r"failed on {all}: ValueError: no \(test_bad_models.py:\d+\)"),
    ("a long message", raising(ValueError("x" * 10**5)), r"failed on {all}: ValueError: x{{1000}} \("),
    ("no message at all", raising(Unsayable()), r"failed on {all}: Unsayable: without a message"),
    ("a BaseException", raising(Own("out")), r"failed on {all}: Own: out"),
    ("GeneratorExit", raising(GeneratorExit()), r"failed on {all}: GeneratorExit"),
    ("StopIteration", raising(StopIteration()), r"failed on {all}: StopIteration"),
    ("CancelledError", raising(asyncio.CancelledError()), r"failed on {all}: CancelledError"),
    ("a group", raising(BaseExceptionGroup("g", [SystemExit(0)])), r"failed on {all}: BaseExceptionGroup: g"),
    ("MemoryError", raising(MemoryError()), r"failed on {all}: MemoryError"),
    ("endless recursion", answering(lambda questions: recursion(questions)), r"failed on {all}: RecursionError"),
    ("EOFError", raising(EOFError()), r"failed on {all}: EOFError"),
    ("BrokenPipeError", raising(BrokenPipeError()), r"failed on {all}: BrokenPipeError"),
    ("click's exit", raising(__import__("click").exceptions.Exit(0)), r"failed on {all}: Exit"),
    ("an error of the harness", raising(UsageError("not mine")), r"failed on {all}: UsageError: not mine"),
    ("None", answering(lambda questions: None), r"failed on {all}: gave None, expected a list of one reply a question"),
    ("a number", answering(len), r"gave an object of type int, expected a list"),
    ("a text", answering(lambda questions: "abcde"), r"gave an object of type str, expected a list"),
    ("bytes", answering(lambda questions: b"abcde"), r"gave an object of type bytes, expected a list"),
    ("one dict", answering(lambda questions: ANSWER), r"gave an object of type dict, expected a list"),
    ("a dict by clip", answering(lambda qs: {q.clip_id: ANSWER for q in qs}), r"gave an object of type dict"),
    ("one Reply", answering(lambda questions: Reply("x")), r"gave an object of type Reply, expected a list"),
    ("a set", answering(lambda questions: {"a", "b", "c", "d", "e"}), r"gave an object of type set, expected a list"),
    ("a coroutine", answering(later), r"gave an object of type coroutine, expected a list"),
    ("too few", answering(lambda qs: [ANSWER] * (len(qs) - 1)), r"failed on {all}: gave 4 replies to 5 questions"),
    ("none", answering(lambda questions: []), r"failed on {all}: gave 0 replies to 5 questions"),
    ("too many", answering(lambda qs: [ANSWER] * (len(qs) + 1)), r"failed on {all}: gave more replies to 5 questions"),
    ("without end", answering(endless), r"failed on {all}: gave more replies to 5 questions"),
    ("a generator that fails", Lazy, r"failed on {all}: ValueError: the rest is gone"),
    ("in another order", answering(swapped), r"clip {first}: the reply is about clip '{last}'"),
    ("None as reply", many(None), r"clip {first}: the reply is None"),
    ("bytes as reply", many(b"{}"), r"clip {first}: the reply is an object of type bytes"),
    ("a class as reply", many(Reply), r"clip {first}: the reply is an object of type type"),
    ("bytes in a reply", many(Reply(text=b"")), r"clip {first}: the reply's text is an object of type bytes"),
    ("a reply that leaves", many(Evil(ANSWER)), r"clip {first}: the reply cannot be read: SystemExit: 3"),
    ("a reply that holds itself", many(around()), r"clip {first}: the reply's .*"),
    ("a reply nested deep", many(ANSWER | {"dominant_operation": deep(10**4)}), r"clip {first}: "),
    ("a number of 5,000 digits", many(ANSWER | {"temporal_segment": hand.segment(0, 10**5000)}), r"clip {first}: "),
    ("NaN frames", many(ANSWER | {"temporal_segment": hand.segment(math.nan, 9)}), r"clip {first}: .*is no integer"),
    ("confidence as text", many(Reply("x", confidence="0.5")), r"clip {first}: confidence '0.5', expected a prob"),
    ("confidence above 1", many(Reply("x", confidence=7)), r"clip {first}: confidence 7, expected a probability"),
    ("confidence NaN", many(Reply("x", confidence=math.nan)), r"clip {first}: confidence nan"),
    ("confidence as array", many(Reply("x", confidence=np.ones(2))), r"clip {first}: confidence "),
    ("confidence unprintable", many(Reply("x", confidence=Unprintable())), r"clip {first}: the reply cannot be read"),
    ("a complex confidence", many(Reply("x", confidence=1j)), r"clip {first}: confidence 1j"),
]  # fmt: skip


@pytest.fixture(scope="module")
def clips(world):
    with open_truth(world, "test") as truth:
        return [clip for (clip,) in truth.connection.execute("SELECT clip_id FROM truth.clips ORDER BY 1").fetchall()]


def kept(folder):
    return [json.loads(line) for line in (folder / PART).read_text().splitlines()]


@pytest.mark.parametrize(("kind", "model", "message"), BAD, ids=[case[0] for case in BAD])
@pytest.mark.filterwarnings("ignore:coroutine")
def test_a_bad_model_is_a_sentence_with_its_clips(kind, model, message, world, clips, tmp_path):
    second = clips[BATCH : 2 * BATCH]
    expected = message.format(all=", ".join(second), first=second[0], last=second[-1])
    with pytest.raises(HarnessError, match=expected) as raised:
        harness.predict(model(), tmp_path / "entry", world=world)
    assert raised.value.exit_code == 2
    assert [line["clip_id"] for line in kept(tmp_path / "entry")] == clips[:BATCH]
    assert not (tmp_path / "entry" / "card.toml").exists()
    well = type(model.__name__, (Model,), {"second": lambda self, questions: [ANSWER for _ in questions]})
    well.__module__, well.__qualname__ = model.__module__, model.__qualname__
    assert harness.predict(well(), tmp_path / "entry", world=world).answered == N, "the same model, repaired, resumes"


def test_a_long_batch_is_named_by_its_first_clips(world, clips, tmp_path):
    with pytest.raises(HarnessError, match=f"{clips[7]} and 16 more: ValueError"):
        harness.predict(lambda_model(ValueError("no")), tmp_path / "entry", world=world, batch_size=N)


def lambda_model(error):
    model = raising(error)()
    model.calls = 1
    return model


# What a model changes around it


def test_a_model_that_changes_its_questions_gives_its_answers_to_the_right_clips(world, clips, tmp_path):
    """It empties and turns the list that it was given, and writes into the arrays."""

    class Mutating(Model):
        batch_size = 4

        def ask(self, questions, operations):
            replies = [ANSWER | {"confidence": clips.index(one.clip_id) / 100} for one in questions]
            questions.reverse()
            questions.pop()
            return replies

    made = harness.predict(Mutating(), tmp_path / "entry", world=world)
    lines = [json.loads(line) for line in made.path.read_text().splitlines()]
    assert [line["confidence"] for line in lines] == [clips.index(line["clip_id"]) / 100 for line in lines]


def test_a_model_that_changes_the_working_directory(world, tmp_path, monkeypatch):
    """The entry is where it was asked for, and the model keeps its own directory between its calls."""
    seen = []
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    class Moving(Model):
        def ask(self, questions, operations):
            seen.append(Path.cwd())
            os.chdir(tmp_path / "there")
            return [ANSWER for _ in questions]

    made = harness.predict(Moving(), "entry", world=world)
    assert (tmp_path / "here" / "entry" / "card.toml").is_file() and made.path.is_file()
    assert Path.cwd() == tmp_path / "here" and not list((tmp_path / "there").iterdir())
    assert seen == [tmp_path / "here"] + [tmp_path / "there"] * 4


def test_a_model_that_moves_and_fails_leaves_the_working_directory(world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def second(questions):
        os.chdir("/")
        raise ValueError("no")

    with pytest.raises(HarnessError):
        harness.predict(answering(second)(), "entry", world=world)
    assert Path.cwd() == tmp_path and len(kept(tmp_path / "entry")) == BATCH


def test_relative_pictures_are_read_while_the_model_is_elsewhere(world, tmp_path, monkeypatch):
    pytest.importorskip("thorvg_python", reason="ThorVG is not installed")
    monkeypatch.chdir(tmp_path)
    harness.render(world, "pictures", split="test", frames=2, size=32, workers=1)

    class Moving(Model):
        wants, batch_size = Wants(2, 32, "uniform"), 2

        def ask(self, questions, operations):
            os.chdir("/")
            return [ANSWER for _ in questions]

    assert harness.predict(Moving(), "entry", world=world, frames="pictures").answered == N


def test_a_model_that_changes_the_mask_of_new_files(world, tmp_path):
    before = os.umask(0o022)
    try:
        made = harness.predict(lambda question: os.umask(0o777) and ANSWER, tmp_path / "entry", world=world, limit=3)
        assert stat.S_IMODE(made.path.stat().st_mode) == 0o644
    finally:
        assert os.umask(before) == 0o022


def test_streams_that_a_model_replaces_come_back(world, tmp_path):
    before = sys.stdout

    def ask(question):
        sys.stdout = None
        return ANSWER

    harness.predict(ask, tmp_path / "entry", world=world, limit=1)
    assert sys.stdout is before


def test_ctrl_c_keeps_the_answers_and_says_so(world, clips, tmp_path):
    said = []
    with pytest.raises(KeyboardInterrupt):
        harness.predict(raising(KeyboardInterrupt())(), tmp_path / "entry", world=world, say=said.append)
    assert len(kept(tmp_path / "entry")) == BATCH
    assert said == [f"interrupted at {', '.join(clips[5:10])}; earlier answers are kept, and the same command resumes"]


# What a model says of itself


def property_of(name, value):
    """Return a model whose attribute does this when it is read."""
    return type("Bad", (Model,), {name: property(value)})()


def leave(self):
    raise SystemExit(0)


def fail(self):
    raise RuntimeError("not ready")


SAYS = [
    ("card", leave, r"Bad cannot be asked: SystemExit: 0 \(test_bad_models"),
    ("wants", fail, "Bad cannot be asked: RuntimeError: not ready"),
    ("training", lambda self: {"device": "x", "loss": math.nan}, "training record: cannot be written as JSON"),
    ("training", lambda self: {"device": "x", "loss": {1, 2}}, "training record: cannot be written as JSON .*type set"),
    ("training", lambda self: {"device": "x", "raw": b"x"}, "training record: cannot be written as JSON .*type bytes"),
    ("training", lambda self: {"device": "x", "y": "\ud800"}, "training record: holds half a character"),
    ("training", lambda self: {"device": "x", "y": deep(100)}, "training record: is nested deeper than 64"),
    ("training", lambda self: {"device": "x", "y": deep(10**5)}, "training record: is nested deeper than 64"),
    ("training", lambda self: around(), "training record: cannot be written as JSON"),
    ("training", lambda self: "training.json", "training record is an object of type str, expected a dict or None"),
    ("training", lambda self: {"device": "x", "steps": -1}, "`steps` must be a number that is not negative"),
    ("batch_size", lambda self: None, "batch_size is None, expected an integer"),
    ("wants", lambda self: Wants("8", 32, "uniform"), "expected numbers of frames and pixels"),
    ("wants", lambda self: Wants(0, 32, "uniform"), "expected numbers of frames and pixels"),
    ("card", lambda self: None, "the model's card is None, expected a dict"),
    ("card", lambda self: {"run": {"a": deep(10**5)}}, "nested deeper"),
    ("card", lambda self: {"run": {"a": math.nan}}, "expected a finite number"),
    ("card", lambda self: {"run": {1: 2}}, "a key that is no text"),
    ("card", lambda self: {"run": {"a": np.int64(3)}}, "expected a plain value"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "message"), SAYS, ids=[f"{case[0]} {case[2][:40]}" for case in SAYS])
def test_what_a_model_says_is_checked_before_it_is_asked(name, value, message, world, tmp_path):
    model = property_of(name, value)
    with pytest.raises(UsageError, match=message):
        harness.predict(model, tmp_path / "entry", world=world)
    assert model.calls == 0 and not (tmp_path / "entry").exists()


def test_a_model_that_changes_what_it_says_changes_no_entry(world, tmp_path):
    class Fickle(Model):
        def __init__(self):
            super().__init__()
            self.card, self.training = {"run": {"seed": [1]}}, {"device": "x", "losses": [1.0]}

        def ask(self, questions, operations):
            self.card["run"]["seed"].append(2)
            self.training["losses"].append(math.nan)
            self.card["unknown"] = object()
            return [ANSWER for _ in questions]

    folder = harness.predict(Fickle(), tmp_path / "entry", world=world).path.parent
    assert read_card(folder).run["predictor"] == {"seed": [1]}
    assert json.loads((folder / "training.json").read_text()) == {"device": "x", "losses": [1.0]}


def test_numbers_of_numpy_in_a_training_record(world, tmp_path):
    model = property_of("training", lambda self: {"device": "x", "steps": np.int64(3), "loss": np.ones(2)})
    model.second = lambda questions: [ANSWER for _ in questions]
    folder = harness.predict(model, tmp_path / "entry", world=world).path.parent
    assert json.loads((folder / "training.json").read_text()) == {"device": "x", "steps": 3, "loss": [1.0, 1.0]}


# Models by name: a loader, and the command line

LOADERS = """
import os, sys
from os import _exit

ANSWER = {"dominant_operation": "Tape", "temporal_segment": None, "next_operation": "Wrap"}
CODE = "no function"

class Model:
    wants, batch_size, training, card, calls = None, 5, None, {}, 0
    def ask(self, questions, operations):
        self.calls += 1
        if self.calls == 2:
            exec(compile(self.code, "model", "exec"), globals())
        return [ANSWER for _ in questions]

def load(rest, options):
    exec(rest, globals())
    return None

def model(rest, options):
    made = Model()
    made.code = rest
    return made
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Make a folder for PYTHONPATH that holds an installed package with models."""
    folder = tmp_path_factory.mktemp("package")
    names = {"bad": "bad_models:model", "load": "bad_models:load", "text": "bad_models:CODE", "gone": "bad_models:no"}
    points = "".join(f"{name} = {value}\n" for name, value in (names | {"broken": "broken:load"}).items())
    (folder / "bad-1.dist-info").mkdir()
    (folder / "bad-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1\n")
    (folder / "bad-1.dist-info" / "entry_points.txt").write_text(f"[{models.GROUP}]\n{points}")
    (folder / "broken.py").write_text("def load(:\n")
    (folder / "bad_models.py").write_text(LOADERS)
    return folder


LOADS = [
    ("load:sys.exit(3)", "cannot be loaded: SystemExit: 3"),
    ("load:sys.exit(0)", "cannot be loaded: SystemExit: 0"),
    ("load:os._exit(0)", r"cannot be loaded: SystemExit: os\._exit\(0\)"),
    ("load:_exit(0)", r"cannot be loaded: SystemExit: os\._exit\(0\)"),
    ("load:raise RuntimeError('no GPU')", r"--model load:.* cannot be loaded: RuntimeError: no GPU \(<string>:1\)"),
    ("load:raise ImportError('no symbol')", "cannot be loaded: ImportError: no symbol"),
    ("load:import no_such_module", "load needs no_such_module, which is not installed"),
    ("load:pass", "NoneType cannot be asked"),
    ("text:x", "bad_models:CODE is an object of type str, expected a function"),
    ("gone:x", "cannot be loaded: AttributeError"),
    ("broken:x", "cannot be loaded: SyntaxError"),
]


@pytest.mark.parametrize(("model", "message"), LOADS, ids=[case[0] for case in LOADS])
def test_a_loader_that_fails_is_a_sentence(model, message, package, world, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.delitem(sys.modules, "bad_models", raising=False)  # it took os._exit as it was when it was loaded
    found = {point.name: point for point in metadata.distribution("bad").entry_points}
    monkeypatch.setattr(models, "entry_points", lambda: found)
    with pytest.raises(UsageError, match=message) as raised:
        harness.predict(model, tmp_path / "entry", world=world)
    assert raised.value.exit_code == 2 and not (tmp_path / "entry").exists()


ENDS = [
    ("load:sys.exit(3)", 2, "cannot be loaded: SystemExit: 3", None),
    ("bad:sys.exit(0)", 2, "SystemExit: 0", 5),
    ("bad:os._exit(0)", 2, "SystemExit: os._exit(0)", 5),
    ("bad:import threading, time; threading.Thread(target=_exit, args=(0,)).start(); time.sleep(9)", 1, "os._exit", 5),
    ("bad:import atexit; atexit.register(os._exit, 0); atexit.register(lambda: os._exit(0)); 1 / 0", 2, "Zero", 5),
    ("bad:sys.stdout.close(); sys.stderr.close(); 1 / 0", 2, "ZeroDivisionError", 5),
    ("bad:raise KeyboardInterrupt", 130, "interrupted at ", 5),
]


@pytest.mark.parametrize(("model", "code", "message", "answers"), ENDS, ids=[case[0][:22] for case in ENDS])
def test_no_model_ends_the_command_with_success(model, code, message, answers, package, world, tmp_path, home):
    path = f"{package}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    words = ("predict", "--model", model, "--world", world, "-o", tmp_path / "entry")
    done = hand.harness_command(*words, home=home, env={"PYTHONPATH": path})
    assert (done.returncode, message in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr
    assert answers is None or len(kept(tmp_path / "entry")) == answers
    assert not (tmp_path / "entry" / "card.toml").exists()


# os._exit while several threads ask their models


def test_overlapping_runs_put_os_exit_back():
    """The first to begin ends first: what the second found in its place is no `os._exit` to put back."""
    leave = os._exit
    first, second = model_code.no_silent_exit(), model_code.no_silent_exit()
    first.__enter__()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(second.__enter__).result()
        first.__exit__(None, None, None)
        assert os._exit is not leave
        with pytest.raises(SystemExit, match=r"os\._exit\(3\)"):
            pool.submit(os._exit, 3).result()
        pool.submit(second.__exit__, None, None, None).result()
    assert os._exit is leave


def test_nested_runs_put_os_exit_back():
    leave = os._exit
    with model_code.no_silent_exit():
        with contextlib.suppress(ValueError), model_code.no_silent_exit():
            raise ValueError
        with pytest.raises(SystemExit, match=r"os\._exit\(0\)"):
            os._exit(0)
    assert os._exit is leave


def test_os_exit_raises_only_in_threads_that_ask(monkeypatch, capfd):
    left = []
    monkeypatch.setattr(model_code, "_LEAVE", left.append)
    with ThreadPoolExecutor(1) as pool:
        with model_code.no_silent_exit():
            kept_by_the_model = os._exit
            pool.submit(kept_by_the_model, 0).result()
            pool.submit(kept_by_the_model, 4).result()
        kept_by_the_model(0)
        with contextlib.suppress(ValueError), model_code.no_silent_exit():
            raise ValueError
        kept_by_the_model(0)
        kept_by_the_model(5)
    assert left == [1, 4, 0, 1, 5]
    assert capfd.readouterr().err.count("the model ended the process by os._exit(") == 2


def test_a_forked_process_leaves_as_it_says():
    with model_code.no_silent_exit():
        child = os.fork()
        if not child:
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with pytest.raises(SystemExit):
            os._exit(0)
