"""Metrics on parts of a split, and which parts differ from the rest.

A slice cell is one level of one dimension (operation = Tape, domain = occlusion, ...). It carries n, sessions and the
values of OCA, tIoU@0.5, AA@1 and the composite. A cell with fewer than 5 sessions or 20 clips has value and n only. A
cell with at least 8 sessions and 20 clips is tested against the rest of the split, by t on the CR3 difference; the 95%
interval of the difference is that of the same t. All tests of one model form one Holm family. A session is a cell too,
with value and n; none is tested.

The transfer gap is the score on a domain minus that on the clean one. Its tests are a Holm family of their own.
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

CLEAN = "clean"
"""Name of the domain that the others are measured against."""
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


def transfer(
    domains: dict[str, np.ndarray], timelines: np.ndarray, unseen: frozenset[str], weights: Weights
) -> dict[str, Any] | None:
    """Return the gap in score of each domain to the clean one, and of the seen and the unseen ones together.

    `domains`: level -> sums [G, 5]; `timelines` [G]: equal numbers where two sessions hold the same clips; `unseen`:
    domains that the training split does not hold. Each gap has an interval and a raw p from 5 sessions and 20 clips on
    either side; `p_adjusted` is Holm's over the `m` domains that are tested. None without clean and another domain.
    """
    if CLEAN not in domains or len(domains) < 2:
        return None
    clean = domains[CLEAN]
    cluster = _clusters(domains, timelines)
    others = {level: sums for level, sums in domains.items() if level != CLEAN}
    gaps: list[dict[str, Any]] = [
        {"domain": level, "seen_in_training": level not in unseen} | _gap(sums, clean, cluster, weights)
        for level, sums in others.items()
    ]
    tested = [gap for gap in gaps if gap["p"] is not None]
    for gap, adjusted in zip(tested, statistics.holm([gap["p"] for gap in tested]), strict=True):
        gap["p_adjusted"] = float(adjusted)
    together: dict[str, Any] = {}
    for name, seen in (("seen", True), ("unseen", False)):
        parts = [sums for level, sums in others.items() if (level not in unseen) is seen]
        whole = _gap(np.sum(parts, axis=0), clean, cluster, weights) if parts else None
        together[name] = whole and {key: whole[key] for key in ("gap", "low", "high", "n")}
    value = float_or_none(values(clean.sum(axis=0), weights)[-1])
    return {"clean": value, "m": len(tested), "gaps": gaps, **together}


def _clusters(domains: dict[str, np.ndarray], timelines: np.ndarray) -> np.ndarray | None:
    """Return a number for each session [G], equal where two domains hold the same clips; None where no two do."""
    found, numbers = np.unique(timelines, return_inverse=True)
    # Where one domain holds the same clips twice there is no telling which belongs to which, so nothing is paired.
    repeated = any(np.bincount(numbers[sums[:, 0] > 0]).max(initial=0) > 1 for sums in domains.values())
    return None if repeated or len(found) == len(timelines) else numbers


def _gap(sums: np.ndarray, clean: np.ndarray, cluster: np.ndarray | None, weights: Weights) -> dict[str, Any]:
    """Return the score on `sums` [G, 5] minus that on `clean`, with interval and raw p over clusters of sessions."""
    there = (sums[:, 0] > 0) | (clean[:, 0] > 0)
    mine, other = sums[there], clean[there]
    if cluster is not None:
        numbers = np.unique(cluster[there], return_inverse=True)[1]
        mine, other = _by_cluster(mine, numbers), _by_cluster(other, numbers)
    score, base = (values(part.sum(axis=0), weights)[-1] for part in (mine, other))
    row: dict[str, Any] = {
        "n": int(sums[:, 0].sum()),
        "sessions": int((sums[:, 0] > 0).sum()),
        "score": float_or_none(score),
        "gap": float_or_none(score - base),
        **dict.fromkeys(("low", "high", "p", "p_adjusted")),
        "paired": bool((mine[:, 0] > 0).all() and (other[:, 0] > 0).all()),
    }
    # As for a slice and the rest: the side with fewer sessions gives the degrees of freedom.
    fewer = int(min((part[:, 0] > 0).sum() for part in (mine, other)))
    if fewer < MIN_SESSIONS or min(mine[:, 0].sum(), other[:, 0].sum()) < MIN_CLIPS:
        return row
    without = [values(part.sum(axis=0) - part, weights)[..., -1] for part in (mine, other)]
    replicates = without[0] - without[1]
    row["p"] = statistics.t_test_p(score - base, replicates, fewer)
    if row["p"] is not None:
        half = statistics.t_quantile(0.975, fewer - 1) * float(statistics.jackknife_se(score - base, replicates))
        row |= {"low": float(score - base - half), "high": float(score - base + half)}
    return row


def _by_cluster(sums: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    return np.stack([np.bincount(cluster, column) for column in sums.T], axis=1)
