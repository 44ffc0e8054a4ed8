"""Ranking of entries by the tests of all their pairs: one Holm family feeds ranges, tiers and the verdict sentence.

So the three cannot contradict each other: an entry that the sentence calls "below" the leader is in another tier, with
a rank range that does not hold 1; an entry that is "not significantly below" it is in the leader's tier, and its range
holds 1 unless yet another entry is significantly better. The tests of each entry against a chosen baseline are a second
family, which says nothing about ranks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from harness import statistics
from harness.comparison.paired import PairedClips
from harness.comparison.pairwise import ALPHA, add_holm, paired_test
from harness.formatting import in_words
from harness.metrics_table import COMPOSITE
from harness.scoring.signature import SEED

Pair = tuple[int, int]


class Ranking(NamedTuple):
    """What the tests of all pairs say about M entries, best first: [M] rank ranges, [M] tiers from 1."""

    ranges: list[tuple[int, int]]
    tiers: list[int]


def all_pair_tests(paired: PairedClips, m: int) -> dict[Pair, dict[str, Any]]:
    """Return the test in score of each pair (a, b), a < b, of the first m entries: one Holm family of m (m - 1) / 2."""
    tests = {pair: paired_test(paired, COMPOSITE.key, *pair) for pair in combinations(range(m), 2)}
    add_holm(list(tests.values()))
    return tests


def baseline_tests(paired: PairedClips, m: int, baseline: int) -> list[dict[str, Any] | None]:
    """Return the test in score of each of the first m entries against row `baseline`, one Holm family; None of itself.

    The family has m tests, or m - 1 where the baseline is one of the entries.
    """
    tests = [paired_test(paired, COMPOSITE.key, i, baseline) if i != baseline else None for i in range(m)]
    add_holm([test for test in tests if test])
    return tests


def rank(tests: dict[Pair, dict[str, Any]], m: int) -> Ranking:
    """Return rank ranges and tiers of m entries, best first, from the tests of all their pairs."""
    better = np.zeros((m, m), bool)
    for (a, b), test in tests.items():
        if test["p_adjusted"] <= ALPHA:
            winner, loser = (a, b) if test["difference"] > 0 else (b, a)
            better[winner, loser] = True
    return Ranking(statistics.rank_ranges(better), statistics.tiers(better))


def picked_interval(paired: PairedClips, m: int, metric: dict[str, Any]) -> tuple[float | None, float | None]:
    """Return low and high of the leader's score that allow for its having been picked among the first m entries.

    `metric` is the leader's score as its record holds it, with its own interval, which the wider one holds. Of a method
    it allows for the spread of its runs. Both are None where nothing was picked (m < 2) or the interval is not
    supported.
    """
    if m < 2 or metric["low"] is None:
        return None, None
    sums, clips = paired.sums[COMPOSITE.key], paired.denominators(COMPOSITE.key)
    right, n = sums[0].sum(), clips.sum()
    value = float(right / n)
    se = float(statistics.jackknife_se(value, (right - sums[0]) / (n - clips)))
    quantile = statistics.largest_t_quantile(sums[:m], clips, seed=SEED)
    of_runs, df_runs = statistics.runs_error(paired.run_values(COMPOSITE.key, 0))
    if of_runs:
        # Signs of sessions know nothing of how runs differ, so that a method gets Bonferroni's quantile.
        df = float(statistics.welch_satterthwaite((se**2, of_runs), (len(clips) - 1, df_runs)))
        quantile = max(quantile, statistics.t_quantile(1 - ALPHA / 2 / m, df))
        se = math.sqrt(se**2 + of_runs)
    return statistics.picked_ends(value, se, quantile, m, (metric["low"], metric["high"]))


def verdict_sentence(names: Sequence[str], to_leader: Sequence[dict[str, Any] | None], same: Sequence[bool]) -> str:
    """Return the sentence on who leads, and from whom the leader differs significantly.

    `names` [M] come best first; `to_leader` [M] holds the leader's test against each, from the family of all pairs;
    `same` [M] says whose answers are the leader's.
    """
    if not names:
        return "No entry can be ranked."
    if len(names) == 1:
        return f"{names[0]} is the only entry."
    others = [(name, test, alike) for name, test, alike in zip(names, to_leader, same, strict=True) if test]
    below = {name: test for name, test, _ in others if test["p_adjusted"] <= ALPHA}
    identical = [name for name, _, alike in others if alike and name not in below]
    tied = [name for name, _, alike in others if not alike and name not in below]
    parts = [f"{names[0]} leads"]
    if identical:
        parts.append(f"{in_words(identical)} answered{' all' if len(identical) > 1 else ''} identically")
    if tied:
        parts.append(f"{in_words(tied)} {'are' if len(tied) > 1 else 'is'} not significantly below it")
    if below:
        worst, m = max(test["p_adjusted"] for test in below.values()), len(names) * (len(names) - 1) // 2
        verb = "are" if len(below) > 1 else "is"
        parts.append(f"{in_words(list(below))} {verb} below it (adjusted p <= {worst:.2g}, m = {m:,})")
    return "; ".join(parts) + "."
