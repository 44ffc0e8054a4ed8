"""The ceiling proved a second way: the oracle's realised share against the mean ceiling, on a larger twin of a split.

Run from the repository root: `python -m tests.proofs.ceiling [--scale 50] [--workers 2]`. Clips are sorted by their
ceiling and divided into ten bins of equal size. Demanded: 0.01 over all clips and over the hidden ones (next operation
not on screen), 0.02 in every bin of both. Exit code 1 where that does not hold.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from reference.build import build_split
from reference.task import Clip
from reference.world import load_world

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


def table(title: str, clips: list[Clip]) -> tuple[list[str], bool]:
    """Lines of a Markdown table, and whether the tolerances hold."""
    rows = [(str(number), part, BIN_TOLERANCE) for number, part in enumerate(bins(clips), 1)]
    rows.append(("all", summarise(clips), MEAN_TOLERANCE))
    lines = [title, "", "| bin | clips | mean ceiling | oracle realised | difference | allowed |", "|" + "---|" * 6]
    for name, part, allowed in rows:
        shares = f"{part.ceiling:.4f} | {part.realised:.4f} | {part.gap:+.4f}"
        lines.append(f"| {name} | {part.clips:,} | {shares} | {allowed} |")
    return lines, all(abs(part.gap) <= allowed for _, part, allowed in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", default="warehouse-v1")
    parser.add_argument("--split", default="test")
    parser.add_argument("--scale", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    clips = list(build_split(load_world(options.world), options.split, scale=options.scale, workers=options.workers))
    hidden = [clip for clip in clips if not clip.next_visible]
    held = True
    for title, chosen in (("All clips", clips), ("Hidden clips (next operation not on screen)", hidden)):
        lines, holds = table(title, chosen)
        print("\n".join(lines), end="\n\n")
        held = held and holds
    print("holds" if held else "DOES NOT HOLD")
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
