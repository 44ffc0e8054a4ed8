"""No command writes over what it reads, and --watch says what it cannot watch."""

from __future__ import annotations

import pytest

from tests.support import hand

OVER = [
    ("report", "a.jsonl", "-o", "a.jsonl"),
    ("compare", "a.jsonl", "b.jsonl", "--html", "a.jsonl"),
    ("score", "clips.parquet", "-o", "."),
    ("baseline", "constant", "-o", "foreign.txt"),
    ("leaderboard", "folder", "--export", "folder"),
    ("leaderboard", "folder", "-o", "folder/x/page.html"),
]
UNWATCHED = [
    (("array.json",), "a JSON array"),
    (("-",), "standard input cannot be watched"),
    (("clips.parquet",), "a file in .parquet cannot be watched"),
    (("a.jsonl", "--export", "x"), "without --export"),
    (("a.jsonl", "--frames"), "without --frames"),
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "folder" / "x").mkdir(parents=True)
    for name in ("a.jsonl", "b.jsonl", "clips.parquet", "foreign.txt", "folder/x/page.html"):
        (tmp_path / name).write_text("kept")
    (tmp_path / "array.json").write_text("[{}]")
    return tmp_path


@pytest.mark.parametrize("words", OVER, ids=" ".join)
def test_what_a_command_reads_is_kept(folder, words):
    ended = hand.harness_here(*words, home=folder / "home", cwd=folder)
    assert (ended.returncode, ended.stdout) == (2, "") and "name another f" in ended.stderr
    assert all((folder / word).read_text() == "kept" for word in words if (folder / word).is_file())


@pytest.mark.parametrize(("words", "message"), UNWATCHED, ids=[case[1] for case in UNWATCHED])
def test_what_cannot_be_watched_is_said(folder, words, message):
    ended = hand.harness_here("report", *words, "--watch", "-o", "page.html", home=folder / "home", cwd=folder)
    assert ended.returncode == 2 and message in ended.stderr
