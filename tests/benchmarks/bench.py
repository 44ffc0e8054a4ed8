"""How time and memory are measured, and what a benchmark hands to the page.

A run is a fresh process: wall time from its start to its end, and the largest memory it held. What is compared is run
in turn, several times, and its medians are compared: a busy machine then slows both alike.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Run(NamedTuple):
    seconds: float
    peak: int  # bytes

    @property
    def shown(self) -> str:
        return f"{self.seconds:.2f} s"

    @property
    def memory(self) -> str:
        return f"{self.peak / 1e9:.2f} GB"


class Claim(NamedTuple):
    what: str
    limit: str
    measured: str


class Benchmark(NamedTuple):
    title: str
    text: str
    claims: list[Claim]
    tables: list[str]

    def markdown(self) -> str:
        return "\n\n".join([f"## {self.title}", textwrap.fill(self.text, 120, break_on_hyphens=False), *self.tables])


class Place(NamedTuple):
    """Where a benchmark works: an empty folder, and HARNESS_HOME in it."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"


def run(place: Place, *arguments: str | Path) -> Run:
    """`python -m arguments...` as a fresh process; raises when it fails."""
    launch = [sys.executable, "-S", "tests/benchmarks/launch.py", sys.executable, "-m", *map(str, arguments)]
    environment = os.environ | {"HARNESS_HOME": str(place.home)}
    done = subprocess.run(launch, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds, peak = done.stdout.split()
    return Run(float(seconds), int(peak))


def in_turn(repetitions: int, *jobs: Callable[[], Run]) -> list[Run]:
    """Each job once, then each again, ...; of each the median time and the largest memory."""
    rounds = [[job() for job in jobs] for _ in range(repetitions)]
    return [
        Run(median(run.seconds for run in runs), max(run.peak for run in runs)) for runs in zip(*rounds, strict=True)
    ]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
