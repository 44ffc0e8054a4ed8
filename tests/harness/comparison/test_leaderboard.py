"""Tests of boards of hand-made entries (ranks, tiers, references, broken entries, sentences) and of the committed
entries, each against its card.

The world is that of test_compare: twelve sessions of five equal clips, so that entries differ by exact amounts.
"""

from __future__ import annotations

import hashlib
import json
import warnings

import pytest

import harness
from harness.cards import predictions_of, read_card
from harness.errors import UsageError
from harness.rules import find_rules
from harness.scoring.request import Request
from reference.truth.store import open_truth
from tests.support import ROOT, hand

SUBMISSIONS = ROOT / "submissions"
WORLD = "board"
ALIKE = pytest.approx


class Board:
    def __init__(self, folder, home, digest, rows):
        self.folder, self.home, self.digest, self.rows = folder, home, digest, rows
        folder.mkdir(exist_ok=True)

    def lines(self, wrong=lambda s, i: False, **changes):
        return [
            hand.right(row, **(changes if wrong(int(row["session"][1:]), row["clip_index"]) else {}))
            for row in self.rows
        ]

    def add(self, name, wrong=lambda s, i: False, field="next_operation", answer="Wrap", folder=None, **card):
        lines = self.lines(wrong, **{field: answer})
        return hand.entry(self.folder / (folder or name), name, lines, WORLD, self.digest, **card)

    def show(self, **options):
        request = Request(world=WORLD, home=self.home, **options.pop("request", {}))
        return harness.leaderboard(self.folder, request=request, **options)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    home = tmp_path_factory.mktemp("board")
    rows = hand.grid(12, 5)
    return home, hand.world(WORLD, rows, home, home), rows


@pytest.fixture
def board(world, tmp_path):
    home, digest, rows = world
    return Board(tmp_path / "entries", home, digest, rows)


def always(s, i):
    return True


def test_ranks_ranges_and_tiers(board):
    """best is right; near differs from it in five sessions (p = 2^-4), far in all (p = 2^-11), and near from far in
    seven (p = 2^-6). Holm over three: far is below best (3 x 2^-11) and below near (2 x 2^-6 = .031); near is not
    below best."""
    board.add("best")
    board.add("near", lambda s, i: s < 5)
    board.add("far", always)
    shown = board.show()
    found = {row["name"]: (row["rank_low"], row["rank_high"], row["tier"]) for row in shown["entries"]}
    assert found == {"best": (1, 2, 1), "near": (1, 2, 1), "far": (3, 3, 2)}
    assert (
        shown["verdict"]
        == "best leads; near is not significantly below it; far is below it (adjusted p <= 0.0015, m = 3)."
    )
    assert [row["metrics"]["score"]["value"] for row in shown["entries"]] == ALIKE([1, 1 - 0.4 * 5 / 12, 0.6])


def test_two_families(board):
    """M = 3, of which the baseline `constant` is not one: all pairs are 3 tests, the entries against it another 3."""
    for name, wrong in (("a", lambda s, i: False), ("b", lambda s, i: s < 5), ("c", always)):
        board.add(name, wrong)
    rows = board.show()["entries"]
    assert {row["to_leader"]["m"] for row in rows[1:]} == {row["to_baseline"]["m"] for row in rows} == {3}
    assert rows[0]["to_leader"] is None
    assert rows[2]["to_leader"]["p_adjusted"] == ALIKE(3 * 2**-11)


def test_the_baseline_may_be_an_entry(board):
    """An entry is not tested against itself: m = M - 1 = 1."""
    board.add("a")
    board.add("b", always)
    shown = board.show(baseline="b")
    assert shown["baseline"] == "b"
    assert [row["to_baseline"] is None for row in shown["entries"]] == [False, True]
    assert shown["entries"][0]["to_baseline"]["difference"] == ALIKE(0.4)
    assert shown["entries"][0]["to_baseline"]["m"] == 1


def test_the_baseline_may_be_a_reference_or_a_file(board, tmp_path):
    board.add("a", always)
    board.add("peek", kind="reference", uses_truth=True)
    assert board.show(baseline="peek")["entries"][0]["to_baseline"]["difference"] == ALIKE(-0.4)
    file = hand.write(tmp_path / "file.jsonl", board.lines())
    assert board.show(baseline=str(file))["entries"][0]["to_baseline"]["difference"] == ALIKE(-0.4)
    with pytest.raises(UsageError, match="--baseline 'nobody': no entry, and none of constant, whole-clip"):
        board.show(baseline="nobody")


