"""`harness report`: one model in depth, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options


@click.command("report")
@click.argument("submission", metavar="FILE")
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path),
    metavar="OUT.html",
    help="The page; by default beside FILE, named as it is.",
)
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
@options.pictures
@options.export
@click.option("--watch", is_flag=True, help="Make the page again whenever FILE grows, until every clip has its line.")
@click.option(
    "--every",
    "seconds",
    type=click.FloatRange(min=0.1),
    default=5.0,
    show_default=True,
    metavar="S",
    help="Seconds between two looks at FILE.",
)
def command(
    submission: str,
    path: Path | None,
    export: Path | None,
    watch: bool,
    seconds: float,
    frames: bool,
    budget: int,
    rules: str,
    weights: str | None,
    truth: Path | None,
    name: str | None,
    training: Path | None,
    **choices: Any,
) -> None:
    """Write a page about the predictions in FILE: how good, how certain, why it fails, and the clips.

    \b
    Example:
      harness report submission.jsonl -o submission.html
      harness report submission.jsonl --frames --budget 1MB -o pictures.html
    """
    from harness.report import gather, write
    from harness.report.watch import watch as follow
    from harness.scoring.request import Request

    request = Request.of(rules=rules, weights=options.chosen_weights(weights), truth=truth, **choices)
    path = path or Path(submission).with_suffix(".html")
    if watch:
        follow(Path(submission), path, request, name=name, training=training, seconds=seconds, say=click.echo)
        return
    gathered = gather.gather_report(submission, request, name=name, training=training)
    options.tell_page(write.write(gathered, path, frames=frames, budget=budget))
    options.write_exports(gathered, export)
