"""Write pages, for the command line and `import harness`: gather, compute the panels, draw, render. A page is written
whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.progress import counter
from harness.report import data, gather
from harness.report.columns import script_data
from harness.report.gather import Gathered
from harness.report.pictures import sheets
from harness.report.render import Sheet, html
from harness.scoring.request import Request
from reference.files import write_atomically

BUDGET = 5_000_000


@dataclass(frozen=True)
class Written:
    """Page on disk: its path, its size in bytes, how many clips have a picture, and its verdict's sentences."""

    path: Path
    bytes: int
    pictures: int
    verdict: list[str]


def leaderboard_page(
    folder: str | Path, path: str | Path, *, request: Request | None = None, baseline: str = "constant", **options: Any
) -> Written:
    """Write the page of a folder of submissions, with `frames` also pictures of clips within `budget` bytes."""
    return write(gather.gather_leaderboard(Path(folder), request or Request(), baseline), path, **options)


def report_page(
    file: str | Path,
    path: str | Path,
    *,
    request: Request | None = None,
    name: str | None = None,
    training: Path | None = None,
    **options: Any,
) -> Written:
    """Write the page of one prediction file."""
    return write(gather.gather_report(file, request or Request(), name=name, training=training), path, **options)


def compare_page(
    *submissions: str | Path,
    path: str | Path,
    request: Request | None = None,
    margin: float = 0.03,
    training: str | None = None,
    **options: Any,
) -> Written:
    """Write the page that compares two or more files or baselines."""
    gathered = gather.gather_comparison(submissions, request or Request(), margin, training=training)
    return write(gathered, path, **options)


def write(gathered: Gathered, path: str | Path, *, frames: bool = False, budget: int = BUDGET) -> Written:
    """Write the page of gathered entries to `path`."""
    path = Path(path)
    page = data.page(gathered)
    pictures = _pictures(page, gathered, budget) if frames else []
    text = html(page, script_data(gathered), pictures).encode("utf-8", "replace")
    write_atomically(path, lambda temporary: temporary.write_bytes(text))
    return Written(path, len(text), len(pictures), page.verdict)


def _pictures(page: data.Page, gathered: Gathered, budget: int) -> list[Sheet]:
    with counter("contact sheets") as report:
        return sheets(page, gathered, budget, report)
