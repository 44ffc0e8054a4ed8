"""`harness baseline`: a reference model's answers."""

from __future__ import annotations

from pathlib import Path

import click

from harness.commands import options

NAMES = ("constant", "whole-clip", "random", "transition-prior", "oracle", "truth-copy")


@click.command("baseline")
@click.argument("name", type=click.Choice(NAMES))
@click.option("-o", "--output", "path", required=True, metavar="FILE", help="Where to write (- is standard output).")
@click.option("--seed", default=0, show_default=True, help="Seed of `random`.")
@options.truth
@options.organiser
def command(name: str, path: str, seed: int, world: str, split: str, truth: Path | None, organiser: bool) -> None:
    """Write the answers of the reference model NAME as an ordinary submission.

    \b
    constant          majority operation, best constant segment, majority next
    whole-clip        the same with the whole clip as the segment
    random            uniformly random answers
    transition-prior  true operation, its usual successor (uses the truth)
    oracle            the best answer given what is visible (uses the truth)
    truth-copy        the truth itself, for tests

    \b
    Example:
      harness baseline constant -o constant.jsonl
    """
    from harness.baselines import write_baseline

    n = write_baseline(name, path, world=world, split=split, seed=seed, truth=truth, organiser=organiser)
    if path != "-":
        click.echo(f"{n:,} answers of {name} for {world} / {split} in {path}")
