"""Several scored submissions of one split, clip by clip on the same axis: what every paired statement is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import UsageError
from harness.metrics_table import PARTS, SINGLE
from harness.rules import Rules, Weights
from harness.scoring.metrics import ratio

if TYPE_CHECKING:
    from harness.scoring.result import Score

PAIRED_METRICS = tuple(metric.key for metric in SINGLE)


@dataclass
class Paired:
    """M submissions on the same N clips of G sessions.

    `right` [M, N, 3]: operation, segment (tIoU >= 0.5), next right; `answers` [M, N, 4]: operation, start, end, next
    as codes, -1 where there is none; `session` [N] in 0..G-1; `hidden` [N]: next operation not visible.
    """

    names: list[str]
    clip_ids: np.ndarray
    session: np.ndarray
    hidden: np.ndarray
    right: np.ndarray
    answers: np.ndarray
    weights: Weights

    @cached_property
    def clips(self) -> np.ndarray:
        """Clips per session, [G]."""
        return np.bincount(self.session)

    @cached_property
    def hidden_clips(self) -> np.ndarray:
        return np.bincount(self.session, self.hidden, len(self.clips)).astype(np.int64)

    @cached_property
    def sums(self) -> dict[str, np.ndarray]:
        """Right answers per session [M, G] of each paired metric, and of `score` weighted by the smallest integers."""
        parts = {metric.key: self._per_session(self.right[:, :, i]) for i, metric in enumerate(PARTS)}
        parts["aa1_hidden"] = self._per_session(self.right[:, :, 2] & self.hidden)
        whole = zip(self.weights.integers(), PARTS, strict=True)
        return parts | {"score": np.sum([weight * parts[metric.key] for weight, metric in whole], axis=0)}

    def denominators(self, metric: str) -> np.ndarray:
        """What the sums of a metric are divided by, per session [G]."""
        if metric == "aa1_hidden":
            return self.hidden_clips
        return self.clips * (sum(self.weights.integers()) if metric == "score" else 1)

    def difference(self, metric: str, a: int, b: int) -> tuple[float, np.ndarray, np.ndarray]:
        """Value of A - B, its delete-one-session replicates [G'], and the integer session differences [G']; sessions
        that hold no clip of the metric are left out, and what is left of nothing is NaN."""
        n = self.denominators(metric)
        holds = n > 0
        gap, n = (self.sums[metric][a] - self.sums[metric][b])[holds], n[holds]
        return float(ratio(gap.sum(), n.sum())), ratio(gap.sum() - gap, n.sum() - n), gap

    def identical(self, a: int, b: int) -> bool:
        return bool((self.answers[a] == self.answers[b]).all())

    def _per_session(self, right: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(self.session, row, len(self.clips)) for row in right]).astype(np.int64)


def need_every_clip(rules: Rules) -> None:
    if rules.drop_missing or rules.drop_degenerate:
        raise UsageError(f"a paired comparison needs every clip, and rule set {rules.name} drops some")


def load(scores: list[Score], names: list[str]) -> Paired:
    """Read the stored answers of scores that share truth, rules and weights."""
    first = scores[0]
    for name, score in zip(names, scores, strict=True):
        score.need_clips()
        for key in ("truth_digest", "rules", "weights", "n"):
            if score.record[key] != first.record[key]:
                raise UsageError(f"{name} and {names[0]} cannot be compared: their {key} differ")
    tables = _read([score.answers for score in scores])
    table = tables[0]
    weights = Weights(**first.record["weights"])
    rows = np.unique(table["session_index"], return_inverse=True)[1]
    return Paired(
        names,
        table["clip_id"],
        rows,
        ~table["next_visible"].astype(bool),
        _stacked(tables, *(metric.right for metric in PARTS)).astype(bool),
        _stacked(tables, "operation", "start_frame", "end_frame", "next_operation"),
        weights,
    )


def _stacked(tables: list[dict[str, Any]], *columns: str) -> np.ndarray:
    """[tables, clips, columns]."""
    return np.stack([np.stack([table[column] for column in columns], -1) for table in tables])


def _read(files: list[Path]) -> list[dict[str, Any]]:
    import duckdb

    from reference.resources import sql

    with duckdb.connect() as connection:
        return [connection.execute(sql(__package__, "paired"), [str(file)]).fetchnumpy() for file in files]
