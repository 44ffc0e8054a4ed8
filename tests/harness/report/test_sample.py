"""The committed sample is small, true, and shows what it says: `make sample` renews it."""

from __future__ import annotations

import json

from harness.comparison.leaderboard import score_and_pair
from harness.report.verify import SHEETS, verify
from harness.scoring.request import Request
from tests.support import ROOT

SAMPLE = ROOT / "reports" / "sample"


def test_its_numbers_are_those_of_the_entries(home):
    found = verify(SAMPLE / "leaderboard.html", ROOT / "submissions", Request())
    assert found.difference is None and found.numbers > 1000


def test_it_is_small_and_has_pictures():
    page = SAMPLE / "leaderboard.html"
    answers = sum(len(path.read_bytes().splitlines()) for path in (ROOT / "submissions").glob("*/predictions.jsonl"))
    assert page.stat().st_size < 350_000 + 36 * answers  # its pictures, and what it says of each answer
    assert len(SHEETS.search(page.read_text(encoding="utf-8"))[1].splitlines()) > 20
    pictures = list(SAMPLE.glob("*.png"))
    assert len(pictures) == 2 and all(path.stat().st_size < 200_000 for path in pictures)


def test_its_records_are_those_of_the_entries(home):
    for entry in score_and_pair(ROOT / "submissions").entries:
        stored = json.loads((SAMPLE / "scores" / f"{entry.folder.name}.json").read_text(encoding="utf-8"))
        assert stored == entry.score.record
