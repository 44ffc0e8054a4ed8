"""`harness report`: a page about one prediction file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.commands.printing import say
from harness.errors import UsageError
from harness.formatting import unanswered


@click.command("report", cls=options.Command)
@click.argument("submission", metavar="FILE")
@options.model
@options.option(
    "--watch",
    is_flag=True,
    help="Write the page again whenever FILE, one object a line, grows, until every clip has its line.",
)
@options.option(
    "--every",
    "seconds",
    type=click.FloatRange(min=0.1),
    default=5.0,
    show_default=True,
    metavar="S",
    help="With --watch, look at FILE every S seconds.",
)
@options.option(
    "--against",
    metavar="B",
    help="With --watch, say whether it is settled that FILE lies above or below B: a file, an entry or a baseline.",
)
@options.path_option(
    "-o", "--output", "path", title=options.PAGE, help="Write the page to FILE; by default beside the submission."
)
@options.page
@options.export
@options.truth
@options.organiser
@options.rules
@options.ingestion
def command(
    submission: str,
    path: Path | None,
    export: Path | None,
    watch: bool,
    seconds: float,
    against: str | None,
    **choices: Any,
) -> None:
    """Write a page about the predictions in FILE: how good, how certain, why it fails, and the clips.

    FILE may be an entry: its folder, or its name in submissions/.

    \b
    Example:
      harness report submission.jsonl -o submission.html
      harness report submission.jsonl --watch --against qwen-tiny
      harness report submission.jsonl --frames --budget 1MB -o pictures.html
    """
    from harness.cards import prediction_file
    from harness.report import gather, write
    from harness.report.watch import watch as write_while_growing
    from harness.scoring.score import as_its_card_says, method_files

    request, pictures = options.request(choices), options.pictures(choices)
    runs = method_files(submission)
    submission = submission if runs else str(prediction_file(submission))
    path = path or _beside(Path(submission))
    options.keep_inputs([submission, choices["training"]], path, export=export)
    if against is not None and not watch:
        raise UsageError("--against belongs to --watch; harness compare FILE B compares whole files")
    if watch:
        if runs:
            raise UsageError("--watch follows one growing file: name one of the runs")
        if export is not None or pictures["frames"]:
            raise UsageError(f"--watch writes the page alone, without {'--frames' if export is None else '--export'}")
        write_while_growing(Path(submission), path, request, seconds=seconds, say=say, against=against, **choices)
        return
    request, notes = as_its_card_says(runs[0] if runs else submission, request)
    gathered = gather.gather_report(submission, request, **choices)
    record = gathered.operands[0].score.record
    remarks = [unanswered(record["coverage"], record["n"]), *notes]
    options.print_page(write.write(gathered, path, **pictures), remarks)
    options.write_exports(gathered, export)


def _beside(submission: Path) -> Path:
    """Return the page of a file, beside it and named as it is: gpt-4.1.jsonl and gpt-4.5.jsonl have a page each."""
    from harness.ingestion.submission_file import split_ending

    if not submission.name:
        raise UsageError(f"{submission}: names no file")
    return submission.with_name(f"{split_ending(submission.name)[0]}.html")
