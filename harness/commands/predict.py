"""`harness predict`: ask a model about every clip, and write its answers as an entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options


def _pairs(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not key or not equals or key in found:
            raise click.BadParameter(f"{text!r}: expected key=value, each key once")
        found[key] = value
    return found


@click.command("predict")
@click.option(
    "--model",
    required=True,
    metavar="NAME:REST",
    help="An installed model and what it is to load: finetune:RUN_DIR, baseline:constant.",
)
@options.truth
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="The entry's folder; its name is the entry's.",
)
@click.option(
    "--frames",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="A rendering of the split, or a folder with SPLIT/ in it, instead of one made for the model.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Ask about the first N clips only; a score counts the others as wrong.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Clips that are asked about at once; the model's own number by default.",
)
@click.option(
    "--option",
    "asked",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_pairs,
    help="An option of the model (may be repeated).",
)
@click.option("--fresh", is_flag=True, help="Discard what an earlier run left in DIR, or the entry there.")
@click.option(
    "--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="Processes that draw pictures."
)
@click.option("--no-score", is_flag=True, help="Do not score the entry.")
def command(
    model: str,
    folder: Path,
    asked: dict[str, str],
    world: str,
    split: str,
    truth: Path | None,
    no_score: bool,
    **choices: Any,
) -> None:
    """Ask a model about every clip of a split, write predictions.jsonl and card.toml into DIR, and score them.

    The same command resumes where an earlier one was cut off. A run that finished, also one with --limit, leaves a
    finished entry, which is not extended: --fresh replaces it. latency_ms is the wall time of a batch over its clips.

    \b
    Example:
      harness predict --model baseline:constant -o submissions/floor/
      harness predict --model baseline:random --option seed=7 -o random/
    """
    from harness.prediction.predict import predict, summary_lines

    done = predict(model, folder, world=world, split=split, truth=truth, options=asked, say=_say, **choices)
    click.echo("\n".join(summary_lines(done)))
    if done.sealed:
        click.echo(f"  {done.world} is sealed: harness score {done.path} --world {done.world} --name NAME")
    elif not no_score:
        from harness.commands import terminal
        from harness.scoring import score

        click.echo()
        record = score.score(done.path, world=world, split=split, truth=truth).record
        terminal.print_score(record, terminal.console(), str(done.path))


def _say(text: str) -> None:
    click.echo(text, err=True)
