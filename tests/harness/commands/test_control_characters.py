"""Texts of other people's files reach the terminal escaped: none of them is obeyed, wherever a file says a text."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata

import pytest

from harness.cli import main
from harness.commands.options import json_text
from harness.formatting import printable
from tests.support import hand

PWN = "\x1b]0;pwn\x07"
"""Changes the title of a terminal's window."""
TURNED = "a\u202eb\u009b31mc"
"""Turns the reading direction round, then colours by a control character of one byte."""
FORMAT = "\u202ex"
"""What an import takes: a format character."""
FORMATS = ([], ["--format", "json"], ["--format", "csv"])


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run a command line; returns what it prints on both streams, which holds nothing that a terminal obeys."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main()
        printed = "".join(capsys.readouterr())
        obeyed = [char for char in printed if unicodedata.category(char) in ("Cc", "Cf") and char not in "\n\r\t"]
        assert obeyed == [], (words, printed)
        assert printed
        return printed

    return run


@pytest.fixture(scope="module")
def world(tmp_path_factory, home):
    """Import a world whose labels, domains, workers and sessions turn round what follows; return rows and digest."""
    rows = [
        hand.clip(session, index, domain=f"d{session % 2}{FORMAT}", worker=f"w{FORMAT}")
        | {"session": f"s{session}{FORMAT}", "dominant_operation": f"Box {FORMAT}", "next_operation": f"Bag {FORMAT}"}
        for session in range(8)
        for index in range(3)
    ]
    digest = hand.world("planted", rows, tmp_path_factory.mktemp("planted"), home)
    return rows, digest


def answers(rows, **changes):
    return [hand.right(row, **changes) for row in rows]


@pytest.mark.parametrize("more", FORMATS, ids=["text", "json", "csv"])
def test_labels_of_an_imported_world(more, run, world, tmp_path):
    rows, _ = world
    wrong = answers(rows[:12], next_operation=f"Box {PWN} x") + answers(rows[12:])
    hand.write(tmp_path / "right.jsonl", answers(rows))
    hand.write(tmp_path / "wrong.jsonl", wrong)
    where = ["--world", "planted"]
    assert run("world", "info", "planted", *more)
    assert run("score", "right.jsonl", *where, *more)
    assert run("compare", "right.jsonl", "wrong.jsonl", *where, *more)
    assert run("validate", "wrong.jsonl", *where, "--lenient", *more)
    if not more:
        assert r"Box \u202ex" in run("world", "info", "planted")
        run("score", "wrong.jsonl", *where, "--lenient", "--full")
        run("baseline", "constant", *where, "-o", "-")
        run("report", "right.jsonl", *where, "--export", "out")
        run("world", "export", "planted", "--split", "test", "--include-test", "-o", "t.csv")
        run("world", "card", "planted")
        run("world", "list")


LINES = [
    {"clip_id": PWN},
    {"dominant_operation": PWN},
    {"temporal_segment": PWN},
    {"temporal_segment": {PWN: 1}},
    {PWN: TURNED},
    {"confidence": TURNED},
    {"raw_output": PWN},
    {"next_operations": [PWN]},
]


def test_prediction_files(run, world, tmp_path):
    """A clip, a label, a value, a key, an answer text: all lines of one file, and a document and a table of these."""
    rows, _ = world
    hand.write(tmp_path / "odd.jsonl", [hand.right(row) | changes for row, changes in zip(rows, LINES, strict=False)])
    (tmp_path / "odd.csv").write_text(f"clip_id,{PWN}\n{PWN},1\n")
    (tmp_path / "odd.json").write_text(json.dumps({PWN: {PWN: LINES}}))
    for name in ("odd.jsonl", "odd.csv", "odd.json"):
        run("validate", name, "--world", "planted")
        run("score", name, "--world", "planted", "--lenient", "--full")
    run("report", "odd.jsonl", "--world", "planted", "--lenient")
    run("submit", "odd.jsonl", "--world", "planted", "--name", PWN)


def test_training_records(run, world, tmp_path):
    rows, _ = world
    hand.write(tmp_path / "right.jsonl", answers(rows))
    record = {"device": f"{PWN}\x1b[2J", "predicted_peak_gib": 1.0, "measured_peak_gib": 2.0, "oom_events": 0}
    for changes in ({}, {PWN: PWN}, {"steps": PWN}, {"lora": {PWN: TURNED}}):
        (tmp_path / "training.json").write_text(json.dumps(record | changes))
        run("score", "right.jsonl", "--world", "planted", "--full")


