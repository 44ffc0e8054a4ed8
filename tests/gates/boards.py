"""What a leaderboard says of equal models, and what a comparison finds of unequal ones.

Three tables, all through the code that makes boards (comparison/ranking.py) and comparisons (pairwise.paired_test):

- *False "below"*: boards of equally good models, exchangeable within a session as in tests/gates/paired.py. On how many
  does the verdict sentence call somebody below the leader? Beside it stands what tests against the leader alone would
  say: the leader was picked by the data, so a correction for M - 1 tests is not enough.
- *Coverage*: how often the leader's own interval holds the accuracy that all have, and how often the wider one does.
- *Power*: pairs that are 3 points apart. Exactly one of the two is right on a quarter of the clips, and which one is
  correlated within a session by .03.

Run from the repository root: `python -m tests.gates.boards`. Exit code 1 where the gate does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from harness import statistics
from harness.comparison import ranking
from harness.comparison.paired import PairedClips
from harness.comparison.pairwise import ALPHA, paired_test
from tests.gates.gate import Gate, percent, table
from tests.support.boards import paired_board

SEED, BOARDS, PAIRS = 20_261, 1_000, 2_000
SESSIONS, CLIPS = 72, 20
BASE, SHARED, LUCK = 0.8, 0.25, 0.1
"""Logit of the mean accuracy, and variances of what a session does to all models and to each."""
SIZES, PICKED_AMONG = (2, 5, 10, 30), (5, 10, 30, 100)
ALLOWED, COVERED = 0.06, 0.95
DIFFERENCE, DISCORDANT, CORRELATION = 0.03, 0.25, 0.03
POWER = {(24, 60): 0.24, (72, 20): 0.41, (144, 20): 0.71, (288, 20): 0.95}
"""Sessions and clips in each -> power that the splits were chosen for."""
OFF = 0.03


class Said(NamedTuple):
    """Shares of boards of equal models: somebody is called below the leader, by all pairs and by the leader's alone."""

    below: float
    leader_alone: float


class Held(NamedTuple):
    """Shares of boards whose leader's interval holds the accuracy of all: its own, and the one for having been picked.

    `wider`: how many times as wide the second is, on average.
    """

    own: float
    picked: float
    wider: float


def equal_boards(entries: int, boards: int) -> Iterator[PairedClips]:
    """Yield boards of equally good entries, which differ by luck within a session alone."""
    random = np.random.default_rng([SEED, entries])
    for _ in range(boards):
        shared = random.normal(BASE, np.sqrt(SHARED), size=(1, SESSIONS, 1, 1))
        luck = random.normal(0, np.sqrt(LUCK), size=(entries, SESSIONS, 1, 1))
        yield paired_board(random.random((entries, SESSIONS, CLIPS, 3)) < expit(shared + luck))


def expected_accuracy() -> float:
    """Return the accuracy of every entry of `equal_boards`, by Gauss-Hermite quadrature."""
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    return float(weights @ expit(BASE + np.sqrt(SHARED + LUCK) * points) / weights.sum())


def false_below(entries: int, boards: int = BOARDS) -> Said:
    """Return how often equal boards have somebody below the leader."""
    found = []
    for paired in equal_boards(entries, boards):
        tests = ranking.all_pair_tests(paired, entries)
        to_leader = [tests[0, i] for i in range(1, entries)]
        sentence = ranking.verdict_sentence(paired.names, [None, *to_leader], [False] * entries)
        alone = statistics.holm([test["p"] for test in to_leader]).min() <= ALPHA
        found.append((" below it (adjusted" in sentence, alone))
    return Said(*np.mean(found, axis=0).tolist())


