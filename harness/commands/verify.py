"""`harness verify`: whether a page's numbers are those of its submissions."""

from __future__ import annotations

from pathlib import Path

import click

from harness.commands import options
from harness.commands.printing import say
from harness.errors import GateFailed
from harness.formatting import count


@click.command("verify", cls=options.Command)
@click.argument("page", type=click.Path(path_type=Path), metavar="PAGE.html")
@options.path_option(
    "--submissions",
    folder=True,
    default="submissions",
    show_default=True,
    help="Look in DIR for the predictions that the page was made from.",
)
@options.truth_path
@options.organiser
def command(page: Path, submissions: Path, truth: Path | None, organiser: bool) -> None:
    """Make every number of a page again from the submissions, and compare.

    Where one differs the exit code is 1, and the first difference is named.

    \b
    Example:
      harness verify leaderboard.html --submissions submissions
    """
    from harness.report.verify import verify
    from harness.scoring.request import Request

    found = verify(page, submissions, Request(truth=truth, organiser=organiser))
    if found.difference:
        raise GateFailed(f"not what the submissions give: {found.difference}")
    say(f"{page}: all {count(found.numbers)} numbers are what the submissions give")
