"""`harness leaderboard`: all entries of a folder, ranked; in a terminal, as a page, or for another reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.errors import UsageError

FORMATS = ("text", "markdown", "csv", "json", "latex", "junit")


@click.command("leaderboard")
@click.argument("folder", default="submissions", type=click.Path(path_type=Path), metavar="[DIR]")
@options.truth
@options.rules
@options.organiser
@click.option("--baseline", default="constant", show_default=True, help="Entry or baseline that differences are to.")
@options.output_format(*FORMATS)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    metavar="PAGE.html",
    help="Write a page, one file to open from disk.",
)
@options.pictures
@options.export
@click.option("--diff", metavar="BASE", help="Say what changed since BASE, a folder or an earlier --format json.")
@click.option("--github", is_flag=True, help="Add the Markdown to the file that GITHUB_STEP_SUMMARY names.")
def command(
    folder: Path,
    output: str,
    path: Path | None,
    frames: bool,
    budget: int,
    export: Path | None,
    diff: str | None,
    github: bool,
    baseline: str,
    rules: str,
    weights: str | None,
    truth: Path | None,
    **choices: Any,
) -> None:
    """Rank the submissions in DIR/*/ (a card.toml beside predictions each), by default those in submissions/.

    \b
    Example:
      harness leaderboard
      harness leaderboard submissions --format markdown
      harness leaderboard submissions --diff submissions
      harness leaderboard submissions -o leaderboard.html
    """
    from harness.comparison import sealed_leaderboard
    from harness.scoring.request import Request

    request = Request.of(rules=rules, weights=options.chosen_weights(weights), truth=truth, **choices)
    if path is not None and path.suffix not in (".html", ".htm"):
        raise UsageError(f"-o {path}: expected a name that ends in .html; --format and --export make the other kinds")
    if sealed_leaderboard.applies(request):
        _sealed(sealed_leaderboard.leaderboard(folder, request), output, path)
        return
    board = _board(folder, request, baseline, path, export, frames=frames, budget=budget)
    text = _changes(board, diff, request, baseline, output) if diff else _text(board, output)
    if diff or (path is None and export is None):
        click.echo(text, nl=False)
    if github:
        options.add_to_summary(text if diff and output != "json" else _text(board, "markdown"))


def _board(
    folder: Path, request: Any, baseline: str, path: Path | None, export: Path | None, **pictures: Any
) -> dict[str, Any]:
    """The leaderboard; with the page and the exports that were asked for, all from one gathering."""
    from harness.comparison import leaderboard

    if path is None and export is None:
        return leaderboard.leaderboard(folder, request=request, baseline=baseline)
    from harness.report import gather, write

    gathered = gather.gather_leaderboard(folder, request, baseline)
    if path is not None:
        options.tell_page(write.write(gathered, path, **pictures))
    options.write_exports(gathered, export)
    return gathered.board


def _sealed(board: dict[str, Any], output: str, path: Path | None) -> None:
    """What may leave a sealed split."""
    from harness.commands import terminal
    from harness.report import public

    if path is not None:
        options.tell_page(public.write(board, path))
    elif output == "json":
        options.print_json(board)
    elif output == "text":
        terminal.print_sealed_leaderboard(board, terminal.console())
    else:
        raise UsageError(f"{board['world']} is sealed: its public leaderboard is text, json or a page (-o PAGE.html)")


def _text(board: dict[str, Any], output: str) -> str:
    from harness.commands import terminal
    from harness.report.exports import tables, texts

    if output == "json":
        return options.json_text(board) + "\n"
    if output == "csv":
        return tables.csv_text(tables.rows(board))
    if output == "text":
        return terminal.captured(lambda out: terminal.print_leaderboard(board, out))
    return {"markdown": texts.markdown, "latex": texts.latex, "junit": texts.junit}[output](board)


def _changes(board: dict[str, Any], base: str, request: Any, baseline: str, output: str) -> str:
    from harness.comparison import leaderboard_diff

    changes = leaderboard_diff.diff(leaderboard_diff.read_base(base, request, baseline), board)
    return options.json_text(changes.as_dict()) + "\n" if output == "json" else leaderboard_diff.markdown(changes)
