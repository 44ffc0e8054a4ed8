"""Sessions of right clips and their delete-one-session replicates, for tests of the statistics."""

from __future__ import annotations

import numpy as np

RIGHT = np.array([4, 3, 2, 3, 3])
"""Right clips of five sessions of four clips: 15 of 20."""


def pooled(right, clips) -> tuple[float, np.ndarray]:
    right, clips = np.asarray(right, float), np.broadcast_to(np.asarray(clips, float), np.shape(right))
    return right.sum() / clips.sum(), (right.sum() - right) / (clips.sum() - clips)


def random_sessions(seed: int, sessions: int = 12) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    clips = random.integers(5, 30, sessions)
    return random.binomial(clips, 0.7), clips
