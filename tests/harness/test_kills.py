"""A command that is killed, ended, or meets a full disk does no harm: the next run gives what it always gives.

`make proof` does the same at random moments, with all commands (tests/proof/kills.py).
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from harness import cli
from harness.sealed import attempts
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


WHOLE = {"name": "mine", "time": "2026-01-01", "sha256": "1", "reading": "", "sums": [1], "clips": [1]}
WHOLE |= {"moved": True, "first": True, "needed": 2.0, "shown": {}}
CUT = [
    ("in the middle", b'{"name": "mine", "sha'),
    ("in a letter", '{"name": "ü'.encode()[:-1]),
    ("before its line end", json.dumps(WHOLE).encode()),
]


def add(path, **changes):
    """Append a line to a log and return how many whole ones it has under that name."""
    line = WHOLE | changes
    with attempts.locked_log(path) as log:
        attempts.append(log, line)
    return sum(one["name"] == line["name"] for one in attempts.lines(path))


@pytest.mark.parametrize(("why", "rest"), CUT, ids=[case[0] for case in CUT])
def test_a_log_of_scorings_that_a_full_disk_cut_is_read_and_continued(why, rest, tmp_path):
    log = tmp_path / "scorings.jsonl"
    assert add(log, sha256="2") == 1 and attempts.files_scored(log) == 1
    whole = rest.endswith(b"}")
    log.write_bytes(log.read_bytes() + rest)
    assert add(log, sha256="3") == 2 + whole
    assert add(log, sha256="3", name="line\u2028end") == 1
    assert attempts.files_scored(log) == 2 + whole
    assert log.stat().st_mode & 0o777 == 0o600
