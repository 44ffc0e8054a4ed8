"""Measures of sampled frames that only tests and benchmarks use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def distances(transitions: Iterable[int], indices: Sequence[int]) -> list[int]:
    """Return, for each true transition (first frame of a new operation), the frames to the nearest sampled one."""
    return [min(abs(index - transition) for index in indices) for transition in transitions]
