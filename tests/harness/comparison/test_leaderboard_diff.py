"""Tests of the differences of two leaderboards, and of the comment for a pull request."""

from __future__ import annotations

import json
import shutil
from functools import cache

import pytest

from harness.comparison import leaderboard, leaderboard_diff
from harness.errors import UsageError
from tests.harness.report.test_data import board


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder of entries, and one in which `near` lost its errors, `far` went and `fresh` came."""
    folder = tmp_path_factory.mktemp("changes")
    before, request = board(folder, folder / "home")
    after = folder / "after"
    shutil.copytree(before, after)
    shutil.rmtree(after / "far")
    for name, what in (("near", "near"), ("fresh", "fresh")):
        shutil.copytree(before / "best", after / name, dirs_exist_ok=True)
        card = after / name / "card.toml"
        card.write_text(card.read_text().replace('name = "best"', f'name = "{what}"'))
    return before, after, request


@cache
def boards(made):
    before, after, request = made
    return leaderboard.leaderboard(before, request=request), leaderboard.leaderboard(after, request=request)


def test_who_came_went_and_moved(made):
    found = leaderboard_diff.diff(*boards(made))
    said = {change.name: change for change in found.entries}
    assert {name: change.what for name, change in said.items() if name != "short"} == {
        "near": "moved",
        "fresh": "new",
        "far": "gone",
        "best": "moved",
    }
    assert said["near"].score_before == pytest.approx(5 / 6) and said["near"].score_after == pytest.approx(0.995)
    assert said["far"].rank_after is None and found.unlike == []


def test_the_comment(made):
    text = leaderboard_diff.markdown(leaderboard_diff.diff(*boards(made)))
    assert text.startswith("**") and "| far | gone |" in text and "0.833 → 0.995" in text and "Before: " in text


def test_nothing_changed(made):
    before, _ = boards(made)
    assert "No entry changed." in leaderboard_diff.markdown(leaderboard_diff.diff(before, before))


def test_an_earlier_board_as_a_file(made, tmp_path):
    before, after = boards(made)
    (tmp_path / "board.json").write_text(json.dumps(before))
    read = leaderboard_diff.read_base(str(tmp_path / "board.json"), made[2], "constant")
    assert leaderboard_diff.diff(read, after) == leaderboard_diff.diff(before, after)
    assert leaderboard_diff.read_base(str(made[0]), made[2], "constant") == before


def test_other_rules_are_said(made):
    before, after = boards(made)
    text = leaderboard_diff.markdown(leaderboard_diff.diff(before | {"rules": "inclusive-ends"}, after))
    assert "differ in rules" in text and "cannot be compared" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), ("{", "not JSON"), ("[]", "expected what"), ("{}", "expected what")],
)
def test_what_is_no_board(content, message, made, tmp_path):
    path = tmp_path / "board.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=message):
        leaderboard_diff.read_base(str(path), made[2], "constant")


def without(*path):
    def change(board):
        for key in path[:-1]:
            board = board[key]
        del board[path[-1]]

    return change


def put(*path, value):
    def change(board):
        for key in path[:-1]:
            board = board[key]
        board[path[-1]] = value

    return change


NO_BOARDS = [
    (without("entries"), "entries is missing"),
    (without("references"), "references is missing"),
    (without("verdict"), "verdict is missing"),
    (without("rules"), "rules is missing"),
    (without("entries", 0, "name"), r"entries\[0\].name is missing"),
    (without("entries", 0, "metrics", "score"), r"entries\[0\].metrics.score is missing"),
    (without("entries", 0, "rank_low"), r"entries\[0\].rank_low is missing"),
    (without("entries", 0, "signature"), r"entries\[0\].signature is missing"),
    (put("entries", value={}), "entries is an object"),
    (put("entries", value=[None]), r"entries\[0\] is null"),
    (put("entries", 0, "name", value=[]), r"entries\[0\].name is an array"),
    (put("entries", 0, "tier", value="1"), r"entries\[0\].tier is "),
    (put("entries", 0, "flags", value="x"), r"entries\[0\].flags is "),
    (put("entries", 0, "metrics", value=7), r"entries\[0\].metrics is 7"),
    (put("entries", 0, "metrics", "score", "value", value="high"), ".*expected a finite number"),
    (put("verdict", value=7), "verdict is 7"),
    (put("weights", value="x"), "weights is "),
]


@pytest.mark.parametrize(("change", "message"), NO_BOARDS, ids=[case[1] for case in NO_BOARDS])
def test_a_board_of_the_right_format_has_what_is_compared(change, message, made, tmp_path):
    board = json.loads(json.dumps(boards(made)[0]))
    change(board)
    (tmp_path / "board.json").write_text(json.dumps(board))
    with pytest.raises(UsageError, match=rf"--diff .*board\.json: {message}"):
        leaderboard_diff.read_base(str(tmp_path / "board.json"), made[2], "constant")


NO_JSON = {"deep": "[" * 100_000, "NaN": '{"format": NaN}', "long": "9" * 5000, "NUL": "\0"}


@pytest.mark.parametrize("content", NO_JSON.values(), ids=NO_JSON)
def test_a_board_that_is_no_json(content, made, tmp_path):
    (tmp_path / "board.json").write_text(content)
    with pytest.raises(UsageError, match=r"--diff .*board\.json"):
        leaderboard_diff.read_base(str(tmp_path / "board.json"), made[2], "constant")
