"""What commands say to someone who is new: what was answered, what was meant by a name, and what to do next."""

from __future__ import annotations

import sys

import pytest

from harness.cli import main
from tests.support import hand

WORLD = "advice"


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command line in this process; returns exit code, standard output and standard error."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def rows():
    return hand.grid(8, 3)


@pytest.fixture(scope="module")
def digest(rows, tmp_path_factory, home):
    """Import the small world of this file, and return the digest of its truth."""
    return hand.world(WORLD, rows, tmp_path_factory.mktemp("world"), home)


@pytest.fixture(autouse=True)
def place(digest, tmp_path, monkeypatch):
    """Make the working folder of a test, and return it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", [("score", "a"), ("compare", "a", "b"), ("report", "a")], ids=" ".join)
def test_an_answered_part_is_said_by_every_command_that_judges_it(words, run, place, rows):
    for name, n in (("a", 6), ("b", 9)):
        hand.write(place / f"{name}.jsonl", map(hand.right, rows[:n]))
    code, out, _ = run(words[0], *(f"{name}.jsonl" for name in words[1:]), "--world", WORLD)
    out = " ".join(out.split())
    assert code == 0
    assert "coverage 25.00%, 6 of 24 clips" in out and "what is missing counts as wrong" in out
    assert "b" not in words or "b: coverage 37.50%, 9 of 24 clips" in out
    if words[0] == "report":
        assert "coverage 25.00%, 6 of 24 clips" in (place / "a.html").read_text()
