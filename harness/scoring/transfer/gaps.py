"""The transfer gap: the score on a domain minus that on the clean one. Its tests are a Holm family of their own.

Domains are other clips than the clean ones, so that the gap holds what these clips differ in, too. Where an entry has
answers to the same clips drawn clean, `paired` takes that out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness import statistics
from harness.rules import Weights
from harness.scoring import slices
from harness.scoring.metrics import float_or_none

CLEAN = "clean"
"""Name of the domain that the others are measured against."""


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
    m = add_holm(gaps)
    together: dict[str, Any] = {}
    for name, seen in (("seen", True), ("unseen", False)):
        parts = [sums for level, sums in others.items() if (level not in unseen) is seen]
        whole = _gap(np.sum(parts, axis=0), clean, cluster, weights) if parts else None
        together[name] = whole and {key: whole[key] for key in ("gap", "low", "high", "n")}
    value = float_or_none(slices.values(clean.sum(axis=0), weights)[-1])
    return {"clean": value, "m": m, "gaps": gaps, **together}


def add_holm(gaps: list[dict[str, Any]]) -> int:
    """Add `p_adjusted` to the gaps that have a p, one Holm family; return how many these are."""
    tested = [gap for gap in gaps if gap["p"] is not None]
    for gap, adjusted in zip(tested, statistics.holm([gap["p"] for gap in tested]), strict=True):
        gap["p_adjusted"] = float(adjusted)
    return len(tested)


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
    score, base = (slices.values(part.sum(axis=0), weights)[-1] for part in (mine, other))
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
    if fewer < slices.MIN_SESSIONS or min(mine[:, 0].sum(), other[:, 0].sum()) < slices.MIN_CLIPS:
        return row
    without = [slices.values(part.sum(axis=0) - part, weights)[..., -1] for part in (mine, other)]
    replicates = without[0] - without[1]
    row["p"] = statistics.t_test_p(score - base, replicates, fewer)
    if row["p"] is not None:
        half = statistics.t_quantile(0.975, fewer - 1) * float(statistics.jackknife_se(score - base, replicates))
        row |= {"low": float(score - base - half), "high": float(score - base + half)}
    return row


def _by_cluster(sums: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    return np.stack([np.bincount(cluster, column) for column in sums.T], axis=1)
