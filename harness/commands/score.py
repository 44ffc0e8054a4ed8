"""`harness score`: from a prediction file to the whole answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options


@click.command("score")
@click.argument("submission", metavar="FILE|-")
@options.truth
@options.rules
@options.ingestion
@options.organiser
@click.option("--name", help="A name for the model, shown and pinned in the signature.")
@click.option(
    "--training",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Training record; by default training.json beside the submission.",
)
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write score.json and clips.parquet (one row a clip) here.",
)
@click.option("--fail-under", metavar="GATES", help="Exit 1 unless all hold, e.g. aa1=0.6,aa1.low=0.55,coverage=1.")
@click.option(
    "--junit",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the gates of --fail-under as JUnit XML, a test case a gate.",
)
@options.output_format()
def command(
    submission: str,
    folder: Path | None,
    fail_under: str | None,
    junit: Path | None,
    output: str,
    weights: str | None,
    **choices: Any,
) -> None:
    """Score the predictions in FILE (- reads standard input).

    \b
    Example:
      harness score submission.jsonl
      harness score new.jsonl --output reports/new --fail-under aa1.low=0.5
    """
    from harness.ingestion.submission_file import shown_name
    from harness.scoring import gates, score

    conditions = [] if fail_under is None else gates.parse(fail_under)
    result = score.score(submission, weights=options.chosen_weights(weights), **choices)
    if folder is not None:
        result.write(folder)
    _print(result.record, output, shown_name(submission))
    if junit is not None:
        _write_junit(junit, result.record, gates.judged(result.record, conditions))
    gates.check(result.record, conditions)


def _write_junit(path: Path, record: dict[str, Any], found: list[tuple[Any, str]]) -> None:
    from harness.report.exports import texts
    from reference.files import write_text

    cases = [(f"{gate} is at least {gate.least:g}", wrong) for gate, wrong in found]
    text = texts.gates(record.get("name") or "submission", cases)
    write_text(path, text)


def _print(record: dict[str, Any], output: str, title: str) -> None:
    if output == "json":
        options.print_json(record)
    elif output == "csv":
        options.print_csv({"metric": name} | row for name, row in record["metrics"].items())
    else:
        from harness.commands import terminal

        terminal.print_score(record, terminal.console(), title)
