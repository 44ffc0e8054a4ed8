"""The prompt for a model: prompts/task.txt with the world's labels, opened by what the model is shown of the clip.

Frames are listed with their numbers and times (prompts/frames.txt); a video is described by its length and rate, and by
how its frames are counted (prompts/video.txt).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from string import Template

from reference.resources import text
from reference.task import FPS, MEANINGS, UNKNOWN

FRAMES, VIDEO, TASK = "frames", "video", "task"
_PARAGRAPH = "\n\n"


def task_prompt(
    operations: Iterable[str], indices: Iterable[int | float] | None, meanings: Mapping[str, str] = MEANINGS
) -> str:
    """Return the prompt for a clip of which the frames at `indices` are shown; for None the whole clip as a video.

    `meanings` describes labels; one without a description stands alone. The prompt depends on nothing else.
    """
    labels = [label for label in operations if label != UNKNOWN]
    listed = "\n".join(f"- {label}: {meanings[label]}" if label in meanings else f"- {label}" for label in labels)
    return _template(TASK).substitute(opening=_opening(indices), operations=listed)


def prompt_of_frames(prompt: str, indices: Iterable[int | float]) -> str | None:
    """Return a prompt of this module's as one for the frames at `indices`; None for any other text."""
    opening, break_, task = prompt.partition(_PARAGRAPH)
    starts = tuple(_template(name).template.partition("$")[0].partition(",")[0] for name in (FRAMES, VIDEO))
    return f"{_opening(indices)}{break_}{task}" if break_ and opening.startswith(starts) else None


def _opening(indices: Iterable[int | float] | None) -> str:
    """Return the first paragraph: what is shown."""
    if indices is None:
        return _template(VIDEO).template
    shown = [f"{index:g} (at {index / FPS:.2f} s)" for index in indices]
    return _template(FRAMES).substitute(count=len(shown), frames=", ".join(shown) + ".")


def times_s(indices: Iterable[int | float]) -> list[float]:
    """Return the times of the frames, in seconds from the clip's start."""
    return [round(index / FPS, 3) for index in indices]


@cache
def _template(name: str) -> Template:
    return Template(text(__package__, "prompts", f"{name}.txt").strip())
