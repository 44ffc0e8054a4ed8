"""Tests of a sealed split's public board: four rounded numbers, who may move, how many files were scored, luck."""

from __future__ import annotations

import json
import math
import random

import pytest

import harness
from harness.baselines.write import answers
from harness.comparison import sealed_leaderboard
from harness.errors import SubmissionError
from harness.report import public
from harness.scoring.request import Request
from harness.worlds import sealing
from reference.process.world import world_file
from reference.truth.store import open_truth
from tests.support import hand

NAME, SPLIT = "tiny-sealed", "test"
SMALLER = (("sessions = 72\nclips = 20", "sessions = 10\nclips = 8"), ("sessions = 288", "sessions = 10"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return HARNESS_HOME of the organiser of a small sealed split, with small pictures."""
    folder = tmp_path_factory.mktemp("sealed")
    text = world_file("warehouse-v1").decode()
    text = text[: text.index("[digests]")].replace('name = "warehouse-v1"', 'name = "tiny"')
    for before, after in SMALLER:
        text = text.replace(before, after)
    (folder / "tiny.toml").write_text(text)
    sealing.seal(str(folder / "tiny.toml"), folder / "out", folder / "secret.json", home=folder, workers=1, size=16)
    return folder


@pytest.fixture(scope="module")
def truth(place):
    with open_truth(NAME, SPLIT, home=place) as opened:
        return opened.digest, list(answers(opened, "truth-copy"))


def submit(folder, truth, name, wrong, seed=0, **card):
    """Write an entry that answers another next operation on a share of the clips."""
    draw = random.Random(seed).random
    lines = [line | ({"next_operation": "Idle"} if draw() < wrong else {}) for line in truth[1]]
    return hand.entry(folder / "".join(filter(str.isalnum, name)), name, lines, NAME, truth[0], **card)


def request(place):
    return Request(world=NAME, split=SPLIT, home=place)


def score(board, name):
    return next(row["metrics"]["score"]["value"] for row in board["entries"] if row["name"] == name)


def test_only_what_may_leave_is_there(place, truth, tmp_path):
    assert sealed_leaderboard.applies(request(place)) and not sealed_leaderboard.applies(Request())
    submit(tmp_path, truth, "first", 0.3)
    board = sealed_leaderboard.leaderboard(tmp_path, request(place))
    row = board["entries"][0]
    assert set(row) == {"name", "kind", "coverage", "metrics", "signature"}
    assert set(row["metrics"]) == {"score", "oca", "tiou50", "aa1"}
    for metric in row["metrics"].values():
        assert set(metric) == {"value", "low", "high"} and all(part == round(part, 3) for part in metric.values())
    assert truth[0][:16] not in json.dumps(board) and f"sealed:{board['commitment'][:16]}" in row["signature"]


def test_an_entry_moves_only_when_surely_better(place, truth, tmp_path):
    """A hardly better file is not shown, a much better one is, a worse one is not."""
    submit(tmp_path, truth, "climber", 0.40, seed=1)
    start = score(sealed_leaderboard.leaderboard(tmp_path, request(place)), "climber")
    wrong = [line["clip_id"] for line in _lines(tmp_path / "climber") if line["next_operation"] == "Idle"]
    repaired = {line["clip_id"]: line for line in truth[1]}
    lines = [
        repaired[line["clip_id"]] if line["clip_id"] == wrong[0] else line for line in _lines(tmp_path / "climber")
    ]
    hand.entry(tmp_path / "climber", "climber", lines, NAME, truth[0])
    again = score(sealed_leaderboard.leaderboard(tmp_path, request(place)), "climber")
    assert again == start, "one clip is within a standard error"
    submit(tmp_path, truth, "climber", 0.10, seed=1)
    high = score(sealed_leaderboard.leaderboard(tmp_path, request(place)), "climber")
    assert high > start
    submit(tmp_path, truth, "climber", 0.60, seed=1)
    assert score(sealed_leaderboard.leaderboard(tmp_path, request(place)), "climber") == high


def _lines(folder):
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


def test_files_are_counted_once_and_luck_grows(place, truth, tmp_path):
    submit(tmp_path, truth, "counted", 0.5, seed=5)
    first = sealed_leaderboard.leaderboard(tmp_path, request(place))
    again = sealed_leaderboard.leaderboard(tmp_path, request(place))
    assert again["files_scored"] == first["files_scored"]
    submit(tmp_path, truth, "counted too", 0.5, seed=6)
    more = sealed_leaderboard.leaderboard(tmp_path, request(place))
    assert more["files_scored"] == first["files_scored"] + 1 and more["luck"] >= first["luck"]


LARGEST = [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi)), (10, 1.53875), (100, 2.50759)]


@pytest.mark.parametrize(("k", "mean"), LARGEST)
def test_the_largest_of_k_normals(k, mean):
    """Means for 2 and 3 have a closed form, those for 10 and 100 are from tables of normal order statistics."""
    assert sealed_leaderboard.expected_largest(k) == pytest.approx(mean, abs=2e-5)


def test_the_public_page(place, truth, tmp_path):
    submit(tmp_path, truth, "<b>shown</b>", 0.2, seed=9)
    board = sealed_leaderboard.leaderboard(tmp_path, request(place))
    text = public.html(board)
    assert "&lt;b&gt;shown&lt;/b&gt;" in text and "<b>shown" not in text and "<script" not in text
    assert board["commitment"] in text and "files were scored" in text and truth[0] not in text


def test_an_entry_of_a_sealed_split_is_checked_and_not_scored(place, truth, tmp_path, monkeypatch):
    """Each scoring is logged and says something about the truth, so that making an entry makes none."""
    monkeypatch.setenv("HARNESS_HOME", str(place))
    log = sealed_leaderboard.locate(NAME, place).seal.log
    before = log.read_bytes() if log.exists() else b""
    file = hand.write(tmp_path / "mine.jsonl", truth[1])
    made = harness.submit(file, name="mine", folder=tmp_path / "entries", world=NAME)
    assert made.score is None and made.card.truth_digest == truth[0]
    assert (log.read_bytes() if log.exists() else b"") == before
    hand.write(tmp_path / "bad.jsonl", [{"clip_id": "no such clip"}])
    with pytest.raises(SubmissionError, match="nothing was scored"):
        harness.submit(tmp_path / "bad.jsonl", name="bad", folder=tmp_path / "entries", world=NAME)
    assert [path.name for path in (tmp_path / "entries").iterdir()] == ["mine"]
