"""`harness baseline` writes the answers of a baseline or a reference row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.commands import options
from harness.commands.printing import say
from harness.errors import UsageError
from harness.formatting import count

ON_FRAMES = ("histogram", "thumbnail", "probe", "probe-16", "last-frame")
NAMES = ("constant", "whole-clip", "random", *ON_FRAMES, "transition-prior", "oracle", "truth-copy")


@click.command("baseline", cls=options.Command)
@click.argument("name", type=click.Choice(NAMES), metavar="NAME")
@options.option(
    "-o", "--output", "path", required=True, metavar="FILE", help="Write the answers to FILE (- is standard output)."
)
@options.option(
    "--seed", default=0, show_default=True, metavar="N", help="Use this seed; `random` has one, and models on frames."
)
@options.path_option(
    "--frames", folder=True, help="Show a model on frames the renderings DIR/train and DIR/SPLIT; it needs them."
)
@options.option(
    "--next-operations", is_flag=True, help="Also name the second and third next operation; models on frames name none."
)
@options.truth
@options.organiser
def command(name: str, path: str, frames: Path | None, world: str, split: str, **choices: Any) -> None:
    """Write the answers of the baseline NAME as an ordinary submission.

    \b
    constant          majority operation, best constant segment, majority next
    whole-clip        the same with the whole clip as the segment
    random            uniformly random answers
    histogram         boosted trees on the colours of 8 frames
    thumbnail         a linear classifier on 8 frames of 16 x 16 pixels
    probe             a small classifier on 8 frames
    probe-16          the same on 16 frames (--frames 16 in both renderings)
    last-frame        the same on the last frame alone
    transition-prior  true operation, its usual successor (uses the truth)
    oracle            the best answer given what is visible (uses the truth)
    truth-copy        the truth itself, for tests

    Models on frames (histogram to last-frame) see pictures alone. They learn from the rendering DIR/train, for minutes.

    \b
    Example:
      harness baseline constant -o constant.jsonl
    """
    _keep_foreign(path)
    if name in ON_FRAMES:
        from harness.baselines.on_frames import write_answers

        if frames is None:
            raise UsageError(f"{name} looks at pictures: --frames DIR, with the renderings DIR/train and DIR/SPLIT")
        n = write_answers(name, frames, path, split=split, seed=choices["seed"])
    else:
        from harness.baselines.write import write_baseline

        n = write_baseline(name, path, world=world, split=split, **choices)
    if path != "-":
        say(f"{count(n)} answers of {name} for {world} / {split} in {path}")


def _keep_foreign(path: str) -> None:
    """Raise UsageError for a file that holds something else than answers: they are written over answers only."""
    if path == "-" or not Path(path).is_file():
        return
    with Path(path).open("rb") as file:
        start = file.read(64)
    if start and not start.startswith(b'{"clip_id"'):
        raise UsageError(f"{path}: holds something else than answers and would be overwritten; name another file")
