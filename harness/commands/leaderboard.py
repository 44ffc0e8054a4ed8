"""`harness leaderboard`: all entries of a folder, ranked; in a terminal, as a page, or for another program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.commands.printing import say
from harness.errors import UsageError

FORMATS = ("text", "markdown", "csv", "json", "latex", "junit")


@click.command("leaderboard", cls=options.Command)
@click.argument("folder", default="submissions", type=click.Path(path_type=Path), metavar="[DIR]")
@options.option(
    "--baseline",
    default="constant",
    show_default=True,
    metavar="NAME",
    help="Test differences to this entry or baseline.",
)
@options.option("--diff", metavar="BASE", help="Print what changed since BASE, a folder or an earlier --format json.")
@options.output_format(*FORMATS)
@options.option("--github", is_flag=True, help="Append the Markdown to the job summary of a GitHub action.")
@options.path_option("-o", "--output", "path", title=options.PAGE, help="Write a page, one file to open from disk.")
@options.page
@options.export
@options.truth
@options.organiser
@options.rules
def command(
    folder: Path, baseline: str, diff: str | None, output: str, github: bool, path: Path | None, **choices: Any
) -> None:
    """Rank the submissions in DIR, by default those in submissions/.

    Each submission is a folder with a card.toml beside its predictions.

    \b
    Example:
      harness leaderboard
      harness leaderboard submissions --format markdown
      harness leaderboard submissions --diff submissions
      harness leaderboard submissions -o leaderboard.html
    """
    from harness.comparison import sealed_leaderboard

    request = options.request(choices)
    if path is not None and path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"-o {path}: expected a name that ends in .html; --format and --export make the other kinds")
    if path is not None and output != "text" and not diff:
        raise UsageError(f"--format {output} prints and -o writes the page: give one of them, or --export DIR for both")
    options.keep_inputs([folder], path, export=choices["export"])
    if sealed_leaderboard.applies(request):
        _sealed(sealed_leaderboard.leaderboard(folder, request), output, path)
        return
    board = _board(folder, request, baseline, path, **choices)
    text = _changes(board, diff, request, baseline, output) if diff else _text(board, output)
    if diff or (path is None and choices["export"] is None):
        say(text, nl=False, coloured=output == "text" and not diff)
    if github:
        options.add_to_summary(text if diff and output != "json" else _text(board, "markdown"))


def _board(
    folder: Path, request: Any, baseline: str, path: Path | None, export: Path | None, **pictures: Any
) -> dict[str, Any]:
    """Return the leaderboard; write the page and the exports that are requested, all from one gathering."""
    from harness.comparison import leaderboard

    if path is None and export is None:
        return leaderboard.leaderboard(folder, request=request, baseline=baseline)
    from harness.commands import terminal
    from harness.commands.terminal.leaderboard import print_skipped
    from harness.report import gather, write

    gathered = gather.gather_leaderboard(folder, request, baseline)
    if path is not None:
        options.print_page(write.write(gathered, path, **pictures))
        print_skipped(gathered.board, terminal.console())
    options.write_exports(gathered, export)
    return gathered.board


def _sealed(board: dict[str, Any], output: str, path: Path | None) -> None:
    """Print or write what may leave a sealed split."""
    from harness.commands import terminal
    from harness.commands.terminal.leaderboard import print_sealed_leaderboard
    from harness.report import public

    if path is not None:
        options.print_page(public.write(board, path))
    elif output == "json":
        options.print_json(board)
    elif output == "text":
        print_sealed_leaderboard(board, terminal.console())
    else:
        raise UsageError(f"{board['world']} is sealed: its public leaderboard is text, json or a page (-o FILE)")


def _text(board: dict[str, Any], output: str) -> str:
    """Return the leaderboard in one of FORMATS."""
    if output == "json":
        return options.json_text(board) + "\n"
    if output == "text":
        from harness.commands import terminal
        from harness.commands.terminal.leaderboard import print_leaderboard

        return terminal.capture(lambda out: print_leaderboard(board, out))
    from harness.report.exports import tables, texts

    if output == "csv":
        return tables.csv_text(tables.rows(board))
    return {"markdown": texts.markdown, "latex": texts.latex, "junit": texts.junit}[output](board)


def _changes(board: dict[str, Any], base: str, request: Any, baseline: str, output: str) -> str:
    """Return what changed since `base`, as JSON or Markdown."""
    from harness.comparison import leaderboard_diff

    changes = leaderboard_diff.diff(leaderboard_diff.read_base(base, request, baseline), board)
    return options.json_text(changes.as_dict()) + "\n" if output == "json" else leaderboard_diff.markdown(changes)
