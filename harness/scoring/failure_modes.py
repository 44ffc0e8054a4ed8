"""Why clips are lost: the funnel, exclusive failure modes, and what the score would gain if one were repaired.

Every clip has exactly one mode, the first of MODES that applies (sql/facts.sql). *Gain* is what the score would gain if
all three fields were right on a mode's clips; over all modes the gains sum to 1 - score. *Field gain* repairs only the
field that names the mode; field gains do not add up, since a clip may hold several faults.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from harness import statistics
from harness.rules import Weights
from harness.scoring.metrics import Totals


class Mode(NamedTuple):
    """One failure mode: its name in records, its title for readers, and what it means."""

    name: str
    field: str  # all | operation | segment | next: what the field gain repairs; "" for correct
    title: str
    meaning: str


MODES = (
    Mode("missing", "all", "no line", "the file has no line for this clip"),
    Mode("unparseable", "all", "unreadable answer", "the line is good, the answer text in it is not"),
    Mode("invalid", "all", "invalid line", "the line was rejected, or several lines name the clip (--lenient)"),
    Mode("abstained", "all", "abstained", "at least one of the three fields is null"),
    Mode("confused_previous", "operation", "operation before", "answered the operation that came before in time"),
    Mode("confused_next", "operation", "operation after", "answered the operation that comes after in time"),
    Mode(
        "confused_other", "operation", "other operation", "answered another operation, or a label that does not exist"
    ),
    Mode("degenerate", "segment", "degenerate segment", "start_frame >= end_frame"),
    Mode("whole_clip", "segment", "whole clip", "the answer spans 120 frames or more"),
    Mode("disjoint", "segment", "disjoint", "the answer does not touch the true segment"),
    Mode("too_long", "segment", "too long", "more than 4/3 of the true length"),
    Mode("too_short", "segment", "too short", "less than 3/4 of the true length"),
    Mode(
        "start_early",
        "segment",
        "start early",
        "from 3/4 to 4/3 of the true length, the start is the larger error and too early",
    ),
    Mode(
        "start_late",
        "segment",
        "start late",
        "from 3/4 to 4/3 of the true length, the start is the larger error and too late",
    ),
    Mode(
        "end_early",
        "segment",
        "end early",
        "from 3/4 to 4/3 of the true length, the end is the larger error and too early",
    ),
    Mode(
        "end_late",
        "segment",
        "end late",
        "from 3/4 to 4/3 of the true length, the end is the larger error and too late",
    ),
    Mode("next_script", "next", "memorised script", "off-script clip, answered the process's usual successor"),
    Mode("next_repeats", "next", "repeats operation", "answered the current operation as the next one"),
    Mode("next_other", "next", "other next", "answered another wrong next operation"),
    Mode("correct", "", "correct", "all three fields are right"),
)

STAGES = (
    ("expected", "n"),
    ("present", "present"),
    ("parsed", "parsed"),
    ("valid", "valid"),
    ("operation", "operation_right"),
    ("segment", "funnel_segment"),
    ("next", "all_right"),
)
"""Stages of the funnel, each with the column of sql/sessions.sql that counts the clips which pass it."""


def funnel(totals: Totals) -> list[dict[str, Any]]:
    """Return the clips that pass each stage and those that stop there; all that stop and the last passed sum to n."""
    passed = [int(totals[column]) for _, column in STAGES]
    lost = [0, *(before - after for before, after in pairwise(passed))]
    return [{"stage": stage, "passed": passed[i], "lost": lost[i]} for i, (stage, _) in enumerate(STAGES)]


def modes(cells: dict[str, np.ndarray], examples: dict[str, list[str]], weights: Weights, sums: Totals) -> list[dict]:
    """Return count, gain with interval, field gain and some clips of each mode that occurs, largest gain first.

    `cells`: mode name -> sums [G, 5] of clips, clips whose segment counts, operation, segment and next right; `sums`:
    those of all clips. Gains are in units of score, their intervals CR3 on the identity scale, cut at 0.
    """
    n, rows = sums["n"], []
    counted = np.stack([n, sums["n_segment"], n], axis=1)
    whole, left = counted.sum(axis=0), counted.sum(axis=0) - counted
    for mode in MODES:
        if mode.name not in cells or mode.name == "correct":
            continue
        cell = cells[mode.name]
        lost = lost_weight(cell, weights)
        gain = gains(lost.sum(axis=0), whole)
        replicates = gains(lost.sum(axis=0) - lost, left).sum(axis=-1)
        interval = statistics.identity_interval(gain.sum(), replicates, n, clip_at_zero=True)
        named = {"all": [0, 1, 2], "operation": [0], "segment": [1], "next": [2]}[mode.field]
        rows.append(
            {
                "mode": mode.name,
                "title": mode.title,
                "meaning": mode.meaning,
                "n": int(cell[:, 0].sum()),
                "share": float(cell[:, 0].sum() / n.sum()),
                "gain": float(gain.sum()),
                "gain_low": interval.low,
                "gain_high": interval.high,
                "field": mode.field,
                "field_gain": float(gain[named].sum()),
                "examples": examples.get(mode.name, []),
            }
        )
    order = {mode.name: i for i, mode in enumerate(MODES)}
    return sorted(rows, key=lambda row: (-row["gain"], order[row["mode"]]))


def lost_weight(sums: np.ndarray, weights: Weights) -> np.ndarray:
    """Return the weight lost per session and field [G, 3] on the clips counted in `sums` [G, 5]."""
    # Sums over a strided view and over a contiguous array add in another order; records must not differ by that.
    return np.ascontiguousarray(sums[:, [0, 1, 0]] - sums[:, 2:5]) * np.array(weights.values())


def gains(lost: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Divide lost weight by the clips that each field counts [..., 3]; the rule set may drop some for the segment."""
    return lost / np.maximum(counted, 1)
