"""`harness world`: a split becomes pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.commands.printing import say_sentences
from reference.task import DEFAULT_FRAMES, DEFAULT_SAMPLER, DEFAULT_SIZE


@click.command(cls=options.Command)
@options.world_argument
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
@options.option(
    "--as-domain",
    metavar="X",
    help="Draw all clips in domain X, but for those with occluders unless --domains names them; never scored.",
)
@options.option("--paint-out", metavar="A,B", help="Blank slip, items or table; for ablations, never scored.")
@options.option("--limit", type=click.IntRange(1), metavar="N", help="Render the first N clips only.")
@options.shard
@options.workers_anywhere
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
      harness world render warehouse-v2 --limit 8 -o clips
      harness world render --split train --as shards --limit 40 -o shards
    """
    from harness.worlds import rendering

    rendered = rendering.render(world, folder, say=partial(say_sentences, err=True), **choices)
    if output == "json":
        options.print_json(rendered)
    else:
        say_sentences("\n".join(rendering.summary_lines(rendered)))
