"""Metrics on parts of a split, and which parts differ from the rest.

A slice cell is one level of one dimension (operation = Tape, domain = occlusion, ...). It carries n, sessions and the
values of OCA, tIoU@0.5, AA@1 and the composite. Below 5 sessions or 20 clips a cell has value and n only. Cells with
at least 8 sessions and 20 clips are tested against the rest of the split: t(G-1) on the CR3 difference, G the sessions
of the cell or of the rest, whichever are fewer (with all 72, a domain of 8 is called different ten times too often at
the levels Holm asks for). All tests of one model form one Holm family.
A session is a cell too, with value and n; none is tested.
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
from harness.scoring.metrics import composite, ratio

METRICS = (*(metric.key for metric in PARTS), COMPOSITE.key)
COUNTS = ("segment_counted", "operation_right", "segment_hit", "next_right")

MIN_CLIPS, MIN_SESSIONS, MIN_TESTED_SESSIONS, MAX_LEVELS = 20, 5, 8, 500

DIMENSIONS = (
    "operation", "next_operation", "cut", "next_visible", "dense", "script", "session_kind", "domain", "worker",
    "session",
)  # fmt: skip


def levels(
    operations: tuple[str, ...], domains: list[str], workers: list[str], sessions: list[str]
) -> dict[str, list[str]]:
    """Names of the codes of Facts.codes, by dimension; one with more than MAX_LEVELS levels is left out."""
    return {
        "operation": list(operations),
        "next_operation": list(operations),
        "cut": ["mid", "boundary", "dense"],
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
    """Dimension -> level -> sums [G, 5]: clips, segments counted, operation, segment, next right.

    A dimension is summed when it is asked for, and not kept: over a million sessions each takes hundreds of megabytes.
    """

    def __init__(self, rows: dict[str, np.ndarray], names: dict[str, list[str]], sessions: int):
        self._rows, self._sessions = rows, sessions
        self._names = {dimension: levels for dimension, levels in names.items() if levels}

    def __getitem__(self, dimension: str) -> dict[str, np.ndarray]:
        names, code, sessions = self._names[dimension], self._rows[dimension], self._sessions
        known = np.where((code >= 0) & (code < len(names)), code, len(names)).astype(np.int64)
        key, shape = known * sessions + self._rows["session_index"], (len(names) + 1, sessions)
        columns = [None, *(self._rows[name] for name in COUNTS)]
        counts = [np.bincount(key, column, math.prod(shape)) for column in columns]
        cube = np.stack([part.reshape(shape) for part in counts], axis=1, dtype=float)
        return {name: cube[i].T for i, name in enumerate(names) if cube[i, 0].any()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def values(sums: np.ndarray, weights: Weights) -> np.ndarray:
    """Sums [..., 5] -> OCA, tIoU@0.5, AA@1, composite [..., 4]."""
    n, segments, operation, segment, following = np.moveaxis(sums, -1, 0)
    parts = [ratio(operation, n), ratio(segment, segments), ratio(following, n)]
    return np.moveaxis(np.stack([*parts, composite(parts, weights)]), 0, -1)


def table(cells: Mapping[str, dict[str, np.ndarray]], weights: Weights) -> list[dict[str, Any]]:
    """All cells in dimension and level order, with intervals, differences from the rest and Holm-adjusted p."""
    rows = [row for dimension in DIMENSIONS for row in _dimension(dimension, cells.get(dimension, {}), weights)]
    tested = [row["metrics"][name] for row in rows for name in METRICS if row["metrics"][name]["p"] is not None]
    for metric, adjusted in zip(tested, statistics.holm([metric["p"] for metric in tested]), strict=True):
        metric["p_adjusted"], metric["star"] = float(adjusted), bool(adjusted <= 0.05)
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
    """Sums [G, 5] of the cell and of all levels, values [4] of the cell and of the rest."""
    n, sessions = int(inside[:, 0].sum()), int((inside[:, 0] > 0).sum())
    metrics: dict[str, dict[str, Any]] = {
        name: {
            "value": _number(here[i]),
            "low": None,
            "high": None,
            "difference": _number(here[i] - there[i]),
            "p": None,
            "p_adjusted": None,
            "star": False,
        }
        for i, name in enumerate(METRICS)
    }
    if n >= MIN_CLIPS and sessions >= MIN_SESSIONS:
        without, rest = values(inside.sum(axis=0) - inside, weights), whole - inside
        _intervals(metrics, inside, here, without)
        if sessions >= MIN_TESTED_SESSIONS and rest[:, 0].sum() >= MIN_CLIPS:
            fewer = min(sessions, int((rest[:, 0] > 0).sum()))
            _tests(metrics, here - there, without - values(rest.sum(axis=0) - rest, weights), fewer)
    return {"n": n, "sessions": sessions, "metrics": metrics}


def _intervals(metrics: dict, inside: np.ndarray, here: np.ndarray, replicates: np.ndarray) -> None:
    for i, name in enumerate(METRICS):
        counted = inside[:, 1 if name == "tiou50" else 0]
        interval = statistics.proportion_interval(here[i], replicates[counted > 0, i], int(counted.sum()))
        metrics[name] |= {"low": interval.low, "high": interval.high}


def _tests(metrics: dict, difference: np.ndarray, replicates: np.ndarray, sessions: int) -> None:
    for i, name in enumerate(METRICS):
        metrics[name]["p"] = statistics.t_test_p(difference[i], replicates[:, i], sessions)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
