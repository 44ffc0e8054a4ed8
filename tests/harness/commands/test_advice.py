"""What commands say to someone who is new: what was answered, what was meant by a name, and what to do next."""

from __future__ import annotations

import json
import re
import sys

import pytest

import harness
from harness.cli import main
from harness.commands.printing import wrapped
from harness.errors import SubmissionError
from harness.scoring.request import Request
from tests.support import ROOT, hand

WORLD = "advice"


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command line in this process; returns exit code, standard output and standard error."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def rows():
    return hand.grid(8, 3)


@pytest.fixture(scope="module")
def digest(rows, tmp_path_factory, home):
    """Import the small world of this file, and return the digest of its truth."""
    return hand.world(WORLD, rows, tmp_path_factory.mktemp("world"), home)


@pytest.fixture(autouse=True)
def place(digest, tmp_path, monkeypatch):
    """Make the working folder of a test, and return it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", [("score", "a"), ("compare", "a", "b"), ("report", "a")], ids=" ".join)
def test_an_answered_part_is_said_by_every_command_that_judges_it(words, run, place, rows):
    for name, n in (("a", 6), ("b", 9)):
        hand.write(place / f"{name}.jsonl", map(hand.right, rows[:n]))
    code, out, _ = run(words[0], *(f"{name}.jsonl" for name in words[1:]), "--world", WORLD)
    out = " ".join(out.split())
    assert code == 0
    assert "coverage 25.00%, 6 of 24 clips" in out and "what is missing counts as wrong" in out
    assert "b" not in words or "b: coverage 37.50%, 9 of 24 clips" in out
    if words[0] == "report":
        assert "coverage 25.00%, 6 of 24 clips" in (place / "a.html").read_text()


@pytest.fixture
def entry(place, rows, digest):
    return hand.entry(place / "submissions" / "my-vlm", "my-vlm", map(hand.right, rows), WORLD, digest)


@pytest.mark.parametrize("command", ["score", "validate", "report", "submit"])
def test_an_entry_is_known_by_its_name_and_by_its_folder(command, run, entry):
    own = {"report": ["-o", "page.html"], "submit": ["--name", "again", "--replace"]}
    words = [*own.get(command, []), "--world", WORLD]
    by_file = run(command, "submissions/my-vlm/predictions.jsonl", *words)
    assert by_file[0] == 0
    for named in ("my-vlm", "submissions/my-vlm", "submissions/my-vlm/", entry):
        code, out, err = run(command, named, *words)
        assert (code, out.replace(f"{entry.parent.parent}/", "")) == by_file[:2], err


def test_a_file_comes_before_an_entry_of_its_name(run, entry, place, rows):
    hand.write(place / "my-vlm", [hand.right(row, next_operation="Wrap") for row in rows])
    assert "my-vlm scores 0.600" in run("score", "my-vlm", "--world", WORLD)[1]


def test_a_named_entry_is_the_one_that_its_card_is_of(run, entry):
    (entry / "predictions.jsonl").write_text("{}")
    code, _, err = run("score", "my-vlm", "--world", WORLD)
    assert code == 2 and "sha256 is" in err


MISTYPED = [
    (("scroe", "x.jsonl"), "No such command 'scroe'. Did you mean 'score'?"),
    (("SCORE", "x.jsonl"), "Did you mean 'score'?"),
    (("world", "infoo"), "Did you mean 'info'?"),
    (("score", "x.jsonl", "--wrold", WORLD), "Did you mean '--world'?"),
    (("world", "info", "warehouse-1"), "did you mean warehouse-v2?"),
    (("world", "info", WORLD.upper()), f"did you mean {WORLD}?"),
    (("score", "my-vml"), "my-vml: No such file or directory; did you mean submissions/my-vlm/?"),
    (("compare", "my_vlm", "constant"), "did you mean submissions/my-vlm/?"),
    (("validate", "submissions/my-vllm"), "did you mean submissions/my-vlm/?"),
]


@pytest.mark.parametrize(("words", "question"), MISTYPED, ids=[" ".join(case[0]) for case in MISTYPED])
def test_a_mistyped_name_is_met_with_the_one_that_is_near(words, question, run, entry):
    code, out, err = run(*words)
    assert (code, out) == (2, "") and question in " ".join(err.split())


@pytest.mark.parametrize(
    "words", [("xyzzy",), ("world", "info", "elsewhere"), ("score", "nowhere.jsonl")], ids=" ".join
)
def test_a_name_that_is_near_to_none_is_met_with_no_guess(words, run, entry):
    code, _, err = run(*words)
    assert code == 2 and "did you mean" not in err.casefold()


@pytest.mark.parametrize("command", ["score", "validate", "report", "submit"])
def test_an_entry_is_judged_on_the_world_of_its_card(command, run, entry):
    file = "submissions/my-vlm/predictions.jsonl"
    words = {"report": ["-o", "page.html"], "submit": ["--name", "again"]}.get(command, [])
    code, out, err = run(command, file, *words)
    assert code == 0, err
    if command == "submit":
        assert f"Next: harness leaderboard --world {WORLD}\n" in out
    else:
        note = f"read as the card.toml beside it says: world {WORLD}"
        assert note in out
        assert note not in run(command, file, *words, "--world", WORLD)[1]


def test_a_page_of_an_entry_is_verified(run, entry):
    assert run("report", "my-vlm")[0] == 0
    code, out, err = run("verify", "submissions/my-vlm/predictions.html")
    assert code == 0 and "are what the submissions give" in out, err


@pytest.mark.parametrize("command", ["score", "validate", "compare"])
def test_a_world_that_is_typed_counts_more_than_the_card_and_the_difference_is_said(command, run, entry):
    """Also where it is the default one, which would be taken without a card."""
    others = ["constant"] if command == "compare" else []
    code, out, err = run(command, "my-vlm", *others, "--world", "warehouse-v2")
    note = f"the card.toml beside it is for {WORLD} / test; it is read for warehouse-v2 / test, as was chosen"
    assert code == 2 and note in " ".join((out + err).split())


def test_a_world_that_python_chooses_counts_more_than_the_card(entry):
    assert harness.score("my-vlm").record["world"] == WORLD
    assert harness.score(str(entry), request=Request()).record["world"] == WORLD
    with pytest.raises(SubmissionError, match=f"is for {WORLD} / test"):
        harness.score("my-vlm", world="warehouse-v2")
    with pytest.raises(SubmissionError, match=f"is for {WORLD} / test"):
        harness.score("my-vlm", request=Request(split="validation"), world="warehouse-v2")


@pytest.mark.parametrize("world", ["elsewhere", "../../etc/world.toml", "warehouse-v2-x99999"])
def test_a_card_chooses_no_world_but_one_that_is_listed(world, run, place, rows, digest):
    """A stranger's card leads to no file, and to no truth that fills the disk."""
    hand.entry(place / "theirs", "theirs", map(hand.right, rows), world, digest)
    code, _, err = run("score", "theirs")
    assert code == 2 and "--world says which one to take" in " ".join(err.split())
    assert run("score", "theirs", "--world", WORLD)[0] == 0


