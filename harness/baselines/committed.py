"""Regenerate the committed baselines: `make submissions`, or `python -m harness.baselines.committed FOLDER`.

Needed when a world is re-pinned: every card carries the digest of the truth that its predictions were made for. The
models on frames are trained again only with a second argument, the folder DIR of their renderings: DIR/train and
DIR/test of 8 frames, and DIR-16/train and DIR-16/test of 16 (`--frames 16`), all of 168 x 168 (`--size 168`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness.baselines.on_frames import FRAME_BASELINES, write_answers
from harness.baselines.write import BASELINES, ON_FRAMES, Baseline, write_baseline
from harness.cards import Card, write_entry
from reference.task import DEFAULT_FRAMES, DEFAULT_SPLIT, DEFAULT_WORLD
from reference.truth.store import open_truth

WORLD, SPLIT = DEFAULT_WORLD, DEFAULT_SPLIT
COMMITTED = ("constant", "whole-clip", "random", "transition-prior", "oracle")


def regenerate(folder: Path, frames: Path | None) -> None:
    """Write the entries of all committed baselines into `folder`; those on frames where `frames` holds their pictures.

    `frames`: the folder of the renderings of 8 frames; those of 16 lie beside it, in a folder with -16 at its end.
    """
    for name in COMMITTED:
        _write_entry(folder, BASELINES[name], partial(write_baseline, name, world=WORLD, split=SPLIT))
    if frames is None:
        return
    for name, baseline in FRAME_BASELINES.items():
        beside = "" if baseline.rendered == DEFAULT_FRAMES else f"-{baseline.rendered}"
        renderings = frames.with_name(frames.name + beside)
        _write_entry(folder, ON_FRAMES[name], partial(write_answers, name, renderings, split=SPLIT))


def _write_entry(folder: Path, baseline: Baseline, write: Callable[..., int]) -> None:
    with open_truth(WORLD, SPLIT) as truth:
        digest = truth.digest
    write_entry(folder / baseline.name, card(baseline, digest), lambda path: write(path=path))


def card(baseline: Baseline, truth_digest: str) -> Card:
    """Return the card of a baseline's entry, but for the predictions' sum."""
    return Card(
        name=baseline.name,
        kind=baseline.kind,
        description=baseline.description,
        world=WORLD,
        split=SPLIT,
        truth_digest=truth_digest,
        predictions_sha256="",
        uses_truth=baseline.kind == "reference",
    )


if __name__ == "__main__":
    regenerate(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
