"""A leaderboard of many entries, with the tests of all pairs."""

from __future__ import annotations

from math import comb

from tests.benchmarks import material
from tests.benchmarks.bench import Benchmark, Claim, Place, in_turn, run, table

TEXT = """\
`harness leaderboard` of {entries} entries with {clips:,} lines each, all {pairs:,} pairs tested, in a fresh process:
with the truth made and nothing scored, and again when every score is stored. Medians of {repetitions}."""


def measure(place: Place, entries: int, repetitions: int) -> Benchmark:
    material.build(place, 1)
    folder = material.entries(place, entries)

    def fresh():
        material.forget_scores(place)
        return run(place, "harness", "leaderboard", folder)

    first, again = in_turn(repetitions, fresh, lambda: run(place, "harness", "leaderboard", folder))
    rows = [("nothing scored yet", first.shown, first.memory), ("all stored", again.shown, again.memory)]
    return Benchmark(
        f"A leaderboard of {entries}",
        TEXT.format(entries=entries, clips=material.CLIPS, pairs=comb(entries, 2), repetitions=repetitions),
        [Claim(f"leaderboard of {entries} entries from nothing", "10 s", first.shown)],
        [table(("", "time", "memory"), rows)],
    )