def test_references_are_never_ranked(board):
    board.add("model", lambda s, i: s < 6)
    board.add("oracle", kind="reference", uses_truth=True)
    shown = board.show()
    assert [row["name"] for row in shown["entries"]] == ["model"]
    assert [row["name"] for row in shown["references"]] == ["oracle"]
    assert not {"rank_low", "tier", "p_best"} & set(shown["references"][0])
    assert shown["verdict"] == "model is the only entry."
    assert (shown["entries"][0]["rank_low"], shown["entries"][0]["p_best"]) == (1, 1)


def test_nothing_to_rank(board):
    assert board.show()["verdict"] == "No entry can be ranked."
    board.add("oracle", kind="reference")
    shown = board.show()
    assert (shown["verdict"], shown["entries"], len(shown["references"])) == ("No entry can be ranked.", [], 1)


def broken(folder, **files):
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)


def test_broken_entries_are_shown_and_do_not_stop_the_rest(board):
    board.add("good")
    board.add("changed")
    (board.folder / "changed" / "predictions.jsonl").write_text("{}\n")
    board.add("lost")
    (board.folder / "lost" / "predictions.jsonl").unlink()
    board.add("elsewhere made", truth_digest="f" * 64)
    broken(board.folder / "card", **{"card.toml": "name = \n"})
    bad = hand.entry(board.folder / "lines", "lines", [{"clip_id": "c00-00"}], WORLD, board.digest)
    hand.entry(board.folder / "adapter", "adapter", board.lines(), WORLD, board.digest, adapter="no-such")
    board.add("training")
    (board.folder / "training" / "training.json").write_text("[]")
    (board.folder / "no card").mkdir()  # is no entry
    (board.folder / "README.md").write_text("neither is this")
    shown = board.show()
    assert [row["name"] for row in shown["entries"]] == ["good"]
    reasons = {entry["name"]: entry["error"] for entry in shown["broken"]}
    expected = {
        "changed": "the card says",
        "lost": "No such file",
        "elsewhere made": "made for truth ffffffff",
        "card": "Invalid value",
        "lines": "MISSING",
        "adapter": "no-such",
        "training": "a training record is an object",
    }
    assert set(reasons) == set(expected) and bad.exists()
    assert all(part in reasons[name] for name, part in expected.items())


def test_a_card_says_how_its_file_is_read(board):
    """One line of sixty is rejected: refused without `lenient`, a wrong answer with it."""
    lines = board.lines()
    lines[0]["temporal_segment"] = "soon"
    hand.entry(board.folder / "strict", "strict", lines, WORLD, board.digest)
    hand.entry(board.folder / "lenient", "lenient", lines, WORLD, board.digest, lenient=True)
    shown = board.show()
    assert [entry["name"] for entry in shown["broken"]] == ["strict"]
    assert (shown["entries"][0]["invalid"], shown["entries"][0]["coverage"]) == (ALIKE(1 / 60), 1)


def test_entries_of_another_split_are_left_out_and_counted(board):
    board.add("here")
    board.add("other split", split="validation")
    hand.entry(board.folder / "other world", "other world", board.lines(), "warehouse-v2", board.digest)
    shown = board.show()
    assert ([row["name"] for row in shown["entries"]], shown["elsewhere"], shown["broken"]) == (["here"], 2, [])


def test_identical_entries_are_said_to_be(board):
    board.add("one", lambda s, i: s < 3)
    board.add("two", lambda s, i: s < 3)
    shown = board.show()
    assert shown["verdict"] == "one leads; two answered identically."
    assert [row["tier"] for row in shown["entries"]] == [1, 1]
    assert [row["p_best"] for row in shown["entries"]] == [0.5, 0.5]
    assert shown["copies"] == []  # nine shared errors a piece prove nothing


def test_a_copy_is_flagged(board):
    """Both are wrong on the same 30 clips with the same answer; the copy differs in one clip of sixty."""
    board.add("original", lambda s, i: s < 6)
    board.add("copy", lambda s, i: s < 6 or (s, i) == (6, 0))
    board.add("peek", lambda s, i: s < 6, kind="reference")  # references are excepted
    board.add("other", lambda s, i: s < 6, answer="Idle")  # as wrong, but otherwise
    copies = board.show()["copies"]
    assert [row["entries"] for row in copies] == [["original", "copy"]]
    assert copies[0]["number"] == ALIKE(59 / 60)


def test_a_missing_clip_counts_as_wrong_and_is_shown(board):
    hand.entry(board.folder / "half", "half", board.lines()[:30], WORLD, board.digest)
    row = board.show()["entries"][0]
    assert (row["coverage"], row["metrics"]["score"]["value"]) == (0.5, ALIKE(0.5))


