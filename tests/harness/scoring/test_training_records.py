"""A training.json that is another program's: the error names it and says how to leave it out, and that works."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import harness
from harness.cli import cli
from harness.errors import UsageError
from harness.scoring.training_record import read_training_record
from tests.support import hand


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Make a world, and two prediction files beside a training.json that is no training record."""
    folder, home = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("home")
    rows = hand.grid(6, 4)
    hand.world("beside", rows, folder, home)
    for name in ("a", "b"):
        hand.write(folder / "runs" / f"{name}.jsonl", [hand.right(row) for row in rows])
    (folder / "runs" / "training.json").write_text('{"optimizer": "adam", "epochs": [1, 2]}')
    return folder, home


def command(files, *words):
    _, home = files
    runner = CliRunner(env={"HARNESS_HOME": str(home)})
    return runner.invoke(cli, [*words, "--world", "beside"])


@pytest.mark.parametrize("verb", ["score", "report", "compare", "submit"])
def test_another_programs_record_is_named_and_can_be_left_out(verb, files, tmp_path):
    a, b = (str(files[0] / "runs" / f"{name}.jsonl") for name in ("a", "b"))
    words = {
        "score": ["score", a],
        "report": ["report", a, "-o", str(tmp_path / "page.html")],
        "compare": ["compare", a, b, "-o", str(tmp_path / "page.html")],
        "submit": ["submit", a, "--name", "mine", "--folder", str(tmp_path)],
    }[verb]
    refused = command(files, *words)
    assert isinstance(refused.exception, UsageError) and not list(tmp_path.iterdir())
    assert "runs/training.json: a training record is an object" in str(refused.exception)
    assert "--training none leaves it out" in str(refused.exception)
    done = command(files, *words, "--training", "none")
    assert done.exit_code == 0, done.output
    assert not list(tmp_path.rglob("training.json"))


def test_a_record_that_was_named_is_not_left_out(files):
    path = files[0] / "runs" / "training.json"
    with pytest.raises(UsageError) as raised:
        read_training_record("-", path)
    assert "leaves it out" not in str(raised.value)
    with pytest.raises(UsageError, match="leaves it out"):
        read_training_record(path.parent / "a.jsonl", None)
    assert read_training_record(path.parent / "a.jsonl", "none") is None


def test_python_leaves_it_out_as_well(files):
    a, b = (files[0] / "runs" / f"{name}.jsonl" for name in ("a", "b"))
    with pytest.raises(UsageError, match="--training none"):
        harness.compare(a, b, world="beside", home=files[1])
    both = harness.compare(a, b, training="none", world="beside", home=files[1])
    assert [entry["name"] for entry in both["entries"]] == ["a", "b"]
    assert harness.score(a, training="none", world="beside", home=files[1]).metrics["oca"].value == 1


def test_a_record_with_secrets_is_read_without_them(files, tmp_path):
    """A score record, a page and an export repeat the training record."""
    (tmp_path / "mine.json").write_text('{"device": "T4", "env": {"HF_TOKEN": "abcdefg"}, "tokens": 123456789}')
    record = harness.score(
        files[0] / "runs" / "a.jsonl", training=tmp_path / "mine.json", world="beside", home=files[1]
    ).record
    expected = {"device": "T4", "env": {"HF_TOKEN": "***"}, "tokens": 123456789}
    assert record["sections"]["out_of_memory"]["record"] == expected and "abcdefg" not in json.dumps(record)


@pytest.mark.parametrize(("depth", "good"), [(60, True), (64, False), (900, False), (100_000, False)])
def test_a_record_is_nested_as_deep_as_can_be_written_again(depth, good, tmp_path):
    (tmp_path / "training.json").write_text(f'{{"device": "x", "y": {"[" * depth}{"]" * depth}}}')
    if good:
        assert json.dumps(read_training_record(tmp_path / "p.jsonl", None))
    else:
        with pytest.raises(UsageError, match=r"training\.json: not a readable training record"):
            read_training_record(tmp_path / "p.jsonl", None)
