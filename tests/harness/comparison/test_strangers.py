"""One entrant never harms another: whatever an entry holds, it is shown as broken, in one line, and the rest stands."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import duckdb
import pytest

import harness
from harness.comparison import leaderboard
from harness.errors import HarnessError
from harness.report import write
from harness.scoring.request import Request
from reference.errors import MachineError
from reference.truth.store import Truth
from tests.proof import entries
from tests.support import hand

WORLD = "strangers"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    home = tmp_path_factory.mktemp("strangers")
    rows = hand.grid(6, 4)
    return home, hand.world(WORLD, rows, home, home), rows


class Folder:
    """A folder of submissions with a good entry in it."""

    def __init__(self, path, world):
        self.path = path
        self.home, self.digest, self.rows = world
        self.request = Request(world=WORLD, home=self.home)
        self.add("good", wrong=0)

    def lines(self, wrong=-1):
        return [
            hand.right(row, **({"next_operation": "Wrap"} if row["clip_index"] == wrong else {})) for row in self.rows
        ]

    def add(self, folder, wrong=-1, **card):
        return hand.entry(self.path / folder, card.pop("name", folder), self.lines(wrong), WORLD, self.digest, **card)

    def board(self):
        board = harness.leaderboard(self.path, request=self.request)
        good = next(row for row in board["entries"] if row["folder"] == "good")
        assert good["metrics"]["aa1"]["value"] == pytest.approx(0.75)
        return board

    def reason(self):
        """The one reason why the one entry beside the good one is broken."""
        [broken] = self.board()["broken"]
        assert broken["error"].count("\n") == 0 and len(broken["error"]) <= 600
        return broken["error"]


@pytest.fixture
def folder(world, tmp_path):
    return Folder(tmp_path / "entries", world)


def test_strangers_of_a_seeded_source_of_chance():
    """A small part of the proof."""
    [row] = entries.run(seed=1, scale=0.0, entries=3)
    assert {name: row[name] for name in ("tried", "crashes", "disagreements")} == {
        "tried": 3,
        "crashes": 0,
        "disagreements": 0,
    }


RECORDS = [
    ("nested deep", '{"device": "x", "more": ' + "[" * 900 + "]" * 900 + "}", "nested deeper than 64"),
    ("far deeper", "[" * 100_000, "nested deeper than 64"),
    ("large", '{"device": "' + "x" * (2 << 20) + '"}', "more than 1,048,576 bytes"),
    ("NaN", '{"device": "x", "steps": NaN}', "NaN is not JSON"),
    ("many digits", '{"device": "x", "steps": ' + "9" * 5000 + "}", "out of range"),
    ("half a surrogate pair", '{"device": "\\ud800"}', "half a surrogate pair"),
]


@pytest.mark.parametrize(("kind", "text", "reason"), RECORDS, ids=[case[0] for case in RECORDS])
def test_training_records_that_no_score_can_hold(folder, kind, text, reason):
    (folder.add("bad") / "training.json").write_text(text)
    assert reason in folder.reason()


def test_a_ratio_beyond_every_number_is_none(folder):
    """1e14 / 1e-300 overflows: the entry stands, its ratio is not known."""
    record = {"device": "x", "predicted_peak_gib": 1e-300, "measured_peak_gib": 1e14}
    (folder.add("bad") / "training.json").write_text(json.dumps(record))
    assert {row["name"] for row in folder.board()["entries"]} == {"good", "bad"}


CARDS = [
    ("a name too long for a file", lambda text: text + f'predictions = "{"x" * 300}"\n', "expected a file name"),
    ("a key of many parts", lambda text: text + "run" + ".a" * 5000 + " = 1\n", "nested too deep"),
    ("many digits", lambda text: text + f"clip_frames = {'9' * 5000}\n", "not a TOML file"),
    ("an integer of 80 bits", lambda text: text + f"clip_frames = {1 << 80}\n", "outside 64 bits"),
    ("large", lambda text: text + "#" * (2 << 20), "more than 1,048,576 bytes"),
    ("a million frames", lambda text: text + "clip_frames = 4000000000000\n", "expected 1 to"),
    ("a long value", lambda text: text + f'adapter = ["{"x" * 5000}"]\n', "expected str"),
    ("not UTF-8", lambda text: text.replace("by hand", "by h\udce9nd"), "not UTF-8"),
]


@pytest.mark.parametrize(("kind", "change", "reason"), CARDS, ids=[case[0] for case in CARDS])
def test_cards_that_no_reader_should_follow(folder, kind, change, reason):
    path = folder.add("bad") / "card.toml"
    path.write_bytes(change(path.read_text()).encode(errors="surrogateescape"))
    assert reason in folder.reason()


@pytest.mark.parametrize("kind", ["an endless file", "a pipe", "a folder"])
def test_a_card_that_is_no_file_is_not_read_by_any_command(folder, kind):
    """A score looks for what the card says of cost, too."""
    place = folder.add("odd", wrong=5)
    (place / "card.toml").unlink()
    makers = {"an endless file": lambda at: at.symlink_to("/dev/zero"), "a pipe": os.mkfifo, "a folder": Path.mkdir}
    makers[kind](place / "card.toml")
    scored = harness.score(place / "predictions.jsonl", request=folder.request)
    assert scored.record["n"] == 24 and "usage" not in scored.record
    with pytest.raises(HarnessError):
        harness.compare(folder.path / "good", place, request=folder.request)


def test_a_folder_whose_name_is_not_utf8(folder):
    """It is shown escaped, scored, and on the page."""
    (folder.add("odd", name="odd")).rename(folder.path / os.fsdecode(b"caf\xe9"))
    names = {row["folder"] for row in folder.board()["entries"]}
    assert names == {"good", "caf\\udce9"}
    page = write.leaderboard_page(folder.path, folder.path.parent / "page.html", request=folder.request)
    assert page.path.read_bytes().decode()


FILES = [
    ("a pipe", lambda path: os.mkfifo(path), "not a regular file"),
    ("a folder", lambda path: path.mkdir(), "is a directory"),
    ("a device", lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    ("a link to itself", lambda path: path.symlink_to(path.name), "symbolic links"),
    ("nothing", lambda path: None, "No such file"),
]


@pytest.mark.parametrize(("kind", "put", "reason"), FILES, ids=[case[0] for case in FILES])
def test_what_stands_in_the_place_of_predictions(folder, kind, put, reason):
    path = folder.add("bad") / "predictions.jsonl"
    path.unlink()
    put(path)
    assert reason in folder.reason()


def test_an_entry_that_may_not_be_read(folder, monkeypatch):
    path, is_file = folder.add("bad"), Path.is_file

    def refused(self):
        if path in (self, *self.parents):
            raise PermissionError(13, "Permission denied", str(self))
        return is_file(self)

    monkeypatch.setattr(Path, "is_file", refused)
    assert "Permission denied" in folder.reason()


@pytest.mark.parametrize("error", [ZeroDivisionError("x\ny"), MemoryError(), RecursionError("deep"), UnicodeError()])
def test_errors_that_nobody_foresaw(folder, monkeypatch, error):
    bad, scores = folder.add("bad"), leaderboard.score

    def fails(path, **choices):
        if bad in Path(path).parents:
            raise error
        return scores(path, **choices)

    monkeypatch.setattr(leaderboard, "score", fails)
    assert f"cannot be scored ({type(error).__name__}" in folder.reason()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.ENOSPC, "No space left on device"),
        duckdb.IOException("IO Error: Could not write file: No space left on device"),
    ],
)
def test_a_machine_without_room_is_no_fault_of_an_entry(folder, monkeypatch, error):
    """Shown as broken, an entry would be missing from a board for a reason of its reader's."""
    folder.add("bad")

    def no_room(*_):
        raise error

    monkeypatch.setattr("harness.scoring.score_cache.ScoreCache.find", lambda cache, entry: None)
    monkeypatch.setattr("harness.scoring.score._score_into", no_room)
    with pytest.raises(OSError if isinstance(error, OSError) else MachineError, match=r"open files|No space left"):
        harness.leaderboard(folder.path, request=folder.request)


