"""How long the command line keeps one waiting."""

from __future__ import annotations

from tests.benchmarks import material
from tests.benchmarks.bench import Benchmark, Claim, Place, in_turn, run, table
from tests.benchmarks.million import score

TEXT = """\
Whole processes in turn; medians of {repetitions}. The truth is made, and the file of {clips:,} lines is scored for the
first time, then once more."""


def measure(place: Place, repetitions: int) -> Benchmark:
    material.build(place, 1)
    file = material.submission(place, 1)
    named = {
        "python -c pass": lambda: run(place, "timeit", "-n1", "-r1", "pass"),
        "harness --help": lambda: run(place, "harness", "--help"),
        "harness score FILE": lambda: score(place, 1),
        "harness score FILE, stored": lambda: run(place, "harness", "score", file),
    }
    runs = dict(zip(named, in_turn(repetitions, *named.values()), strict=True))
    return Benchmark(
        "Waiting", TEXT.format(repetitions=repetitions, clips=material.CLIPS),
        [Claim(f"`harness score` of {material.CLIPS:,} lines", "0.8 s", runs["harness score FILE"].shown),
         Claim("`harness --help`", "0.25 s", runs["harness --help"].shown)],
        [table(("", "time", "memory"), [(f"`{name}`", run.shown, run.memory) for name, run in runs.items()])],
    )  # fmt: skip
