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
@options.output_format()
def command(submissions: tuple[str, ...], margin: float, fail_if_worse: bool, output: str, rules: str,
            weights: str | None, truth: Path | None, **choices: Any) -> None:
    """Compare submissions on the same clips: files, entries of submissions/, or baselines by name.

    \b
    Example:
      harness compare new.jsonl old.jsonl --margin 0.02
      harness compare submission.jsonl transition-prior --fail-if-worse
    """
    from harness.comparison import compare
    from harness.rules import find_rules
    from harness.scoring import Request

    request = Request(rules=find_rules(rules), weights=options.chosen_weights(weights), truth=truth, **choices)
    result = compare(*submissions, margin=margin, request=request)
    _print(result, output)
    first = result["entries"][0]["name"]
    worse = [pair for pair in result["pairs"] if pair["a"] == first and pair["verdict"]["kind"].startswith("worse")]
    if fail_if_worse and worse:
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
        from harness import terminal

        terminal.print_comparison(result, terminal.console())
