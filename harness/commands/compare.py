"""`harness compare`: paired verdicts on two or more submissions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.errors import GateFailed


@click.command("compare", cls=options.Command)
@click.argument("submissions", nargs=-1, required=True, metavar="A B [C ...]")
@options.option(
    "--margin",
    default=0.03,
    show_default=True,
    metavar="M",
    help="Call two submissions equivalent when their difference surely lies within plus or minus M.",
)
@options.option(
    "--fail-if-worse", is_flag=True, help="Exit with 1 when A is significantly worse than another submission."
)
@options.no_training
@options.output_format()
@options.path_option(
    "-o", "--output", "--html", "path", title=options.PAGE, help="Also write a page with all of them into FILE."
)
@options.page
@options.truth
@options.organiser
@options.rules
@options.ingestion
def command(
    submissions: tuple[str, ...],
    margin: float,
    fail_if_worse: bool,
    training: str | None,
    path: Path | None,
    output: str,
    **choices: Any,
) -> None:
    """Compare submissions on the same clips: files, entries of submissions/, or baselines by name.

    \b
    Example:
      harness compare new.jsonl old.jsonl --margin 0.02
      harness compare submission.jsonl transition-prior --fail-if-worse
      harness compare new.jsonl old.jsonl -o new-old.html
    """
    from harness.cards import ENTRIES
    from harness.comparison.pairwise import compare

    request = options.request(choices)
    options.keep_inputs([*submissions, *(Path(ENTRIES, name) for name in submissions)], path)
    result = compare(*submissions, margin=margin, training=training, request=request)
    with options.printing():
        _print(result, output)
    if path is not None:
        from harness.report.write import compare_page

        more = {"margin": margin, "training": training} | choices
        written = compare_page(*submissions, path=path, request=request, **more)
        options.print_path(written, err=True)
    if fail_if_worse:
        _check(result)


def _check(result: dict[str, Any]) -> None:
    """Raise GateFailed where the first submission is significantly worse than another."""
    first = result["entries"][0]["name"]
    worse = [pair for pair in result["pairs"] if pair["a"] == first and pair["verdict"]["kind"].startswith("worse")]
    if worse:
        raise GateFailed("gate failed: " + "; ".join(pair["verdict"]["sentence"] for pair in worse))


def _print(result: dict[str, Any], output: str) -> None:
    if output == "json":
        options.print_json(result)
    elif output == "csv":
        options.print_csv(
            {"a": pair["a"], "b": pair["b"], "metric": name, "verdict": pair["verdict"]["kind"]} | test
            for pair in result["pairs"]
            for name, test in ({"score": pair["score"]} | pair["metrics"]).items()
        )
    else:
        from harness.commands import terminal
        from harness.commands.terminal.comparison import print_comparison

        print_comparison(result, terminal.console())
