"""`harness compare`: paired verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.errors import GateFailed


@click.command("compare")
@click.argument("submissions", nargs=-1, required=True, metavar="A B [C ...]")
@options.truth
@options.rules
@options.organiser
@options.ingestion
@click.option("--margin", default=0.03, show_default=True, help="Differences within +-margin count as equivalent.")
@click.option("--fail-if-worse", is_flag=True, help="Exit 1 when A is significantly worse than any other.")
@click.option(
    "--html",
    "path",
    type=click.Path(path_type=Path),
    metavar="OUT.html",
    help="Also write a page with both side by side.",
)
@options.pictures
@options.output_format()
def command(
    submissions: tuple[str, ...],
    margin: float,
    fail_if_worse: bool,
    path: Path | None,
    frames: bool,
    budget: int,
    output: str,
    rules: str,
    weights: str | None,
    truth: Path | None,
    **choices: Any,
) -> None:
    """Compare submissions on the same clips: files, entries of submissions/, or baselines by name.

    \b
    Example:
      harness compare new.jsonl old.jsonl --margin 0.02
      harness compare submission.jsonl transition-prior --fail-if-worse
      harness compare new.jsonl old.jsonl --html new-old.html
    """
    from harness.comparison.pairwise import compare
    from harness.scoring.request import Request

    request = Request.of(rules=rules, weights=options.chosen_weights(weights), truth=truth, **choices)
    result = compare(*submissions, margin=margin, request=request)
    _print(result, output)
    if path is not None:
        _page(submissions, request, margin, path, frames=frames, budget=budget)
    first = result["entries"][0]["name"]
    worse = [pair for pair in result["pairs"] if pair["a"] == first and pair["verdict"]["kind"].startswith("worse")]
    if fail_if_worse and worse:
        raise GateFailed("gate failed: " + "; ".join(pair["verdict"]["sentence"] for pair in worse))


def _page(submissions: tuple[str, ...], request: Any, margin: float, path: Path, **pictures: Any) -> None:
    from harness.report.write import compare_page

    written = compare_page(*submissions, path=path, request=request, margin=margin, **pictures)
    click.echo(f"{written.path}: {written.bytes / 1e6:.2f} MB; open it in a browser", err=True)


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

        terminal.print_comparison(result, terminal.console())