def test_the_ids_that_are_listed_by_default_are_those_that_a_score_expects(run, place):
    assert "2,880 clips of warehouse-v2 / test" in run("world", "export", "--ids", "-o", "clips.jsonl")[1]
    abstain = dict.fromkeys(("dominant_operation", "temporal_segment", "next_operation"))
    clips = [json.loads(line) | abstain for line in (place / "clips.jsonl").read_text().splitlines()]
    assert (found := harness.validate(clips)).total == 0 and found.rows == found.clips == 2880
    assert "/ train in" in run("world", "export", "-o", "truth.jsonl")[1]
    assert (
        "480 clips of warehouse-v2 / validation"
        in run("world", "export", "--ids", "--split", "validation", "-o", "clips.jsonl")[1]
    )


def test_an_error_is_wrapped_where_a_terminal_shows_it_and_nowhere_else(run, monkeypatch):
    plain = run("world", "info", "elsewhere")[2]
    assert plain.count("\n") == 1 and len(plain) > 100
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    lines = run("world", "info", "elsewhere")[2].splitlines()
    assert max(map(len, lines)) <= 80 and all(line.startswith("  ") for line in lines[1:])
    assert " ".join(line.strip() for line in lines) == plain.strip()


def test_no_line_is_broken_inside_what_people_copy(place):
    file = place / "a folder with a name of many words that is longer than any line of a terminal is" / "and a file"
    file.parent.mkdir()
    file.touch()
    command = "`harness submit FILE --name my-vlm --world WORLD --split validation --fps 15 --lenient`"
    quotation = "'a label of many words, which is longer than a line of a terminal is, and goes on'"
    for piece in (str(file), command, quotation, f"http://a.b/{'c' * 100}"):
        for text in (
            f"harness: {piece}: no such thing",
            f"    {piece}: so",
            f"harness: {'so ' * 30}",
            f"say {piece}, so",
        ):
            if piece != str(file) or not text.startswith("say"):
                assert (piece in text) == (piece in wrapped(text, 40)), text
            assert " ".join(wrapped(text, 40).split()) == " ".join(text.split())
    assert wrapped("    one line\n  two", 40) == "    one line\n  two"


def test_a_part_merged_of_shards_is_scored_as_the_part_that_it_is(run, place):
    asked = ["predict", "--model", "baseline:constant", "--world", WORLD, "--limit", "10", "--batch-size", "5"]
    for number in (1, 2):
        assert run(*asked, "--shard", f"{number}/2", "-o", f"parts/{number}")[0] == 0
    code, out, _ = run("merge", "parts/1", "parts/2", "-o", "merged")
    advice = out.partition("Next: harness ")[2].split()
    assert code == 0 and advice[-2:] == ["--rules", "drop-missing"]
    code, out, _ = run(*advice)
    assert code == 0 and "advice / test: 10 of 24 clips" in out


def test_a_world_file_that_is_elsewhere_is_named_by_none_of_its_commands(run, place, monkeypatch):
    definition = (ROOT / "reference" / "worlds" / "canonical-v1.toml").read_text()
    few = re.sub(r"sessions = \d+", "sessions = 2", definition).split("[digests]")[0]
    (place / "few.toml").write_text(few.replace('name = "canonical-v1"', 'name = "few"'))
    asked = ["predict", "--model", "baseline:constant", "--world", "few.toml", "--no-score"]
    assert run(*asked, "--shard", "1/1", "-o", "part")[0] == 0
    assert "`harness world build few.toml`" in run("world", "card", "few.toml")[1]
    (place / "else").mkdir()
    monkeypatch.chdir(place / "else")
    code, out, _ = run("merge", "../part", "-o", "merged")
    assert code == 0 and "few.toml is not here" in out and "--world FILE.toml" in out
