"""Run every part of the proof and write its table to RESULTS.md beside this file: `make proof`.

Exit code 1 where something was found. Each part runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.proof.table import Row, holds, markdown, row

HERE = Path(__file__).parent
PARTS = (
    "lines",
    "entries",
    "kills",
    "ladder_attack",
    "endpoints",
    "provider_batches",
    "asking_pace",
    "command_lines",
    "pages_and_renderings",
    "served_model",
    "serving",
    "described_api",
    "memory_under_load",
    "held_weights",
    "training",
    "training_kills",
    "shards",
    "other_tools",
    "on_ray",
)
WORKERS = 2
LIMIT_S = 1_100
"""A part that takes longer is ended and counts as crashed."""

INTRODUCTION = """\
# Proof of hardness

What strangers send, kill and edit, a thousand files against a sealed split, a model that is asked through failures, one
that is served, one whose weights are held in two forms, trainings that are killed, and the same work on many processes
and in providers' batches, tried at full size.
Written by `make proof` (`python -m tests.proof`), which fails unless crashes, disagreements and torn files are 0 in
every row; each part runs alone too, as `python -m tests.proof.lines`. Small seeded versions are part of the tests.
*Crashes* are exceptions and exit codes that are not documented; *disagreements* are results that are not the right
one; *slow* are files of more than 2 s and commands of more than 10 s. Do not edit this page."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; by default all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0)
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    parts = chosen.parts or PARTS
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(lambda part: _run(part, chosen.seed, chosen.scale), parts))
    rows = [each for part in found for each in part]
    table = markdown(rows)
    print(table)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    if not chosen.parts and chosen.scale == 1:
        page = f"{INTRODUCTION}\n\n{table}\n\nSeed {chosen.seed}.\n"
        (HERE / "RESULTS.md").write_text(page, encoding="utf-8")
    return 0 if holds(rows) else 1


def _run(part: str, seed: int, scale: float) -> list[Row]:
    """Run a part in a process of its own; one that does not end by itself is one crash."""
    command = [sys.executable, "-m", f"tests.proof.{part}", "--json", "--seed", str(seed), "--scale", str(scale)]
    try:
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S, cwd=HERE.parents[1])
        how = f"ended with status {ended.returncode} and no table"
        return json.loads(ended.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        late = isinstance(error, subprocess.TimeoutExpired)
        print(f"{part}: {f'took more than {LIMIT_S} s' if late else how}", file=sys.stderr)
        return [row(part.replace("_", " "), tried=1, crashes=1, peak_mb=0)]


if __name__ == "__main__":
    raise SystemExit(main())
