"""Run every full-size gate and write the tables to README.md beside this file: `make gates`.

Exit code 1 where a gate does not hold. The same code writes the same page, up to the libraries' random streams.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.gates import audit, ceiling, intervals, leaks, paired, samplers, validity

WORKERS = 2
GATES = (
    ceiling.run_gate,
    intervals.run_gate,
    paired.run_gate,
    leaks.run_gate,
    audit.run_gate,
    partial(validity.run_gate, workers=WORKERS),
    partial(samplers.run_gate, workers=WORKERS),
)

INTRODUCTION = """\
# Gates

What the harness claims about its own numbers, simulated at full size. Written by `make gates`
(`python -m tests.gates`), which fails where a gate does not hold; each part runs alone too, as
`python -m tests.gates.ceiling`, `.intervals`, `.paired`, `.leaks`, `.audit`, `.validity`, `.samplers`. Small versions of all but
the first are part of the tests. The last two parts draw some 40,000 clips, which takes a quarter of an hour. All draws
are seeded. Do not edit this page."""


def main() -> int:
    gates = [run_gate() for run_gate in GATES]
    page = "\n\n".join([INTRODUCTION, *(gate.markdown() for gate in gates)]) + "\n"
    Path(__file__).with_name("README.md").write_text(page, encoding="utf-8")
    print(page)
    return 0 if all(gate.holds for gate in gates) else 1


if __name__ == "__main__":
    raise SystemExit(main())
