"""Several scored submissions of one split, aligned clip by clip: the data behind every paired statement."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from harness.errors import UsageError
from harness.metrics_table import BY_KEY, COMPOSITE, EXPECTED, PARTS, SINGLE, Metric
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
    [N]: next operation not visible. The fact `expected_ppm` is no truth value: the millionths of P(answered next |
    frames), and there is none without a process. Of a method with K runs these are of run 1; `per_run` [M] has the
    facts of all its runs, [K, N], and is empty where every entry has one.
    """

    names: list[str]
    clip_ids: np.ndarray
    session: np.ndarray
    hidden: np.ndarray
    facts: dict[str, np.ndarray]
    answers: np.ndarray
    weights: Weights
    per_run: list[dict[str, np.ndarray]] = field(default_factory=list)

    @cached_property
    def k(self) -> list[int]:
        """Return how many runs each entry has, [M]."""
        return [len(next(iter(facts.values()))) for facts in self.per_run] or [1] * len(self.names)

    @cached_property
    def common_k(self) -> int:
        """Return the least common multiple of all entries' runs: sums in this unit stay integers."""
        return math.lcm(*self.k)

    @property
    def has_expected(self) -> bool:
        """Return whether the process says how probable each answer was."""
        return EXPECTED[0].fact in self.facts

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

        Integers, because the sign-flip test is exact on integer differences only: of a method the sum over its runs,
        times `common_k` / K; of the expected metrics, where they are known, millionths.
        """
        parts = {}
        for metric in (*SINGLE, *(EXPECTED if self.has_expected else ())):
            runs = self._run_sums(metric)
            parts[metric.key] = np.stack([one.sum(axis=0) * (self.common_k // len(one)) for one in runs])
        whole = [weight * parts[metric.key] for weight, metric in self._weighted()]
        return parts | {COMPOSITE.key: np.sum(whole, axis=0)}

    def denominators(self, metric: str) -> np.ndarray:
        """Return the integers [G] by which the sums of a metric are divided, session by session."""
        if BY_KEY[metric].is_composite:
            return self.clips * sum(self.weights.integers()) * self.common_k
        unit = MILLION if BY_KEY[metric].is_expected else 1
        return (self.hidden_clips if BY_KEY[metric].hidden_only else self.clips) * self.common_k * unit

    def run_values(self, metric: str, entry: int) -> np.ndarray:
        """Return the value of each run of an entry, [K]."""
        if BY_KEY[metric].is_composite:
            parts = [weight * self._run_sums(part)[entry] for weight, part in self._weighted()]
            sums = np.sum(parts, axis=0)
        else:
            sums = self._run_sums(BY_KEY[metric])[entry]
        return ratio(sums.sum(axis=1), (self.denominators(metric) // self.common_k).sum())

    def _weighted(self) -> list[tuple[int, Metric]]:
        return list(zip(self.weights.integers(), PARTS, strict=True))

    def _run_sums(self, metric: Metric) -> list[np.ndarray]:
        """Return the right answers per session of each entry's runs, integers [K, G] for each of M."""
        counts = self.hidden.astype(np.int64) if metric.hidden_only else 1
        if not self.per_run:
            return [self._per_session(row[None] * counts) for row in self.facts[metric.fact]]
        return [self._per_session(facts[metric.fact] * counts) for facts in self.per_run]

    def difference(self, metric: str, a: int, b: int) -> tuple[float, np.ndarray, np.ndarray]:
        """Return A - B in a metric, its delete-one-session replicates [G'], and the integer session differences [G'].

        Sessions that hold no clip of the metric are left out. A replicate without any clip is NaN.
        """
        n = self.denominators(metric)
        holds = n > 0
        gap, n = (self.sums[metric][a] - self.sums[metric][b])[holds], n[holds]
        return float(ratio(gap.sum(), n.sum())), ratio(gap.sum() - gap, n.sum() - n), gap

    def identical(self, a: int, b: int) -> bool:
        """Return whether two files answer alike on every clip; methods of several runs never do."""
        if self.k[a] > 1 or self.k[b] > 1:
            return False
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
        for key in ("rules", "weights"):
            if score.record[key] != first.record[key]:
                raise UsageError(f"{name} and {names[0]} cannot be compared: their {key} differ")
        if whole_truth(score) != whole_truth(first):
            raise UsageError(f"{name} and {names[0]} cannot be compared: their truth_digest differ")
    runs = _common(_read([file for score in scores for file in score.runs]))
    if not len(runs[0]["clip_id"]):
        raise UsageError(f"{' and '.join(names)} cannot be compared: their samples have no session in common")
    rest = iter(runs)
    of_entries = [[next(rest) for _ in score.runs] for score in scores]
    tables = [own[0] for own in of_entries]
    return PairedClips(
        names=names,
        clip_ids=tables[0]["clip_id"],
        session=np.unique(tables[0]["session_index"], return_inverse=True)[1],
        hidden=~tables[0]["next_visible"].astype(bool),
        facts=_facts(tables),
        answers=_stack(tables, "operation", "start_frame", "end_frame", "next_operation"),
        weights=Weights(**first.record["weights"]),
        per_run=[_facts(own) for own in of_entries] if len(runs) > len(scores) else [],
    )


def _facts(tables: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Return whether each answer of a method's runs is right, by fact, [K, N]."""
    facts = {metric.fact: _stack(tables, metric.fact)[:, :, 0].astype(bool) for metric in SINGLE}
    known = _millionths(tables)
    return facts if known is None else facts | {EXPECTED[0].fact: known}


def whole_truth(score: Score) -> str:
    """Return the digest of the split's truth, also where a score is of a sample of it."""
    return score.record.get("sample", score.record)["truth_digest"]


def _common(tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of the clips that all tables hold: those of the sessions that all samples drew."""
    if len({len(table["clip_id"]) for table in tables}) == 1 and all(
        (table["clip_id"] == tables[0]["clip_id"]).all() for table in tables
    ):
        return tables
    shared = set.intersection(*(set(table["clip_id"].tolist()) for table in tables))
    kept = [np.array([clip in shared for clip in table["clip_id"].tolist()], bool) for table in tables]
    return [{name: column[keep] for name, column in table.items()} for table, keep in zip(tables, kept, strict=True)]


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
