"""Metrics on parts of a split, and which parts differ from the rest.

A slice cell is one level of one dimension (operation = Tape, domain = occlusion, ...). It carries n, sessions and the
values of OCA, tIoU@0.5, AA@1 and the composite. Below 5 sessions or 20 clips a cell has value and n only. Cells with
at least 8 sessions and 20 clips are tested against the rest of the split: t(G-1) on the CR3 difference, and all tests
of one model form one Holm family.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness import statistics
from harness.failures import MODES
from harness.metrics import ratio
from harness.rules import Weights

METRICS = ("oca", "tiou50", "aa1", "score")
COUNTS = ("segment_counted", "operation_right", "segment_hit", "next_right")

MIN_CLIPS, MIN_SESSIONS, MIN_TESTED_SESSIONS, MAX_LISTED_SESSIONS = 20, 5, 8, 500

DIMENSIONS = (
    "operation", "next_operation", "cut", "next_visible", "dense", "script", "session_kind", "domain", "worker",
)  # fmt: skip

Cells = dict[str, dict[str, np.ndarray]]


def levels(operations: tuple[str, ...], domains: list[str], workers: list[str]) -> dict[str, list[str]]:
    """Names of the codes that sql/slices.sql gives, by dimension."""
    return {
        "operation": list(operations),
        "next_operation": list(operations),
        "cut": ["mid", "boundary", "dense"],
        "next_visible": ["visible", "hidden"],
        "dense": ["dense", "sparse"],
        "script": ["off-script", "on-script"],
        "session_kind": ["randomised", "regular"],
        "domain": domains,
        "worker": workers,
        "mode": [mode.name for mode in MODES],
    }


def cells(rows: dict[str, np.ndarray], names: dict[str, list[str]], sessions: int) -> Cells:
    """Per-clip codes -> dimension -> level -> sums [G, 5]: clips, segments counted, operation, segment, next right."""
    session = rows["session_index"].astype(np.int64)
    return {dimension: _cells(rows, session * len(level), rows[dimension], level, sessions)
            for dimension, level in names.items() if level}  # fmt: skip


def _cells(rows, base: np.ndarray, code: np.ndarray, names: list[str], sessions: int) -> dict[str, np.ndarray]:
    known = code < len(names)
    key, shape = (base + code)[known], (sessions, len(names))
    length = sessions * len(names)
    sums = [np.bincount(key, minlength=length)]
    sums += [np.bincount(key, rows[column][known], minlength=length) for column in COUNTS]
    cube = np.stack([part.reshape(shape) for part in sums], axis=-1).astype(float)
    return {name: cube[:, i] for i, name in enumerate(names) if cube[:, i, 0].any()}


def values(sums: np.ndarray, weights: Weights) -> np.ndarray:
    """Sums [..., 5] -> OCA, tIoU@0.5, AA@1, composite [..., 4]."""
    n, segments = sums[..., 0], sums[..., 1]
    parts = [ratio(sums[..., 2], n), ratio(sums[..., 3], segments), ratio(sums[..., 4], n)]
    return np.stack([*parts, sum(w * part for w, part in zip(weights.values(), parts, strict=True))], axis=-1)


def table(cube: Cells, weights: Weights) -> list[dict[str, Any]]:
    """All cells in dimension and level order, with intervals, differences from the rest and Holm-adjusted p."""
    rows = []
    for dimension in DIMENSIONS:
        members = cube.get(dimension, {})
        whole = sum(members.values()) if members else None
        for level, sums in members.items():
            rows.append(_cell(dimension, level, sums, whole - sums, weights))
    tested = [(row["metrics"][name]) for row in rows for name in METRICS if row["metrics"][name]["p"] is not None]
    for metric, adjusted in zip(tested, statistics.holm([metric["p"] for metric in tested]), strict=True):
        metric["p_adjusted"], metric["star"] = float(adjusted), bool(adjusted <= 0.05)
    return rows


def _cell(dimension: str, level: str, inside: np.ndarray, rest: np.ndarray, weights: Weights) -> dict[str, Any]:
    n, sessions = int(inside[:, 0].sum()), int((inside[:, 0] > 0).sum())
    enough = n >= MIN_CLIPS and sessions >= MIN_SESSIONS
    here = values(inside.sum(axis=0), weights)
    there = values(rest.sum(axis=0), weights)
    metrics: dict[str, dict[str, Any]] = {
        name: {"value": _number(here[i]), "low": None, "high": None, "difference": _number(here[i] - there[i]),
               "p": None, "p_adjusted": None, "star": False}
        for i, name in enumerate(METRICS)
    }  # fmt: skip
    if enough:
        _intervals(metrics, inside, here, weights)
    if n >= MIN_CLIPS and sessions >= MIN_TESTED_SESSIONS and rest[:, 0].sum() >= MIN_CLIPS:
        _tests(metrics, inside, rest, here - there, weights)
    return {"dimension": dimension, "level": level, "n": n, "sessions": sessions, "metrics": metrics}


def _intervals(metrics, inside: np.ndarray, here: np.ndarray, weights: Weights) -> None:
    own = inside[inside[:, 0] > 0]
    replicates = values(own.sum(axis=0) - own, weights)
    for i, name in enumerate(METRICS):
        n = int(own[:, 1].sum() if name == "tiou50" else own[:, 0].sum())
        interval = statistics.proportion_interval(here[i], replicates[:, i], n)
        metrics[name] |= {"low": interval.low, "high": interval.high}


def _tests(metrics, inside: np.ndarray, rest: np.ndarray, difference: np.ndarray, weights: Weights) -> None:
    replicates = values(inside.sum(axis=0) - inside, weights) - values(rest.sum(axis=0) - rest, weights)
    for i, name in enumerate(METRICS):
        metrics[name]["p"] = statistics.t_test_p(difference[i], replicates[:, i])


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
