"""A command that is killed, ended, or meets a full disk does no harm: the next run gives what it always gives.

`make proof` does the same at random moments, with all commands (tests/proof/kills.py).
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from harness import cli, disclosure
from harness.comparison.sealed_leaderboard import Ladder, files_scored
from harness.errors import UsageError
from harness.scoring.request import Request
from tests.support import ROOT

FAULTS = ("score:kill", "score:full", "import:kill", "import:end", "render:kill", "predict:kill")


def test_faults_at_chosen_changes_of_the_file_system(tmp_path):
    command = [sys.executable, "-m", "tests.support.faults", tmp_path, "3", *FAULTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["fault"] for row in rows] == list(FAULTS)
    assert not [row for row in rows if row["found"]]
    assert sum(row["status"] != 0 for row in rows) >= 4, "most faults come before the command's last change"


@pytest.fixture
def signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in before:  # a command that ran in this process has left its own
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_once_and_then_ends(number, signals):
    ended_by = cli._end_by_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert ended_by == [number] and signal.getsignal(number) is signal.SIG_DFL


def test_signals_that_the_caller_ignores_stay_ignored(signals):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cli._end_by_signals()
    signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


CUT = [
    ("in the middle", b'{"name": "mine", "sha'),
    ("in a letter", '{"name": "ü'.encode()[:-1]),
    ("before its line end", b'{"name": "mine", "sha256": "1", "score": 0.5}'),
]


@pytest.mark.parametrize(("why", "rest"), CUT, ids=[case[0] for case in CUT])
def test_a_log_of_scorings_that_a_full_disk_cut_is_read_and_continued(why, rest, tmp_path):
    log = tmp_path / "scorings.jsonl"
    record = {"name": "mine", "submission": {"sha256": "2"}, "metrics": {"score": {"value": 0.5}}}
    assert disclosure.log_scoring(log, record) == 1 and files_scored(log) == 1
    whole = rest.endswith(b"}")
    log.write_bytes(log.read_bytes() + rest)
    assert disclosure.log_scoring(log, record) == 1 + whole, "the same file counts once"
    another = record | {"submission": {"sha256": "3"}}
    assert disclosure.log_scoring(log, another) == 2 + whole
    assert disclosure.log_scoring(log, record | {"name": "line\u2028end"}) == 1
    assert files_scored(log) == 2 + whole


def test_damaged_standings_are_one_sentence(tmp_path):
    path = tmp_path / "ladder.json"
    path.write_text('{"mine": {"ki')
    with pytest.raises(UsageError, match=r"ladder\.json: is damaged; remove it"):
        Ladder(path, "0" * 64, Request())
    path.unlink()
    Ladder(path, "0" * 64, Request()).save()
    assert path.stat().st_mode & 0o777 == 0o600
