"""Do nominal 95% intervals of a proportion hold the truth, when the clips of a session are alike?

Beta-binomial: a session draws its own accuracy from the Beta distribution with mean p and intra-session correlation
rho, its clips are right or wrong with it. Every run is one data set; its interval is the harness's own
(`statistics.proportion_ends`, the broadcasting half of `proportion_interval`). Coverage is the share of runs whose
interval holds p, runs with every clip right among them.

A second simulation has domains: each has an accuracy of its own, the same in every run, and the interval is about other
sessions of the same domains.

Run from the repository root: `python -m tests.gates.intervals`. Exit code 1 where the gate does not hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness import statistics
from tests.gates.gate import Gate, percent, table

SEED, RUNS, BLOCK = 20_260, 40_000, 4_000
DEMANDED = 0.915
EVEN = (20,)
UNEVEN = (5, 10, 15, 20, 25, 30, 35, 20)
"""Numbers of clips in a session, repeated over the sessions; both have a mean of 20."""


class Cell(NamedTuple):
    p: float
    correlation: float
    sessions: int
    sizes: tuple[int, ...] = EVEN

    def title(self) -> str:
        """Return the cell as a part of a sentence."""
        sizes = "equal" if self.sizes == EVEN else "unequal"
        return f"{self.sessions} {sizes} sessions, p {self.p:g}, correlation {self.correlation:g}"


class Result(NamedTuple):
    coverage: float
    below: float  # share of runs whose whole interval lies below p
    above: float
    widened: float  # share of runs where fewer than five sessions hold a wrong clip, or a right one
    width: float  # mean
    wilson: float  # coverage when all clips are taken for independent


PS, CORRELATIONS, SESSIONS = (0.2, 0.5, 0.7, 0.9, 0.97), (0.05, 0.3), (8, 12, 24, 72)
GATE = [Cell(p, rho, g, sizes) for sizes in (EVEN, UNEVEN) for g in SESSIONS for rho in CORRELATIONS for p in PS]
NEAR_ONE = [Cell(0.99, rho, g, sizes) for sizes in (EVEN, UNEVEN) for g in SESSIONS for rho in CORRELATIONS]


class Domains(NamedTuple):
    """Split of domains with accuracies around p: half of them `effect` above it, half below."""

    p: float
    effect: float
    domains: int
    each: int  # sessions
    correlation: float = 0.05

    @property
    def accuracies(self) -> np.ndarray:
        """Return the accuracy of each domain, [domains], with mean p."""
        return self.p + self.effect * np.linspace(-1, 1, self.domains)


STRATA = [
    Domains(p, effect, domains, each)
    for p, effect in ((0.7, 0.0), (0.7, 0.2), (0.85, 0.12))
    for domains, each in ((9, 8), (5, 5), (9, 2))
]


def draw(cell: Cell, runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the numbers of right clips [runs, G] and return them with the numbers of clips [G]."""
    random = np.random.default_rng([seed, round(1000 * cell.p), round(1000 * cell.correlation), cell.sessions])
    clips = np.resize(cell.sizes, cell.sessions)
    return _right(random, np.full(cell.sessions, cell.p), cell.correlation, clips, runs), clips


def _right(random: np.random.Generator, p: np.ndarray, correlation: float, clips: np.ndarray, runs: int) -> np.ndarray:
    """Draw right clips [runs, G] of sessions whose mean accuracies are `p` [G]."""
    strength = (1 - correlation) / correlation
    accuracy = random.beta(p * strength, (1 - p) * strength, size=(runs, len(clips)))
    return random.binomial(clips, accuracy)


def measure(cell: Cell, runs: int = RUNS, seed: int = SEED) -> Result:
    """Return what the intervals of a cell's runs hold."""
    right, clips = draw(cell, runs, seed)
    low, high = ends(right, clips)
    below, above = high < cell.p, low > cell.p
    value, n = right.sum(axis=1) / clips.sum(), clips.sum()
    widened = statistics.few_carriers(clips, right).mean()
    coverage = 1 - (below | above).mean()
    return Result(coverage, below.mean(), above.mean(), widened, float((high - low).mean()), wilson(value, n, cell.p))


