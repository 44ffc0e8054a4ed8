"""Metrics on parts of a split, and which parts differ from the rest.

A slice cell is one level of one dimension (operation = Tape, domain = occlusion, ...). It carries n, sessions and the
values of OCA, tIoU@0.5, AA@1 and the composite. A cell with fewer than 5 sessions or 20 clips has value and n only. A
cell with at least 8 sessions and 20 clips is tested against the rest of the split, by t on the CR3 difference; the 95%
interval of the difference is that of the same t. All tests of one model form one Holm family. A session is a cell too,
with value and n; none is tested.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness import statistics
from harness.metrics_table import COMPOSITE, PARTS
from harness.rules import Weights
from harness.scoring.failure_modes import MODES
from harness.scoring.metrics import composite, float_or_none, ratio

SLICE_METRICS = (*(metric.key for metric in PARTS), COMPOSITE.key)
COUNTS = ("segment_counted", "operation_right", "segment_hit", "next_right")
"""Columns of sql/codes.sql that a cell sums besides its clips."""

MIN_CLIPS = 20
MIN_SESSIONS = statistics.MIN_SESSIONS
MIN_TESTED_SESSIONS = 8
MAX_LEVELS = 500
"""A dimension with more levels (workers of an imported world, say) is left out of the record."""

CUTS = ("mid", "boundary", "dense")
DIMENSIONS = (
    "operation", "next_operation", "cut", "next_visible", "dense", "script", "session_kind", "domain", "worker",
    "session",
)  # fmt: skip


def levels(
    operations: tuple[str, ...], domains: list[str], workers: list[str], sessions: list[str]
) -> dict[str, list[str]]:
    """Return the names of the codes in `ClipFacts.codes` by dimension; none for more than MAX_LEVELS levels."""
    return {
        "operation": list(operations),
        "next_operation": list(operations),
        "cut": list(CUTS),
        "next_visible": ["visible", "hidden"],
        "dense": ["dense", "sparse"],
        "script": ["off-script", "on-script"],
        "session_kind": ["randomised", "regular"],
        "domain": domains if len(domains) <= MAX_LEVELS else [],
        "worker": workers if len(workers) <= MAX_LEVELS else [],
        "session": sessions if len(sessions) <= MAX_LEVELS else [],
        "mode": [mode.name for mode in MODES],
    }


class Cells(Mapping[str, dict[str, np.ndarray]]):
    """Mapping of dimension -> level -> sums [G, 5]: clips, segments that count, operation, segment, next right.

    A dimension is summed anew at every access, because over a million sessions each takes hundreds of megabytes.
    """

    def __init__(self, rows: dict[str, np.ndarray], names: dict[str, list[str]], sessions: int):
        self._rows, self._sessions = rows, sessions
        self._names = {dimension: levels for dimension, levels in names.items() if levels}

    def __getitem__(self, dimension: str) -> dict[str, np.ndarray]:
        names, code, sessions = self._names[dimension], self._rows[dimension], self._sessions
        known = _codes_below(code, len(names))
        key, shape = known * sessions + self._rows["session_index"], (len(names) + 1, sessions)
        columns = [None, *(self._rows[name] for name in COUNTS)]
        counts = [np.bincount(key, column, math.prod(shape)) for column in columns]
        cube = np.stack([part.reshape(shape) for part in counts], axis=1, dtype=float)
        return {name: cube[i].T for i, name in enumerate(names) if cube[i, 0].any()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _codes_below(code: np.ndarray, size: int) -> np.ndarray:
    """Return codes [N] as integers, with `size` for those that have no name or are masked."""
    return np.where(np.ma.getmaskarray(code), size, np.minimum(np.ma.getdata(code).astype(np.int64), size))


def values(sums: np.ndarray, weights: Weights) -> np.ndarray:
    """Return OCA, tIoU@0.5, AA@1 and the composite [..., 4] from sums [..., 5]."""
    n, segments, operation, segment, following = np.moveaxis(sums, -1, 0)
    parts = [ratio(operation, n), ratio(segment, segments), ratio(following, n)]
    return np.moveaxis(np.stack([*parts, composite(parts, weights)]), 0, -1)


def table(cells: Mapping[str, dict[str, np.ndarray]], weights: Weights) -> list[dict[str, Any]]:
    """Return all cells in dimension and level order, with intervals, differences from the rest and Holm-adjusted p."""
    rows = [row for dimension in DIMENSIONS for row in _dimension(dimension, cells.get(dimension, {}), weights)]
    tested = [row["metrics"][name] for row in rows for name in SLICE_METRICS if row["metrics"][name]["p"] is not None]
    for metric, adjusted in zip(tested, statistics.holm([metric["p"] for metric in tested]), strict=True):
        metric["p_adjusted"], metric["star"] = float(adjusted), bool(adjusted <= statistics.ALPHA)
    return rows


def _dimension(dimension: str, members: dict[str, np.ndarray], weights: Weights) -> list[dict[str, Any]]:
    if not members:
        return []
    whole = np.sum(list(members.values()), axis=0)
    holds = whole[:, 0] > 0  # a session without this dimension is no cluster of it
    if not holds.all():
        members, whole = {level: sums[holds] for level, sums in members.items()}, whole[holds]
    totals = np.stack([sums.sum(axis=0) for sums in members.values()])
    others = whole.sum(axis=0) - totals
    here, there = values(totals, weights), values(others, weights)
    return [
        {"dimension": dimension, "level": level} | _cell(sums, whole, here[i], there[i], weights)
        for i, (level, sums) in enumerate(members.items())
    ]


def _cell(
    inside: np.ndarray, whole: np.ndarray, here: np.ndarray, there: np.ndarray, weights: Weights
) -> dict[str, Any]:
    """Return one cell from its sums and those of all levels [G, 5], and the values of cell and rest [4]."""
    n, sessions = int(inside[:, 0].sum()), int((inside[:, 0] > 0).sum())
    metrics: dict[str, dict[str, Any]] = {
        name: {
            "value": float_or_none(here[i]),
            "low": None,
            "high": None,
            "difference": float_or_none(here[i] - there[i]),
            "difference_low": None,
            "difference_high": None,
            "p": None,
            "p_adjusted": None,
            "star": False,
        }
        for i, name in enumerate(SLICE_METRICS)
    }
    if n >= MIN_CLIPS and sessions >= MIN_SESSIONS:
        without, rest = values(inside.sum(axis=0) - inside, weights), whole - inside
        _add_intervals(metrics, inside, here, without)
        if sessions >= MIN_TESTED_SESSIONS and rest[:, 0].sum() >= MIN_CLIPS:
            # t has the degrees of freedom of the side with fewer sessions, because the error of a difference comes
            # from that side. With those of all 72 sessions, a domain of 8 that does not differ is called different ten
            # times too often at the levels that Holm needs.
            fewer = min(sessions, int((rest[:, 0] > 0).sum()))
            _add_tests(metrics, here - there, without - values(rest.sum(axis=0) - rest, weights), fewer)
    return {"n": n, "sessions": sessions, "metrics": metrics}


def _add_intervals(metrics: dict, inside: np.ndarray, here: np.ndarray, replicates: np.ndarray) -> None:
    for i, name in enumerate(SLICE_METRICS):
        clips = inside[:, 1 if name == "tiou50" else 0]
        holds = clips > 0
        right = None if name == COMPOSITE.key else inside[holds, 2 + i]  # in the order of PARTS, as COUNTS is
        interval = statistics.proportion_interval(here[i], replicates[holds, i], clips[holds], right)
        metrics[name] |= {"low": interval.low, "high": interval.high}


def _add_tests(metrics: dict, difference: np.ndarray, replicates: np.ndarray, sessions: int) -> None:
    half = statistics.t_quantile(0.975, sessions - 1) * statistics.jackknife_se(difference, replicates.T)
    for i, name in enumerate(SLICE_METRICS):
        metrics[name]["p"] = p = statistics.t_test_p(difference[i], replicates[:, i], sessions)
        if p is not None:
            low, high = float(difference[i] - half[i]), float(difference[i] + half[i])
            metrics[name] |= {"difference_low": low, "difference_high": high}
