"""How often is one of two equally good models called better?

Each clip asks three questions, as the harness does (weights 3, 3, 4). In a session both models meet the same
difficulty, and each has a luck of its own there, drawn from the same distribution: on the logit scale, normal with the
*session variance*. So the two are exchangeable within a session, no difference is real, and every "different" is false.
Beside the harness's test stand three common ones that are given the same data: McNemar's on the third question, the
paired t test over clips, and over session sums.

The skewed case breaks the exchange and keeps equal expectations: B fails in one session of ten and makes up for it,
a little, in the others. Sessions are few, so most runs see one such session, or none.

Run from the repository root: `python -m tests.gates.paired`. Exit code 1 where the gate does not hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import bdtr, expit, stdtr

from harness import statistics
from tests.gates.gate import Gate, percent, table

SEED, PAIRS, SESSIONS, CLIPS = 20_261, 2_000, 8, 20
VARIANCES = (0.1, 0.3, 0.5)
WEIGHTS = np.array([3, 3, 4])
LEVEL, ALLOWED = 0.05, 0.06
FAIL, MAKE_UP = 0.3, 0.3 / 9
"""Skewed pairs: B's accuracy is 0.3 lower in one session of ten, and 0.3 / 9 higher in the other nine."""


class Rates(NamedTuple):
    """Share of pairs that each test calls different at a nominal 5%."""

    sign_flip: float
    mcnemar: float
    t_over_clips: float
    t_over_sessions: float


def exchangeable(variance: float, pairs: int, sessions: int = SESSIONS, seed: int = SEED) -> np.ndarray:
    """Draw which answers are right, bool [pairs, models 2, sessions, clips, questions 3]."""
    random = np.random.default_rng([seed, round(1000 * variance), sessions])
    shared = random.normal(0.8, 0.5, size=(pairs, 1, sessions, 1, 1))
    luck = random.normal(0, np.sqrt(variance), size=(pairs, 2, sessions, 1, 1))
    return random.random((pairs, 2, sessions, CLIPS, 3)) < expit(shared + luck)


def skewed(pairs: int, sessions: int = SESSIONS, seed: int = SEED) -> np.ndarray:
    random = np.random.default_rng([seed, 1, sessions])
    fails = random.random((pairs, sessions, 1, 1)) < 0.1
    accuracy = np.stack([np.full(fails.shape, 0.65), np.where(fails, 0.65 - FAIL, 0.65 + MAKE_UP)], axis=1)
    return random.random((pairs, 2, sessions, CLIPS, 3)) < accuracy


def measure(right: np.ndarray) -> Rates:
    gap = (right[:, 0].astype(int) - right[:, 1]) @ WEIGHTS
    sums = gap.sum(axis=-1)
    flipped = np.array([statistics.sign_flip_p(row)[0] for row in sums])
    p_values = flipped, mcnemar(right[..., 2]), paired_t(gap.reshape(len(gap), -1)), paired_t(sums)
    return Rates(*((p <= LEVEL).mean() for p in p_values))


def mcnemar(right: np.ndarray) -> np.ndarray:
    """Return the exact McNemar p [pairs] of answers [pairs, 2, sessions, clips]."""
    only_a = (right[:, 0] & ~right[:, 1]).sum(axis=(1, 2))
    only_b = (~right[:, 0] & right[:, 1]).sum(axis=(1, 2))
    return np.minimum(2 * bdtr(np.minimum(only_a, only_b), only_a + only_b, 0.5), 1)


def paired_t(gap: np.ndarray) -> np.ndarray:
    n = gap.shape[1]
    error = gap.std(axis=1, ddof=1) / np.sqrt(n)
    t = np.divide(gap.mean(axis=1), error, out=np.zeros(len(gap)), where=error > 0)
    return 2 * stdtr(n - 1, -np.abs(t))


def run_gate(pairs: int = PAIRS) -> Gate:
    gate = {f"{variance:g}": measure(exchangeable(variance, pairs)) for variance in VARIANCES}
    others = {f"{variance:g}, 72 sessions": measure(exchangeable(variance, pairs, 72)) for variance in VARIANCES}
    others |= {f"skewed, {sessions} sessions": measure(skewed(pairs, sessions)) for sessions in (8, 24)}
    text = (
        f"{pairs:,} seeded pairs of equally good models, {SESSIONS} sessions of {CLIPS} clips, and the share that is "
        f'called "different" at a nominal {percent(LEVEL)}. Demanded of the sign flip: at most {percent(ALLOWED)} at '
        "each session variance (logit scale). Reported: the same with 72 sessions, and a skewed case, where B fails in "
        "one session of ten and makes up for it in the others: expectations are equal, the models are not "
        "exchangeable. McNemar and t stand beside it for comparison."
    )
    tables = ["Gate:", _table(gate), "Reported:", _table(others)]
    return Gate("Paired test", text, tables, all(rates.sign_flip <= ALLOWED for rates in gate.values()))


def _table(rates: dict[str, Rates]) -> str:
    header = ("session variance", "sign flip", "McNemar", "t over clips", "t over sessions")
    return table(header, [(name, *(percent(share) for share in row)) for name, row in rates.items()])


if __name__ == "__main__":
    gate = run_gate()
    print(gate.markdown())
    raise SystemExit(0 if gate.holds else 1)
