"""Correction of a plan by the run itself: some updates in, what was planned is compared with what was measured."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from finetune.checkpoint import State
from finetune.config import Config
from harness.progress import span

AFTER = 20
"""Updates of a start after which it corrects its plan; the first of them is not counted, it warms up."""


class Pace:
    """Clock of a run's updates, which leaves out evaluations and checkpoints."""

    def __init__(self) -> None:
        self.updates = 0
        self.seconds = self.evaluation = 0.0
        self._begun = time.monotonic()

    def begin(self) -> None:
        """Begin an update."""
        self._begun = time.monotonic()

    def end(self) -> None:
        """End an update."""
        self.updates += 1
        if self.updates > 1:
            self.seconds += time.monotonic() - self._begun

    @property
    def due(self) -> bool:
        """True once, after AFTER updates."""
        return self.updates == AFTER

    @property
    def update_s(self) -> float:
        """Seconds of an update."""
        return self.seconds / max(1, self.updates - 1)


def hours_left(config: Config, state: State, update_s: float, evaluation_s: float = 0.0) -> float:
    """Return the hours that a run still takes, its evaluations included."""
    left = config.steps - state.updates
    evaluations = -(-left // config.evaluate_every) if config.evaluate_every else 1
    return (left * update_s + evaluations * evaluation_s) / 3600


def steps_within(config: Config, state: State, hours: float, update_s: float, evaluation_s: float = 0.0) -> int:
    """Return the most updates with which a run ends within `hours` from now."""
    each = update_s + (evaluation_s / config.evaluate_every if config.evaluate_every else 0.0)
    return min(config.steps, state.updates + max(1, int((hours * 3600 - evaluation_s) / each)))


def correction_text(config: Config, state: State, left: float) -> str:
    """Return what was measured beside what was planned, and when the run ends by the clock."""
    planned = "not planned" if state.planned_update_s is None else f"planned {state.planned_update_s:.2f}"
    memory = "not planned" if state.predicted_gib is None else f"planned {state.predicted_gib:.2f}"
    end = datetime.now().astimezone() + timedelta(hours=left)
    return (
        f"{state.updates:>5}/{config.steps}: an update takes {state.measured_update_s or 0:.2f} s ({planned}), memory "
        f"{state.peak_gib:.2f} GiB ({memory}); {span(left * 3600)} left, until {end:%a %H:%M}"
    )
