"""Tests of a sealed split's public board: four rounded numbers, who may move, how many files were scored, luck."""

from __future__ import annotations

import json
import random

import pytest

import harness
from harness.baselines.write import answers
from harness.commands import terminal
from harness.commands.terminal.leaderboard import print_sealed_leaderboard
from harness.comparison import sealed_leaderboard
from harness.errors import SubmissionError, UsageError
from harness.report import gather, public
from harness.report.verify import verify
from harness.report.watch import watch
from harness.rules import Weights
from harness.scoring.request import Request
from harness.worlds import sealing
from reference.truth.store import open_truth
from tests.support import hand

NAME, SPLIT = "tiny-sealed", "test"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return HARNESS_HOME of the organiser of a small sealed split, with small pictures."""
    folder = tmp_path_factory.mktemp("sealed")
    (folder / "tiny.toml").write_text(hand.tiny_world(sessions=10, clips=8))
    sealing.seal(str(folder / "tiny.toml"), folder / "out", folder / "secret.json", home=folder, workers=1, size=16)
    names = ("first", "climber", "counted", "counted too", "<b>shown</b>", "mine", "few", "enough", "x")
    listed = [*names, *(f"few {file.__name__}" for file in TOO_FEW)]
    (folder / "entrants.toml").write_text("".join(f'["{name}"]\nattempts_per_day = 50\n' for name in listed))
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


@pytest.mark.parametrize("other", [{"weights": Weights(oca=0.123, tiou50=0.123, aa1=0.754)}, {"rules": "drop-missing"}])
def test_other_rules_and_weights_are_refused(place, truth, tmp_path, other):
    """Sums of larger integers would be "better" than those that stand, whatever the answers."""
    submit(tmp_path, truth, "x", 0.3)
    with pytest.raises(UsageError, match="other rules or weights would reveal"):
        sealed_leaderboard.leaderboard(tmp_path, Request.of(request(place), **other))


def test_watching_is_refused_at_once(place, tmp_path):
    with pytest.raises(UsageError, match="is sealed"):
        watch(tmp_path / "x.jsonl", tmp_path / "x.html", request(place), seconds=1, say=print, rest=pytest.fail)


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
    submit(tmp_path, truth, "climber", 0, seed=1)
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
    log = [json.loads(line) for line in sealed_leaderboard.locate(NAME, place).seal.log.read_text().splitlines()]
    assert [row["name"] for row in log].count("counted") == 1  # a board that is looked at again scores nothing
    file = tmp_path / "counted" / "predictions.jsonl"
    assert harness.score(file, entrant="counted", world=NAME, home=place).record["scorings"] == 1
    submit(tmp_path, truth, "counted too", 0.5, seed=6)
    more = sealed_leaderboard.leaderboard(tmp_path, request(place))
    assert more["files_scored"] == first["files_scored"] + 1 and more["luck"] >= first["luck"]


def test_the_public_page(place, truth, tmp_path):
    submit(tmp_path, truth, "<b>shown</b>", 0.2, seed=9)
    board = sealed_leaderboard.leaderboard(tmp_path, request(place))
    text = public.html(board)
    assert "&lt;b&gt;shown&lt;/b&gt;" in text and "<b>shown" not in text and "<script" not in text
    assert board["commitment"] in text and "files were scored" in text and truth[0] not in text
    page = tmp_path / "board.html"
    page.write_text(text)
    with pytest.raises(UsageError, match="public board of a sealed split cannot be verified: only the organiser"):
        verify(page, tmp_path, request(place))


def test_an_entry_of_a_sealed_split_is_checked_and_not_scored(place, truth, tmp_path, monkeypatch):
    """Each scoring is logged and says something about the truth, so that making an entry makes none."""
    monkeypatch.setenv("HARNESS_HOME", str(place))
    log = sealed_leaderboard.locate(NAME, place).seal.log
    before = log.read_bytes() if log.exists() else b""
    file = hand.write(tmp_path / "mine.jsonl", truth[1])
    made = harness.submit(file, name="mine", folder=tmp_path / "entries", world=NAME)
    commitment = sealed_leaderboard.locate(NAME, place).commitment
    assert made.score is None and (made.card.truth_digest, made.card.commitment) == ("", commitment)
    assert truth[0] not in (tmp_path / "entries" / "mine" / "card.toml").read_text()
    board = sealed_leaderboard.leaderboard(tmp_path / "entries", request(place))
    assert "mine" in [row["name"] for row in board["entries"]], board["broken"]
    log.write_bytes(before)
    assert (log.read_bytes() if log.exists() else b"") == before
    hand.write(tmp_path / "bad.jsonl", [{"clip_id": "no such clip"}])
    with pytest.raises(SubmissionError, match="nothing was scored"):
        harness.submit(tmp_path / "bad.jsonl", name="bad", folder=tmp_path / "entries", world=NAME)
    assert [path.name for path in (tmp_path / "entries").iterdir()] == ["mine"]


def test_a_board_without_an_entry_says_so(place, tmp_path):
    """The split, its size and its rules are known before anybody is scored."""
    log = sealed_leaderboard.locate(NAME, place).seal.log
    log.unlink(missing_ok=True)
    board = sealed_leaderboard.leaderboard(tmp_path, request(place))
    assert (board["world"], board["split"], board["n"], board["sessions"]) == (NAME, SPLIT, 80, 10)
    assert (board["rules"], board["scheme"], board["entries"]) == ("standard", "aa40", [])
    text = terminal.capture(lambda out: print_sealed_leaderboard(board, out))
    assert "tiny-sealed / test (sealed): 80 clips in 10 sessions\nNo entry yet.\n" in text
    page = public.html(board)
    assert "No entry yet." in page and "tiny-sealed / test, sealed" in page and "None" not in text + page


def few(truth, n):
    return truth[1][:n]


def nothing(truth, n):
    """The other clips have a line, and no answer in it."""
    empty = {"dominant_operation": None, "temporal_segment": None, "next_operation": None}
    return truth[1][:n] + [line | empty for line in truth[1][n:]]


def made_up(truth, n):
    """The other clips have a label that no clip can have."""
    return truth[1][:n] + [line | {"dominant_operation": "Dance"} for line in truth[1][n:]]


def unknown(truth, n):
    """The other clips have the label Unknown, which is one of the task's and no clip's."""
    return truth[1][:n] + [line | {"next_operation": "Unknown"} for line in truth[1][n:]]


def without_a_segment(truth, n):
    """The other clips have both labels alone."""
    return truth[1][:n] + [line | {"temporal_segment": None} for line in truth[1][n:]]


TOO_FEW = (few, nothing, made_up, unknown, without_a_segment)


@pytest.mark.parametrize("file", TOO_FEW)
def test_too_few_answers_have_no_score(file, place, truth, tmp_path, monkeypatch):
    """72 of 80 clips are nine tenths. One clip fewer tells nothing: no number, no line in the log, no row."""
    log = sealed_leaderboard.locate(NAME, place).seal.log
    before = log.read_bytes() if log.exists() else b""
    folder = hand.entry(tmp_path / "few", f"few {file.__name__}", file(truth, 71), NAME, truth[0])
    with pytest.raises(SubmissionError, match=r"answer 71 of 80 clips of tiny-sealed.* from 72 answered clips on"):
        harness.score(folder / "predictions.jsonl", entrant="few", world=NAME, home=place)
    monkeypatch.setenv("HARNESS_HOME", str(place))
    found = harness.validate(folder / "predictions.jsonl", world=NAME)
    assert (found.answered, found.total) == (71, 0) and "answer 71 of 80 clips" in found.shortfall
    with pytest.raises(SubmissionError, match=r"answer 71 of 80 clips .* from 72 answered clips on"):
        harness.submit(folder / "predictions.jsonl", name="x", folder=tmp_path / "entries", world=NAME)
    assert not (tmp_path / "entries").exists()
    board = sealed_leaderboard.leaderboard(tmp_path, request(place))
    assert [row["name"] for row in board["broken"]] == [f"few {file.__name__}"]
    assert f"few {file.__name__}" not in [row["name"] for row in board["entries"]]
    assert (log.read_bytes() if log.exists() else b"") == before
    enough = hand.write(tmp_path / "enough.jsonl", file(truth, 72))
    assert harness.validate(enough, world=NAME).shortfall == ""
    assert harness.score(enough, entrant="enough", world=NAME, home=place).record["metrics"]["score"]["value"] > 0


WRONG_PINS = [
    ("another commitment", {"digest": "", "commitment": "c" * 64}, "commitment cccccccccccccccc, this is commitment"),
    ("another truth", {"digest": "0" * 64}, "its card says commitment ="),
]


@pytest.mark.parametrize(("why", "pin", "message"), WRONG_PINS, ids=[case[0] for case in WRONG_PINS])
def test_an_entry_for_another_truth_is_told_the_commitment_and_not_the_digest(
    why, pin, message, place, truth, tmp_path
):
    hand.entry(tmp_path / "x", "x", truth[1], NAME, **pin)
    error = sealed_leaderboard.leaderboard(tmp_path, request(place))["broken"][0]["error"]
    assert message in error and truth[0][:16] not in error


def test_the_organiser_has_pages(place, truth, tmp_path):
    """A page needs the score of the constant answer, which is then not redacted either."""
    submit(tmp_path, truth, "first", 0.3)
    whole = Request(world=NAME, split=SPLIT, home=place, organiser=True)
    assert gather.gather_leaderboard(tmp_path, whole).board["entries"][0]["name"] == "first"
    assert gather.gather_report(tmp_path / "first" / "predictions.jsonl", whole).floor.record["n"] == 80


def test_the_truth_is_for_the_organisers_eyes_alone(place, truth):
    """The truth of an earlier version, which others could read, becomes private too when it is opened."""
    path = next((place / "truth" / NAME).glob("*.duckdb"))
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert (place / "sealed" / NAME).stat().st_mode & 0o777 == 0o700
    path.chmod(0o644)
    open_truth(NAME, SPLIT, home=place).close()
    assert path.stat().st_mode & 0o777 == 0o600
