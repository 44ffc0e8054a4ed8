"""How often is one of two equally good methods called better, when each run of a method has a luck of its own?

A run (a training with another seed, say) is as good as its method plus a luck that all its clips share, normal with the
*run SD* in score. In each session both methods meet the same difficulty, and each run again has a small luck of its
own. No difference is real, so every "different" is false. The harness's test counts the spread of the runs as error;
the sign flip over the runs' summed sessions, which stands beside it, knows sessions only.

Run from the repository root: `python -m tests.gates.runs`. Exit code 1 where the gate does not hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness import statistics
from tests.gates.gate import Gate, percent, table

SEED, PAIRS, CLIPS = 20_281, 2_000, 20
RUN_SDS = (0.0, 0.02, 0.056)
"""Standard deviations of a method's runs in score; .056 was seen in trainings of the twin that differ in the seed."""
RUNS = ((3, 3), (5, 5), (3, 6))
SESSIONS = (24, 72)
MEAN, SESSION_SD, OWN_SD = 0.6, 0.1, 0.04
LEVEL, ALLOWED = 0.05, 0.06


class Rates(NamedTuple):
    """Share of pairs that each test calls different at a nominal 5%."""

    with_runs: float
    sign_flip: float


def draw(run_sd: float, runs: tuple[int, int], sessions: int, pairs: int, seed: int = SEED) -> list[np.ndarray]:
    """Draw the right answers of each run per session, integers [pairs, K, sessions] for each of the two methods."""
    random = np.random.default_rng([seed, round(1000 * run_sd), *runs, sessions])
    session = random.normal(0, SESSION_SD, size=(pairs, 1, sessions))
    drawn = []
    for k in runs:
        of_run = random.normal(0, run_sd, size=(pairs, k, 1))
        own = random.normal(0, OWN_SD, size=(pairs, k, sessions))
        drawn.append(random.binomial(CLIPS, np.clip(MEAN + session + of_run + own, 0.02, 0.98)))
    return drawn


def measure(drawn: list[np.ndarray]) -> Rates:
    """Return how often the two tests find a difference."""
    different = [_tests(a, b) for a, b in zip(*drawn, strict=True)]
    return Rates(*np.mean(different, axis=0))


def _tests(a: np.ndarray, b: np.ndarray) -> tuple[bool, bool]:
    sessions = a.shape[1]
    n = CLIPS * sessions
    unit = np.lcm(len(a), len(b))
    gap = a.sum(axis=0) * (unit // len(a)) - b.sum(axis=0) * (unit // len(b))
    value = gap.sum() / n / unit
    interval = statistics.identity_interval(value, (gap.sum() - gap) / (n - CLIPS) / unit, np.full(sessions, CLIPS))
    test = statistics.runs_test(float(value), interval.se or 0.0, sessions - 1, (a.sum(axis=1) / n, b.sum(axis=1) / n))
    return test.p <= LEVEL, statistics.sign_flip_p(gap)[0] <= LEVEL


def run_gate(pairs: int = PAIRS) -> Gate:
    """Simulate every cell; the gate holds where the test with runs errs in at most ALLOWED of the pairs."""
    cells = {
        (run_sd, runs, sessions): measure(draw(run_sd, runs, sessions, pairs))
        for run_sd in RUN_SDS
        for runs in RUNS
        for sessions in SESSIONS
    }
    few = {(run_sd, (2, 2), 72): measure(draw(run_sd, (2, 2), 72, pairs)) for run_sd in RUN_SDS}
    text = (
        f"{pairs:,} seeded pairs of equally good methods, {CLIPS} clips a session, and the share that is called "
        f'"different" at a nominal {percent(LEVEL)}. A run is as good as its method plus a luck of its own (run SD, in '
        f"score). Demanded of the t test over sessions and runs: at most {percent(ALLOWED)} in each cell. The sign "
        "flip over the summed sessions stands beside it. Reported: two runs a side, of which the harness makes no "
        "claim about methods."
    )
    tables = ["Gate:", _table(cells), "Reported:", _table(few)]
    return Gate("Methods", text, tables, all(rates.with_runs <= ALLOWED for rates in cells.values()))


def _table(cells: dict[tuple[float, tuple[int, int], int], Rates]) -> str:
    header = ("run SD", "runs", "sessions", "sessions and runs", "sign flip")
    rows = [
        (f"{run_sd:g}", f"{runs[0]} and {runs[1]}", str(sessions), *(percent(share) for share in rates))
        for (run_sd, runs, sessions), rates in cells.items()
    ]
    return table(header, rows)


if __name__ == "__main__":
    gate = run_gate()
    print(gate.markdown())
    raise SystemExit(0 if gate.holds else 1)
