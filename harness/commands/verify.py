"""`harness verify`: are a page's numbers those of its submissions?"""

from __future__ import annotations

from pathlib import Path

import click

from harness.commands import options
from harness.errors import GateFailed


@click.command("verify")
@click.argument("page", type=click.Path(path_type=Path), metavar="PAGE.html")
@click.option(
    "--submissions",
    type=click.Path(path_type=Path),
    default="submissions",
    show_default=True,
    metavar="DIR",
    help="Folder that holds the predictions the page was made from.",
)
@options.truth_path
@options.organiser
def command(page: Path, submissions: Path, truth: Path | None, organiser: bool) -> None:
    """Make every number of PAGE again from the submissions and compare. Exit 1, naming the first that differs.

    \b
    Example:
      harness verify leaderboard.html --submissions submissions
    """
    from harness.report.verify import verify
    from harness.scoring.request import Request

    found = verify(page, submissions, Request(truth=truth, organiser=organiser))
    if found.difference:
        raise GateFailed(f"not what the submissions give: {found.difference}")
    click.echo(f"{page}: all {found.numbers:,} numbers are what the submissions give")
