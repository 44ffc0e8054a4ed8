"""Pages as the command line and `import harness` ask for them: gather, lay out, draw, write whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.report import data, gather
from harness.report.gather import Gathered
from harness.report.render import Sheet, html
from harness.scoring.request import Request
from reference.files import write_atomically

BUDGET = 5_000_000


@dataclass(frozen=True)
class Written:
    path: Path
    bytes: int
    pictures: int
    verdict: list[str]


def leaderboard_page(
    folder: str | Path, path: str | Path, *, request: Request | None = None, baseline: str = "constant", **options: Any
) -> Written:
    """The page of a folder of submissions. `frames`, `budget`: pictures, and how many bytes of them."""
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
    """The page of one file of predictions."""
    return write(gather.gather_report(file, request or Request(), name=name, training=training), path, **options)


def compare_page(
    *submissions: str | Path, path: str | Path, request: Request | None = None, margin: float = 0.03, **options: Any
) -> Written:
    """The page of two files or more, or names of baselines."""
    return write(gather.gather_comparison(submissions, request or Request(), margin), path, **options)


def write(gathered: Gathered, path: str | Path, *, frames: bool = False, budget: int = BUDGET) -> Written:
    path = Path(path)
    page = data.page(gathered)
    pictures = _pictures(page, gathered, budget) if frames else []
    text = html(page, data.client(gathered), pictures).encode("utf-8", "replace")
    write_atomically(path, lambda temporary: temporary.write_bytes(text))
    return Written(path, len(text), len(pictures), page.verdict)


def _pictures(page: data.Page, gathered: Gathered, budget: int) -> list[Sheet]:
    from harness.progress import counter
    from harness.report.pictures import sheets

    with counter("contact sheets") as report:
        return sheets(page, gathered, budget, report)