def test_two_entries_of_one_name_are_told_apart(board):
    board.add("mine", folder="a")
    board.add("mine", always, folder="b")
    board.add("other", lambda s, i: s < 5)
    shown = board.show()
    assert [row["name"] for row in shown["entries"]] == ["mine (a)", "other", "mine (b)"]
    assert [row["folder"] for row in shown["entries"]] == ["a", "other", "b"]
    assert "mine (b) is below it" in shown["verdict"]
    assert board.show(baseline="mine (b)")["entries"][2]["to_baseline"] is None
    assert board.show(baseline="mine")["baseline"] == "mine (a)"


def test_names_of_one_slug_stay_two_entries(board):
    board.add("My Model!", folder="my-model")
    board.add("my model?", always, folder="my_model")
    assert [row["name"] for row in board.show()["entries"]] == ["My Model!", "my model?"]


def test_no_p_best_below_ten_sessions(tmp_path):
    rows = hand.grid(9, 2)
    digest = hand.world(WORLD, rows, tmp_path, tmp_path)
    small = Board(tmp_path / "entries", tmp_path, digest, rows)
    small.add("a")
    small.add("b", always)
    assert [row["p_best"] for row in small.show()["entries"]] == [None, None]


def test_one_session_ranks_nothing(tmp_path):
    rows = hand.grid(1, 4)
    digest = hand.world(WORLD, rows, tmp_path, tmp_path)
    small = Board(tmp_path / "entries", tmp_path, digest, rows)
    small.add("a")
    small.add("b", always)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = small.show()
    json.dumps(shown, allow_nan=False)
    assert [(row["rank_low"], row["rank_high"]) for row in shown["entries"]] == [(1, 2), (1, 2)]
    assert shown["verdict"] == "a leads; b is not significantly below it."


@pytest.mark.parametrize("rules", ["drop-missing", "drop-degenerate"])
def test_rules_that_drop_clips_are_refused(rules, board):
    board.add("a")
    with pytest.raises(UsageError, match=f"rule set {rules} drops some"):
        board.show(request={"rules": find_rules(rules)})


def test_no_folder(tmp_path):
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        harness.leaderboard(tmp_path / "nowhere")


def test_the_committed_board():
    shown = harness.leaderboard(SUBMISSIONS)
    assert [row["name"] for row in shown["entries"]] == [
        "qwen-tiny",
        "thumbnail",
        "probe-16",
        "probe",
        "constant",
        "last-frame",
        "whole-clip",
        "histogram",
        "random",
    ]
    assert [row["name"] for row in shown["references"]] == ["oracle", "transition-prior"]
    assert (shown["broken"], shown["elsewhere"], shown["copies"]) == ([], 0, [])


def test_what_is_said_of_the_twin():
    """submissions/qwen-tiny is above the constant answer, and foresees nothing hidden: the prior knows more."""
    hidden = {}
    for other in ("constant", "transition-prior"):
        shown = harness.compare(SUBMISSIONS / "qwen-tiny", SUBMISSIONS / other)["pairs"][0]
        hidden[other] = shown["metrics"]["aa1_hidden"]
        assert hidden[other]["p_adjusted"] <= 0.05
    assert hidden["constant"]["difference"] > 0 > hidden["transition-prior"]["difference"]
    gain = harness.score(SUBMISSIONS / "qwen-tiny" / "predictions.jsonl").record["own_prior"]["own_prior_gain_hidden"]
    assert gain["low"] <= 0 <= gain["high"]


def test_readers_of_sheets_read():
    """submissions/sheet-readers: what cannot pass for small models can be seen, and the order can be read."""
    score = harness.score(SUBMISSIONS / "sheet-readers" / "predictions.jsonl")
    assert score.metrics["oca"].value >= 0.85
    hidden = score.metrics["aa1_hidden"]
    assert hidden.value >= hidden.state_prior + 0.10


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in SUBMISSIONS.glob("*/card.toml")), ids=lambda path: path.name
)
def test_committed_cards(folder):
    """The card can be read, its file is the one it was made for, and so is the truth."""
    card = read_card(folder)
    assert card.name == folder.name and card.description
    digest = hashlib.sha256(predictions_of(folder, card).read_bytes()).hexdigest()
    assert digest == card.predictions_sha256
    with open_truth(card.world, card.split) as truth:
        assert truth.digest == card.truth_digest


def test_every_committed_folder_has_a_card():
    folders = {path.name for path in SUBMISSIONS.iterdir() if path.is_dir()}
    assert folders == {path.parent.name for path in SUBMISSIONS.glob("*/card.toml")} and len(folders) >= 5
