"""`harness leaderboard`: all entries of a folder, ranked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options


@click.command("leaderboard")
@click.argument("folder", default="submissions", type=click.Path(path_type=Path), metavar="[DIR]")
@options.truth
@options.rules
@options.organiser
@click.option("--baseline", default="constant", show_default=True, help="Entry or baseline that differences are to.")
@options.output_format("text", "markdown", "csv", "json")
def command(folder: Path, output: str, baseline: str, rules: str, weights: str | None, truth: Path | None,
            **choices: Any) -> None:
    """Rank the submissions in DIR/*/ (a card.toml beside predictions each), by default those in submissions/.

    \b
    Example:
      harness leaderboard
      harness leaderboard submissions --format markdown
    """
    from harness.ranking import leaderboard
    from harness.rules import find_rules
    from harness.scoring import Request

    request = Request(rules=find_rules(rules), weights=options.chosen_weights(weights), truth=truth, **choices)
    _print(leaderboard(folder, request=request, baseline=baseline), output)


def _print(board: dict[str, Any], output: str) -> None:
    if output == "json":
        options.print_json(board)
    elif output == "csv":
        options.print_csv(_flat(row) for row in board["entries"] + board["references"])
    else:
        from harness import terminal

        printer = terminal.print_leaderboard if output == "text" else terminal.print_leaderboard_markdown
        printer(board, terminal.console())


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    metrics = {
        f"{name}{'' if part == 'value' else '_' + part}": metric[part]
        for name, metric in row["metrics"].items()
        for part in ("value", "low", "high", "skill")
    }
    ranks = {key: row.get(key) for key in ("rank_low", "rank_high", "tier", "p_best")}
    keep = {key: row[key] for key in ("name", "kind", "coverage", "invalid")}
    return keep | ranks | metrics | {"flags": " ".join(row["flags"])}
