"""Measure the speed claims and write them to README.md beside this file: `make bench`.

`--quick` runs small sizes and prints only. Nothing passes or fails here: a time is never asserted.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.benchmarks import board, command, growth, million, report
from tests.benchmarks.bench import Benchmark, Place, table

INTRODUCTION = """\
# Benchmarks

Written by `make bench` (`python -m tests.benchmarks`; `--quick` prints small sizes). Ratios of runs that alternate on
one machine come first, since they travel; seconds are those of the last run, on {cores} cores. Nothing is asserted: no
test fails because a machine is slow. Needs about 5 GB of temporary disk. Do not edit this page."""

FULL = (
    partial(million.measure, scale=695, repetitions=5),
    partial(growth.measure, scales=(7, 70, 695), copies=10, repetitions=3),
    partial(board.measure, entries=100, repetitions=3),
    partial(command.measure, repetitions=11),
    partial(report.measure, sizes=report.SIZES, repetitions=5),
)
QUICK = (
    partial(million.measure, scale=7, repetitions=1),
    partial(growth.measure, scales=(1, 7), copies=5, repetitions=1),
    partial(board.measure, entries=5, repetitions=1),
    partial(command.measure, repetitions=3),
    partial(report.measure, sizes=report.QUICK, repetitions=1),
)


def measure(parts: Sequence[Callable[[Place], Benchmark]]) -> list[Benchmark]:
    """Run all benchmarks in one temporary folder, so that the next one uses what the one before has made."""
    with tempfile.TemporaryDirectory(prefix="harness-bench-") as folder:
        return [part(Place(Path(folder))) for part in parts]


def page(found: Sequence[Benchmark]) -> str:
    claims = [claim for benchmark in found for claim in benchmark.claims]
    summary = table(("claim", "limit", "measured"), claims)
    introduction = INTRODUCTION.format(cores=os.cpu_count())
    return "\n\n".join([introduction, summary, *(benchmark.markdown() for benchmark in found)]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, printed and not written")
    quick = parser.parse_args().quick
    text = page(measure(QUICK if quick else FULL))
    print(text)
    if not quick:
        Path(__file__).with_name("README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
