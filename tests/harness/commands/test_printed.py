"""Printed words on what is out of the ordinary, a world, a rule set or a method: only what its numbers say."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

import harness
from harness.commands.terminal.comparison import print_comparison
from harness.commands.terminal.score import print_score
from harness.scoring.request import Request
from tests.support import hand

SESSIONS, CLIPS = 4, 5


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    """Make an imported world of few sessions, half of whose clips hide the next operation."""
    folder = tmp_path_factory.mktemp("printed")
    rows = hand.grid(SESSIONS, CLIPS, end_frame=125)
    hand.world("few", rows, folder, folder)
    for k in (1, 2, 3):
        lines = [hand.right(row, **({"next_operation": "Wrap"} if i < k else {})) for i, row in enumerate(rows)]
        hand.write(folder / "method" / "runs" / f"{k}.jsonl", lines)
    return folder, Request(world="few", home=folder)


def printed(show, *what, **how):
    out = Console(file=io.StringIO(), width=80)
    show(*what, out, **how)
    return " ".join(out.file.getvalue().split())


def test_a_world_without_a_process_has_no_exact_probabilities(where):
    record = harness.score(where[0] / "method" / "runs" / "1.jsonl", request=where[1]).record
    text = printed(print_score, record)
    assert record["metrics"]["aa1_hidden_expected"]["n"] == SESSIONS * CLIPS
    assert record["metrics"]["aa1_hidden_expected"]["note"] == "not known, because this world has no process"
    assert "floor prior ceiling skill" in text and "state:" not in text
    assert "hidden expected" not in text and "no clip that it counts" not in text


def test_rules_that_leave_no_clip_are_printed(where):
    record = harness.score(
        [{"clip_id": "no such clip"}], request=where[1], lenient=True, ignore_extra=True, rules="drop-missing"
    ).record
    assert "has no score: no clip is counted" in printed(print_score, record, full=True)


def test_a_method_of_few_sessions_says_what_is_of_run_1(where):
    file = where[0] / "method" / "runs" / "1.jsonl"
    found = harness.compare(where[0] / "method", file, request=where[1])
    assert "df" not in found["pairs"][0]["score"]
    assert "counts and clips are of run 1" in printed(print_comparison, found)
    assert "run 1, and" not in printed(print_comparison, harness.compare(file, file, request=where[1]))


def test_a_row_of_a_sample_counts_its_own_clips(where):
    file = where[0] / "part.jsonl"
    lines = (where[0] / "method" / "runs" / "1.jsonl").read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:10]))
    found = harness.compare(file, where[0] / "method", request=where[1])
    found["n"] = 5  # as where the other entry is a sample
    found["entries"][1]["sample"] = {"sessions": 1, "seed": 0}
    text = printed(print_comparison, found)
    assert "10 of 20 clips" in text and "each row above is about its own sessions" in text
