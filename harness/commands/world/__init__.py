"""`harness world`: worlds, where the ground truth comes from."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.commands.output.printing import say
from harness.errors import GateFailed
from harness.formatting import plural, size
from reference.task import DEFAULT_FRAMES, DEFAULT_SAMPLER, DEFAULT_SIZE, DEFAULT_SPLIT, DEFAULT_WORLD


class Group(click.Group):
    """Group whose commands list their options by title."""

    command_class = options.Command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with the whole first sentence of their help."""
        commands = {name: self.commands[name] for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, (command.help or "").partition("\n\n")[0]) for name, command in commands.items()]
            )


world_argument = click.argument("world", default=DEFAULT_WORLD, metavar="[WORLD]")


@click.group("world", cls=Group)
def command() -> None:
    """List, build, describe, render, import and export worlds (the ground truth).

    \b
    Example:
      harness world list
      harness world info warehouse-v1
    """


@command.command("list")
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


@command.command()
@world_argument
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
      harness world build warehouse-v1 --split test
      harness world build warehouse-v1 --split test --scale 10
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


@command.command()
@world_argument
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
      harness world info warehouse-v1 --split test-large
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


@command.command()
@world_argument
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
      harness world preview warehouse-v1
      harness world preview warehouse-v1 --split train --blind -o guess.png
    """
    from harness.worlds import rendering

    written = rendering.preview(world, path, clips=clips or count, **choices)
    say(f"{written}: 8 frames of each clip, in order")


@command.command()
@world_argument
def card(world: str) -> None:
    """Print the data card of a world as Markdown.

    It holds counts, distributions, floors, ceilings, detectable differences and limits.

    \b
    Example:
      harness world card warehouse-v1 > warehouse-v1.md
    """
    from harness.worlds import data_card

    say(data_card.card(world), nl=False)


@command.command()
@world_argument
@options.path_option(
    "-o",
    "--output",
    "folder",
    folder=True,
    required=True,
    help="Render into DIR; a rendering that was interrupted there is resumed.",
)
@options.split()
@options.form
@options.option(
    "--frames",
    type=click.IntRange(1, 100),
    default=DEFAULT_FRAMES,
    show_default=True,
    metavar="N",
    help="Take N frames of each clip.",
)
@options.option(
    "--sampler",
    type=click.Choice(["uniform", "motion", "entropy", "boundary"]),
    default=DEFAULT_SAMPLER,
    show_default=True,
    help="Choose the frames by this rule.",
)
@options.side(DEFAULT_SIZE)
@options.option(
    "--image", type=click.Choice(["jpg", "webp"]), default="jpg", show_default=True, help="Write pictures of this kind."
)
@options.option("--domains", metavar="A,B", help="Render only the sessions of these domains.")
@options.option("--as-domain", metavar="X", help="Draw all clips in domain X; for paired tables, never scored.")
@options.option("--paint-out", metavar="A,B", help="Blank slip, items or table; for ablations, never scored.")
@options.option("--limit", type=click.IntRange(1), metavar="N", help="Render the first N clips only.")
@options.workers
@options.path_option(
    "--video", multiple=True, help="Take the pictures of an imported world from this recording (may be repeated)."
)
@options.option(
    "--video-start",
    multiple=True,
    metavar="TIME",
    help="Say when the recording's first picture was taken: Unix ms, or ISO 8601 with offset; once for each --video.",
)
@options.option(
    "--session",
    multiple=True,
    metavar="S",
    help="Say which session the recording shows, where several fall into its time; once for each --video.",
)
@options.output_format("text", "json")
def render(world: str, folder: Path, output: str, **choices: Any) -> None:
    """Render a split as pictures, videos or shards.

    Each clip has a line in clips.jsonl with the question that a model is asked. The pictures of an imported world come
    from its recordings: --video names a file (mp4, mov), and --video-start says when its first picture was taken.

    \b
    Example:
      harness world render warehouse-v1 --limit 8 -o clips
      harness world render --split train --as shards --limit 40 -o shards
    """
    from harness.worlds import rendering

    rendered = rendering.render(world, folder, **choices)
    if output == "json":
        options.print_json(rendered)
    else:
        say("\n".join(rendering.summary_lines(rendered)))


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@options.option("--name", metavar="NAME", help="Call the world NAME; by default it is called as the first file.")
@options.option(
    "--map",
    "operation_map",
    metavar="MAP",
    help="Translate OpenPack ids to labels by MAP: openpack (default), ten-labels, identity, or a TOML file.",
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


@command.command()
@world_argument
@options.option("--split", metavar="NAME", help="Use this split of the world; by default train, and with --ids test.")
@options.path_option(
    "-o",
    "--output",
    "path",
    required=True,
    help="Write to FILE, whose name ends in .jsonl, .csv or .parquet.",
)
@options.option("--include-test", is_flag=True, help="Allow a split that models are judged on.")
@options.option("--ids", is_flag=True, help="Write the clip ids alone, of any split: what a model is to answer for.")
@options.truth_path
@options.organiser
def export(world: str, split: str | None, path: Path, ids: bool, **choices: Any) -> None:
    """Write a split's truth, one row for each clip.

    It is for programs, such as training: labels of an imported world stand as they are, also one that begins with =,
    which a spreadsheet would run as a formula. With --ids nothing of the truth is written: these are the clips that
    `harness score` expects answers for, so the default split is the one that it judges on.

    \b
    Example:
      harness world export warehouse-v1 --split train -o train.jsonl
      harness world export warehouse-v1 --ids -o clips.jsonl
    """
    from harness.worlds import describe

    split = split or (DEFAULT_SPLIT if ids else "train")
    n = (describe.export_ids if ids else describe.export)(world, split, path, **choices)
    say(f"{plural(n, 'clip')} of {world} / {split} in {path}")


@command.command()
@world_argument
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
      harness world seal warehouse-v1 --secret secret.json -o sealed/
      harness score predictions.jsonl --world warehouse-v1-sealed --as alice
    """
    from harness.sealed.entrants import entrants_file, table
    from harness.worlds import sealing

    sealed = sealing.seal(world, folder, secret_file, say=partial(say, err=True), **choices)
    say(f"sealed as {sealed.name} / {sealed.split}")
    say(f"  commitment {sealed.commitment}")
    say(f"  publish the whole folder {folder}")
    say(f"  keep {secret_file} to yourself until you reveal it")
    where = options.chosen_truth(sealed.name, sealed.split)
    say(f"  list who may send files in {entrants_file(sealed)}, a table for each, such as {table('alice')}")
    say(f"  harness score predictions.jsonl{where} --as NAME")
    say(f"  scorings are logged in {sealed.log}")


@command.command()
@click.argument("name")
@options.path_option("-o", "--output", "path", help="Write them to FILE, for `check-reveal`, instead of printing them.")
def reveal(name: str, path: Path | None) -> None:
    """Print secret and salt of a sealed split.

    From then on the truth of NAME is public. As reveal.json in the published folder they are found by `check-reveal`.

    \b
    Example:
      harness world reveal warehouse-v1-sealed -o sealed/reveal.json
    """
    from harness.worlds import sealing

    revealed = sealing.reveal(name, path)
    if path is None:
        options.print_json(revealed)
    else:
        say(f"{path}: secret and salt of {name}; publish it, and harness world check-reveal reads it")


@command.command("check-reveal")
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

    checked = sealing.check_reveal(folder, say=partial(say, err=True), **choices)
    with options.printing():
        for what, agrees in checked.claims:
            say(f"{'yes' if agrees else 'NO '}  {what}")
    if not checked.valid:
        raise GateFailed("what was published is not what the secret makes")
