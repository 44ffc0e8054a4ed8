"""`harness submit`: an entry of the leaderboard made of a prediction file."""

from __future__ import annotations

import shlex
from typing import Any

import click

from harness.commands import options
from harness.commands.printing import say


@click.command("submit", cls=options.Command)
@click.argument("submission", metavar="FILE")
@options.option("--name", required=True, metavar="NAME", help="Call the entry, and its folder, NAME.")
@options.path_option(
    "--folder", folder=True, default="submissions", show_default=True, help="Write the entry into DIR/NAME."
)
@options.option(
    "--kind",
    type=click.Choice(["model", "baseline"]),
    default="model",
    show_default=True,
    help="Say what the entry is; a baseline is ranked like a model.",
)
@options.option("--description", metavar="TEXT", help="Say on the card what made the answers.")
@options.path_option("--training", help="Copy this training record, or none; by default training.json beside FILE.")
@options.path_option(
    "--clean",
    help="Copy these answers to the same clips drawn clean, which pair the transfer gap and feed nothing else; by "
    "default those that the card beside FILE names.",
)
@options.option("--replace", is_flag=True, help="Replace the entry that has this name.")
@options.truth
@options.card_ingestion
def command(submission: str, **choices: Any) -> None:
    """Make an entry of the predictions in FILE, so that the leaderboard shows it.

    Checks FILE as `harness score` does, copies it to DIR/NAME, writes the card.toml that pins it, and prints the head
    of its score. FILE may be a folder with runs/1.jsonl to runs/K.jsonl, the runs of a method.

    The options that say how the file is read go into the card.

    \b
    Example:
      harness submit submission.jsonl --name my-vlm
      harness submit submission.jsonl --name my-vlm --replace --lenient
      harness submit trained/ --name my-method
    """
    from harness.cards import RUNS
    from harness.prediction.submit import submit

    chosen = options.typed(choices)
    made = submit(submission, **chosen)
    predictions = made.folder if made.card.runs_sha256 else made.folder / made.card.predictions
    shown = made.folder / RUNS if made.card.runs_sha256 else predictions
    say(f"{shown} and {made.folder / 'card.toml'} are the entry {made.card.name}")
    world, split = made.card.world, made.card.split
    where = options.chosen_truth(str(chosen.get("world", world)), split)  # a folder has a name that only it knows
    if made.score is None:
        say(f"{world} is sealed: send {made.folder} to its organiser, who scores it")
        return
    from harness.commands import terminal
    from harness.commands.terminal.score import print_headline

    say()
    print_headline(made.score.record | {"name": made.card.name}, terminal.console(), str(predictions))
    folder = "" if str(made.folder.parent) == "submissions" else f" {shlex.quote(str(made.folder.parent))}"
    say(f"\nNext: harness leaderboard{folder}{where}")
    say(f"      harness report {shlex.quote(str(predictions))}{where}")
