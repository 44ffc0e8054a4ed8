"""`harness baseline`: a reference model's answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.errors import UsageError

PROBE = "probe"
NAMES = ("constant", "whole-clip", "random", PROBE, "transition-prior", "oracle", "truth-copy")


@click.command("baseline")
@click.argument("name", type=click.Choice(NAMES))
@click.option("-o", "--output", "path", required=True, metavar="FILE", help="Where to write (- is standard output).")
@click.option("--seed", default=0, show_default=True, help="Seed of `random` and `probe`.")
@click.option(
    "--frames",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="For `probe`: the folder with the renderings train/ and SPLIT/.",
)
@options.truth
@options.organiser
def command(name: str, path: str, frames: Path | None, world: str, split: str, **choices: Any) -> None:
    """Write the answers of the reference model NAME as an ordinary submission.

    \b
    constant          majority operation, best constant segment, majority next
    whole-clip        the same with the whole clip as the segment
    random            uniformly random answers
    probe             a small classifier on frames alone, trained on DIR/train
    transition-prior  true operation, its usual successor (uses the truth)
    oracle            the best answer given what is visible (uses the truth)
    truth-copy        the truth itself, for tests

    \b
    Example:
      harness baseline constant -o constant.jsonl
    """
    if name == PROBE:
        from harness.baselines.probe import probe

        if frames is None:
            raise UsageError("probe looks at pictures: --frames DIR, with the renderings DIR/train and DIR/SPLIT")
        n = probe(frames, path, split=split, seed=choices["seed"])
    else:
        from harness.baselines.write import write_baseline

        n = write_baseline(name, path, world=world, split=split, **choices)
    if path != "-":
        click.echo(f"{n:,} answers of {name} for {world} / {split} in {path}")
