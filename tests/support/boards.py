"""Boards of entries made of which answers are right, without a world, files or scoring."""

from __future__ import annotations

import numpy as np

from harness.comparison.paired import PairedClips
from harness.metrics_table import PARTS, SINGLE
from harness.rules import Weights


def paired_board(right: np.ndarray) -> PairedClips:
    """Return entries e0, e1, ..., best first, of which `right` [M, sessions, clips, 3] says what they have right.

    No next operation is visible.
    """
    entries, sessions, clips, _ = right.shape
    right = right.reshape(entries, sessions * clips, 3)
    order = np.argsort(-(right @ np.array(Weights().integers())).sum(axis=1), kind="stable")
    right = right[order]
    by_fact = {metric.fact: right[..., i] for i, metric in enumerate(PARTS)}
    return PairedClips(
        names=[f"e{i}" for i in range(entries)],
        clip_ids=np.arange(sessions * clips),
        session=np.repeat(np.arange(sessions), clips),
        hidden=np.ones(sessions * clips, bool),
        facts={metric.fact: by_fact[metric.fact] for metric in SINGLE},
        answers=right.astype(np.int16),
        weights=Weights(),
    )
