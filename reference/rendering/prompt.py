"""The prompt for a model: one template (prompts/task.txt), filled with the clip's frames and the world's labels."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from string import Template

from reference.resources import text
from reference.task import FPS, MEANINGS, UNKNOWN


def task_prompt(operations: Iterable[str], indices: Iterable[int | float]) -> str:
    """Return the prompt for a clip of which the frames at `indices` are shown. It depends on nothing else."""
    shown = [f"{index:g} (at {index / FPS:.2f} s)" for index in indices]
    return _template().substitute(
        count=len(shown),
        frames=", ".join(shown) + ".",
        operations="\n".join(f"- {_described(label)}" for label in operations if label != UNKNOWN),
    )


def _described(label: str) -> str:
    return f"{label}: {MEANINGS[label]}" if label in MEANINGS else label


def times_s(indices: Iterable[int | float]) -> list[float]:
    """Return the times of the frames, in seconds from the clip's start."""
    return [round(index / FPS, 3) for index in indices]


@cache
def _template() -> Template:
    return Template(text(__package__, "prompts", "task.txt").strip())
