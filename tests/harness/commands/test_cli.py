"""The command line: every example in a help text works, exit codes, no traceback for whatever is named wrongly, 80
columns, and nothing printed that a terminal, a spreadsheet or a shell would obey.

Commands run in this process where they can; what is about the process itself (imports, pipes, locale) gets its own.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from harness.baselines.write import write_baseline
from harness.cli import main
from tests.docs import commands
from tests.support import ROOT, hand
from tests.support.fault_server import served

WORLD = "cli"
OPENPACK = "operations_U0209_S0500.csv"
EXAMPLE = re.compile(r"^ +(harness .*)$", re.MULTILINE)


class Result:
    """Exit code and both streams of a command."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command line as `harness` would; returns exit code and both streams."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return Result(stopped.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory, home):
    """Make a working folder with all that examples name, and a small world for everything else."""
    folder = tmp_path_factory.mktemp("work")
    for name, file in (
        ("transition-prior", "submission"),
        ("transition-prior", "prior"),
        ("whole-clip", "new"),
        ("constant", "old"),
    ):
        write_baseline(name, folder / f"{file}.jsonl")
    for entry in ("qwen-tiny", "probe", "transition-prior"):
        shutil.copytree(ROOT / "submissions" / entry, folder / "submissions" / entry)
    shutil.copy(ROOT / "submissions" / "README.md", folder / "submissions")
    (folder / OPENPACK).write_text(openpack())
    (folder / "tiny.toml").write_text(hand.tiny_world())
    (folder / "few.toml").write_text(hand.tiny_world(1, 1).replace('name = "tiny"', 'name = "few"'))
    rows = hand.grid(8, 3, domain="clean")
    digest = hand.world(WORLD, rows, folder, home)
    hand.write(folder / "right.jsonl", [hand.right(row) for row in rows])
    hand.write(folder / "wrong.jsonl", [hand.right(row, next_operation="Wrap") for row in rows])
    hand.write(folder / "bad.jsonl", [hand.right(rows[0], temporal_segment=7), {"clip_id": "no such clip"}])
    hand.entry(folder / "board" / "right", "right", [hand.right(row) for row in rows], WORLD, digest)
    hand.entry(
        folder / "board" / "wrong", "wrong", [hand.right(row, next_operation="Wrap") for row in rows], WORLD, digest
    )
    return folder


@pytest.fixture(autouse=True)
def in_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)


def openpack():
    """Return the annotations of a recording of 80 s: ten operations of 8 s."""
    ids = (300, 100, 200, 500, 600, 700, 900, 1000, 300, 100)
    lines = ["uuid,user,session,box,id,operation,start,end,actions"]
    for place, number in enumerate(ids):
        start, end = (
            f"2031-05-06 08:{(place + after) * 8 // 60:02d}:{(place + after) * 8 % 60:02d}+09:00" for after in (0, 1)
        )
        lines.append(f"u{place},U0209,S0500,1,{number},x,{start},{end},")
    return "\n".join(lines) + "\n"


# Help

GROUPS = {(), ("world",)}


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(words, run):
    result = run(*words, "--help")
    short = run(*words, "-h")
    assert (result.code, short.code, short.err) == (0, 0, "") and short.out == result.out
    assert "Example:" in result.out and EXAMPLE.findall(result.out)
    assert all(len(line) <= 80 for line in result.out.splitlines())


def examples():
    """Return command line and exit code of every example; one is a gate, which this file does not pass."""
    import click

    from harness.cli import cli

    found = {}
    for words in commands():
        command, context = cli, click.Context(cli)
        for word in words:
            command = command.get_command(context, word)
        found |= dict.fromkeys(EXAMPLE.findall(command.help), 0)
    assert len(found) >= len(commands()) - len(GROUPS)
    failing = "harness score new.jsonl --output reports/new --fail-under aa1.low=0.5"
    assert failing in found
    return [(line, 1 if line == failing else 0) for line in order(found)]


SEALED, ENDPOINT = "warehouse-v2-sealed", "http://localhost:8000/v1"
SMALLER = (
    ("warehouse-v2 --split test --scale 10", "tiny.toml --split validation --scale 2"),
    ("--split test-large", "--split validation"),
    ("world build warehouse-v2 --split test", "world build tiny.toml --split test"),
    ("export warehouse-v2 --split train", "export tiny.toml --split train"),
    ("export warehouse-v2 --as inspect", "export few.toml --as inspect --workers 1"),
    ("card canonical-v1", "card tiny.toml"),
    ("--as shards --limit 40", "--as shards --limit 4"),
    ("--budget 1MB", "--budget 100kB"),
    ("world render warehouse-v2", "world render warehouse-v2 --limit 2 --size 32"),
    ("world seal warehouse-v2", f"world seal tiny.toml --name {SEALED} --size 32 --workers 1"),
    (" > canonical-v1.md", ""),
)
"""What an example is cut down to, and the shell's part of it. Large worlds are left to their own tests."""


def order(lines):
    """Put importing, sealing and revealing before the commands that need what they make."""
    for before, after in SMALLER:
        lines = [line.replace(before, after) for line in lines]
    makes = ("world import", "world seal", "world reveal")
    place = {line: next((i for i, words in enumerate(makes) if words in line), len(makes)) for line in lines}
    return sorted(lines, key=lambda line: (place[line], "predictions.jsonl" in line))