CARDS = [
    '"\\u001b]0;pwn\\u0007" = 1',
    'name = "\\u001b]0;pwn\\u0007"',
    'world = "\\u001b]0;pwn\\u0007"',
    'description = "\\u001b[2J\\u202e"',
    '[run]\n"\\u001b]0;pwn\\u0007" = "\\u001b[2J"',
    '[ingestion]\n"\\u001b]0;pwn\\u0007" = 1',
    'predictions = "\\u001b]0;pwn\\u0007"',
    '"\\u001b]0;pwn\\u0007" = [',
]


@pytest.mark.parametrize("card", CARDS)
def test_cards(card, run, world, tmp_path):
    """Text, Markdown and every other form of the board, and the page's messages."""
    rows, digest = world
    for name in ("right", "odd"):
        hand.entry(tmp_path / "board" / name, name, answers(rows), "planted", digest)
    file = tmp_path / "board" / "odd" / "card.toml"
    key = card.partition(" = ")[0]
    kept = [line for line in file.read_text().splitlines() if not line.startswith(f"{key} = ")]
    tables = next((place for place, line in enumerate(kept) if line.startswith("[")), len(kept))
    place = len(kept) if card.startswith("[") else tables
    file.write_text("\n".join([*kept[:place], card, *kept[place:]]) + "\n")
    board = ["leaderboard", "board", "--world", "planted"]
    forms = ("text", "markdown", "json", "csv", "latex", "junit")
    for form in forms if card in CARDS[:1] else forms[:2]:
        run(*board, "--format", form)
    run(*board, "-o", "page.html")


def test_files_of_pages_boards_and_worlds(run, world, tmp_path):
    rows, digest = world
    hand.entry(tmp_path / "board" / "right", "right", answers(rows), "planted", digest)
    board = ["leaderboard", "board", "--world", "planted"]
    base = json.loads(run(*board, "--format", "json"))
    base["entries"][0]["name"] = PWN
    (tmp_path / "base.json").write_text(json.dumps(base))
    run(*board, "--diff", "base.json")
    run(*board, "-o", "page.html")
    page = (tmp_path / "page.html").read_text()
    for old in ('"right"', '"planted"'):
        (tmp_path / "odd.html").write_text(page.replace(old, json.dumps(PWN)))
        run("verify", "odd.html", "--submissions", "board")
    world_file = hand.tiny_world()
    (tmp_path / "odd.toml").write_text(world_file.replace('"tiny"', '"\\u001b]0;pwn\\u0007"'))
    (tmp_path / "key.toml").write_text(world_file + '\n["\\u001b]0;pwn\\u0007"]\nx = 1\n')
    for name in ("odd.toml", "key.toml"):
        run("world", "build", name)
    (tmp_path / "map.json").write_text(json.dumps({PWN: PWN}))
    shutil.copy(tmp_path / "board" / "right" / "predictions.jsonl", tmp_path / "right.jsonl")
    run("score", "right.jsonl", "--world", "planted", "--clip-map", "map.json")
    (tmp_path / "t.csv").write_text(f"clip_id,dominant_operation,{PWN}\n{PWN},{PWN},1\n")
    run("world", "import", "t.csv")
    for key in ("clip_id", "session", "domain", "dominant_operation", PWN):
        hand.write(tmp_path / "t.jsonl", [rows[0] | {key: PWN}])
        run("world", "import", "t.jsonl")


def test_names_of_files_and_options(run, tmp_path):
    name = f"{PWN}{TURNED}"
    (tmp_path / name).mkdir()
    for words in (
        ["score", name],
        ["validate", name],
        ["compare", name, name],
        ["leaderboard", name],
        ["report", name],
        ["verify", name],
        ["world", "info", name],
        ["world", "import", name],
        ["world", "preview", name],
        ["predict", "--model", name, "-o", name],
        ["submit", name, "--name", name],
        ["schema", name],
        ["words", name],
        ["score", "x", f"--{name}"],
        [name],
        ["score", "x", "--rules", name],
        ["score", "x", "--weights", name],
        ["score", "x", "--fail-under", name],
        ["score", "x", "--adapter", name],
        ["score", "x", "--split", name],
        ["world", "seal", "canonical-v1", "--secret", name, "-o", name],
        ["world", "reveal", name],
        ["world", "export", "canonical-v1", "-o", name],
        ["world", "render", "-o", name, "--domains", name],
        ["leaderboard", "--baseline", name],
        ["leaderboard", "--budget", name],
        ["score", "x", "--clip-map", name],
    ):
        run(*words)


def test_json_keeps_its_values():
    value = {f"{PWN}{TURNED}\ud800": ["é模\U000e0001\n\r\t"]}
    assert json.loads(json_text(value)) == value and json_text(value).isprintable() is False  # its own line ends
    assert printable("a\r\n\tb é 模\u200d") == "a\r\n\tb é 模\u200d" and printable("\rx") == r"\rx"
