"""Label sequences at a fixed rate, as the OpenPack challenge scores them (one label a second), against the truth.

Both sequences have one label a slot. Slots whose truth is in `drop` (OpenPack's Null, id 8100) count nowhere; a label
in `drop` that is answered elsewhere is a wrong answer.

- Macro F1, weighted F1, accuracy: over the slots that are left, with an empty denominator giving 0. Macro F1 is the
  mean over `labels`, those of the truth where none are given; the challenge gives all its operations.
- Edit and F1@k: segments are the maximal stretches of equal labels. Dropped slots and dropped labels are background:
  they are no segment, and nothing is joined over them. Edit is 1 - Levenshtein distance of the two sequences of
  segment labels / the longer one's length. For F1@k each answered segment, in time order, takes the true segment of
  its label with the largest IoU (the first of equals), and is right when that IoU >= k/100 and no earlier one was
  right about it.

Shares and F1 are in [0, 1], edit and F1@k in [0, 100].

Sources: openpack-toolkit's operation segmentation rule (slots, dropped class, zero_division=0); edit and F1@k as
MS-TCN (Farha & Gall 2019).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

import numpy as np

from harness.errors import UsageError
from harness.scoring.metrics import macro, per_class
from reference.truth.openpack import SECOND_MS, Event

BACKGROUND = None
"""Stands for a slot that belongs to no segment."""


class SlotScores(NamedTuple):
    n: int  # slots that were not dropped
    macro_f1: float
    weighted_f1: float
    accuracy: float
    edit: float
    f1_10: float
    f1_25: float
    f1_50: float


class Stretch(NamedTuple):
    """The slots `[start, end)` that carry one label."""

    label: str
    start: int
    end: int


def score_slots(
    truth: Sequence[str],
    answer: Sequence[str],
    drop: str | Collection[str] = (),
    labels: Sequence[str] | None = None,
) -> SlotScores:
    """All metrics of one recording. Raises UsageError where the lengths differ or nothing is left to score."""
    if len(truth) != len(answer):
        raise UsageError(f"{len(answer)} answered slots for {len(truth)} true ones")
    drop = {drop} if isinstance(drop, str) else set(drop)  # "100" is in "8100"
    kept = [label not in drop for label in truth]
    if not any(kept):
        raise UsageError("no slot is left to score")
    true, answered = stretches(_without(truth, kept, drop)), stretches(_without(answer, kept, drop))
    pairs = [pair for pair, keep in zip(zip(truth, answer, strict=True), kept, strict=True) if keep]
    return SlotScores(
        len(pairs),
        *slot_f1(pairs, labels),
        sum(one == other for one, other in pairs) / len(pairs),
        edit_score(true, answered),
        *(segmental_f1(true, answered, k) for k in (10, 25, 50)),
    )


def slot_f1(pairs: Sequence[tuple[str, str]], labels: Sequence[str] | None = None) -> tuple[float, float]:
    """Macro and weighted F1 of (true, answered) labels."""
    classes = list(dict.fromkeys(true for true, _ in pairs) if labels is None else labels)
    place = {label: index for index, label in enumerate(classes)}
    hit, answered, support = (np.zeros(len(classes), int) for _ in range(3))
    for true, answer in pairs:
        if true not in place:
            raise UsageError(f"the truth holds {true!r}, which is none of the labels {', '.join(classes)}")
        support[place[true]] += 1
        hit[place[true]] += true == answer
        if answer in place:
            answered[place[answer]] += 1
    f1 = per_class(hit, answered, support)["f1"]
    return float(macro(f1, support > 0, np.ones(len(classes), bool))), float((f1 * support).sum() / support.sum())


def stretches(labels: Sequence[str | None]) -> list[Stretch]:
    """The segments of a label sequence in time order, background left out."""
    found, start = [], 0
    for label, group in groupby(labels):
        end = start + sum(1 for _ in group)
        if label is not BACKGROUND:
            found.append(Stretch(label, start, end))
        start = end
    return found


def edit_score(true: Sequence[Stretch], answered: Sequence[Stretch]) -> float:
    if not true or not answered:
        return 0.0
    distance = _levenshtein([part.label for part in true], [part.label for part in answered])
    return 100 * (1 - distance / max(len(true), len(answered)))


def segmental_f1(true: Sequence[Stretch], answered: Sequence[Stretch], k: int) -> float:
    taken: set[Stretch] = set()
    for part in answered:
        same = [other for other in true if other.label == part.label]
        best = max(same, key=partial(_iou, part), default=None)
        if best and _iou(part, best) >= k / 100:
            taken.add(best)
    pooled = len(true) + len(answered)
    return 100 * 2 * len(taken) / pooled if pooled else 0.0


def _without(labels: Sequence[str], kept: Sequence[bool], drop: Collection[str]) -> list[str | None]:
    return [label if keep and label not in drop else BACKGROUND for label, keep in zip(labels, kept, strict=True)]


def _iou(one: Stretch, other: Stretch) -> float:
    intersection = max(0, min(one.end, other.end) - max(one.start, other.start))
    return intersection / (max(one.end, other.end) - min(one.start, other.start))


def _levenshtein(one: Sequence[str], other: Sequence[str]) -> int:
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        above = row
        row = [i]
        for j, right in enumerate(other, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (left != right)))
    return row[-1]


def resample_1hz(events: Sequence[Event], start_ms: int) -> list[tuple[int, Event]]:
    """OpenPack's one-second labels: (Unix time in ms, the last event whose start, cut to the second, is not later).

    From the first event's second to the last event's end; a gap belongs to the event before it. OpenPack's own files
    can stop some seconds earlier, where a recording ended.
    """
    if not events:
        return []
    seconds = [_floor_second(start_ms + event.start_ms) for event in events]
    labels: list[tuple[int, Event]] = []
    current = 0
    for second in range(seconds[0], start_ms + events[-1].end_ms, SECOND_MS):
        while current + 1 < len(events) and seconds[current + 1] <= second:
            current += 1
        labels.append((second, events[current]))
    return labels


def _floor_second(ms: int) -> int:
    return ms - ms % SECOND_MS
