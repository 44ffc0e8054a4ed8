"""Rows of the proof's table: how a part makes them, and how they are printed."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Row = dict[str, Any]

COUNTS = ("tried", "crashes", "disagreements", "torn", "slow", "peak_mb")
MUST_BE_ZERO = ("crashes", "disagreements", "torn")
SLOW = 2.0
"""Seconds after which a try is slow, where it is no whole command."""


def row(what: str, **counts: int) -> Row:
    """Return a row with zeros for what is not given; the peak memory is this process's so far."""
    return {"what": what, **dict.fromkeys(COUNTS, 0), "peak_mb": peak_mb(), **counts}


def peak_mb() -> int:
    """Return the most memory that this process has held so far, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (1 << 20 if sys.platform == "darwin" else 1 << 10)


def tries(number: int, scale: float) -> int:
    """Return how many tries a part makes at a scale."""
    return max(1, round(number * scale))


def holds(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Return True if nothing was found in any row."""
    return not any(row[name] for row in rows for name in MUST_BE_ZERO)


def report(part: str, finding: str) -> None:
    """Print one finding to standard error, as one line."""
    print(f"{part}: {finding}".encode("unicode_escape").decode("ascii"), file=sys.stderr, flush=True)


def markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as a Markdown table."""
    header = ("tried", "number", "crashes", "disagreements", "torn files", "slow", "peak MiB")
    lines = [f"| {' | '.join(header)} |", "|---|" + "---:|" * (len(header) - 1)]
    for each in rows:
        cells = [each["what"], *(f"{each[name]:,}" for name in COUNTS)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(part: str, run: Callable[[int, float], list[Row]], arguments: list[str] | None = None) -> int:
    """Run one part from the command line: --seed, --scale, --json. Returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.proof.{part}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    rows = run(chosen.seed, chosen.scale)
    print(json.dumps(rows) if chosen.json else markdown(rows))
    print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return 0 if holds(rows) else 1
