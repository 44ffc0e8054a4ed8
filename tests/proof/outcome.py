"""Outcome of a part of the proof: a row with the counts of what was tried, and the command line of a part.

`crashes` are exceptions other than HarnessError, tracebacks, and exit codes that are not documented; `disagreements`
results that are not the right one; `torn` files left half-written; `slow` tries of more than SLOW seconds; `peak_mb`
the most memory of the process, in MiB. The first three must be 0.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]
COUNTS = ("tried", "crashes", "disagreements", "torn", "slow", "peak_mb")
SLOW = 2.0


def row(what: str, **counts: int) -> Row:
    """Return a row with zeros for what is not given."""
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)
    return {"what": what, **dict.fromkeys(COUNTS, 0), "peak_mb": peak_mb, **counts}


def report(what: str, finding: str) -> int:
    """Print one finding to standard error, as one line; return 1, the number of findings."""
    print(f"{what}: {finding}".encode("unicode_escape").decode("ascii"), file=sys.stderr, flush=True)
    return 1


def main(part: str, run: Callable[[int, float], list[Row]], full: Mapping[str, int]) -> int:
    """Run a part from the command line. `full`: an option that says how many are tried, and how many at scale 1."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.proof.{part}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    for option in full:
        parser.add_argument(option, type=int, metavar="N", help="try N instead of a scale")
    chosen = vars(parser.parse_args())
    named = [chosen[name.strip("-")] / number for name, number in full.items() if chosen[name.strip("-")]]
    rows = run(chosen["seed"], named[0] if named else chosen["scale"])
    if chosen["json"]:
        print(json.dumps(rows))
    else:
        print(*(", ".join(f"{name} {each[name]}" for name in each) for each in rows), sep="\n")
    return 1 if any(each[name] for each in rows for name in ("crashes", "disagreements", "torn")) else 0
