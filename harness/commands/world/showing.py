"""`harness world`: what is in a world: the list of worlds, a split in figures and in pictures, the data card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.commands.printing import say


@click.command("list", cls=options.Command)
@options.output_format()
def list_(output: str) -> None:
    """List worlds and their splits.

    These are the worlds that ship and those imported on this machine.

    \b
    Example:
      harness world list
    """
    from harness.worlds import describe

    rows = describe.list_splits()
    if output == "text":
        from harness.commands import terminal
        from harness.commands.terminal.world import print_worlds

        print_worlds(rows, terminal.console())
    else:
        options.print_rows(rows, output)


@click.command(cls=options.Command)
@options.world_argument
@options.split()
@options.output_format()
@options.truth_path
@options.organiser
def info(world: str, split: str, truth: Path | None, organiser: bool, output: str) -> None:
    """Describe what a split holds and can measure.

    Prints its size, floors, prior, ceiling, distributions, and the differences that it can detect; of the published
    folder of a sealed split what is published.

    \b
    Example:
      harness world info warehouse-v2 --split test-large
    """
    from harness.worlds import describe

    found = describe.describe(world, split, truth=truth, organiser=organiser)
    if output == "json":
        options.print_json(found)
    elif output == "csv":
        rows = [found | found.pop("pictures")] if found["kind"] == "published" else _distribution_rows(found)
        options.print_csv(rows)
    else:
        from harness.commands import terminal
        from harness.commands.terminal.world import print_published, print_world

        (print_published if found["kind"] == "published" else print_world)(found, terminal.console())


def _distribution_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"dimension": name} | row for name, rows in found["distributions"].items() for row in rows]


@click.command(cls=options.Command)
@options.world_argument
@options.split()
@options.option("--clip", "clips", multiple=True, metavar="ID", help="Draw this clip (may be repeated).")
@options.option(
    "--count",
    type=click.IntRange(1, 60),
    default=6,
    show_default=True,
    metavar="N",
    help="Draw N clips, spread evenly over the split.",
)
@options.option("--blind", is_flag=True, help="Leave out the truth, so that you can guess.")
@options.side(168, 32, 672)
@options.path_option("-o", "--output", "path", help="Write the PNG to FILE; by default WORLD-SPLIT.png.")
def preview(world: str, path: Path | None, clips: tuple[str, ...], count: int, **choices: Any) -> None:
    """Draw a contact sheet of clips with their truth.

    It shows 8 frames of each clip, as a model sees them.

    \b
    Example:
      harness world preview warehouse-v2
      harness world preview warehouse-v2 --split train --blind -o guess.png
    """
    from harness.worlds import rendering

    written = rendering.preview(world, path, clips=clips or count, **choices)
    say(f"{written}: 8 frames of each clip, in order")


@click.command(cls=options.Command)
@options.world_argument
def card(world: str) -> None:
    """Print the data card of a world as Markdown.

    It holds counts, distributions, floors, ceilings, detectable differences and limits.

    \b
    Example:
      harness world card canonical-v1 > canonical-v1.md
    """
    from harness.worlds import data_card

    say(data_card.card(world), nl=False)
