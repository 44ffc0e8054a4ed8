"""Panel "Is one better than the other?": differences, verdict, who is right on which clips, the difference by slice.

Up to MANY ranked entries the page holds every pair, as `harness compare` of all of them would give it; of more entries
it holds each one with the leader and with its neighbour. The p of their scores stays that of the board's family, all
pairs of ranked entries. The pairs of ranked entries with references are a family of tests of their own. A slice's
difference is that of the composite, with the interval over the sessions that hold the slice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import Any

import numpy as np

from harness import statistics
from harness.comparison.pairwise import compare_pairs
from harness.metrics_table import OBSERVED
from harness.report.clips import Clips
from harness.report.gather import Gathered
from harness.report.panels.measure import Axis, Measure, axis_over, measure
from harness.report.panels.slices import TITLES
from harness.scoring.slices import MIN_CLIPS, MIN_SESSIONS

MANY = 12


@dataclass(frozen=True)
class Difference:
    """Paired difference of one metric, with raw and adjusted p of a family of m tests."""

    metric: str
    measure: Measure
    p: float
    p_adjusted: float
    m: int


@dataclass(frozen=True)
class Part:
    """Difference in score on one slice."""

    title: str
    level: str
    measure: Measure


@dataclass(frozen=True)
class Group:
    """Differences on the slices of one dimension."""

    title: str
    parts: list[Part]


@dataclass(frozen=True)
class Pair:
    """Comparison of the entries at places `a` and `b`; `counts` holds for each field both, only_a, only_b, neither;
    `needed` the sessions like these that find a difference of one margin.
    """

    a: int
    b: int
    names: tuple[str, str]
    kind: str
    sentence: str
    needed: int | None
    differences: list[Difference]
    counts: dict[str, dict[str, int]]
    forest: list[Group]
    axis: Axis
    forest_axis: Axis


def pairs(gathered: Gathered) -> list[Pair]:
    """Compare every pair that the page holds, ranked pairs first."""
    m, places = len(gathered.field.ranked), range(len(gathered.entries))
    ranked = list(combinations(range(m), 2))
    if m > MANY:
        ranked = sorted({(0, i) for i in range(1, m)} | {(i, i + 1) for i in range(m - 1)})
    against = [(i, reference) for i in range(m) for reference in places[m:]]
    paired, margin = gathered.field.paired, gathered.margin
    rows = compare_pairs(paired, ranked, margin, gathered.field.pair_tests) if ranked else []
    rows += compare_pairs(paired, against, margin) if against else []
    cut = Cut(gathered.clips, gathered.field.facts["weights"])
    return [_pair(gathered, a, b, row, cut) for (a, b), row in zip([*ranked, *against], rows, strict=True)]


def _pair(gathered: Gathered, a: int, b: int, row: dict[str, Any], cut: Cut) -> Pair:
    n = len(gathered.field.paired.clip_ids)
    tests = {"score": row["score"]} | row["metrics"]
    differences = [
        Difference(
            metric=name,
            measure=measure(tests[name] | {"value": tests[name]["difference"]}, n=n),
            p=tests[name]["p"],
            p_adjusted=tests[name]["p_adjusted"],
            m=tests[name]["m"],
        )
        for name in (metric.key for metric in OBSERVED)
        if tests[name]["difference"] is not None
    ]
    forest = cut.differences(a, b)
    paired = gathered.field.paired
    of_run_1 = ["Counts and parts of the split are of run 1."] if max(paired.k[a], paired.k[b]) > 1 else []
    groups = [Group(title, list(parts)) for title, parts in groupby(forest, lambda part: part.title)]
    return Pair(
        a=a,
        b=b,
        names=(row["a"], row["b"]),
        kind=row["verdict"]["kind"],
        sentence=" ".join([row["verdict"]["sentence"], row["about"], *of_run_1]),
        needed=row["verdict"]["needed"],
        differences=differences,
        counts=row["counts"],
        forest=groups,
        axis=_axis([difference.measure for difference in differences]),
        forest_axis=_axis([part.measure for part in forest]),
    )


def _axis(measures: list[Measure]) -> Axis:
    return axis_over([end for one in measures for end in (one.value, one.low, one.high)], zero=True)


class Cut:
    """Slices of the split with their clips per session, and each entry's points (weighted right answers) per clip."""

    def __init__(self, clips: Clips, weights: dict[str, float]):
        self._clips = clips
        self._sessions = int(clips.session.max()) + 1
        self._levels = list(_levels(clips))
        share = np.array(list(weights.values()))
        self._points = [answers.right @ share for answers in clips.answers]
        self._sizes = [self._sums(chosen, np.ones(clips.n)) for _, _, chosen in self._levels]

    def _sums(self, chosen: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.bincount(self._clips.session[chosen], values[chosen], self._sessions)

    def differences(self, a: int, b: int) -> list[Part]:
        """Return the difference a - b on each slice that has enough clips and sessions."""
        gap = np.round(self._points[a] - self._points[b], 9)
        parts = []
        for (title, level, chosen), n in zip(self._levels, self._sizes, strict=True):
            holds = n > 0
            if n.sum() >= MIN_CLIPS and holds.sum() >= MIN_SESSIONS:
                parts.append(Part(title, level, _difference(self._sums(chosen, gap)[holds], n[holds])))
        return parts


def _difference(sums: np.ndarray, n: np.ndarray) -> Measure:
    value = float(sums.sum() / n.sum())
    around = statistics.identity_interval(value, (sums.sum() - sums) / (n.sum() - n), n)
    return Measure(value, around.low, around.high, int(n.sum()), len(n))


def _levels(clips: Clips) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield title, level and clips (a mask [N]) of every slice that the forest plot shows."""
    for name, column in (("operation", "operation"), ("next_operation", "next_operation")):
        for code, label in enumerate(clips.operations):
            yield TITLES[name], label, clips[column] == code
    for name, column in (("cut", "cut_kind"), ("domain", "domain"), ("worker", "worker")):
        levels, codes = clips.texts(column)
        for code, level in enumerate(levels):
            yield TITLES[name], level, codes == code
    yield TITLES["next_visible"], "hidden", clips.hidden
    yield TITLES["next_visible"], "visible", ~clips.hidden
    dense = np.asarray(clips["dense"], bool)
    yield TITLES["dense"], "dense", dense
    yield TITLES["dense"], "sparse", ~dense
    if clips.off_script is not None:
        yield TITLES["script"], "off-script", clips.off_script
        yield TITLES["script"], "on-script", ~clips.off_script
