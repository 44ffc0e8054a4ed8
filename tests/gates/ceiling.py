"""Second check of the ceiling: the oracle's realised share against the mean ceiling, on a larger twin of a split.

Run from the repository root: `python -m tests.gates.ceiling [--scale 50] [--workers 2]`. Clips are sorted by their
ceiling and divided into ten bins of equal size. Demanded: 0.01 over all clips and over the hidden ones (next operation
not on screen), 0.02 in every bin of both. Exit code 1 where that does not hold.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from reference.process.split import build_split
from reference.process.world import load_world
from reference.task import Clip
from tests.gates.gate import Gate, table

BINS = 10
MEAN_TOLERANCE = 0.01
BIN_TOLERANCE = 0.02


class Bin(NamedTuple):
    clips: int
    ceiling: float  # mean over the bin
    realised: float  # share of clips where the oracle's answer is the next operation

    @property
    def gap(self) -> float:
        return self.realised - self.ceiling


def summarise(clips: list[Clip]) -> Bin:
    hits = sum(clip.oracle_next == clip.next_operation for clip in clips)
    return Bin(len(clips), sum(clip.ceiling or 0.0 for clip in clips) / len(clips), hits / len(clips))


def bins(clips: Iterable[Clip]) -> list[Bin]:
    ranked = sorted(clips, key=lambda clip: (clip.ceiling, clip.clip_id))
    edges = [len(ranked) * place // BINS for place in range(BINS + 1)]
    return [summarise(ranked[low:high]) for low, high in pairwise(edges)]


def compare(clips: list[Clip]) -> tuple[str, bool]:
    """Return a Markdown table, and True if the tolerances hold."""
    parts = [(str(number), part, BIN_TOLERANCE) for number, part in enumerate(bins(clips), 1)]
    parts.append(("all", summarise(clips), MEAN_TOLERANCE))
    rows = [
        (name, f"{part.clips:,}", f"{part.ceiling:.4f}", f"{part.realised:.4f}", f"{part.gap:+.4f}", f"{allowed:g}")
        for name, part, allowed in parts
    ]
    header = ("bin", "clips", "mean ceiling", "oracle realised", "difference", "allowed")
    return table(header, rows), all(abs(part.gap) <= allowed for _, part, allowed in parts)


def run_gate(world: str = "warehouse-v2", split: str = "test", scale: int = 50, workers: int = 1) -> Gate:
    clips = list(build_split(load_world(world), split, scale=scale, workers=workers))
    everywhere, holds = compare(clips)
    hidden, hidden_holds = compare([clip for clip in clips if not clip.next_visible])
    text = (
        f"The oracle answers a {scale} times larger twin of the split {split} of {world}; its realised AA@1 against "
        "the mean of the clips' ceilings, in ten bins of clips ordered by their ceiling."
    )
    tables = ["All clips:", everywhere, "Hidden clips (next operation not on screen):", hidden]
    return Gate("Ceiling", text, tables, holds and hidden_holds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", default="warehouse-v2")
    parser.add_argument("--split", default="test")
    parser.add_argument("--scale", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    gate = run_gate(**vars(parser.parse_args()))
    print(gate.markdown())
    return 0 if gate.holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
