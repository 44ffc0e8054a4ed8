"""What answers cost: sums worked out by hand, the same however the lines are written, and cards of strangers."""

from __future__ import annotations

import json

import jsonschema
import pytest

from harness.comparison.board_text import board_notes
from harness.comparison.leaderboard import leaderboard
from harness.report.exports import tables
from harness.resources import schema
from harness.scoring.request import Request
from harness.scoring.score import score
from harness.usage.card import price_of, unanswered_of
from harness.usage.words import cost_words, dollars, price_words, token_words, unanswered_words
from tests.support import hand

CLIPS = hand.grid(2, 2)
COSTS = (
    {
        "usage": {"input_tokens": 1000, "output_tokens": 100},
        "attempts": 1,
        "wait_ms": 0,
        "finish_reason": "stop",
        "served_model": "m1",
        "ttft_ms": 100,
        "model_ms": 90,
    },
    {
        "usage": {"input_tokens": 2000, "output_tokens": 300, "reasoning_tokens": 50},
        "attempts": 3,
        "wait_ms": 1500.5,
        "finish_reason": "length",
        "served_model": "m1",
        "ttft_ms": 300.5,
    },
    {},
    {"usage": {"input_tokens": 500}, "attempts": 1, "served_model": "m2"},
)
SECTION = {
    "n": 3,  # the third line says nothing
    "share": 3 / 4,
    "input_tokens": {"n": 3, "sum": 3500, "mean": 3500 / 3},
    "output_tokens": {"n": 2, "sum": 400, "mean": 200},
    "reasoning_tokens": {"n": 1, "sum": 50, "mean": 50},
    "cached_tokens": None,
    "attempts": {"n": 3, "sum": 5, "mean": 5 / 3, "repeated": 1},
    "wait_ms": {"n": 2, "sum": 1500.5, "mean": 750.25},
    "ttft": {"n": 2, "p50_ms": 100, "p95_ms": 300.5},
    "model": {"n": 1, "p50_ms": 90, "p95_ms": 90},
    "finish_reasons": {"length": 1, "stop": 1},
    "served_models": {"m1": 2, "m2": 1},
    "unanswered": {},
    "price": None,
}
RUN = {"price": [2, 10.0], "unanswered": {"timeout": 10, "length": 2}}
PRICE = {"input": 2, "output": 10, "dollars": 0.011, "per_clip": pytest.approx(0.011 / 3)}
"""3,500 tokens at 2 dollars and 400 at 10 dollars a million."""


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("usage")
    digest = hand.world("paper", CLIPS, folder, folder / "home")
    return folder, Request(world="paper", home=folder / "home"), digest


def lines(costs=COSTS):
    return [hand.right(row, source="model") | cost for row, cost in zip(CLIPS, costs, strict=True)]


def unreadable(answers):
    return [*answers[:3], {key: answers[3][key] for key in ("clip_id", *COSTS[3])} | {"raw_output": "I cannot say."}]


WRITTEN = {
    "as the screen reads them": lambda answers: answers,
    "in another order of keys": lambda answers: [dict(reversed(answer.items())) for answer in answers],
    "with the text behind": lambda answers: [answer | {"raw_output": 'said "Tape"'} for answer in answers],
    "with the text before": lambda answers: [{"raw_output": "Tape"} | answer for answer in answers],
    "without an answer in a text": unreadable,
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=list(WRITTEN))
def test_sums_are_those_of_the_lines(written, paper, tmp_path):
    _, request, _ = paper
    record = score(hand.write(tmp_path / "lines.jsonl", written(lines())), request=request).record
    assert record["usage"] == SECTION
    jsonschema.validate(record, schema("score"))
    assert score(written(lines()), request=request).record["usage"] == SECTION


