"""Waiting time at the command line."""

from __future__ import annotations

from tests.benchmarks import material
from tests.benchmarks.bench import COLUMNS, Benchmark, Claim, Place, in_turn, run, table
from tests.benchmarks.million import score

LIBRARIES = "import click, duckdb, numpy, scipy.special"
TEXT = """\
Whole processes in turn; medians of {repetitions}. The truth is made, and the file of {clips:,} lines is scored for the
first time, then once more. The first row is Python starting with nothing but the libraries that scoring needs."""


def measure(place: Place, repetitions: int) -> Benchmark:
    material.need(place, 1)
    file = material.submission(place, 1)
    named = {
        LIBRARIES: lambda: run(place, "timeit", "-n1", "-r1", LIBRARIES),
        "harness --help": lambda: run(place, "harness", "--help"),
        "harness score FILE": lambda: score(place, 1),
        "harness score FILE, stored": lambda: run(place, "harness", "score", file),
    }
    runs = dict(zip(named, in_turn(repetitions, *named.values()), strict=True))
    rows = [(f"`{name}`", f"{run.seconds / runs[LIBRARIES].seconds:.1f}", *run.columns) for name, run in runs.items()]
    return Benchmark(
        "Waiting",
        TEXT.format(repetitions=repetitions, clips=material.CLIPS),
        [
            Claim(f"`harness score` of {material.CLIPS:,} lines", "0.8 s", runs["harness score FILE"].shown),
            Claim("`harness --help`", "0.25 s", runs["harness --help"].shown),
        ],
        [table(("", "ratio of time", *COLUMNS), rows)],
    )
