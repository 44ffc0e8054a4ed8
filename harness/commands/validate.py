"""`harness validate`: every problem of a prediction file, without a score."""

from __future__ import annotations

from typing import Any

import click

from harness.commands import options
from harness.errors import SubmissionError
from harness.formatting import count


@click.command("validate", cls=options.Command)
@click.argument("submission", metavar="FILE|-")
@options.output_format()
@options.truth
@options.ingestion
def command(submission: str, output: str, lenient: bool, **choices: Any) -> None:
    """Check the predictions in FILE against a split, without scoring them.

    The exit code is 2 when a line would be rejected.

    \b
    Example:
      harness validate submission.jsonl
      harness validate submission.jsonl --format json
    """
    from harness.ingestion.diagnostics import problem_count
    from harness.scoring import score

    found = score.validate(submission, **choices)
    report = found.diagnostics()
    if output == "json":
        options.print_json(report)
    elif output == "csv":
        options.print_csv(report["problems"])
    else:
        _print(found)
    if found.total and not lenient:
        raise SubmissionError(f"{found.name}: {problem_count(found.codes)}, this file would be refused")


def _print(found: Any) -> None:
    """Print what was read, the notes of its reader, and every problem."""
    from harness.commands.terminal import console, print_lines
    from harness.ingestion.diagnostics import problem_lines

    out = console()
    lines = f"{count(found.lines)} line{'' if found.lines == 1 else 's'}"
    out.print(f"{found.name}: {lines} for {count(found.rows)} of {count(found.clips)} clips, read as {found.adapter}")
    for note in found.notes:
        out.print(f"  {note}")
    print_lines(problem_lines(found.problems, found.codes), out)
