"""`harness score`: the score record of a prediction file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.errors import UsageError


@click.command("score", cls=options.Command)
@click.argument("submission", metavar="FILE|-")
@options.model
@options.option(
    "--as",
    "entrant",
    metavar="NAME",
    help="Score a file for a sealed split as an attempt of this entrant, whom its organiser listed.",
)
@options.path_option(
    "-o", "--output", "folder", folder=True, help="Write score.json and clips.parquet (a row for each clip) into DIR."
)
@options.option(
    "--fail-under",
    metavar="GATES",
    help="Exit with 1 unless all of these hold, e.g. aa1=0.6,aa1.low=0.55,coverage=1.",
)
@options.path_option("--junit", help="Write the gates of --fail-under as JUnit XML, a test case for each.")
@options.output_format()
@options.option(
    "--full", is_flag=True, help="Print everything: funnel, slices, calibration, known failure modes, checks."
)
@options.truth
@options.organiser
@options.rules
@options.ingestion
def command(
    submission: str,
    folder: Path | None,
    fail_under: str | None,
    junit: Path | None,
    output: str,
    full: bool,
    **choices: Any,
) -> None:
    """Score the predictions in FILE (- reads standard input), or of an entry: its folder, or its name in submissions/.

    A folder with runs/1.jsonl to runs/K.jsonl is a method: its value is the mean over its K runs, and its interval
    allows for their spread. Failure modes, slices, clips and other metrics are of run 1.

    Prints the answer first: above floor and prior or not, and what to mend first. `harness words` explains the words,
    such as floor, prior, ceiling and skill. `harness report` writes the same as a page, with the clips.

    A file for a sealed split needs --as NAME, one of its entrants, and answers to at least nine tenths of the clips.
    The answer is what stands under that name, four rounded numbers, and whether this file took the place: it does where
    it is better by two paired standard errors, or by more after many attempts. A file that does not has no numbers.

    \b
    Example:
      harness score submission.jsonl
      harness score qwen-tiny
      harness score new.jsonl --output reports/new --fail-under aa1.low=0.5
    """
    from harness.cards import prediction_file
    from harness.ingestion.submission_file import shown_name
    from harness.scoring import gates, score

    submission = submission if score.method_files(submission) else str(prediction_file(submission))
    conditions = [] if fail_under is None else gates.parse(fail_under)
    request = options.request(choices)
    written = [] if folder is None else [folder / "score.json", folder / "clips.parquet"]
    if choices["entrant"] is not None:
        _refuse_numbers_of_a_file(output, fail_under, full)
    options.keep_inputs([submission, choices["training"]], *written, junit)
    result = score.score(submission, request=request, **choices)
    if folder is not None:
        result.write(folder)
    with options.printing():
        _print(result.record, output, shown_name(submission), full)
    if junit is not None:
        _write_junit(junit, result.record, gates.evaluate(result.record, conditions))
    gates.check(result.record, conditions)


def _refuse_numbers_of_a_file(output: str, fail_under: str | None, full: bool) -> None:
    """Raise UsageError, before an attempt is used, for what needs numbers that do not leave a sealed split."""
    if fail_under is not None:
        raise UsageError("--fail-under needs the file's own numbers, which do not leave a sealed split")
    if output == "csv":
        raise UsageError("--format csv has no place for what a sealed split answers; json has")
    if full:
        raise UsageError("--full shows what does not leave a sealed split; its organiser may use --organiser")


def _write_junit(path: Path, record: dict[str, Any], found: list[tuple[Any, str]]) -> None:
    from harness.report.exports import texts
    from reference.files import write_text

    cases = [(f"{gate} is at least {gate.least:g}", wrong) for gate, wrong in found]
    text = texts.gates(record.get("name") or "submission", cases)
    write_text(path, text)


def _print(record: dict[str, Any], output: str, title: str, full: bool) -> None:
    if output == "json":
        options.print_json(record)
    elif output == "csv":
        options.print_csv({"metric": name} | row for name, row in record["metrics"].items())
    else:
        from harness.commands import terminal
        from harness.commands.terminal.score import print_score

        print_score(record, terminal.console(), title, full)
