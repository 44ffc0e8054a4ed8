"""`harness world`: a truth is made, imported, written to a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.commands.printing import say, say_sentences
from harness.errors import UsageError
from harness.formatting import plural, size
from reference.task import DEFAULT_SPLIT


@click.command(cls=options.Command)
@options.world_argument
@options.option("--split", "splits", multiple=True, metavar="NAME", help="Build this split only (may be repeated).")
@options.option(
    "--scale",
    type=click.IntRange(1, 100_000),
    default=1,
    show_default=True,
    metavar="N",
    help="Build N times the sessions, as world WORLD-xN; no world file pins its digests.",
)
@options.option("--pin", is_flag=True, help="Print the digests as a world file holds them, and check none.")
@options.output_format()
@options.path_option("--truth", folder=True, help="Keep the databases in DIR instead of the per-user cache.")
def build(world: str, splits: tuple[str, ...], scale: int, truth: Path | None, pin: bool, output: str) -> None:
    """Build the truth of a world's splits.

    It is checked against the digests that the world file pins.

    \b
    Example:
      harness world build warehouse-v2 --split test
      harness world build warehouse-v2 --split test --scale 10
    """
    from harness.worlds import describe

    rows = describe.build(world, splits, scale=scale, truth=truth, check=not pin)
    if pin:
        say("[digests]\n" + "\n".join(f'{row["split"]} = "{row["truth_digest"]}"' for row in rows))
    elif output == "text":
        for row in rows:
            pinned = "as pinned" if row["pinned"] else "not pinned"
            say(f"{row['world']} / {row['split']}: {size(row)}, truth {row['truth_digest'][:16]} ({pinned})")
            say(f"  {row['path']}")
    else:
        options.print_rows(rows, output)


@click.command("import", cls=options.Command)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@options.option("--name", metavar="NAME", help="Call the world NAME; by default it is called as the first file.")
@options.option(
    "--map",
    "operation_map",
    metavar="MAP",
    help="Translate OpenPack ids to labels by MAP: identity (default), openpack, ten-labels, or a TOML file.",
)
@options.option("--fps", type=float, metavar="RATE", help="Convert frames of the truth from this frame rate to 25.")
@options.option(
    "--clip-frames", type=int, metavar="N", help="Convert frames of the truth from clips of N frames to clips of 125."
)
@options.option(
    "--train",
    multiple=True,
    metavar="SESSION",
    help="Put a session into the split train, to learn from: its name, or a pattern such as 'U01*' (may be repeated).",
)
@options.option(
    "--validation",
    multiple=True,
    metavar="SESSION",
    help="Put a session into the split validation, by name or pattern (may be repeated); the others are test.",
)
@options.option("--replace", is_flag=True, help="Replace an imported world of that name.")
def import_(files: tuple[Path, ...], **choices: Any) -> None:
    """Import annotations or exported truth as a world.

    Reads OpenPack annotations (.csv, several layouts) and truth, one row a clip (.jsonl, .json, .csv, .parquet). What
    is not read for certain is refused with file and line: a column twice, a cell too many, another encoding than UTF-8.

    \b
    Example:
      harness world import operations_U0209_S0500.csv --name openpack-u0209
      harness score predictions.jsonl --world openpack-u0209
      harness world import operations_U0209_S0500.csv --name learn --train 'U02*'
    """
    from reference.home import cache_home
    from reference.truth.imported import import_world

    imported = import_world(files, cache_home(), **choices)
    contents = [
        f"{plural(clips, 'clip')} in {plural(sessions, 'session')}, split {split}"
        for split, (clips, sessions) in imported.splits.items()
    ]
    say(f"world {imported.name}: {'; '.join(contents)}")
    for note in imported.notes:
        say(f"  {note}")


@click.command(cls=options.Command)
@options.world_argument
@options.option(
    "--split", metavar="NAME", help="Use this split of the world; by default train, and with --ids or --as test."
)
@options.path_option(
    "-o",
    "--output",
    "path",
    required=True,
    help="Write to FILE, whose name ends in .jsonl, .csv or .parquet; with --as into a new folder.",
)
@options.option("--include-test", is_flag=True, help="Allow a split that models are judged on.")
@options.option("--ids", is_flag=True, help="Write the clip ids alone, of any split: what a model is to answer for.")
@options.option(
    "--as",
    "tool",
    type=click.Choice(["inspect", "lmms-eval"]),
    help="Write the questions, with pictures and no truth, as a task of Inspect AI or of lmms-eval.",
)
@options.path_option(
    "--frames",
    folder=True,
    help="Take the pictures of the rendering in DIR; by default they are drawn into the cache.",
)
@options.workers
@options.truth_path
@options.organiser
def export(world: str, path: Path, tool: str | None, **choices: Any) -> None:
    """Write a split's truth, one row for each clip, or its questions for another tool.

    It is for programs, such as training: labels of an imported world stand as they are, also one that begins with =,
    which a spreadsheet would run as a formula. With --ids nothing of the truth is written: these are the clips that
    `harness score` expects answers for, so the default split is the one that it judges on. With --as the folder is a
    task that Inspect AI or lmms-eval runs on any model that it can call; `harness score` reads the log of it.

    \b
    Example:
      harness world export warehouse-v2 --split train -o train.jsonl
      harness world export warehouse-v2 --ids -o clips.jsonl
      harness world export warehouse-v2 --as inspect -o task
    """
    (_export_rows if tool is None else partial(_export_task, tool))(world, path, **choices)


def _export_rows(world: str, path: Path, split: str | None, ids: bool, **choices: Any) -> None:
    """Write truth or ids into a file."""
    from harness.worlds import describe

    if drawn := options.typed({name: choices.pop(name) for name in ("frames", "workers")}):
        raise UsageError(f"--{next(iter(drawn))} is about the pictures of a task: --as says of which tool")
    split = split or (DEFAULT_SPLIT if ids else "train")
    n = (describe.export_ids if ids else describe.export)(world, split, path, **choices)
    say(f"{plural(n, 'clip')} of {world} / {split} in {path}")


def _export_task(tool: str, world: str, path: Path, split: str | None, ids: bool, **choices: Any) -> None:
    """Write questions into a folder."""
    from harness.prediction.other_tools.tasks import TOOLS, next_steps, write_task

    if choices.pop("include_test") | choices.pop("organiser") | ids:
        raise UsageError(
            "--as writes the questions of any split and no truth: leave --ids, --include-test and --organiser out"
        )
    split = split or DEFAULT_SPLIT
    written = write_task(tool, path, world=world, split=split, say=partial(say_sentences, err=True), **choices)
    say(f"{plural(written.clips, 'clip')} of {world} / {split} as a task of {TOOLS[tool].name} in {path}")
    if written.clips < written.expected:
        say("  a part of the split: a score counts the clips that have no answer as wrong")
    say("\n".join(next_steps(tool, path, options.chosen_truth(world, split))))
