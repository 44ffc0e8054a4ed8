"""Secrets of a run: given as options, in URLs, said by the model, raised by it. None is on disk or in a message.

The one place that knows them is run.json of an unfinished run, as a digest keyed with the user's own key.
"""

from __future__ import annotations

import json
import stat
import traceback

import pytest

import harness
from harness.cards import read_card
from harness.errors import HarnessError, UsageError
from harness.prediction import models
from harness.prediction.journal import IDENTITY, PART
from harness.prediction.predictor import Reply
from tests.support import hand

ANSWER = {"dominant_operation": "Tape", "temporal_segment": hand.segment(3, 90), "next_operation": "Wrap"}
SECRET = "zyx-987-wvu"
OPTIONS = {"api_key": SECRET, "seed": "3"}
MODEL = f"mine:http://bob:{SECRET}@localhost:8000/v1?token={SECRET}&n=2"


class Model:
    """Says its secret wherever a model can."""

    wants, batch_size = None, 5

    def __init__(self, rest, options, fails=False):
        self.fails, self.calls = fails, 0
        self.card = {
            "model": rest,
            "run": {"options": dict(options), "url": f"http://u:{SECRET}@h", "max_tokens": "512"},
        }
        self.training = {"device": "T4", "command": f"train.py --api_key={SECRET} --lr=1", "env": {"HF_TOKEN": SECRET}}

    def ask(self, questions, operations):
        self.calls += 1
        if self.fails and self.calls == 2:
            try:
                raise ValueError(f"inner {SECRET}")
            except ValueError as error:
                raise RuntimeError(f"401 for {SECRET}") from error
        return [Reply(f"401, Incorrect key {SECRET}") for _ in questions]


@pytest.fixture
def install(monkeypatch):
    """Install a loader as the model `mine`."""

    def put(load):
        class Point:
            name, value, dist = "mine", "mine:load", None

            def load(self):
                return load

        monkeypatch.setattr(models, "entry_points", lambda: {"mine": Point()})

    return put


def written(folder):
    return "\n".join(path.read_text() for path in sorted(folder.iterdir()))


def test_an_entry_holds_no_secret(world, tmp_path, install):
    install(Model)
    said = []
    folder = harness.predict(MODEL, tmp_path / "e", world=world, options=OPTIONS, say=said.append).path.parent
    assert sorted(path.name for path in folder.iterdir()) == ["card.toml", "predictions.jsonl", "training.json"]
    assert SECRET not in written(folder)
    run = read_card(folder).run
    assert "--model 'mine:http://***@localhost:8000/v1?token=***&n=2'" in run["command"]
    assert run["command"].endswith("--option 'api_key=***' --option seed=3")
    assert run["predictor"] == {"options": {"api_key": "***", "seed": "3"}, "url": "http://***@h", "max_tokens": "512"}
    assert json.loads((folder / "training.json").read_text()) == {
        "device": "T4",
        "command": "train.py --api_key=*** --lr=1",
        "env": {"HF_TOKEN": "***"},
    }
    line = json.loads((folder / "predictions.jsonl").read_text().splitlines()[0])
    assert (line["raw_output"], line["source"]) == ("401, Incorrect key ***", "fallback")
    assert said[0].startswith("--model, --option api_key: secrets there are kept out of the entry and of messages")
    assert "from the environment" in said[0]


def test_an_unfinished_run_holds_no_secret_and_resumes_with_the_same_one(world, tmp_path, install):
    folder = tmp_path / "e"
    install(lambda rest, options: Model(rest, options, fails=True))
    with pytest.raises(HarnessError, match=r"RuntimeError: 401 for \*\*\* ") as raised:
        harness.predict(MODEL, folder, world=world, options=OPTIONS)
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert sorted(path.name for path in folder.iterdir()) == [PART, IDENTITY]
    assert SECRET not in written(folder)
    assert stat.S_IMODE((folder / IDENTITY).stat().st_mode) == 0o600
    install(Model)
    for options in (OPTIONS | {"api_key": "another-key"}, OPTIONS | {"api_key": "***"}):
        with pytest.raises(UsageError, match="holds the answers of another run") as raised:
            harness.predict(MODEL, folder, world=world, options=options)
        assert SECRET not in str(raised.value) and "another-key" not in str(raised.value)
    said = []
    made = harness.predict(MODEL, folder, world=world, options=OPTIONS, say=said.append)
    assert made.answered == 24 and said[-1] == "5 of 24 clips were answered before, 19 to go"


def refuse(rest, options):
    raise UsageError(f"--option api_key={options['api_key']}: unknown")


def crash(rest, options):
    raise ValueError(f"cannot log in as {options['api_key']} at {rest}")


def leave(rest, options):
    raise SystemExit(f"bad key {options['api_key']}")


@pytest.mark.parametrize("load", [refuse, crash, leave])
def test_no_error_of_a_loader_says_the_secret(load, world, tmp_path, install):
    install(load)
    with pytest.raises(UsageError, match=r"\*\*\*") as raised:
        harness.predict(MODEL, tmp_path / "e", world=world, options=OPTIONS)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_secrets_of_the_environment_are_masked_too(world, tmp_path, monkeypatch):
    monkeypatch.setenv("CHAT_API_KEY", SECRET)
    folder = harness.predict(lambda question: f"echo {SECRET}", tmp_path / "e", world=world, limit=2).path.parent
    assert SECRET not in written(folder) and "echo ***" in written(folder)


def test_answers_are_never_masked(world, tmp_path, install):
    """A password that is also a label hides the label nowhere."""
    install(lambda rest, options: type("M", (Model,), {"ask": lambda self, qs, labels: [ANSWER for _ in qs]})("", {}))
    made = harness.predict("mine:", tmp_path / "e", world=world, options={"password": "Tape"})
    assert made.sources["model"] == 24 and '"dominant_operation": "Tape"' in made.path.read_text()


def test_options_that_are_no_texts(world, tmp_path):
    with pytest.raises(UsageError, match="options: seed has a value that is an object of type int"):
        harness.predict("baseline:random", tmp_path / "e", world=world, options={"seed": 3})


@pytest.mark.parametrize("words", [["api_key=" + SECRET] * 2, ["sk-abcdefgh" + SECRET], ["=" + "sk-abcdefgh"]])
def test_a_mistyped_option_is_shown_without_its_secret(words, world, tmp_path):
    from click.testing import CliRunner

    from harness.cli import cli

    options = [word for text in words for word in ("--option", text)]
    done = CliRunner().invoke(cli, ["predict", "--model", "baseline:random", "-o", str(tmp_path), *options])
    assert done.exit_code == 2 and "expected key=value, each key once" in done.output
    assert SECRET not in done.output and "abcdefgh" not in done.output


def test_submit_masks_training_record_and_description(world, tmp_path):
    made = harness.predict("baseline:constant", tmp_path / "e", world=world)
    (tmp_path / "mine.json").write_text(json.dumps({"device": "T4", "env": {"WANDB_API_KEY": SECRET}}))
    from harness.prediction.submit import submit

    folder = submit(
        made.path,
        name="mine",
        folder=tmp_path / "s",
        world=world,
        training=tmp_path / "mine.json",
        description=f"asked with api_key={SECRET}",
    ).folder
    assert SECRET not in written(folder) and json.loads((folder / "training.json").read_text())["env"] == {
        "WANDB_API_KEY": "***"
    }