def test_a_file_that_says_nothing_has_no_section(paper, tmp_path):
    _, request, _ = paper
    costs = [{}, {"usage": None}, {"usage": {}, "attempts": None}, {"finish_reason": None}]
    for each in ([{}] * 4, costs):
        scored = score(hand.write(tmp_path / "lines.jsonl", lines(each)), request=request)
        assert "usage" not in scored.record and "card:" not in scored.signature


def test_a_line_that_is_rejected_says_nothing(paper, tmp_path):
    """Nor do two lines of one clip, of which neither counts."""
    _, request, _ = paper
    answers = [*lines(), lines()[0]]
    answers[1]["next_operation"] = 7
    file = hand.write(tmp_path / "lines.jsonl", answers)
    section = score(file, request=request, lenient=True).record["usage"]
    assert (section["n"], section["input_tokens"]["sum"], section["served_models"]) == (1, 500, {"m2": 1})


def test_long_names_are_cut_and_of_many_the_most_frequent_are_kept(paper, tmp_path):
    _, request, _ = paper
    costs = [{"served_model": name} for name in ("b" * 500, "b" * 500, "a", "b" * 499 + "c")]
    section = score(hand.write(tmp_path / "lines.jsonl", lines(costs)), request=request).record["usage"]
    assert section["served_models"] == {"b" * 100 + "...": 3, "a": 1}
    assert (section["n"], section["share"], section["attempts"]) == (0, 0, None)


def an_entry(paper, name, answers=None, **run):
    folder, _, digest = paper
    return hand.entry(folder / name, name, answers or lines(), "paper", digest, run=run) / "predictions.jsonl"


def test_price_and_unanswered_clips_come_from_the_card_and_are_pinned(paper):
    _, request, _ = paper
    file = an_entry(paper, "priced", **RUN)
    scored, again = score(file, request=request), score(file, request=request, name="mine")
    assert scored.record["usage"] == SECTION | {"price": PRICE, "unanswered": RUN["unanswered"]}
    jsonschema.validate(scored.record, schema("score"))
    assert again.signature == f"{scored.signature}|name:mine"
    dearer = score(an_entry(paper, "priced", price=[2, 11], unanswered=RUN["unanswered"]), request=request)
    bare = score(an_entry(paper, "priced"), request=request)
    assert scored.signature.startswith(f"{bare.signature}|card:") and dearer.signature != scored.signature
    assert bare.record["usage"] == SECTION


def test_a_card_of_another_file_says_nothing(paper):
    _, request, _ = paper
    file = an_entry(paper, "changed", **RUN)
    hand.write(file, [*lines()[:2], *lines()[2:][::-1]])
    assert score(file, request=request).record["usage"] == SECTION
    (file.parent / "card.toml").write_text("price = 1\n")
    assert score(file, request=request).record["usage"] == SECTION


def test_unanswered_clips_are_shown_without_any_usage(paper):
    _, request, _ = paper
    record = score(an_entry(paper, "silent", lines([{}] * 4), **RUN), request=request).record
    assert record["usage"]["unanswered"] == RUN["unanswered"] and record["usage"]["price"] is None
    priced = an_entry(paper, "only-price", lines([{}] * 4), price=[1, 2])
    assert "usage" not in score(priced, request=request).record


STRANGE_PRICES = [None, 5, "2,10", [], [1], [1, 2, 3], [-1, 2], [True, 1], ["1", "2"], [float("nan"), 1],
                  [float("inf"), 1], {"input": 1}, [[1], [2]], [10**12, 1]]  # fmt: skip
STRANGE_KINDS = [None, 7, "timeout", [], [["timeout", 1]], {"timeout": "1"}, {"timeout": -1}, {"timeout": 0},
                 {"timeout": True}, {"timeout": 1.5}, {"timeout": 10**12}, {"time\nout": 1},
                 {"a": {"b": 1}}]  # fmt: skip


@pytest.mark.parametrize("price", STRANGE_PRICES, ids=str)
def test_a_price_of_another_form_is_none(price):
    assert price_of({"price": price}) is None


