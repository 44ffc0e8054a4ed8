"""Regenerate the committed baselines: `make submissions`, or `python -m harness.baselines.committed FOLDER`.

Needed when a world is re-pinned: every card carries the digest of the truth that its predictions were made for. The
probe is trained again only with a second argument, the folder that holds its renderings train/ and test/.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness.baselines.probe import probe
from harness.baselines.write import BASELINES, Baseline, write_baseline
from harness.cards import Card, write_entry
from reference.task import DEFAULT_SPLIT, DEFAULT_WORLD
from reference.truth.store import open_truth

WORLD, SPLIT = DEFAULT_WORLD, DEFAULT_SPLIT
COMMITTED = ("constant", "whole-clip", "random", "transition-prior", "oracle")
PROBE = Baseline("probe", "baseline", "a small classifier on 8 frames of 168 x 168, trained on the train split")


def regenerate(folder: Path, frames: Path | None) -> None:
    """Write the entries of all committed baselines into `folder`, and the probe's where `frames` holds its pictures."""
    for name in COMMITTED:
        _write_entry(folder, BASELINES[name], partial(write_baseline, name, world=WORLD, split=SPLIT))
    if frames is not None:
        _write_entry(folder, PROBE, partial(probe, frames, split=SPLIT))


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
