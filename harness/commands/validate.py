"""`harness validate`: every problem of a prediction file, without a score."""

from __future__ import annotations

from typing import Any

import click

from harness.commands import options
from harness.errors import SubmissionError, UsageError
from harness.formatting import count, plural
from harness.ingestion.diagnostics import problem_count
from harness.ingestion.problem_kinds import problem_lines


@click.command("validate", cls=options.Command)
@click.argument("submission", metavar="FILE|-")
@options.output_format()
@options.truth
@options.ingestion
def command(submission: str, output: str, **choices: Any) -> None:
    """Check the predictions in FILE, or of an entry (its folder or name), against a split, without scoring them.

    The exit code is 2 when a line would be rejected, or when a sealed split has no score for so few answers.

    \b
    Example:
      harness validate submission.jsonl
      harness validate submission.jsonl --format json
    """
    from harness.cards import prediction_file
    from harness.scoring import score

    if len(runs := score.method_files(submission)) > 1:
        raise UsageError(f"{submission}: holds {len(runs)} runs, and validate reads one file, such as {runs[0]}")
    submission = str(runs[0] if runs else prediction_file(submission))
    request, notes = score.as_its_card_says(submission, options.request(choices))
    found = score.validate(submission, request=request)
    found.notes.extend(notes)
    refusal = _refusal(found, request.lenient)
    with options.printing():
        _print(found, output, refusal)
    if refusal:
        raise SubmissionError(f"{found.name}: {refusal}")


def _refusal(found: Any, lenient: bool) -> str:
    """Return why the file has no score, "" where it has one."""
    if found.total and not lenient:
        return f"{problem_count(found.codes)}, this file would be refused"
    return found.shortfall


def _print(found: Any, output: str, refusal: str) -> None:
    """Print what was read, the notes of its reader, and every problem; JSON also says why the file has no score."""
    if output == "json":
        kinds = [kind.as_dict() for kind in found.kinds]
        options.print_json(found.diagnostics() | {"problem_kinds": kinds, "refusal": refusal})
    elif output == "csv":
        options.print_csv(found.diagnostics()["problems"])
    else:
        _print_text(found)


def _print_text(found: Any) -> None:
    from harness.commands.terminal import console, print_lines, print_note

    out = console()
    have = "has a line" if found.rows == 1 else "have a line"
    clips = f"{count(found.rows)} of {plural(found.clips, 'clip')} {have}"
    print_lines([f"{found.name}, read as {found.adapter}"], out)
    out.print(f"{plural(found.lines, 'line')}; {clips}")
    for note in found.notes:
        print_note(note, out)
    print_lines(problem_lines(found.kinds), out)
