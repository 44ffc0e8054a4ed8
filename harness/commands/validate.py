"""`harness validate`: only ingestion, all problems in one pass."""

from __future__ import annotations

from typing import Any

import click

from harness.commands import options


@click.command("validate")
@click.argument("submission", metavar="FILE|-")
@options.truth
@options.ingestion
@options.output_format()
def command(submission: str, output: str, lenient: bool, **choices: Any) -> None:
    """Check the predictions in FILE against a split, without scoring them. Exit 2 when a line would be rejected.

    \b
    Example:
      harness validate submission.jsonl
      harness validate submission.jsonl --format json
    """
    from harness.commands import terminal
    from harness.errors import SubmissionError
    from harness.ingestion.diagnostics import problem_count, problem_lines
    from harness.scoring import score

    found = score.validate(submission, **choices)
    report = found.diagnostics()
    if output == "json":
        options.print_json(report)
    elif output == "csv":
        options.print_csv(report["problems"])
    else:
        out = terminal.console()
        lines = f"{found.lines:,} line{'' if found.lines == 1 else 's'}"
        out.print(f"{found.name}: {lines} for {found.rows:,} of {found.clips:,} clips, read as {found.adapter}")
        for note in found.notes:
            out.print(f"  {note}")
        terminal.print_problems(problem_lines(found.problems, found.codes), out)
    if found.total and not lenient:
        raise SubmissionError(f"{found.name}: {problem_count(found.codes)}, this file would be refused")
