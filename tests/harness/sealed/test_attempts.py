"""Tests of attempts on a sealed split: who may try, how often, what is answered, and that no other number leaves."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime

import pytest

import harness
from harness.baselines.write import answers
from harness.commands import terminal
from harness.commands.terminal.score import print_score
from harness.errors import SubmissionError, UsageError
from harness.sealed import attempts, entrants
from reference.truth.catalog import locate
from reference.truth.store import open_truth
from tests.proof.ladder_attack import ROUNDED, agreement, small_sealed
from tests.support import hand


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return HARNESS_HOME of the organiser of a small sealed split."""
    folder = tmp_path_factory.mktemp("sealed")
    small_sealed(folder)
    return folder


@pytest.fixture
def listed(home):
    """Return a function that writes entrants.toml; no scoring is logged yet."""
    locate("tiny-sealed", home).seal.log.unlink(missing_ok=True)
    return (home / "entrants.toml").write_text


@pytest.fixture(scope="module")
def lines(home):
    with open_truth("tiny-sealed", "test", home=home) as truth:
        return list(answers(truth, "truth-copy"))


def send(home, folder, lines, wrong, entrant="alice", seed=0, **choices):
    """Score a file that answers Idle as the next operation of a share of the clips; return its record."""
    draw = random.Random(seed).random
    file = [line | ({"next_operation": "Idle"} if draw() < wrong else {}) for line in lines]
    path = hand.write(folder / f"{wrong}-{seed}.jsonl", file)
    return harness.score(path, world="tiny-sealed", home=home, entrant=entrant, **choices).record


def test_a_file_that_is_not_clearly_better_has_no_numbers(home, listed, lines, tmp_path):
    """Whatever is sent, all that is answered is what stands, and that the file did not take the place."""
    listed("[alice]\nattempts_per_day = 20\n")
    first = send(home, tmp_path, lines, 0.6, seed=1)
    assert first["moved"] and first["answer"].endswith("this was the first file.")
    answered = [send(home, tmp_path, lines, wrong, seed=seed) for wrong, seed in ((0.95, 2), (0.58, 1))]
    for record in answered:
        assert not record["moved"] and record["answer"].startswith("not better by ")
    differs = {key for key in first if any(record[key] != first[key] for record in answered)}
    assert differs == {"answer", "moved", "sent", "attempts", "scorings"}
    assert {key for record in answered for key in record["sent"]} == {"sha256", "lines", "adapter", "coverage"}
    assert answered[0]["answer"].startswith("not better by two standard errors; alice stands at 0.")
    assert "not better by 2.5 standard errors" in answered[1]["answer"]
    better = send(home, tmp_path, lines, 0.0)
    assert better["moved"] and better["metrics"]["aa1"]["value"] == 1.0
    text = terminal.capture(lambda out: print_score(answered[1], out))
    assert text.startswith(answered[1]["answer"][:40]) and "attempts of alice today: 3 of 20" in text


def test_attempts_are_capped_by_entrant_and_day(home, listed, lines, tmp_path, monkeypatch):
    """An equal file is answered from the log, a rejected one counts for nothing, and tomorrow is another day."""
    listed("[alice]\nattempts_per_day = 2\n[bob]\n")
    send(home, tmp_path, lines, 0.3, seed=1)
    again = send(home, tmp_path, lines, 0.3, seed=1)
    assert again["repeated"] and again["attempts"] == {"today": 1, "per_day": 2}
    with pytest.raises(SubmissionError):
        send(home, tmp_path, lines[:20], 0.4, seed=2)
    assert send(home, tmp_path, lines, 0.5)["attempts"]["today"] == 2
    day = datetime.now(UTC).date().isoformat()
    with pytest.raises(
        UsageError, match=f"alice has used the 2 attempts of {day} .UTC.*raise attempts_per_day in entrants.toml"
    ):
        send(home, tmp_path, lines, 0.6)
    assert send(home, tmp_path, lines, 0.5)["repeated"]
    assert send(home, tmp_path, lines, 0.6, entrant="bob")["attempts"] == {"today": 1, "per_day": 5}
    log = locate("tiny-sealed", home).seal.log
    log.write_text(log.read_text().replace(day, "2020-01-01"))
    assert send(home, tmp_path, lines, 0.6)["attempts"]["today"] == 1