def ended_server(line):
    """Start a server at a free port, end it when it lives, and return its exit code."""
    words = [sys.executable, "-m", "harness", *shlex.split(line)[1:], "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            url = server.stdout.readline().rpartition(" ")[2].strip()
            assert urlopen(f"{url}/livez", timeout=60).status == 200  # it listens already
        finally:
            server.terminate()
        return server.wait(60)


@pytest.mark.parametrize(("line", "code"), examples(), ids=[case[0] for case in examples()])
def test_examples_of_help_work(line, code, run, folder):
    if line.startswith("harness serve"):
        assert ended_server(line) == code
        return
    if "predictions.jsonl" in line:
        world = SEALED if SEALED in line else "openpack-u0209"
        write_baseline("constant", folder / "predictions.jsonl", world=world)
        (folder / "entrants.toml").write_text("[alice]\n")  # beside the secret
    if "trained/" in line:
        (folder / "trained" / "runs").mkdir(parents=True)
        for number in (1, 2):
            write_baseline("constant", folder / "trained" / "runs" / f"{number}.jsonl")
    with served(model="NAME", models=["NAME"]) if ENDPOINT in line else contextlib.nullcontext() as server:
        words = shlex.split(line.replace(ENDPOINT, server.url) if server else line)[1:]
        result = run(*words, *(("--limit", "2", "--option", "size=32") if server else ()))
    assert result.code == code, result.err
    assert result.out or "-o" in line
    if "-o " in line or "--output" in line:
        words = shlex.split(line)
        named = Path(words[words.index("-o") + 1] if "-o" in words else "reports/new/score.json")
        assert named.exists()


def test_version(run):
    from harness import __version__

    assert run("--version").out == f"harness, version {__version__}\n"


# Exit codes

CODES = [
    (["score", "right.jsonl"], 0, "good"),
    (["score", "right.jsonl", "--fail-under", "aa1=1,coverage=1"], 0, "a gate that holds"),
    (["score", "right.jsonl", "--fail-under", "aa1.low=0.99"], 1, "a gate that does not"),
    (["score", "wrong.jsonl", "--fail-under", "aa1_hidden=0"], 1, "a gate on what does not exist"),
    (["compare", "right.jsonl", "wrong.jsonl", "--fail-if-worse"], 0, "better"),
    (["compare", "wrong.jsonl", "right.jsonl", "--fail-if-worse"], 1, "worse"),
    (["compare", "wrong.jsonl", "right.jsonl"], 0, "worse, but nobody asked"),
    (["compare", "right.jsonl", "wrong.jsonl", "right.jsonl", "--fail-if-worse"], 0, "only the first counts"),
    (["validate", "right.jsonl"], 0, "valid"),
    (["validate", "bad.jsonl"], 2, "problems"),
    (["validate", "bad.jsonl", "--lenient"], 0, "problems that were asked for"),
    (["score", "bad.jsonl"], 2, "refused"),
    (["score", "bad.jsonl", "--lenient"], 0, "each bad line is a wrong answer"),
    (["leaderboard", "board"], 0, "good"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "code", "why"), CODES, ids=[" ".join(case[0]) for case in CODES])
def test_exit_codes(words, code, why, run):
    result = run(*words, "--world", WORLD)
    assert result.code == code, why
    assert bool(result.err) is (code != 0)
    if code == 1:
        assert result.err.startswith("gate failed: ") and result.out  # the answer is printed all the same


# Entries


def test_an_entry_in_one_command(run, tmp_path, monkeypatch, folder):
    """What the board does not show it names with the command that makes an entry of it; that command does."""
    (tmp_path / "submissions" / "my-vlm").mkdir(parents=True)
    shutil.copy(folder / "right.jsonl", tmp_path / "mine.v2.jsonl")
    monkeypatch.chdir(tmp_path)
    line = "submissions/my-vlm: no card.toml, not shown (harness submit FILE --name my-vlm)"
    assert line in run("leaderboard", "--world", WORLD).out
    assert f"Not shown: {line}".replace("_", "\\_") in run("leaderboard", "--world", WORLD, "--format", "markdown").out
    skipped = json.loads(run("leaderboard", "--world", WORLD, "--format", "json").out)["skipped"]
    assert skipped == [{"name": "my-vlm", "path": "submissions/my-vlm", "reason": "no card.toml"}]
    result = run("submit", "mine.v2.jsonl", "--name", "my-vlm", "--world", WORLD)
    assert (result.code, result.err) == (0, "")
    assert f"Next: harness leaderboard --world {WORLD}\n" in result.out and "coverage 100.00%" in result.out
    board = run("leaderboard", "--world", WORLD).out
    assert "my-vlm is the only entry." in board and "not shown" not in board
    again = run("submit", "mine.v2.jsonl", "--name", "my-vlm", "--world", WORLD)
    assert again.code == 2 and "--replace" in again.err
    assert run("submit", "mine.v2.jsonl", "--name", "my-vlm", "--world", WORLD, "--replace").code == 0


def test_a_refused_file_makes_no_entry(run, tmp_path, folder):
    words = ("--folder", tmp_path / "entries", "--name", "bad", "--world", WORLD)
    result = run("submit", folder / "bad.jsonl", *words)
    assert result.code == 2 and result.err == run("score", folder / "bad.jsonl", "--world", WORLD).err
    assert not (tmp_path / "entries").exists()


def test_a_part_of_a_split_is_scored_as_that_part(run, tmp_path):
    """`predict --limit 10` answers ten clips, and the other fourteen are no wrong answers of the model."""
    words = ("--world", "tiny.toml", "--split", "test", "--limit", 10, "-o", tmp_path / "some")
    result = run("predict", "--model", "baseline:constant", *words)
    assert result.code == 0, result.err
    assert "Scored on the answered part alone, 10 clips (--rules drop-missing):" in result.out
    assert ": 10 of 24 clips in " in result.out and "no line" not in result.out


RULES = [
    (["--rules", "drop-missing,drop-degenerate"], "drop-missing,drop-degenerate", "with a comma"),
    (["--rules", "drop-degenerate", "--rules", "drop-missing"], "drop-missing,drop-degenerate", "the option twice"),
    (["--rules", "drop-missing", "--rules", "drop-missing"], "drop-missing", "the same one twice"),
    (["--rules", "one-frame-degenerate,inclusive-ends"], "inclusive-ends,one-frame-degenerate", "in another order"),
    (["--rules", "standard"], "standard", "the default one"),
    ([], "standard", "none"),
]


@pytest.mark.parametrize(("options", "rules", "why"), RULES, ids=[case[2] for case in RULES])
def test_rule_sets_add_up_and_none_replaces_another(options, rules, why, run, folder):
    result = run("score", folder / "right.jsonl", "--world", WORLD, "--format", "json", *options)
    record = json.loads(result.out)
    assert record["rules"] == rules and f"|rules:{rules}|" in record["signature"], why


def test_two_rule_sets_without_dropped_clips_are_compared(run, folder):
    rules = ("--rules", "inclusive-ends", "--rules", "one-frame-degenerate")
    words = (folder / "right.jsonl", folder / "wrong.jsonl", "--world", WORLD, "--format", "json")
    assert json.loads(run("compare", *words, *rules).out)["rules"] == "inclusive-ends,one-frame-degenerate"


@pytest.mark.parametrize("name", ["Qwen2.5-VL-3B.jsonl", "gpt-4.1", "gpt-4.5"])
def test_a_page_is_named_as_its_file(name, run, tmp_path, folder):
    """The dot of a version begins no ending: gpt-4.1 and gpt-4.5 have a page each, with their names on it."""
    shutil.copy(folder / "right.jsonl", tmp_path / name)
    assert run("report", tmp_path / name, "--world", WORLD).code == 0
    stem = name.removesuffix(".jsonl")
    assert f"<title>{stem}" in (tmp_path / f"{stem}.html").read_text()


def fifo(folder):
    path = folder / "pipe"
    if not path.exists():
        os.mkfifo(path)


REFUSED = [
    (["score", "nowhere.jsonl"], "nowhere.jsonl: No such file", "a missing file"),
    (["score", "board"], "board: is a directory", "a directory"),
    (["score", "pipe"], "pipe: not a regular file", "a FIFO"),
    (["score", "/dev/null"], "/dev/null: not a regular file", "a device"),
    (["score", "x" * 300], "File name too long", "a name of 300 bytes"),
    (["score", ""], "directory", "an empty name is the folder"),
    (["validate", "nowhere.jsonl"], "nowhere.jsonl: No such file", "a missing file"),
    (["validate", "pipe"], "pipe: not a regular file", "a FIFO"),
    (["compare", "right.jsonl", "nowhere"], "nowhere: No such file", "a missing file"),
    (["compare", "right.jsonl"], "at least two", "one file"),
    (["compare", "right.jsonl", "wrong.jsonl", "--margin", "2"], "--margin 2", "a margin of 2"),
    (["compare", "right.jsonl", "wrong.jsonl", "--rules", "drop-missing"], "drops some", "rules that drop clips"),
    (["compare", "right.jsonl", "oracle"], "no process", "a baseline that needs a process"),
    (["leaderboard", "nowhere"], "nowhere: no such folder", "a missing folder"),
    (["leaderboard", "right.jsonl"], "no such folder", "a file"),
    (["leaderboard", "board", "--baseline", "nobody"], "--baseline 'nobody'", "an unknown baseline"),
    (["leaderboard", "board", "-o", "page.pdf"], "ends in .html", "a page that is none"),
    (["leaderboard", "board", "-o", "page.html", "--frames"], "was imported", "pictures of an imported world"),
    (["leaderboard", "board", "--budget", "much"], "'much'", "a budget that is no size"),
    (["leaderboard", "board", "--diff", "nowhere.json"], "nowhere.json: No such file", "a missing base"),
    (["leaderboard", "board", "--diff", "right.jsonl"], "right.jsonl: not JSON", "a base that is no board"),
    (["report", "nowhere.jsonl"], "nowhere.jsonl: No such file", "a missing file"),
    (["report", "board"], "board: is a directory", "a directory"),
    (["report", "right.jsonl", "--rules", "drop-missing"], "drops some", "rules that drop clips"),
    (["score", "right.jsonl", "--split", "train"], "train", "an unknown split"),
    (["score", "right.jsonl", "--rules", "strict"], "unknown rule set 'strict'", "unknown rules"),
    (["score", "right.jsonl", "--rules", ""], "unknown rule set ''", "rules of an unset variable"),
    (["score", "right.jsonl", "--rules", "standard", "--rules", "drop-missing"], "standard changes nothing",
     "standard rules and others"),
    (["compare", "right.jsonl", "wrong.jsonl", "--rules", "inclusive-ends,drop-missing"],
     "rule set inclusive-ends,drop-missing drops some", "two rule sets of which one drops clips"),
    (["leaderboard", "board", "--rules", "inclusive-ends", "--rules", "drop-degenerate"],
     "rule set inclusive-ends,drop-degenerate drops some", "a board of rules that drop clips"),
    (["score", "right.jsonl", "--weights", "oca=1"], "--weights 'oca=1'", "weights"),
    (["score", "right.jsonl", "--adapter", "excel"], "excel", "an unknown adapter"),
    (["score", "right.jsonl", "--fail-under", "aa1"], "--fail-under 'aa1'", "a gate without a number"),
    (["score", "right.jsonl", "--fail-under", "f1=0.5"], "--fail-under 'f1=0.5'", "an unknown gate"),
    (["score", "right.jsonl", "--fail-under", "score>=0.9"], "did you mean score=0.9?", "a gate as a comparison"),
    (["score", "right.jsonl", "--fps", "0"], "fps", "a frame rate of 0"),
    (["score", "right.jsonl", "--fps", "nan"], "fps", "no frame rate"),
    (["score", "right.jsonl", "--clip-frames", "-1"], "clip", "negative frames"),
    (["score", "right.jsonl", "--training", "nowhere.json"], "nowhere.json", "a missing training record"),
    (["score", "right.jsonl", "--output", "right.jsonl"], "right.jsonl", "a file as output folder"),
    (["score", "right.jsonl", "--name", "a\x1b[31m"], "--name", "a name that would colour the terminal"),
    (["score", "right.jsonl", "--truth", "right.jsonl"], "right.jsonl", "a truth that is none"),
    (["score", "right.jsonl", "--format", "xml"], "'xml' is not one of", "an unknown format"),
    (["score"], "Missing argument", "nothing"),
    (["score", "right.jsonl", "wrong.jsonl"], "unexpected extra argument", "too much"),
    (["baseline", "best", "-o", "x.jsonl"], "'best' is not one of", "an unknown baseline"),
    (["baseline", "oracle", "-o", "x.jsonl"], "no process", "a baseline that needs a process"),
]  # fmt: skip
WORLDS = [
    (["world", "info", "atlantis"], "atlantis", "an unknown world"),
    (["world", "info", "../../etc/passwd"], "passwd", "a path"),
    (["world", "info", "warehouse-v2", "--split", "exam"], "exam", "an unknown split"),
    (["world", "build", "atlantis"], "atlantis", "an unknown world"),
    (["world", "build", "warehouse-v2", "--scale", "0"], "--scale", "no sessions"),
    (["world", "import", "nowhere.csv"], "nowhere.csv", "a missing file"),
    (["world", "import", "bad.jsonl"], "bad.jsonl:1", "no truth"),
    (["world", "import", OPENPACK, "--name", "../../x"], "../../x", "a name that leads out"),
    (["world", "import", OPENPACK, "--name", "y", "--map", "klingon"], "klingon", "an unknown map"),
    (
        ["world", "export", "warehouse-v2", "--split", "test", "-o", "t.jsonl"],
        "--include-test",
        "truth of a test split",
    ),
    (["world", "export", "warehouse-v2", "--split", "validation", "-o", "t.xlsx"], ".jsonl", "an unknown extension"),
    (["world", "export", "--as", "inspect", "--organiser", "-o", "task"], "leave --ids", "a task with a truth"),
    (["world", "export", "--workers", "2", "-o", "t.jsonl"], "--as says of which tool", "rows that draw nothing"),
    (["world", "lists"], "No such command 'lists'", "a misspelt command"),
    (["schema", "everything"], "'everything' is not one of", "an unknown schema"),
    (["words", "roof"], "'roof' is no word of the glossary", "an unknown word"),
    (["verify", "nowhere.html"], "nowhere.html: No such file", "a missing page"),
    (["verify", "right.jsonl"], "no page of this project", "a file that is no page"),
    (["scores"], "No such command 'scores'", "a misspelt command"),
    (["--verbose"], "No such option", "an unknown option"),
]


@pytest.mark.parametrize(
    ("words", "message", "why"), REFUSED + WORLDS, ids=[f"{case[0][0]}: {case[2]}" for case in REFUSED + WORLDS]
)
def test_refused_with_one_clear_message(words, message, why, run, folder):
    """Exit code 2, nothing on standard output, a message that names what is wrong; an exception would fail the test."""
    fifo(folder)
    world = [] if words[0] in ("world", "schema", "words", "verify", "scores", "--verbose") else ["--world", WORLD]
    result = run(*words, *world)
    assert (result.code, result.out) == (2, ""), why
    assert message in result.err and "Traceback" not in result.err
    assert result.err.startswith(("harness: ", "Usage: ", "Error: ")) and len(result.err.splitlines()) <= 6


def test_validate_prints_one_entry_a_kind(run, folder):
    """One error on every line is one entry within 80 columns; as JSON the kinds stand beside the problems."""
    rows = [{"clip_id": f"nowhere {number}", "raw_output": "?"} for number in range(300)]
    hand.write(folder / "equal.jsonl", rows)
    result = run("validate", "equal.jsonl", "--world", WORLD)
    assert result.code == 2 and "\n300 lines: CLIP_UNKNOWN clip_id: ... is not of the split\n" in result.out
    assert result.out.count("equal.jsonl:") == 3 and max(map(len, result.out.splitlines())) <= 80
    report = json.loads(run("validate", "equal.jsonl", "--world", WORLD, "--format", "json").out)
    (kind,) = report["problem_kinds"]
    assert (kind["code"], kind["fields"], kind["count"], kind["lines"]) == ("CLIP_UNKNOWN", ["clip_id"], 300, 300)
    assert [example["line"] for example in kind["examples"]] == [1, 2, 3] and len(report["problems"]) == 300
    assert run("score", "equal.jsonl", "--world", WORLD).err.count("equal.jsonl:") == 3


def test_lenient_scores_list_the_bad_lines(run, folder):
    """The first ten problems are shown, and how many there are; a file without one has no such list."""
    result = run("score", "bad.jsonl", "--lenient", "--world", WORLD)
    assert "2 lines rejected, with 5 problems; --lenient counts them as wrong" in result.out
    assert "\n  line 1: TYPE temporal_segment: 7 is a number" in result.out
    assert '\n  line 2: CLIP_UNKNOWN clip_id: "no such clip" is not of the split' in result.out
    assert "rejected" not in run("score", "right.jsonl", "--lenient", "--world", WORLD).out
    hand.write(folder / "many.jsonl", [{"clip_id": f"no such clip {number}"} for number in range(8)])
    result = run("score", "many.jsonl", "--lenient", "--world", WORLD)
    assert result.out.count("\n  line ") == 10 and "and 22 more" in result.out


def test_unknown_world(run):
    result = run("score", "right.jsonl", "--world", "atlantis")
    assert result.code == 2 and "atlantis" in result.err and "warehouse-v2" in result.err


# What is printed first


def test_the_answer_comes_first(run):
    """Verdict, table and its legend, what was counted, signature: a screen; --full prints the rest as well."""
    words = ["score", "submissions/qwen-tiny/predictions.jsonl"]
    short, full = (run(*words, *more).out for more in ([], ["--full"]))
    assert short.startswith("qwen-tiny scores 0.4") and len(short.splitlines()) <= 32
    parts = [
        " scores ",
        "Mend first: ",
        "\nmetric ",
        "\nfloor: ",
        "\ncoverage 100.00%, 2,880 of 2,880 clips: 0 missing",
    ]
    parts += ["\nWhat to mend", " modes more with ", "\naudit: 9 checks, nothing flagged\n", "\n--full: ", "\nworld:"]
    assert [short.index(part) for part in parts] == sorted(short.index(part) for part in parts)
    rest = ["Where clips are lost", "Worst slices", "ECE, operation", "Known failure modes", "knows more: "]
    assert [part for part in rest if part in short or part not in full] == []


@pytest.mark.parametrize("columns", [30, 80])
def test_a_signature_is_one_line_to_copy(columns, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    out = run("score", "right.jsonl", "--world", WORLD).out
    signature = json.loads(run("score", "right.jsonl", "--world", WORLD, "--format", "json").out)["signature"]
    assert out.splitlines()[-1] == signature


def test_groups_show_whole_summaries(run):
    """No summary of `world --help` is cut, and commands that take a split take the same one by default."""
    out = run("world", "--help").out
    assert "..." not in out.partition("Commands:")[2] and "Build the truth of a world's splits." in out
    for command in ("preview", "render"):
        assert "[default: test]" in " ".join(run("world", command, "--help").out.split())


def test_where_models_come_from(run):
    result = run("predict", "--model", "openai:http://localhost/v1", "-o", "entry")
    assert result.code == 2 and "--url says where that is" in result.err
    result = run("predict", "--model", "gemini:http://localhost/v1", "-o", "entry")
    assert result.code == 2 and "no model 'gemini' is installed" in result.err
    assert "harness.predictors" in result.err and "docs/predict.md" in result.err


def test_a_preview_of_an_imported_world(run):
    result = run("world", "preview", WORLD)
    assert result.code == 2 and f"harness world render {WORLD} -o DIR --video FILE" in result.err


def test_a_page_of_before_names_the_new_entry(run, folder, tmp_path):
    shutil.copytree(folder / "board", tmp_path / "board")
    run("leaderboard", tmp_path / "board", "--world", WORLD, "-o", tmp_path / "page.html")
    shutil.copytree(tmp_path / "board" / "right", tmp_path / "board" / "new")
    card = tmp_path / "board" / "new" / "card.toml"
    card.write_text(card.read_text().replace('name = "right"', 'name = "new"'))
    result = run("verify", tmp_path / "page.html", "--submissions", tmp_path / "board")
    assert result.code == 1 and result.err.endswith("/board/ now also holds new; the page is of before\n")
    shutil.rmtree(tmp_path / "board" / "new")
    shutil.rmtree(tmp_path / "board" / "wrong")
    result = run("verify", tmp_path / "page.html", "--submissions", tmp_path / "board")
    assert "/board/ no longer holds wrong; the page is of before" in result.err


# Formats

FORMATS = [
    ["score", "right.jsonl"], ["score", "wrong.jsonl"],
    ["validate", "right.jsonl"], ["validate", "bad.jsonl", "--lenient"],
    ["compare", "right.jsonl", "wrong.jsonl", "constant"], ["leaderboard", "board"],
]  # fmt: skip
WORLD_FORMATS = [
    ["world", "list"],
    ["world", "info", WORLD],
    ["world", "info", "canonical-v1"],
    ["world", "build", WORLD],
]


@pytest.mark.parametrize("words", FORMATS + WORLD_FORMATS, ids=" ".join)
def test_json_is_one_value_csv_a_table_and_text_fits(words, run):
    words = [*words, *([] if words[0] == "world" else ["--world", WORLD])]

    def no_constant(name):
        raise AssertionError(f"{name} is no JSON")

    assert json.loads(run(*words, "--format", "json").out, parse_constant=no_constant)
    rows = list(csv.reader(io.StringIO(run(*words, "--format", "csv").out)))
    assert len({len(row) for row in rows}) <= 1, "all rows have as many cells as the header"
    assert rows or words[:2] == ["validate", "right.jsonl"], "no problems, no rows"
    fits(run(*words, "--format", "text").out if words[:2] != ["world", "build"] else "a path is as long as it is")


def test_schemas_are_json(run):
    for name in ("prediction", "score", "card", "training"):
        assert json.loads(run("schema", name).out)["$schema"].startswith("https://json-schema.org/")


TABLES = [
    ["score", "submission.jsonl"], ["score", "new.jsonl"], ["leaderboard"],
    ["compare", "new.jsonl", "old.jsonl"],
    ["world", "info"], ["world", "list"], ["world", "info", "canonical-v1"],
]  # fmt: skip


@pytest.mark.parametrize("words", TABLES, ids=" ".join)
def test_text_fits_80_columns_and_is_plain(words, run):
    fits(run(*words).out)


def fits(out):
    """Check that lines fit and end in no space; signatures and lines of problems, which name files, may be longer."""
    long = [line for line in out.splitlines() if len(line) > 80 and not line.startswith(("world:", "bad.jsonl:"))]
    assert out and long == [] and "\x1b" not in out
    assert [line for line in out.splitlines() if line != line.rstrip()] == []


def test_standard_input_and_output(home):
    done = hand.harness_command("baseline", "constant", "-o", "-", "--world", WORLD, home=home)
    assert len(done.stdout.splitlines()) == 24 and done.stderr == ""
    again = hand.harness_command("score", "-", "--world", WORLD, "--format", "json", input=done.stdout, home=home)
    assert json.loads(again.stdout)["coverage"] == 1


# Names

NAMES = [
    "<script>alert(1)</script>",
    "{{7*7}}",
    "../../x",
    "CON",
    "n" * 300,
    "=1+1",
    "+1",
    "-1",
    "@x",
    "模型 é",
    "[red]x[/red]",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_name_is_text(name, run, tmp_path):
    """It is shown as it is, and names no file: all that is written lies in the output folder."""
    before = set(tmp_path.rglob("*")) | set(Path.cwd().iterdir())
    out = tmp_path / "out"
    result = run("score", "right.jsonl", "--world", WORLD, f"--name={name}", "--output", out, "--format", "json")
    assert json.loads(result.out)["name"] == name and json.loads(result.out)["signature"].endswith(f"|name:{name}")
    assert (set(tmp_path.rglob("*")) | set(Path.cwd().iterdir())) - before == {
        out,
        out / "score.json",
        out / "clips.parquet",
    }
    assert "".join(run("score", "right.jsonl", "--world", WORLD, f"--name={name}").out.split()).startswith(
        "".join(name.split())
    )


def test_without_a_name_the_file_is_shown(run):
    assert run("score", "right.jsonl", "--world", WORLD, "--name", "").out.startswith("right scores ")


def test_a_name_cannot_forge_the_signature(run):
    result = run("score", "right.jsonl", "--world", WORLD, "--name", "a|truth is sealed")
    assert result.code == 2 and "without |" in result.err


def test_card_names_are_text_everywhere(run, folder, tmp_path):
    """Eleven entries of one board, in every format; Markdown holds no character that could start markup."""
    names = [name for name in NAMES if len(name) < 100]
    lines = [json.loads(line) for line in (folder / "wrong.jsonl").read_text().splitlines()]
    digest = json.loads(run("world", "info", WORLD, "--format", "json").out)["truth_digest"]
    for place, name in enumerate(names):
        hand.entry(tmp_path / "board" / f"entry-{place}", name, lines, WORLD, digest)
    board = ["leaderboard", tmp_path / "board", "--world", WORLD]
    shown = json.loads(run(*board, "--format", "json").out)
    assert {row["name"] for row in shown["entries"]} == set(names) and len(shown["entries"]) == len(names)
    cells = {row["name"] for row in csv.DictReader(io.StringIO(run(*board, "--format", "csv").out))}
    assert cells == {f"'{name}" if name[0] in "=+-@" else name for name in names}
    text = "".join(run(*board).out.split())
    assert [name for name in names if "".join(name.split()) not in text] == []
    marked = re.findall(r"^\| \S+ \| 1 \| (.*?) \| 0\.", run(*board, "--format", "markdown").out, re.MULTILINE)
    assert len(marked) == len(names)
    assert [name for name in marked if re.search(r"(?<!\\)[<>|\[\]`*_#]", name)] == []


FILES = [
    "*.jsonl",
    "?.jsonl",
    "[ab].jsonl",
    "o'brien.jsonl",
    'say "x".jsonl',
    "a; DROP TABLE facts.jsonl",
    "a b.jsonl",
    "-.jsonl",
    "$(touch x).jsonl",
    "模型.jsonl",
    "a\nb.jsonl",
    "\x1b[31mred.jsonl",
    "[red].jsonl",
]


@pytest.mark.parametrize("name", FILES, ids=ascii)
def test_file_names_are_literal(name, run, folder, tmp_path):
    """A file of that very name is read; where only others would match, there is none."""
    shutil.copy(folder / "right.jsonl", tmp_path / "a.jsonl")
    path, out = tmp_path / name, tmp_path / f"{name}.out"
    missing = run("score", path, "--world", WORLD)
    assert missing.code == 2 and "No such file" in missing.err and "\x1b" not in missing.err
    shutil.copy(folder / "wrong.jsonl", path)
    scored = run("score", path, "--world", WORLD, "--format", "json", "--output", out)
    assert json.loads(scored.out)["metrics"]["aa1"]["value"] == 0
    assert {file.name for file in out.iterdir()} == {"score.json", "clips.parquet"}
    compared = run("compare", path, tmp_path / "a.jsonl", "--world", WORLD)
    assert compared.code == 0 and "\x1b" not in compared.out


def test_a_name_that_is_no_text(run, folder, tmp_path):
    """Bytes that are not UTF-8 in a file's name."""
    name = os.fsencode(tmp_path) + b"/\xff.jsonl"
    Path(os.fsdecode(name)).write_bytes((folder / "right.jsonl").read_bytes())
    result = run("compare", os.fsdecode(name), "right.jsonl", "--world", WORLD, "--format", "json")
    assert result.code == 0 and json.loads(result.out)["pairs"][0]["verdict"]["kind"] == "identical"


# Pages


def test_a_page_and_exports_from_one_command(run, tmp_path):
    result = run("leaderboard", "board", "--world", WORLD, "-o", tmp_path / "page.html", "--export", tmp_path / "out")
    assert result.out.startswith("right leads; ") and str(tmp_path / "page.html") in result.out
    assert (tmp_path / "out" / "leaderboard.tex").exists()
    assert "all " in run("verify", tmp_path / "page.html", "--submissions", "board").out
    page = (tmp_path / "page.html").read_text()
    (tmp_path / "page.html").write_text(page.replace(">1.000<", ">0.999<", 1))
    changed = run("verify", tmp_path / "page.html", "--submissions", "board")
    assert changed.code == 1 and changed.err.startswith("not what the submissions give: ") and "0.999" in changed.err


def test_other_forms_of_the_board(run, tmp_path, monkeypatch):
    board = ["leaderboard", "board", "--world", WORLD]
    assert run(*board, "--format", "latex").out.count(r"\midrule") == 1
    assert run(*board, "--format", "junit").out.startswith("<?xml")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert "No entry changed." in run(*board, "--diff", "board", "--github").out
    assert "No entry changed." in (tmp_path / "summary.md").read_text()


def test_gates_as_a_test_report(run, tmp_path):
    words = ["score", "wrong.jsonl", "--world", WORLD, "--fail-under", "oca=0.9,aa1=0.9", "--junit", tmp_path / "g.xml"]
    assert run(*words).code == 1
    text = (tmp_path / "g.xml").read_text()
    assert 'tests="2"' in text and 'failures="1"' in text and "aa1 is 0.0000, at least 0.9 is required" in text


# The process


def process(home, *words, **options):
    return hand.harness_command(*words, home=home, **options)


def test_help_loads_nothing_heavy():
    code = """
import sys
sys.argv = ["harness", "--help"]
from harness.cli import main
try:
    main()
finally:
    print(sorted({"duckdb", "numpy", "pandas", "scipy", "rich", "json"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n" and done.stdout.startswith("Usage: harness")


def test_module_and_script_are_one_command(tmp_path):
    script = Path(sys.executable).parent / "harness"
    module = process(tmp_path, "world", "list")
    assert module.returncode == 0 and "warehouse-v2" in module.stdout
    if script.exists():
        env = os.environ | {"COLUMNS": "80", "HARNESS_HOME": str(tmp_path)}
        done = subprocess.run([script, "world", "list"], capture_output=True, text=True, check=True, env=env)
        assert done.stdout == module.stdout


PIPES = [
    "world info canonical-v1 | head -1",
    "schema score | head -c 10",
    f"baseline constant -o - --world {WORLD} | true",
    f"score right.jsonl --world {WORLD} --format csv | true",
]


@pytest.mark.parametrize("line", PIPES)
def test_a_broken_pipe_is_quiet(line):
    command = f"set -o pipefail; {shlex.quote(sys.executable)} -m harness {line}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


JUDGED = [
    (f"score wrong.jsonl --world {WORLD} --fail-under aa1=0.99", 1, "a gate on a score"),
    (f"score wrong.jsonl --world {WORLD} --fail-under aa1=0.99 --format json", 1, "the same as JSON"),
    (f"score right.jsonl --world {WORLD} --fail-under aa1=0.99", 0, "a gate that holds"),
    (f"compare wrong.jsonl right.jsonl --world {WORLD} --fail-if-worse", 1, "a gate on a comparison"),
    (f"validate bad.jsonl --world {WORLD}", 2, "a file that would be refused"),
    (f"validate right.jsonl --world {WORLD}", 0, "a file that would not"),
]


@pytest.mark.parametrize(("line", "code", "why"), JUDGED, ids=[case[2] for case in JUDGED])
def test_a_verdict_does_not_depend_on_who_reads_the_output(line, code, why, tmp_path):
    """The reader of the pipe has gone before the first byte; under pipefail a build sees this exit code."""
    Path("bad.jsonl").write_text('{"clip_id": 1}\n')
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run([sys.executable, "-m", "harness", *line.split()], stdout=pipe, stderr=subprocess.PIPE)
    assert done.returncode == code, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_output_is_said():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "harness", "schema"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (2, "harness: No space left on device\n")


ENVIRONMENTS = [
    {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "1"},
    {"TZ": "America/St_Johns", "LC_ALL": "C", "PYTHONHASHSEED": "7"},
    {"TZ": "nonsense", "LC_ALL": "tr_TR.UTF-8", "LANG": "ar_EG"},
]


@pytest.mark.parametrize("value", ["", " ", "0", "abc", "-5", "8e1", "9" * 30])
def test_columns_that_say_nothing_are_80(value, run, monkeypatch):
    expected = run("leaderboard", "board", "--world", WORLD).out
    monkeypatch.setenv("COLUMNS", value)
    assert run("leaderboard", "board", "--world", WORLD).out == expected


@pytest.mark.parametrize(
    "words",
    [
        ["leaderboard", "board", "--world", WORLD],
        ["score", "right.jsonl", "--full", "--world", WORLD],
        ["compare", "right.jsonl", "wrong.jsonl", "--world", WORLD],
        ["world", "info", WORLD],
    ],
    ids=lambda words: words[0],
)
def test_narrow_tables_cut_no_number(words, run, monkeypatch):
    """Columns are left out from the right and named; the names of the entries stay, and no number is cut."""
    monkeypatch.setenv("COLUMNS", "200")
    whole = set(re.findall(r"[\d.,+-]*\d[\d.,+-]*", run(*words).out))
    for columns in (1, 20, 33, 40, 50, 64):
        monkeypatch.setenv("COLUMNS", str(columns))
        narrow = run(*words).out
        rows = [line for line in narrow.splitlines() if re.search(r"  +[\[\d+-]", line)]
        numbers = {number for line in rows for number in re.findall(r"[\d.,+-]*\d[\d.,+-]*", line)}
        assert numbers <= whole, (words, numbers - whole)
        assert "left out at " in narrow or columns >= 50
        assert words[0] != "leaderboard" or "right" in narrow


def closed(streams, line, folder):
    """Run a command with standard streams closed; returns its exit code and what it says on the others."""
    command = f"{shlex.quote(sys.executable)} -m harness {line} {streams}"
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, cwd=folder)


CLOSED = [
    (">&-", "score right.jsonl", 0, "", "nobody reads"),
    (">&-", "score right.jsonl --fail-under aa1.low=0.99", 1, "gate failed: ", "a gate is judged all the same"),
    (">&- 2>&- <&-", "score right.jsonl --fail-under aa1.low=0.99", 1, "", "all are closed"),
    ("<&-", "score -", 2, "harness: standard input: holds no prediction", "nothing to read"),
]


@pytest.mark.parametrize(("streams", "line", "code", "message", "why"), CLOSED, ids=[case[4] for case in CLOSED])
def test_closed_streams(streams, line, code, message, why, folder):
    done = closed(streams, f"{line} --world {WORLD}", folder)
    assert (done.returncode, done.stdout) == (code, ""), why
    assert done.stderr.startswith(message) and len(done.stderr.splitlines()) == bool(message)


def test_odd_time_zones_and_locales_change_no_byte(home):
    words = ["compare", "right.jsonl", "wrong.jsonl", "--world", WORLD, "--format", "json"]
    outputs = {process(home, *words, env=env).stdout for env in ENVIRONMENTS}
    assert len(outputs) == 1 and json.loads(outputs.pop())["sessions"] == 8


def test_a_terminal_that_knows_ascii_only(home):
    """Names come out escaped, and JSON stays JSON."""
    ascii_only = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    words = ["score", "right.jsonl", "--world", WORLD, "--name", "é模"]
    done = process(home, *words, env=ascii_only)
    assert done.returncode == 0 and "Traceback" not in done.stderr and r"\xe9\u6a21" in done.stdout
    assert json.loads(process(home, *words, "--format", "json", env=ascii_only).stdout)["name"] == "é模"


@pytest.mark.parametrize(("code", "expected"), [(3, 3), (0, 1), (None, 1), ("bye", 1), (256, 1), (True, 1)])
def test_a_library_that_leaves_is_no_success(code, expected, monkeypatch):
    """sys.exit ends a command with 0 only where click or rich says so, as behind a pipe whose reader has gone."""
    from harness import cli

    def leave(**_):
        sys.exit(code)

    monkeypatch.setattr(cli.cli, "main", leave)
    monkeypatch.setattr(cli.atexit, "register", lambda *_: None)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == expected


@pytest.mark.parametrize(("last", "expected"), [("3", 3), ("0", 0)])
def test_many_failing_commands_in_one_process_register_one_handler(last, expected):
    """What leaves by os._exit(0) at the end leaves with the code of the last command."""
    code = f"""
import atexit, os, sys
from harness import cli
atexit.register(lambda: os._exit(0))
codes = iter([2] * 20 + [{last}])
cli.cli.main = lambda **_: next(codes)
before = atexit._ncallbacks()
for _ in range(20):
    try:
        cli.main()
    except SystemExit:
        pass
print(atexit._ncallbacks() - before, flush=True)
cli.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (expected, "1\n", "")
