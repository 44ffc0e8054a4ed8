"""`harness world`: worlds are where the ground truth comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options
from reference.task import DEFAULT_FRAMES, DEFAULT_SAMPLER, DEFAULT_SIZE, DEFAULT_SPLIT, DEFAULT_WORLD


@click.group("world")
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
    """List the worlds that ship and those imported on this machine, with their splits.

    \b
    Example:
      harness world list
    """
    from harness.worlds import describe

    rows = describe.list_splits()
    if output == "text":
        from harness.commands import terminal

        terminal.print_worlds(rows, terminal.console())
    else:
        options.print_rows(rows, output)


@command.command()
@click.argument("world", default=DEFAULT_WORLD)
@click.option("--split", "splits", multiple=True, metavar="S", help="Only this split (may be repeated).")
@click.option(
    "--scale",
    type=click.IntRange(1, 100_000),
    default=1,
    show_default=True,
    help="N times the sessions, as world WORLD-xN; its digests are printed, not pinned.",
)
@click.option("--truth", type=click.Path(path_type=Path), metavar="DIR", help="Folder to keep databases in.")
@click.option("--pin", is_flag=True, help="Print the digests as a world file holds them, pinned or not.")
@options.output_format()
def build(world: str, splits: tuple[str, ...], scale: int, truth: Path | None, pin: bool, output: str) -> None:
    """Make the truth of WORLD's splits and check it against the digests its world file pins.

    \b
    Example:
      harness world build warehouse-v1 --split test
      harness world build warehouse-v1 --split test --scale 10
    """
    from harness.worlds import describe

    rows = describe.build(world, splits, scale=scale, truth=truth, check=not pin)
    if pin:
        click.echo("[digests]\n" + "\n".join(f'{row["split"]} = "{row["truth_digest"]}"' for row in rows))
    elif output == "text":
        for row in rows:
            pinned = "as pinned" if row["pinned"] else "not pinned"
            size = f"{row['n']:,} clips in {row['sessions']:,} sessions"
            click.echo(f"{row['world']} / {row['split']}: {size}, truth {row['truth_digest'][:16]} ({pinned})")
            click.echo(f"  {row['path']}")
    else:
        options.print_rows(rows, output)


@command.command()
@click.argument("world", default=DEFAULT_WORLD)
@click.option("--split", default=DEFAULT_SPLIT, show_default=True)
@options.truth_path
@options.organiser
@options.output_format()
def info(world: str, split: str, truth: Path | None, organiser: bool, output: str) -> None:
    """Say what a split holds and can measure: sizes, floors, prior, ceiling, distributions, detectable differences.

    \b
    Example:
      harness world info warehouse-v1 --split test-large
    """
    from harness.commands import terminal
    from harness.worlds import describe

    found = describe.describe(world, split, truth=truth, organiser=organiser)
    if output == "json":
        options.print_json(found)
    elif output == "csv":
        options.print_csv({"dimension": name} | row for name, rows in found["distributions"].items() for row in rows)
    else:
        terminal.print_world(found, terminal.console())


@command.command()
@click.argument("world", default=DEFAULT_WORLD)
@click.option("--split", default="train", show_default=True)
@click.option("--clip", "clips", multiple=True, metavar="ID", help="This clip (may be repeated).")
@click.option("--count", type=click.IntRange(1, 60), default=6, show_default=True, help="So many clips, spread evenly.")
@click.option("--blind", is_flag=True, help="Without the truth: guess yourself.")
@click.option("--size", type=click.IntRange(32, 672), default=168, show_default=True, help="Side of a frame in pixels.")
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PNG",
    help="By default WORLD-SPLIT.png.",
)
def preview(world: str, path: Path | None, clips: tuple[str, ...], count: int, **asked: Any) -> None:
    """Draw a contact sheet of clips, 8 frames each, with their truth: what a model will look at.

    \b
    Example:
      harness world preview warehouse-v1
      harness world preview warehouse-v1 --split test --blind -o guess.png
    """
    from harness.worlds import rendering

    written = rendering.preview(world, path, clips=clips or count, **asked)
    click.echo(f"{written}: 8 frames of each clip, in order")


@command.command()
@click.argument("world", default=DEFAULT_WORLD)
def card(world: str) -> None:
    """Print the data card of WORLD: counts, distributions, floors, ceilings, detectable differences, limits.

    \b
    Example:
      harness world card warehouse-v1 > warehouse-v1.md
    """
    from harness.worlds.data_card import card as made

    click.echo(made(world), nl=False)


@command.command()
@click.argument("world", default=DEFAULT_WORLD)
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to render into; a rendering that was cut off there resumes.",
)
@click.option("--split", default=DEFAULT_SPLIT, show_default=True)
@click.option(
    "--as",
    "form",
    type=click.Choice(["frames", "video", "shards"]),
    default="frames",
    show_default=True,
    help="A folder of pictures a clip, an mp4 a clip, or WebDataset tar shards.",
)
@click.option(
    "--frames",
    type=click.IntRange(1, 100),
    default=DEFAULT_FRAMES,
    show_default=True,
    metavar="N",
    help="Frames of a clip that a model is shown.",
)
@click.option(
    "--sampler",
    type=click.Choice(["uniform", "motion", "entropy", "boundary"]),
    default=DEFAULT_SAMPLER,
    show_default=True,
    help="Which frames these are.",
)
@click.option("--size", type=click.IntRange(16, 2048), default=DEFAULT_SIZE, show_default=True, help="Side in pixels.")
@click.option("--image", type=click.Choice(["jpg", "webp"]), default="jpg", show_default=True)
@click.option("--domains", metavar="A,B", help="Only the sessions of these domains.")
@click.option("--as-domain", metavar="X", help="Draw all clips in domain X: for paired tables, never scored.")
@click.option("--paint-out", metavar="A,B", help="Blank slip, items or table: for ablations, never scored.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N clips.")
@click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="Processes.")
@click.option(
    "--video",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Recording (mp4, mov) of an imported world.",
)
@click.option("--video-start", metavar="TIME", help="When its first frame was taken: Unix ms, or ISO 8601 with offset.")
@click.option("--session", metavar="S", help="The session it shows, where several fall into its time.")
@options.output_format("text", "json")
def render(world: str, folder: Path, output: str, workers: int, video_start: str | None, **asked: Any) -> None:
    """Render a split of WORLD as pictures, videos or shards, with clips.jsonl: what a model is asked, a line a clip.

    An imported world's pictures are its recording: --video FILE, and --video-start, when its first frame was taken.

    \b
    Example:
      harness world render warehouse-v1 --limit 8 -o clips
      harness world render --split train --as shards --limit 40 -o shards
    """
    from harness.worlds import rendering

    made = rendering.render(world, folder, workers=workers, video_start=video_start, **asked)
    if output == "json":
        options.print_json(made)
    else:
        click.echo("\n".join(rendering.summary_lines(made)))


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--name", help="Name of the world; by default the first file's.")
@click.option(
    "--map",
    "operation_map",
    metavar="MAP",
    help="Labels of OpenPack ids: openpack (default), identity, or a TOML file.",
)
@click.option("--replace", is_flag=True, help="Replace an imported world of that name.")
def import_(files: tuple[Path, ...], name: str | None, operation_map: str | None, replace: bool) -> None:
    """Make a world of OpenPack annotations (.csv, several layouts), or of exported truth (.jsonl, .csv, .parquet).

    \b
    Example:
      harness world import operations_U0209_S0500.csv --name openpack-u0209
      harness score predictions.jsonl --world openpack-u0209
    """
    from reference.home import cache_home
    from reference.truth.imported import import_world

    made = import_world(files, cache_home(), name=name, operation_map=operation_map, replace=replace)
    click.echo(f"world {made.name}: {made.clips:,} clips in {made.sessions:,} sessions, split test")
    for note in made.notes:
        click.echo(f"  {note}")


@command.command()
@click.argument("world", default=DEFAULT_WORLD)
@click.option("--split", default="train", show_default=True)
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A name that ends in .jsonl, .csv or .parquet.",
)
@click.option("--include-test", is_flag=True, help="Allow a split that models are judged on.")
@options.truth_path
@options.organiser
def export(world: str, split: str, path: Path, include_test: bool, truth: Path | None, organiser: bool) -> None:
    """Write a split's truth, one row a clip: to train on, or to read.

    \b
    Example:
      harness world export warehouse-v1 --split train -o train.jsonl
    """
    from harness.worlds import describe

    n = describe.export(world, split, path, include_test=include_test, truth=truth, organiser=organiser)
    click.echo(f"{n:,} clips of {world} / {split} in {path}")


@command.command()
@click.argument("world", default=DEFAULT_WORLD)
@click.option(
    "--secret",
    "secret_file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Secret key and salt; made there, for your eyes only, if it does not exist.",
)
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to publish: pictures, clips.jsonl, commitment.json.",
)
@click.option("--name", help="Name of the sealed split; by default WORLD-sealed.")
@click.option("--split", default=DEFAULT_SPLIT, show_default=True, help="Whose size and domains it has.")
@click.option("--as", "form", type=click.Choice(["frames", "video", "shards"]), default="frames", show_default=True)
@click.option("--size", type=click.IntRange(16, 2048), default=DEFAULT_SIZE, show_default=True, help="Side in pixels.")
@click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="Processes.")
def seal(world: str, secret_file: Path, folder: Path, name: str | None, split: str, workers: int, **asked: Any) -> None:
    """Make a split whose truth nobody else has: its pictures to publish, and a commitment to its truth.

    The commitment proves later that truth and pictures were not changed. It does not prove that you did not choose the
    secret among several, or train a model on what it makes.

    \b
    Example:
      harness world seal warehouse-v1 --secret secret.json -o sealed/
      harness score predictions.jsonl --world warehouse-v1-sealed --name mine
    """
    from harness.worlds import sealing

    made = sealing.seal(world, folder, secret_file, name=name, split=split, workers=workers, **asked)
    click.echo(f"sealed as {made.name} / {made.split}, commitment {made.commitment}")
    click.echo(f"  publish {folder} whole; keep {secret_file} to yourself until you reveal it")
    click.echo(f"  harness score predictions.jsonl --world {made.name} --name NAME   (logged in {made.log})")


@command.command()
@click.argument("name")
def reveal(name: str) -> None:
    """Print secret and salt of the sealed split NAME: from then on its truth is public.

    \b
    Example:
      harness world reveal warehouse-v1-sealed
    """
    from harness.worlds import sealing

    options.print_json(sealing.reveal(name))


@command.command("check-reveal")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--secret", required=True, metavar="HEX", help="The revealed secret, 64 hexadecimal digits.")
@click.option("--salt", required=True, metavar="HEX", help="The revealed salt, 64 hexadecimal digits.")
@click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="Processes.")
def check_reveal(folder: Path, secret: str, salt: str, workers: int) -> None:
    """Make truth, clip ids and pictures from a revealed secret, and compare them with what was published in FOLDER.

    Agreement proves that nothing was changed since the commitment, and no more: not that the organiser did not choose
    the secret among several, or train on what it makes. Exit 1 where something differs.

    \b
    Example:
      harness world check-reveal sealed/ --secret 0123... --salt 4567...
    """
    from harness.errors import GateFailed
    from harness.worlds import sealing

    checked = sealing.check_reveal(folder, secret, salt, workers=workers)
    for what, agrees in checked.claims:
        click.echo(f"{'yes' if agrees else 'NO '}  {what}")
    if not checked.valid:
        raise GateFailed("what was published is not what the secret makes")
