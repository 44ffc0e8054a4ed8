"""Do nominal 95% intervals of a proportion hold the truth, when the clips of a session are alike?

Beta-binomial: a session draws its own accuracy from the Beta distribution with mean p and intra-session correlation
rho, its clips are right or wrong with it. Every run is one data set; its interval is the harness's own
(`statistics.proportion_ends`, the broadcasting half of `proportion_interval`). Coverage is the share of runs whose
interval holds p, runs with every clip right among them.

Run from the repository root: `python -m tests.gates.intervals`. Exit code 1 where the gate does not hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness import statistics
from tests.gates.gate import Gate, percent, table

SEED, RUNS = 20_260, 10_000
DEMANDED = 0.915
EVEN = (20,)
UNEVEN = (5, 10, 15, 20, 25, 30, 35, 20)
"""Numbers of clips in a session, repeated over the sessions; both have a mean of 20."""


class Cell(NamedTuple):
    p: float
    correlation: float
    sessions: int
    sizes: tuple[int, ...] = EVEN


class Result(NamedTuple):
    coverage: float
    below: float  # share of runs whose whole interval lies below p
    above: float
    one_sided: float  # share of runs with every clip right, or none
    wilson: float  # coverage when all clips are taken for independent


GATE = [Cell(p, rho, g) for g in (8, 24) for rho in (0.05, 0.3) for p in (0.5, 0.7, 0.9)]
NEAR_ONE = [Cell(p, rho, g) for g in (8, 24) for rho in (0.05, 0.3) for p in (0.97, 0.99)]
UNEQUAL = [cell._replace(sizes=UNEVEN) for cell in GATE]


def draw(cell: Cell, runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the numbers of right clips [runs, G] and return them with the numbers of clips [G]."""
    random = np.random.default_rng([seed, round(1000 * cell.p), round(1000 * cell.correlation), cell.sessions])
    strength = (1 - cell.correlation) / cell.correlation
    clips = np.resize(cell.sizes, cell.sessions)
    accuracy = random.beta(cell.p * strength, (1 - cell.p) * strength, size=(runs, cell.sessions))
    return random.binomial(clips, accuracy), clips


def measure(cell: Cell, runs: int = RUNS, seed: int = SEED) -> Result:
    right, clips = draw(cell, runs, seed)
    n, whole = clips.sum(), right.sum(axis=1, keepdims=True)
    value = whole[:, 0] / n
    low, high = statistics.proportion_ends(value, (whole - right) / (n - clips), n)
    below, above = high < cell.p, low > cell.p
    one_sided = (value == 0) | (value == 1)
    return Result(1 - (below | above).mean(), below.mean(), above.mean(), one_sided.mean(), wilson(value, n, cell.p))


def wilson(value: np.ndarray, n: int, p: float) -> float:
    """Return the coverage of Wilson's interval on n independent clips: p lies inside if its z test does not reject."""
    return float((np.abs(value - p) <= 1.959964 * np.sqrt(p * (1 - p) / n)).mean())


def run_gate(runs: int = RUNS) -> Gate:
    gate = {cell: measure(cell, runs) for cell in GATE}
    others = {"p near 1": NEAR_ONE, "sessions of unequal size (5 to 35 clips)": UNEQUAL}
    text = (
        f"{runs:,} seeded runs a cell, beta-binomial, 20 clips a session. Demanded: at least {percent(DEMANDED)} of "
        "the nominal 95% intervals hold p, in every cell of the first table; a cell that falls short is bold. The "
        "other tables are reported. *Below* and *above*: the interval lies wholly on that side of p. *One-sided*: "
        "runs with every clip right, or none; they count. *Wilson*: coverage of the interval that takes all clips for "
        "independent."
    )
    tables = ["Gate:", _table(gate, DEMANDED)]
    for title, cells in others.items():
        tables += [f"Reported, {title}:", _table({cell: measure(cell, runs) for cell in cells})]
    return Gate("Intervals", text, tables, all(result.coverage >= DEMANDED for result in gate.values()))


def _table(results: dict[Cell, Result], demanded: float = 0.0) -> str:
    header = ("sessions", "correlation", "p", "coverage", "below", "above", "one-sided", "Wilson")
    rows = []
    for cell, result in results.items():
        coverage, *rest = (percent(share) for share in result)
        marked = coverage if result.coverage >= demanded else f"**{coverage}**"
        rows.append((str(cell.sessions), f"{cell.correlation:g}", f"{cell.p:g}", marked, *rest))
    return table(header, rows)


if __name__ == "__main__":
    gate = run_gate()
    print(gate.markdown())
    raise SystemExit(0 if gate.holds else 1)