def coverage(entries: int, boards: int = BOARDS) -> Held:
    """Return how often the leader's two intervals hold what is true."""
    truth, quantile = expected_accuracy(), statistics.t_quantile(0.975, SESSIONS - 1)
    held, width = [], []
    for paired in equal_boards(entries, boards):
        sums, clips = paired.sums["score"][0], paired.denominators("score")
        value = sums.sum() / clips.sum()
        se = float(statistics.jackknife_se(value, (sums.sum() - sums) / (clips.sum() - clips)))
        own = statistics.picked_ends(value, se, quantile, 1, (value, value))
        picked = ranking.picked_interval(paired, entries, {"low": own[0], "high": own[1]})
        held.append([low <= truth <= high for low, high in (own, picked)])
        width.append((picked[1] - picked[0]) / (own[1] - own[0]))
    return Held(*np.mean(held, axis=0).tolist(), float(np.mean(width)))


def power(sessions: int, clips: int, pairs: int = PAIRS) -> float:
    """Return how often a difference of DIFFERENCE is significant in a comparison of two."""
    random = np.random.default_rng([SEED, sessions, clips])
    ahead = (1 + DIFFERENCE / DISCORDANT) / 2  # chance that A is the one who is right where exactly one is
    # A clip's difference is 1, 0 or -1 with the variance below; a session's mean has CORRELATION of it, and is
    # DISCORDANT (2 chance - 1).
    spread = CORRELATION * (DISCORDANT - DIFFERENCE**2) / (2 * DISCORDANT) ** 2
    size = ahead * (1 - ahead) / spread - 1
    found = 0
    for _ in range(pairs):
        chance = random.beta(ahead * size, (1 - ahead) * size, size=(sessions, 1))
        one, both, first = (random.random((sessions, clips)) < share for share in (DISCORDANT, 0.6, chance))
        right = np.stack([np.where(one, first, both), np.where(one, ~first, both)])
        found += paired_test(paired_board(np.repeat(right[..., None], 3, axis=-1)), "score", 0, 1)["p"] <= ALPHA
    return found / pairs


def run_gate(boards: int = BOARDS, pairs: int = PAIRS) -> Gate:
    """Simulate the three tables."""
    said = {m: false_below(m, boards) for m in SIZES}
    held = {m: coverage(m, boards) for m in PICKED_AMONG}
    reached = {design: power(*design, pairs=pairs) for design in POWER}
    text = (
        f"{boards:,} seeded boards of equally good models, {SESSIONS} sessions of {CLIPS} clips, exchangeable within a "
        f"session (variance {LUCK:g} on the logit scale). Demanded: the verdict sentence calls somebody below the "
        f"leader on at most {percent(ALLOWED)} of the boards, and the leader's interval that allows for its having "
        f"been picked holds the common accuracy on at least {percent(COVERED)}. Reported beside them: tests against "
        "the leader alone, and the leader's own interval. The last table has "
        f"{pairs:,} pairs {100 * DIFFERENCE:g} points apart, exactly one of them right on {DISCORDANT:.0%} of the "
        f"clips, correlation {CORRELATION:g}: the power must be within {OFF:g} of the one that the splits were chosen "
        "for."
    )
    tables = [
        'False "below":',
        table(
            ("entries", "all pairs (the sentence)", "tests against the leader alone"),
            [(f"{m}", *map(percent, row)) for m, row in said.items()],
        ),
        "Coverage of the leader's 95% interval:",
        table(
            ("entries", "own", "allowing for the pick", "times as wide"),
            [(f"{m}", percent(row.own), percent(row.picked), f"{row.wider:.2f}") for m, row in held.items()],
        ),
        "Power:",
        table(
            ("sessions x clips", "chosen for", "found"),
            [(f"{g} x {n}", f"{POWER[g, n]:.2f}", f"{share:.3f}") for (g, n), share in reached.items()],
        ),
    ]
    holds = (
        all(row.below <= ALLOWED for row in said.values())
        and all(row.picked >= COVERED for row in held.values())
        and all(abs(share - POWER[design]) <= OFF for design, share in reached.items())
    )
    return Gate("Boards and pairs", text, tables, holds)


if __name__ == "__main__":
    gate = run_gate()
    print(gate.markdown())
    raise SystemExit(0 if gate.holds else 1)
