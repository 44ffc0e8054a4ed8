"""The published folder of a sealed split: a world without answers, made from files that a stranger wrote."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reference.errors import TruthError, WorldError
from reference.task import OPERATIONS
from reference.truth.catalog import locate
from reference.truth.store import open_clips, open_truth
from tests.support import hand

PUBLIC = {"format": "warehouse-harness/commitment-1", "name": "theirs", "split": "test", "commitment": "c" * 64}


@pytest.fixture
def folder(tmp_path):
    """Write what an entrant needs of a published folder; the pictures may lie elsewhere."""
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "commitment.json").write_text(json.dumps(PUBLIC))
    (folder / "world.toml").write_text(hand.tiny_world())
    hand.write(folder / "clips.jsonl", [{"clip_id": name} for name in "abc"])
    return folder


@pytest.mark.parametrize("inside", ["", "world.toml"])
def test_a_published_folder_is_a_world_of_clips(inside, folder, tmp_path):
    """Names, labels and what the train split says are known; no column tells an answer or a session."""
    with open_clips(folder / inside, "test", home=tmp_path / "home") as truth:
        assert (truth.world, truth.split, truth.n, truth.sealed) == ("theirs", "test", 3, "c" * 64)
        assert truth.operations == OPERATIONS and not truth.answered and not truth.public
        assert truth.pin == {"truth_digest": "", "commitment": "c" * 64}
        rows = truth.connection.execute("SELECT COLUMNS(*) FROM truth.clips").fetchall()
        assert [[value for value in row if value is not None] for row in rows] == [[name, 0] for name in "abc"]
        assert truth.connection.execute("SELECT count(*) FROM truth.constants").fetchone() == (1,)


def test_a_large_world_file_can_be_published_as_it_can_be_sealed(folder, tmp_path):
    """One limit holds for both: what `harness world seal` takes, an entrant can open."""
    with (folder / "world.toml").open("a") as file:
        file.write("#" * (2 << 20) + "\n")
    with open_clips(folder, "test", home=tmp_path / "home") as truth:
        assert truth.n == 3


def test_who_needs_answers_is_refused_in_one_place(folder, tmp_path):
    with pytest.raises(
        TruthError, match=r"the truth of the sealed split theirs is with its organiser; .*harness submit"
    ):
        open_truth(folder, "test", home=tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_other_clips_or_another_commitment_are_another_truth(folder):
    before = locate(folder).digest
    hand.write(folder / "clips.jsonl", [{"clip_id": name} for name in "abd"])
    other_clips = locate(folder).digest
    (folder / "commitment.json").write_text(json.dumps(PUBLIC | {"commitment": "d" * 64}))
    assert len({before, other_clips, locate(folder).digest}) == 3


def said(**changes):
    return "commitment.json", json.dumps(PUBLIC | changes)


def clips(*lines):
    return "clips.jsonl", "".join(line + "\n" for line in lines)


def world(before, after):
    text = hand.tiny_world()
    assert before in text
    return "world.toml", text.replace(before, after)


A = '{"clip_id": "a"}'
STRANGE = [
    ("commitment: a path as the name", said(name="../up"), "name = '../up'"),
    ("commitment: no name", said(name=None), "name = 'None'"),
    ("commitment: a list as the split", said(split=["test"]), "split = "),
    ("commitment: an open split", said(split="train"), "no split 'train' that could be sealed"),
    ("commitment: an unknown split", said(split="exam"), "no split 'exam' that could be sealed"),
    ("commitment: no digest", said(commitment="c"), "commitment = 'c'"),
    ("commitment: another format", said(format="x"), "format is 'x'"),
    ("commitment: a list", ("commitment.json", "[]"), "not a JSON object"),
    ("commitment: nested 100,000 deep", ("commitment.json", "[" * 100_000), "nested deeper than 64"),
    ("commitment: 2 MiB", ("commitment.json", " " * (2 << 20)), "more than 1,048,576 bytes"),
    ("world: missing", ("world.toml", None), "world.toml: no such file"),
    ("world: no TOML", ("world.toml", "x"), "not a TOML file"),
    ("world: a billion sessions", world("sessions = 10\n", "sessions = 1000000000\n"), "more than 1,000,000 clips"),
    ("clips: missing", ("clips.jsonl", None), "clips.jsonl: no such file"),
    ("clips: none", clips(), "names no clip"),
    ("clips: no object", clips("7"), ":1: it is 7, expected an object"),
    ("clips: nested 100,000 deep", clips(A, "[" * 100_000), ":2: nested deeper than 64"),
    ("clips: one twice", clips(A, A), ':2: clip_id "a" stands there twice'),
    ("clips: a number", clips('{"clip_id": 7}'), ":1: clip_id is 7, expected the name of a clip"),
    ("clips: an escape sequence", clips(r'{"clip_id": "\u001b[31m"}'), ":1: clip_id is .* expected the name of a clip"),
    (
        "clips: a long name",
        clips(json.dumps({"clip_id": "a" * 129})),
        ":1: clip_id is .aaa.*, expected the name",
    ),
    (
        "clips: more than the world has",
        clips(*(json.dumps({"clip_id": str(i)}) for i in range(25))),
        "at most 24 clips",
    ),
    ("clips: fewer than were rendered", ("index.json", '{"clips": 24}'), "has 3 lines, index.json says 24"),
]


@pytest.mark.parametrize(("why", "file", "message"), STRANGE, ids=[case[0] for case in STRANGE])
def test_a_strangers_folder_is_checked(why, file, message, folder, tmp_path):
    name, text = file
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    with pytest.raises(WorldError, match=message):
        open_clips(folder, "test", home=tmp_path / "home")
    assert not list((tmp_path / "home").rglob("*.duckdb"))


@pytest.mark.parametrize("name", ["world.toml", "clips.jsonl"])
def test_a_pipe_is_no_file(name, folder):
    """Opening one would wait for ever."""
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(WorldError, match="not a regular file"):
        locate(folder)


def test_a_shipped_world_comes_before_a_folder_of_its_name(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder.rename("warehouse-v2")
    assert locate("warehouse-v2").kind == "synthetic" and locate(Path("./warehouse-v2").absolute()).kind == "published"


def test_what_else_could_have_been_named(tmp_path):
    with pytest.raises(WorldError, match=r"no world 'theirs'.* or of the folder that a sealed split was published as"):
        locate("theirs", tmp_path)
    with pytest.raises(WorldError, match=r"the folder holds no commitment\.json"):
        locate(tmp_path, tmp_path)
