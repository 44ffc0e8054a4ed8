"""Score of a job that is running: the mean over the clips that have an answer, with a confidence sequence.

A clip that was not asked about yet is neither right nor wrong. The interval holds at every look together, so that one
may stop as soon as it excludes the other entry. It assumes that the order of the clips, and which of them failed, has
nothing to do with how hard they are: `harness predict` asks session by session, in the order in which a world drew
them.
"""

from __future__ import annotations

from typing import NamedTuple

import duckdb
import numpy as np

from harness import statistics
from harness.comparison.paired import PairedClips, pair_scores
from harness.formatting import number
from harness.metrics_table import PARTS
from harness.scoring.result import Score
from harness.scoring.score_cache import reading
from harness.statistics import Interval
from reference.resources import sql


class Mean(NamedTuple):
    """Mean of `n` clips so far, and its confidence sequence over sessions."""

    value: float
    interval: Interval
    n: int
    sessions: int

    @property
    def settled(self) -> bool:
        """Return whether the confidence sequence excludes zero."""
        low, high = self.interval.low, self.interval.high
        return low is not None and high is not None and (low > 0 or high < 0)

    def ends(self, sign: bool = False) -> str:
        """Return the interval in brackets; before there is one, when it comes."""
        low, high = self.interval.low, self.interval.high
        if low is None:
            return f"[from {statistics.FEW_SESSIONS} sessions on]"
        return f"[{number(low, sign=sign)}, {number(high, sign=sign)}]"


def score_so_far(score: Score) -> Mean | None:
    """Return the score over the clips that a file answers; None where it answers none."""
    paired = pair_scores([score], ["running"])
    return _mean(_points(paired)[0], _answered(score, paired), paired.session)


def difference_so_far(score: Score, other: Score) -> Mean | None:
    """Return the score of a file minus that of another one, over the clips that both answer; None without any.

    Where either is about a sample, the clips are those of the common sessions; of a method, the mean over its runs.
    """
    paired = pair_scores([score, other], ["running", "other"])
    points = _points(paired)
    return _mean(points[0] - points[1], _answered(score, paired) & _answered(other, paired), paired.session)


def _points(paired: PairedClips) -> np.ndarray:
    """Return what each clip adds to each entry's score, [M, N], from 0 to 1."""
    weights = paired.weights.integers()

    def points(facts: dict[str, np.ndarray]) -> np.ndarray:
        parts = [weight * facts[metric.fact] for weight, metric in zip(weights, PARTS, strict=True)]
        return np.sum(parts, axis=0) / sum(weights)

    if not paired.per_run:
        return points(paired.facts)
    return np.stack([points(facts).mean(axis=0) for facts in paired.per_run])


def _mean(points: np.ndarray, answered: np.ndarray, session: np.ndarray) -> Mean | None:
    """Return the mean of the answered clips' points [N]."""
    if not answered.any():
        return None
    n = np.bincount(session, answered)
    sums = np.bincount(session, points * answered)[n > 0]
    n = n[n > 0]
    value = float(sums.sum() / n.sum())
    rest = n.sum() - n
    replicates = np.divide(sums.sum() - sums, rest, out=np.full(len(n), np.nan), where=rest > 0)
    return Mean(value, statistics.confidence_sequence(value, replicates), int(n.sum()), len(n))


def in_words(score: Score, name: str = "", other: Score | None = None) -> str:
    """Return the score so far, and whether it is settled that it lies above or below that of an entry called `name`."""
    mean = score_so_far(score)
    if mean is None:
        return "no answer yet"
    text = f"score so far {number(mean.value)} {mean.ends()} over the answered clips"
    gap = None if other is None else difference_so_far(score, other)
    if gap is None:
        return text
    verdict = ("settled: above" if gap.value > 0 else "settled: below") if gap.settled else "not settled"
    return f"{text}; against {name} {number(gap.value, sign=True)} {gap.ends(sign=True)}, {verdict}"


def _answered(score: Score, paired: PairedClips) -> np.ndarray:
    """Return whether each paired clip has a line, of a method in every run, bool [N]."""
    with duckdb.connect() as connection:
        found = np.ones(len(paired.clip_ids), bool)
        for file in score.runs:
            with reading(file):
                columns = connection.execute(sql(__package__, "answered"), [str(file)]).fetchnumpy()
            # A sample's clips may be more than those in common, in the same order.
            found &= np.asarray(columns["answered"], bool)[np.isin(columns["clip_id"], paired.clip_ids)]
        return found
