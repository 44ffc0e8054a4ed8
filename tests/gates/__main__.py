"""Run every full-size gate and write the tables to README.md beside this file: `make gates`.

`python -m tests.gates Intervals` runs that section alone and leaves the others as they stand. Exit code 1 where a gate
does not hold. The same code writes the same page, up to the libraries' random streams.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.gates import (
    audit,
    boards,
    ceiling,
    foresight,
    intervals,
    leaks,
    paired,
    runs,
    samplers,
    sight,
    validity,
    watching,
)
from tests.gates.gate import Gate

WORKERS = 2
PAGE = Path(__file__).with_name("README.md")
GATES: dict[str, Callable[[], Gate]] = {
    "Ceiling": ceiling.run_gate,
    "Intervals": intervals.run_gate,
    "Paired test": paired.run_gate,
    "Boards and pairs": boards.run_gate,
    "Methods": runs.run_gate,
    "Watching": watching.run_gate,
    "Foresight": foresight.run_gate,
    "Leaks": leaks.run_gate,
    "Knows more than the frames": audit.run_gate,
    "Sight": partial(sight.run_gate, workers=WORKERS),
    "Validity": partial(validity.run_gate, workers=WORKERS),
    "Samplers": partial(samplers.run_gate, workers=WORKERS),
}
"""Title of a section of the page -> what measures and returns it."""

INTRODUCTION = """\
# Gates

What the harness claims about its own numbers, simulated at full size. Written by `make gates` (`python -m
tests.gates`), which fails where a gate does not hold; each part runs alone too, as `python -m tests.gates.ceiling`,
`.intervals`, `.paired`, `.boards`, `.runs`, `.watching`, `.foresight`, `.leaks`, `.audit`, `.sight`, `.validity`,
`.samplers`. Small versions of all but the first are part of the tests. The last three parts draw pictures, which takes
an hour and a half of one core; what Sight keeps of them in `build/sight` the other two read. All draws are seeded. Do
not edit this page."""


def main(titles: Sequence[str] = ()) -> int:
    """Run the gates of these titles, of all where none is named, and write their sections of the page."""
    gates = {title: GATES[title]() for title in titles or GATES}
    sections = {} if len(gates) == len(GATES) else sections_of(PAGE.read_text(encoding="utf-8"))
    sections |= {title: gate.markdown() for title, gate in gates.items()}
    page = "\n\n".join([INTRODUCTION, *(sections[title] for title in GATES if title in sections)]) + "\n"
    PAGE.write_text(page, encoding="utf-8")
    print(page)
    return 0 if all(gate.holds for gate in gates.values()) else 1


def sections_of(page: str) -> dict[str, str]:
    """Return the sections of the page by their titles."""
    _, *parts = re.split(r"^## ", page, flags=re.MULTILINE)
    return {part.partition("\n")[0]: f"## {part.strip()}" for part in parts}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