@pytest.mark.parametrize("kinds", STRANGE_KINDS, ids=str)
def test_kinds_of_another_form_are_none(kinds):
    assert unanswered_of({"unanswered": kinds}) == {}


def test_good_kinds_beside_strange_ones_count_the_most_frequent_first():
    assert unanswered_of({"unanswered": {"b": 1, "a": 1, "x" * 99: 3, "no": -1}}) == {"x" * 40: 3, "a": 1, "b": 1}
    assert len(unanswered_of({"unanswered": {f"kind {i}": 1 for i in range(500)}})) == 20


def test_boards_and_tables_show_it_for_entries_that_state_it(paper):
    folder, request, _ = paper
    an_entry(paper, "board/priced", **RUN)
    an_entry(paper, "board/silent", lines([{}] * 4))
    board = leaderboard(folder / "board", request=request)
    found = {row["name"]: row.get("usage") for row in board["entries"]}
    assert found == {"board/priced": SECTION | {"price": PRICE, "unanswered": RUN["unanswered"]}, "board/silent": None}
    assert [note for note in board_notes(board) if "board/priced" in note][:2] == [
        "board/priced: 1,167 tokens in and 200 out a clip (75% of the clips state them), at least $0.0110 in all, "
        "1 clip took more than one attempt",
        "! board/priced: 12 clips not answered: timeout 10, length 2",
    ]
    rows = {row["name"]: row for row in tables.rows(board)}
    columns = ("input_tokens", "output_tokens", "attempts", "usage_share", "dollars", "unanswered")
    assert [rows["board/priced"][name] for name in columns] == [3500, 400, 5, 0.75, 0.011, 12]
    assert [rows["board/silent"][name] for name in columns] == [None] * 6
    assert rows["board/priced"].keys() == rows["board/silent"].keys()
    silent = [row for row in board["entries"] if "usage" not in row]
    assert "dollars" not in tables.rows({"entries": silent, "references": []})[0]


def test_words():
    section = SECTION | {"price": PRICE, "share": 1.0, "unanswered": {"reset": 1}}
    assert [dollars(x) for x in (0, 0.00001234, 0.0123, 0.5, 1, 1234.567)] == [
        "$0.00",
        "$0.0000123",
        "$0.0123",
        "$0.500",
        "$1.00",
        "$1,234.57",
    ]
    assert price_words(section) == "$0.0110"
    assert token_words(section) == "1,167 tokens in and 200 out"
    assert token_words(section | {"input_tokens": None}) == "200 tokens out"
    assert unanswered_words(section) == "1 clip not answered: reset 1"
    nothing = section | dict.fromkeys(("input_tokens", "output_tokens", "attempts", "price")) | {"unanswered": {}}
    assert cost_words(nothing) == unanswered_words(nothing) == ""


def test_the_terminal_shows_it(paper):
    folder, _, _ = paper
    file = an_entry(paper, "shown", **RUN)
    options = ("--world", "paper", "--format", "text")
    short = hand.harness_here("score", file, *options, home=folder / "home").stdout
    assert "1,167 tokens in and 200 out a clip" in short and "12 clips not answered: timeout 10, length 2" in short
    full = " ".join(hand.harness_here("score", file, *options, "--full", home=folder / "home").stdout.split())
    for text in (
        "What the answers cost",
        "input tokens 3 3,500 1,166.67",
        "price $0.0110, $3.67 for 1,000 clips, at $2 in and $10 out a million tokens",
        "answered by m1 (2), m2 (1)",
        "first token after 100 ms",
    ):
        assert text in full
    silent = an_entry(paper, "quiet", lines([{}] * 4))
    assert "cost" not in hand.harness_here("score", silent, *options, "--full", home=folder / "home").stdout


def test_json_lines_hold_it_as_the_schema_says():
    for answer in lines():
        jsonschema.validate(json.loads(json.dumps(answer)), schema("prediction"))