def ends(right: np.ndarray, clips: np.ndarray, strata: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the intervals of all runs, [runs] each, a block of runs at a time to save memory."""
    parts = []
    for start in range(0, len(right), BLOCK):
        block = right[start : start + BLOCK]
        whole, n = block.sum(axis=1, keepdims=True), clips.sum()
        replicates = (whole - block) / (n - clips)
        parts.append(statistics.proportion_ends(whole[:, 0] / n, replicates, clips, block, strata))
    low, high, *_ = zip(*parts, strict=True)
    return np.concatenate(low), np.concatenate(high)


def wilson(value: np.ndarray, n: int, p: float) -> float:
    """Return the coverage of Wilson's interval on n independent clips: p lies inside if its z test does not reject."""
    return float((np.abs(value - p) <= 1.959964 * np.sqrt(p * (1 - p) / n)).mean())


class Stratified(NamedTuple):
    """Coverage and mean width of the pooled and of the stratified interval."""

    pooled: float
    pooled_width: float
    stratified: float
    stratified_width: float


def measure_strata(cell: Domains, runs: int = RUNS, seed: int = SEED) -> Stratified:
    """Return what the two intervals hold of the split's mean accuracy, with domains that are the same in every run."""
    random = np.random.default_rng([seed, round(1000 * cell.effect), cell.domains, cell.each])
    strata = np.repeat(np.arange(cell.domains), cell.each)
    clips = np.full(len(strata), 20)
    right = _right(random, cell.accuracies[strata], cell.correlation, clips, runs)
    found = []
    for parts in (None, strata):
        low, high = ends(right, clips, parts)
        found += [float(((low <= cell.p) & (cell.p <= high)).mean()), float((high - low).mean())]
    return Stratified(*found)


def run_gate(runs: int = RUNS) -> Gate:
    """Measure all cells and return the gate with its tables."""
    found = {cell: measure(cell, runs) for cell in GATE}
    failing = [cell for cell, result in found.items() if result.coverage < DEMANDED]
    strata = {cell: measure_strata(cell, runs) for cell in STRATA}
    stratified = all(result.stratified >= DEMANDED for result in strata.values())
    short = "; ".join(f"{cell.title()}: {100 * found[cell].coverage:.2f}%" for cell in failing)
    text = (
        f"{runs:,} seeded runs a cell, beta-binomial, sessions of 20 clips or of 5 to 35. Demanded: at least "
        f"{percent(DEMANDED)} of the nominal 95% intervals hold p, in each of {len(GATE)} cells and within domains; "
        f"a cell that falls short is bold. {len(GATE) - len(failing)} of {len(GATE)} cells hold it"
        f"{', all but ' + short if failing else ''}. *Below* and *above*: the interval lies wholly on that side of p. "
        "*Widened*: runs in which fewer than five sessions hold a wrong clip, or a right one. *Width*: mean. *Wilson*: "
        "coverage of the interval that takes all clips for independent. With domains: each has an accuracy of its own, "
        "spread evenly over p plus or minus the effect and the same in every run; the correlation within sessions is "
        "0.05."
    )
    near = {cell: measure(cell, runs) for cell in NEAR_ONE}
    tables = ["Gate:", _table(found, DEMANDED), "Reported, p near 1:", _table(near), "Domains:", _strata_table(strata)]
    return Gate("Intervals", text, tables, not failing and stratified)


def _table(results: dict[Cell, Result], demanded: float = 0.0) -> str:
    header = (
        "sessions",
        "clips in one",
        "correlation",
        "p",
        "coverage",
        "below",
        "above",
        "widened",
        "width",
        "Wilson",
    )
    rows = []
    for cell, result in results.items():
        coverage = percent(result.coverage)
        rows.append(
            (
                str(cell.sessions),
                "20" if cell.sizes == EVEN else f"{min(cell.sizes)} to {max(cell.sizes)}",
                f"{cell.correlation:g}",
                f"{cell.p:g}",
                coverage if result.coverage >= demanded else f"**{coverage}**",
                percent(result.below),
                percent(result.above),
                percent(result.widened),
                f"{result.width:.3f}",
                percent(result.wilson),
            )
        )
    return table(header, rows)


def _strata_table(results: dict[Domains, Stratified]) -> str:
    header = ("domains", "sessions in one", "p", "effect", "pooled", "width", "stratified", "width")
    rows = []
    for cell, result in results.items():
        within = percent(result.stratified)
        rows.append(
            (
                str(cell.domains),
                str(cell.each),
                f"{cell.p:g}",
                f"{cell.effect:g}",
                percent(result.pooled),
                f"{result.pooled_width:.3f}",
                within if result.stratified >= DEMANDED else f"**{within}**",
                f"{result.stratified_width:.3f}",
            )
        )
    return table(header, rows)


if __name__ == "__main__":
    gate = run_gate()
    print(gate.markdown())
    raise SystemExit(0 if gate.holds else 1)
