"""Several scored submissions of one split, aligned clip by clip: the data behind every paired statement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from harness.errors import UsageError
from harness.metrics_table import BY_KEY, COMPOSITE, EXPECTED, PARTS, SINGLE
from harness.rules import Rules, Weights
from harness.scoring.metrics import ratio
from harness.scoring.score_cache import reading
from reference.resources import sql

if TYPE_CHECKING:
    from harness.scoring.result import Score

PAIRED_METRICS = tuple(metric.key for metric in SINGLE)
MILLION = 1_000_000
NO_ANSWER = -1
"""Stands for NULL in `PairedClips.answers`: two masked elements are neither equal nor different, but two entries that
both give no answer are alike."""


@dataclass
class PairedClips:
    """M submissions on the same N clips of G sessions.

    `facts`: whether each answer is right [M, N], by the fact that a metric of METRICS counts; `answers` [M, N, 4]:
    operation, start, end, next operation as integers, NO_ANSWER where there is none; `session` [N]: 0 to G-1; `hidden`
    [N]: next operation not visible; `expected`: millionths of P(answered next | frames) [M, N], None without a process.
    """

    names: list[str]
    clip_ids: np.ndarray
    session: np.ndarray
    hidden: np.ndarray
    facts: dict[str, np.ndarray]
    answers: np.ndarray
    weights: Weights
    expected: np.ndarray | None = None

    @cached_property
    def right(self) -> np.ndarray:
        """Return whether operation, segment (tIoU >= 0.5) and next operation are right, [M, N, 3]."""
        return np.stack([self.facts[metric.fact] for metric in PARTS], axis=-1)

    @cached_property
    def clips(self) -> np.ndarray:
        """Return the clips of each session, [G]."""
        return np.bincount(self.session)

    @cached_property
    def hidden_clips(self) -> np.ndarray:
        """Return the clips of each session whose next operation is hidden, [G]."""
        return np.bincount(self.session, self.hidden, len(self.clips)).astype(np.int64)

    @cached_property
    def sums(self) -> dict[str, np.ndarray]:
        """Return right answers per session [M, G] of each paired metric, and of `score`, weighted by integers.

        Of the expected metrics, where they are known, sums of millionths. Integers, because the sign-flip test is
        exact on integer differences only.
        """
        parts = {
            metric.key: self._per_session(self.facts[metric.fact] & (self.hidden if metric.hidden_only else True))
            for metric in SINGLE
        }
        if self.expected is not None:
            parts |= {
                metric.key: self._per_session(self.expected * (self.hidden if metric.hidden_only else 1))
                for metric in EXPECTED
            }
        whole = zip(self.weights.integers(), PARTS, strict=True)
        return parts | {COMPOSITE.key: np.sum([weight * parts[metric.key] for weight, metric in whole], axis=0)}

    def denominators(self, metric: str) -> np.ndarray:
        """Return the integers [G] by which the sums of a metric are divided, session by session."""
        if BY_KEY[metric].is_composite:
            return self.clips * sum(self.weights.integers())
        clips = self.hidden_clips if BY_KEY[metric].hidden_only else self.clips
        return clips * MILLION if BY_KEY[metric].is_expected else clips

    def difference(self, metric: str, a: int, b: int) -> tuple[float, np.ndarray, np.ndarray]:
        """Return A - B in a metric, its delete-one-session replicates [G'], and the integer session differences [G'].

        Sessions that hold no clip of the metric are left out. A replicate without any clip is NaN.
        """
        n = self.denominators(metric)
        holds = n > 0
        gap, n = (self.sums[metric][a] - self.sums[metric][b])[holds], n[holds]
        return float(ratio(gap.sum(), n.sum())), ratio(gap.sum() - gap, n.sum() - n), gap

    def identical(self, a: int, b: int) -> bool:
        """Return whether two submissions answer alike on every clip."""
        return bool((self.answers[a] == self.answers[b]).all())

    def _per_session(self, right: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(self.session, row, len(self.clips)) for row in right]).astype(np.int64)


def need_every_clip(rules: Rules) -> None:
    """Raise UsageError for a rule set that drops clips: then submissions have different clips and make no pairs."""
    if rules.drop_missing or rules.drop_degenerate:
        raise UsageError(f"a paired comparison needs every clip, and rule set {rules.name} drops some")


def pair_scores(scores: list[Score], names: list[str]) -> PairedClips:
    """Read the stored answers of scores and align them by clip.

    Raises UsageError where they differ in truth, rules or weights, or are redacted.
    """
    first = scores[0]
    for name, score in zip(names, scores, strict=True):
        score.need_clips()
        for key in ("truth_digest", "rules", "weights", "n"):
            if score.record[key] != first.record[key]:
                raise UsageError(f"{name} and {names[0]} cannot be compared: their {key} differ")
    tables = _read([score.answers for score in scores])
    return PairedClips(
        names=names,
        clip_ids=tables[0]["clip_id"],
        session=np.unique(tables[0]["session_index"], return_inverse=True)[1],
        hidden=~tables[0]["next_visible"].astype(bool),
        facts={metric.fact: _stack(tables, metric.fact)[:, :, 0].astype(bool) for metric in SINGLE},
        answers=_stack(tables, "operation", "start_frame", "end_frame", "next_operation"),
        weights=Weights(**first.record["weights"]),
        expected=_millionths(tables),
    )


def _millionths(tables: list[dict[str, Any]]) -> np.ndarray | None:
    """Return P(answered next | frames) in millionths [M, N]; None for a world without a process, where it is NULL."""
    columns = [table["expected_ppm"] for table in tables]
    if any(np.ma.getmaskarray(column).any() for column in columns):
        return None
    return np.stack([np.ma.getdata(column).astype(np.int64) for column in columns])


def _stack(tables: list[dict[str, Any]], *columns: str) -> np.ndarray:
    """Return columns of tables as one array [tables, clips, columns], NO_ANSWER for NULL."""
    return np.stack([np.stack([_filled(table[column]) for column in columns], -1) for table in tables])


def _filled(column: np.ndarray) -> np.ndarray:
    return np.ma.filled(column.astype(np.int16), NO_ANSWER)


def _read(files: list[Path]) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        tables = []
        for file in files:
            with reading(file):
                tables.append(connection.execute(sql(__package__, "paired"), [str(file)]).fetchnumpy())
        return tables
