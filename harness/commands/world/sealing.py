"""`harness world`: a split is sealed, its secret revealed and checked."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.commands.printing import say, say_sentences
from harness.errors import GateFailed
from reference.task import DEFAULT_SIZE


@click.command(cls=options.Command)
@options.world_argument
@options.path_option(
    "--secret",
    "secret_file",
    required=True,
    help="Read secret key and salt from FILE; for a new split make it there, for your eyes only.",
)
@options.path_option(
    "-o",
    "--output",
    "folder",
    folder=True,
    required=True,
    help="Write what to publish into DIR: pictures, clips.jsonl, commitment.json.",
)
@options.option("--name", metavar="NAME", help="Call the sealed split NAME; by default WORLD-sealed.")
@options.split(help="Take size and domains from this split.")
@options.form
@options.side(DEFAULT_SIZE)
@options.workers
def seal(world: str, secret_file: Path, folder: Path, **choices: Any) -> None:
    """Make a split whose truth only you hold.

    Its pictures are for publishing, with a commitment to its truth. The commitment proves later that truth and pictures
    were not changed. It does not prove that you did not choose the secret among several, or train a model on what it
    makes.

    \b
    Example:
      harness world seal warehouse-v2 --secret secret.json -o sealed/
      harness score predictions.jsonl --world warehouse-v2-sealed --as alice
    """
    from harness.sealed.entrants import entrants_file, table
    from harness.worlds import sealing

    sealed = sealing.seal(world, folder, secret_file, say=partial(say_sentences, err=True), **choices)
    say(f"sealed as {sealed.name} / {sealed.split}")
    say(f"  commitment {sealed.commitment}")
    say(f"  publish the whole folder {folder}")
    say(f"  keep {secret_file} to yourself until you reveal it")
    where = options.chosen_truth(sealed.name, sealed.split)
    say(f"  list who may send files in {entrants_file(sealed)}, a table for each, such as {table('alice')}")
    say(f"  harness score predictions.jsonl{where} --as NAME")
    say(f"  scorings are logged in {sealed.log}")


@click.command(cls=options.Command)
@click.argument("name")
@options.path_option("-o", "--output", "path", help="Write them to FILE, for `check-reveal`, instead of printing them.")
def reveal(name: str, path: Path | None) -> None:
    """Print secret and salt of a sealed split.

    From then on the truth of NAME is public. As reveal.json in the published folder they are found by `check-reveal`.

    \b
    Example:
      harness world reveal warehouse-v2-sealed -o sealed/reveal.json
    """
    from harness.worlds import sealing

    revealed = sealing.reveal(name, path)
    if path is None:
        options.print_json(revealed)
    else:
        say(f"{path}: secret and salt of {name}; publish it, and harness world check-reveal reads it")


@click.command("check-reveal", cls=options.Command)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("revealed", required=False, metavar="[FILE]", type=click.Path(path_type=Path, dir_okay=False))
@options.option("--secret", metavar="HEX", help="Use this revealed secret, 64 hexadecimal digits, instead of a FILE.")
@options.option("--salt", metavar="HEX", help="Use this revealed salt, 64 hexadecimal digits.")
@options.workers
def check_reveal(folder: Path, **choices: Any) -> None:
    """Check a published split against its revealed secret.

    FILE is what `harness world reveal` wrote, by default FOLDER/reveal.json. Makes truth, clip ids and pictures from
    the secret and compares them with what was published in FOLDER. Agreement proves that nothing was changed since the
    commitment, and no more: not that the organiser did not choose the secret among several, or train on what it makes.
    The exit code is 1 where something differs.

    \b
    Example:
      harness world check-reveal sealed/ sealed/reveal.json
    """
    from harness.worlds import sealing

    checked = sealing.check_reveal(folder, say=partial(say_sentences, err=True), **choices)
    with options.printing():
        for what, agrees in checked.claims:
            say(f"{'yes' if agrees else 'NO '}  {what}")
    if not checked.valid:
        raise GateFailed("what was published is not what the secret makes")
