"""Panel "Three clips to look at first": one clip of each of the three costliest failure modes, and why it was chosen.

Of a mode's clips the panel takes the one on which most is lost although most could be known: ordered by weight lost,
then by the clip's ceiling, then by how many entries got it right, then by the order of the split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.formatting import count
from harness.report.clips import NO_ANSWER, OTHER_LABEL, Answers, Clips
from harness.report.typography import signed
from harness.scoring.failure_modes import MODES

COUNT = 3


@dataclass(frozen=True)
class Look:
    """Clip to look at, what was answered there, and why it was chosen; `place` is its row among the page's clips."""

    place: int
    clip_id: str
    mode: str
    title: str
    what: str
    reason: str


def first(record: dict[str, Any], clips: Clips, answers: Answers, weights: dict[str, float]) -> list[Look]:
    """Return up to COUNT clips, that of the costliest failure mode first."""
    codes = {mode.name: code for code, mode in enumerate(MODES)}
    solved = np.sum([other.all_right for other in clips.answers], axis=0)
    lost = (~answers.right) @ np.array(list(weights.values()))
    ceiling = np.ones(clips.n) if clips.ceiling is None else clips.ceiling
    looks: list[Look] = []
    for row in [row for row in record["modes"] if row["gain"] > 0][:COUNT]:
        members = np.flatnonzero(answers["mode"] == codes[row["mode"]])
        order = np.lexsort((members, -solved[members], -ceiling[members], -np.round(lost[members], 9)))
        place = int(members[order[0]])
        what, why = _what(clips, answers, place), _reason(row, int(solved[place]), ceiling[place], len(clips.answers))
        looks.append(Look(place, str(clips["clip_id"][place]), row["mode"], row["title"], what, why))
    return looks


def _what(clips: Clips, answers: Answers, place: int) -> str:
    names = dict(enumerate(clips.operations)) | {NO_ANSWER: "no answer", OTHER_LABEL: "another label"}
    true, said = (
        [names[int(column[name][place])] for name in ("operation", "next_operation")] for column in (clips, answers)
    )
    return f"{true[0]} → {true[1]}, answered {said[0]} → {said[1]}"


def _reason(row: dict[str, Any], solved: int, ceiling: float, entries: int) -> str:
    """Return why a clip of this failure mode was chosen, in up to three sentences."""
    which = f"one of {count(row['n'])} clips" if row["n"] > 1 else "the only clip"
    worth = f"{'together ' if row['n'] > 1 else ''}worth {signed(row['gain'])}"
    text = f"This is {which} with “{row['title']}” ({row['meaning']}), {worth}."
    if ceiling >= 0.995:
        text += " What it shows decides the next operation."
    elif ceiling < 1:
        text += f" What it shows allows an AA@1 of {ceiling:.2f}."
    return text + (f" {solved} of {entries} entries got it right." if solved else "")