def test_another_reading_of_the_same_file_is_another_attempt(home, listed, lines, tmp_path):
    """A clip map could make any file of one; whether sums are equal must not be told."""
    listed("[alice]\n")
    send(home, tmp_path, lines, 0.3)
    other = send(home, tmp_path, lines, 0.3, lenient=True)
    assert not other["repeated"] and not other["moved"] and other["attempts"]["today"] == 2


def test_a_name_of_ones_own_is_refused(home, listed, lines, tmp_path):
    listed("[alice]\n")
    with pytest.raises(UsageError, match=r"'me' is no entrant of tiny-sealed; .* add the table \[me\] to entrants"):
        send(home, tmp_path, lines, 0.3, entrant="me")
    with pytest.raises(UsageError, match="a name of one's own is refused: --as NAME"):
        send(home, tmp_path, lines, 0.3, name="me")
    with pytest.raises(UsageError, match="--organiser shows everything: give one of them"):
        send(home, tmp_path, lines, 0.3, organiser=True)
    board = tmp_path / "entries"
    commitment = locate("tiny-sealed", home).commitment
    for name in ("alice", "stranger"):
        hand.entry(board / name, name, lines, "tiny-sealed", "", commitment=commitment)
    from harness.comparison import sealed_leaderboard
    from harness.scoring.request import Request

    found = sealed_leaderboard.leaderboard(board, Request(world="tiny-sealed", home=home))
    assert [row["name"] for row in found["entries"]] == ["alice"]
    assert [row["name"] for row in found["broken"]] == ["stranger"]
    assert str(home) not in json.dumps(found)


FAULTY = [
    ('["a|b"]', "names no entrant: expected printable text without |"),
    ("alice = 5", r"alice = 5, expected a table \[alice\]"),
    ("[alice]\ncap = 5", "unknown key cap; an entrant has attempts_per_day alone"),
    ("[alice]\nattempts_per_day = -1", "attempts_per_day = -1, expected an integer from 0"),
    ("[alice", "not a TOML file"),
]


@pytest.mark.parametrize(("text", "message"), FAULTY)
def test_a_faulty_list_is_one_sentence(text, message, home, listed):
    listed(text)
    with pytest.raises(UsageError, match=message):
        entrants.attempts_of("alice", locate("tiny-sealed", home).seal)


def test_a_missing_list_says_where_it_belongs(home, listed):
    (home / "entrants.toml").unlink()
    with pytest.raises(UsageError, match=r"entrants\.toml: no such file; tiny-sealed is sealed .* such as \[alice\]"):
        entrants.attempts_of("alice", locate("tiny-sealed", home).seal)


def test_as_is_for_sealed_splits(tmp_path):
    with pytest.raises(UsageError, match="warehouse-v2 is none"):
        harness.score(hand.write(tmp_path / "x.jsonl", []), entrant="alice", lenient=True)


def test_the_score_decides_as_the_function_does(home, listed):
    """`make proof` sends more files."""
    listed("[climber]\nattempts_per_day = 100\n")
    found = list(agreement(home, "tiny-sealed", seed=3, files=6))
    assert [moved for (moved, _), _ in found] == [moved for (_, moved), _ in found]
    assert all(abs(stands - shown) <= ROUNDED for _, (stands, shown) in found)
    assert sum(moved for (moved, _), _ in found) >= 2


def test_the_log_is_only_added_to(home, listed, lines, tmp_path):
    listed("[alice]\n")
    log = locate("tiny-sealed", home).seal.log
    send(home, tmp_path, lines, 0.3)
    before = log.read_bytes()
    send(home, tmp_path, lines, 0.4)
    assert log.read_bytes().startswith(before) and log.stat().st_mode & 0o777 == 0o600
    assert [json.loads(line)["moved"] for line in log.read_text().splitlines()] == [True, False]
    assert attempts.files_scored(log) == 2
