"""Measurement of time and memory, and the parts of a benchmark on the page.

A run is a fresh process: wall time from its start to its end, processor time of all its threads, and the largest memory
it held. What is compared is run in turn, several times, and its medians are compared: a busy machine then slows both
alike. Processor time tells how much of a long wall time was waiting for others.
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


COLUMNS = ("time", "processor", "memory")


class Run(NamedTuple):
    seconds: float
    processor: float  # seconds
    peak: int  # bytes

    @property
    def shown(self) -> str:
        return f"{self.seconds:.2f} s"

    @property
    def memory(self) -> str:
        return f"{self.peak / 1e9:.2f} GB"

    @property
    def columns(self) -> tuple[str, str, str]:
        """Return the texts of COLUMNS."""
        return self.shown, f"{self.processor:.2f} s", self.memory


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
    """Workplace of a benchmark: an empty folder, and HARNESS_HOME in it."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"


def run(place: Place, *arguments: str | Path) -> Run:
    """Run `python -m arguments...` as a fresh process. Raises CalledProcessError."""
    launch = [sys.executable, "-S", "tests/benchmarks/launch.py", sys.executable, "-m", *map(str, arguments)]
    environment = os.environ | {"HARNESS_HOME": str(place.home)}
    done = subprocess.run(launch, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    seconds, processor, peak = done.stdout.split()
    return Run(float(seconds), float(processor), int(peak))


def in_turn(repetitions: int, *jobs: Callable[[], Run]) -> list[Run]:
    """Run the jobs in turn, several times; return the median times and the largest memory of each."""
    rounds = [[job() for job in jobs] for _ in range(repetitions)]
    measured = [zip(*runs, strict=True) for runs in zip(*rounds, strict=True)]
    return [Run(median(seconds), median(processor), max(peak)) for seconds, processor, peak in measured]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
