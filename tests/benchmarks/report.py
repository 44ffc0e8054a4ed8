"""Size of a page, time to write it, and time until it can be used."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks.bench import Benchmark, Claim, Place, run, table
from tests.support import pages

TEXT = """\
`harness leaderboard DIR -o PAGE.html` without pictures, from scores that are stored: the whole process, and the file.
In Chromium, from a file, the time until the leaderboard can be sorted and until every panel is there. Medians of
{repetitions} loads."""


class Size(NamedTuple):
    entries: int
    world: str
    split: str
    clips: int


WHAT = ("without pictures", "written from stored scores", "leaderboard usable", "all panels there")
LIMITS = ("2 MB", "10 s", "1 s", "2 s")
SIZES = (Size(10, "warehouse-v2", "test-large", 5_760), Size(50, "warehouse-v2", "test", 2_880))
QUICK = (Size(3, "warehouse-v2", "test", 2_880),)


def measure(place: Place, sizes: tuple[Size, ...], repetitions: int) -> Benchmark:
    rows = []
    for size in sizes:
        page = place.folder / f"{size.entries}.html"
        folder = pages.entries(place.folder / f"of-{size.entries}", size.entries, place.home, False, size.split)
        words = ["harness", "leaderboard", folder, "--split", size.split, "-o", page]
        run(place, *words)
        written = run(place, *words)
        board, everything = _loaded(page, repetitions)
        name = f"{size.entries} entries x {size.clips:,} clips"
        megabytes = f"{page.stat().st_size / 1e6:.2f} MB"
        rows.append((name, megabytes, written.shown, f"{board:.2f} s", f"{everything:.2f} s"))
    claims = [
        Claim(f"page of {rows[0][0]}, {what}", limit, measured)
        for what, limit, measured in zip(WHAT, LIMITS, rows[0][1:], strict=True)
    ]
    text = TEXT.format(repetitions=repetitions)
    return Benchmark("A page", text, claims, [table(("", "file", "written in", "leaderboard", "all panels"), rows)])


def _loaded(page: Path, repetitions: int) -> tuple[float, float]:
    """Return the seconds of loading until the leaderboard can be sorted, and until all panels are there."""
    times = []
    with pages.browser() as browser:
        for _ in range(repetitions):
            tab = browser.started.new_page()
            begun = time.perf_counter()
            tab.goto(page.as_uri(), wait_until="commit")
            tab.wait_for_selector("html[data-ready]")
            board = time.perf_counter() - begun
            tab.wait_for_selector("html[data-ready=all]")
            times.append((board, time.perf_counter() - begun))
            tab.close()
    return median(board for board, _ in times), median(everything for _, everything in times)