def test_an_interrupt_is_none_of_them(folder, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(leaderboard, "score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.board()


def test_a_database_that_a_file_has_invalidated_is_made_anew(folder, monkeypatch):
    """Entries after it, also in the same thread, are scored on a connection that answers."""
    for number in range(6):
        folder.add(f"bad{number}")
        folder.add(f"fine{number}")
    scores = leaderboard.score
    monkeypatch.setattr(leaderboard, "THREADS", 1)
    used: list[Truth] = []

    def fatal(path, *, opened, **choices):
        used.append(opened)
        if "bad" in Path(path).parent.name:
            opened.connection.close()  # as unusable as after a fatal error
            raise duckdb.FatalException("database has been invalidated")
        return scores(path, opened=opened, **choices)

    monkeypatch.setattr(leaderboard, "score", fatal)
    board = folder.board()
    assert len(board["entries"]) == 7 and len(board["broken"]) == 6
    assert len({id(truth) for truth in used}) == 7


def test_a_truth_that_cannot_be_opened_is_no_fault_of_an_entry(folder):
    with pytest.raises(HarnessError, match="no-such-world"):
        harness.leaderboard(folder.path, request=Request(world="no-such-world", home=folder.home))


def test_no_entry_takes_the_place_of_a_baseline(folder):
    """An entry in another folder that calls itself `constant` is one entry more; differences stay as they are."""
    before = folder.board()["entries"][0]["to_baseline"]["difference"]
    folder.add("mine", name="constant")
    board = folder.board()
    assert {row["name"] for row in board["entries"]} == {"good", "constant (mine)"}
    assert next(row for row in board["entries"] if row["name"] == "good")["to_baseline"]["difference"] == before


def test_entries_of_one_name(folder):
    folder.add("other", name="good")
    assert {row["name"] for row in folder.board()["entries"]} == {"good (good)", "good (other)"}
