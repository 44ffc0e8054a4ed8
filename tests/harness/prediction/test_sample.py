"""Tests of samples: the draw, what an entry and its score say of it, and that a file cannot choose its own clips."""

from __future__ import annotations

import shutil
from collections import Counter
from itertools import pairwise

import pytest

import harness
from harness.cards import read_card
from harness.comparison import leaderboard
from harness.errors import HarnessError, UsageError
from harness.report import gather
from harness.scoring.request import Request
from reference.truth.sample import Sample
from tests.support import hand

SESSIONS, CLIPS = 24, 5
DOMAINS = ("clean", "lens", "glare")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    rows = [
        hand.clip(session, index, domain=DOMAINS[session % 3]) for session in range(SESSIONS) for index in range(CLIPS)
    ]
    hand.world("drawn", rows, folder, folder)
    return folder


def ask(home, name, **choices):
    return harness.predict("baseline:constant", home / name, world="drawn", home=home, **choices)


@pytest.fixture(scope="module")
def entry(home):
    ask(home, "entry", sample=12, sample_seed=4)
    return home / "entry"


def test_a_draw_is_balanced_and_grows():
    sessions = [(f"s{number:02d}", DOMAINS[number % 3]) for number in range(SESSIONS)]
    drawn = [set(Sample(size, 4).draw(sessions)) for size in (1, 7, 12, 24)]
    assert [len(each) for each in drawn] == [1, 7, 12, 24]
    assert all(small < large for small, large in pairwise(drawn))
    counts = Counter(DOMAINS[int(name[1:]) % 3] for name in drawn[1])
    assert sorted(counts.values()) == [2, 2, 3]
    assert drawn[2] != set(Sample(12, 5).draw(sessions)), "another seed draws others"


def test_entry_and_score_say_that_they_are_of_a_sample(home, entry):
    assert read_card(entry).sample == "12/4"
    score = harness.score(entry, home=home)
    record = score.record
    assert (record["n"], record["sessions"], record["coverage"]) == (60, 12, 1.0)
    assert (record["sample"]["sessions"], record["sample"]["seed"]) == (12, 4)
    assert "sample:12/4" in record["signature"] and record["truth_digest"] != record["sample"]["truth_digest"]
    assert len(score.clips) == 60


def test_clips_of_ones_own_choice_are_no_sample(home, entry):
    """The same lines without the card are half a file; with a card of another draw their clips are not asked for."""
    lines = (entry / "predictions.jsonl").read_bytes()
    bare = home / "bare.jsonl"
    bare.write_bytes(lines)
    assert harness.score(bare, world="drawn", home=home).record["coverage"] == 0.5
    with pytest.raises(HarnessError, match="25 lines: CLIP_UNKNOWN"):
        harness.score(bare, world="drawn", home=home, sample="12/5")


def test_a_comparison_takes_the_common_sessions(home, entry):
    ask(home, "other", sample=12, sample_seed=5)
    request = Request(world="drawn", home=home)
    domains = [(f"s{number:02d}", DOMAINS[number % 3]) for number in range(SESSIONS)]
    both = set(Sample(12, 4).draw(domains)) & set(Sample(12, 5).draw(domains))
    result = harness.compare(entry, home / "other", request=request)
    assert (result["sessions"], result["n"]) == (len(both), CLIPS * len(both))
    with pytest.raises(UsageError, match="the same sessions"):
        gather.gather_comparison([entry, home / "other"], request)


def test_a_board_has_samples_of_the_same_sessions_alone(home, entry):
    folder = home / "board"
    ask(home, "board/whole")
    shutil.copytree(entry, folder / "part")
    board = harness.leaderboard(folder, world="drawn", home=home, sample="12/4")
    assert [row["name"] for row in board["entries"]] == ["entry"] and board["sessions"] == 12
    assert [(row["name"], row["reason"]) for row in board["skipped"]] == [("whole", "the whole split")]
    _, others = leaderboard.score_folder(folder, Request(world="drawn", home=home))
    assert others.skipped[0]["reason"].startswith("a sample (12/4)")


def test_what_cannot_be_drawn_is_refused(home):
    with pytest.raises(HarnessError, match="drawn / test has 24"):
        ask(home, "more", sample=25)
    with pytest.raises(UsageError, match=r"--sample draws whole sessions of a split: leave --limit out"):
        ask(home, "both", sample=2, limit=3)
    with pytest.raises(UsageError, match="--sample-seed 3 is of --sample"):
        ask(home, "alone", sample_seed=3)
    with pytest.raises(HarnessError, match="expected SESSIONS/SEED"):
        Request(sample="twelve")
