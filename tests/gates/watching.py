"""How often does a running job call one of two equally good models better, if one looks at it again and again?

The pairs are those of `paired`: exchangeable within a session, so that every "settled" is false. The job is looked at
LOOKS times while its sessions come in. The harness says "settled" where the confidence sequence of the difference
excludes zero. Beside it stands what a naive watcher does: the sign flip at every look, at a nominal 5%.

Run from the repository root: `python -m tests.gates.watching`. Exit code 1 where the gate does not hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness import statistics
from tests.gates.gate import Gate, percent, table
from tests.gates.paired import LEVEL, VARIANCES, WEIGHTS, exchangeable

SEED, PAIRS, SESSIONS, LOOKS = 20_262, 2_000, 72, 14
LARGE = 288


class Rates(NamedTuple):
    """Share of pairs that are called different at any look, and at the last one alone."""

    sequence: float
    naive: float
    once: float


def looks(sessions: int) -> np.ndarray:
    """Return after how many sessions the job is looked at, [LOOKS]."""
    return np.rint(np.linspace(sessions / LOOKS, sessions, LOOKS)).astype(int)


def differences(variance: float, pairs: int, sessions: int) -> np.ndarray:
    """Draw the integer difference of each session, [pairs, sessions]."""
    right = exchangeable(variance, pairs, sessions, SEED)
    return ((right[:, 0].astype(int) - right[:, 1]) @ WEIGHTS).sum(axis=-1)


def measure(gap: np.ndarray) -> Rates:
    pairs, sessions = gap.shape
    settled, naive = np.zeros(pairs, bool), np.zeros(pairs, bool)
    for look in looks(sessions):
        seen = gap[:, :look]
        settled |= [excludes_zero(row) for row in seen]
        p = np.array([statistics.sign_flip_p(row)[0] for row in seen])
        naive |= p <= LEVEL
    return Rates(settled.mean(), naive.mean(), (p <= LEVEL).mean())


def excludes_zero(gap: np.ndarray) -> bool:
    """Return whether the confidence sequence of the mean session difference excludes zero."""
    shares = gap / (20 * WEIGHTS.sum())
    value = float(shares.mean())
    interval = statistics.confidence_sequence(value, (shares.sum() - shares) / max(len(shares) - 1, 1))
    return interval.low is not None and interval.high is not None and (interval.low > 0 or interval.high < 0)


def run_gate(pairs: int = PAIRS, sizes: tuple[int, ...] = (SESSIONS, LARGE)) -> Gate:
    rates = {
        f"{variance:g}, {sessions} sessions": measure(differences(variance, pairs, sessions))
        for sessions in sizes
        for variance in VARIANCES
    }
    text = (
        f"{pairs:,} seeded pairs of equally good models, looked at {LOOKS} times while their sessions come in, and the "
        f'share that is called different at any look. Demanded of "settled" (the confidence sequence excludes zero): '
        f"at most {percent(LEVEL)}. Beside it: the sign flip at p <= .05, at every look and at the last one alone."
    )
    header = ("session variance", "settled", "sign flip at every look", "at the last look")
    rows = [(name, *(percent(share) for share in row)) for name, row in rates.items()]
    return Gate("Watching", text, [table(header, rows)], all(row.sequence <= LEVEL for row in rates.values()))


if __name__ == "__main__":
    gate = run_gate()
    print(gate.markdown())
    raise SystemExit(0 if gate.holds else 1)
