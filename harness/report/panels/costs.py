"""Panel "What does it cost?": tokens, price, latency and unanswered clips of entries that state them, beside the score.

A page on which no entry states any of it has no such panel. A picture needs two entries with its quantity: price for a
thousand clips, from tokens and the card's price, or the median latency.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.comparison.leaderboard import Entry
from harness.formatting import in_words
from harness.report.gather import Gathered
from harness.report.panels.measure import Axis, Measure, axis_over, measure
from harness.usage.words import dollars, kinds_words, milliseconds

LEAST = 1e-9
"""Smallest price or latency that has a place on a logarithmic axis."""
PRICE = ("For the price", "Score by price", "dollars for 1,000 clips")
LATENCY = ("For the latency", "Score by latency", "median milliseconds a clip")
"""Beginning of the finding, title, and what the axis says."""
LABELS = ((7, -5, ""), (7, 13, ""), (-7, -5, "end"), (-7, 13, "end"))
"""Places of a number beside its point, in pixels: right or left, above or below; and how it is aligned."""
PIXELS = (2.8, 1.7)
"""Pixels of a percent of the axes, about."""


@dataclass(frozen=True)
class LogAxis:
    """Logarithmic scale of a chart, with ticks at 1, 2 and 5 times powers of ten, and their texts."""

    low: float
    high: float
    ticks: tuple[float, ...]
    texts: tuple[str, ...]

    def at(self, value: float) -> float:
        """Return the place of a value in percent of the axis' length; values outside are drawn at its end."""
        share = math.log(min(max(value, self.low), self.high) / self.low) / math.log(self.high / self.low)
        return round(100 * share, 2)


@dataclass(frozen=True)
class Cost:
    """Costs of one entry; None, or "", where it does not state them. `place` is its number on the page."""

    place: int
    name: str
    score: Measure
    tokens_in: float | None  # a clip
    tokens_out: float | None
    share: float | None  # of its clips that state tokens
    dollars: float | None  # of all its clips
    per_thousand: float | None  # dollars for a thousand clips
    p50_ms: float | None
    p95_ms: float | None
    above_10s: float | None  # share of the answers that state a latency
    ttft_ms: float | None
    model_ms: float | None
    attempts: float | None  # a clip
    unanswered: int | None
    kinds: str
    served: str


@dataclass(frozen=True)
class Point:
    """One entry in a picture; `best`: no other one there has as high a score for less.

    `label` is where its number stands: an index of LABELS.
    """

    place: int
    name: str
    x: float
    score: Measure
    best: bool
    label: int


@dataclass(frozen=True)
class Picture:
    """Score against one quantity, from the least on."""

    title: str
    unit: str
    x: LogAxis
    y: Axis
    points: list[Point]
    finding: str


@dataclass(frozen=True)
class Costs:
    """Panel data: a row for each entry that states a cost or a latency, and the pictures."""

    rows: list[Cost]
    pictures: list[Picture]


def costs(gathered: Gathered) -> Costs | None:
    """Make the panel; return None where no entry's lines or card say what its answers cost."""
    entries = gathered.entries
    if not any("usage" in entry.score.record for entry in entries):
        return None
    rows = [_cost(place, entry) for place, entry in enumerate(entries)]
    pictures = [
        _picture(PRICE, [(row, row.per_thousand) for row in rows], lambda x: f"{dollars(x)} for 1,000 clips"),
        _picture(LATENCY, [(row, row.p50_ms) for row in rows], lambda x: f"{milliseconds(x)} a clip"),
    ]
    stated = [row for row, entry in zip(rows, entries, strict=True) if "usage" in entry.score.record or row.p50_ms]
    return Costs(stated, [picture for picture in pictures if picture])


def _cost(place: int, entry: Entry) -> Cost:
    record = entry.score.record
    usage, latency = record.get("usage"), record.get("latency")
    price = usage["price"] if usage else None

    def of(name: str, part: str) -> Any:
        return usage[name][part] if usage and usage[name] else None

    return Cost(
        place=place,
        name=entry.name,
        score=measure(record["metrics"]["score"], "metrics.score"),
        tokens_in=of("input_tokens", "mean"),
        tokens_out=of("output_tokens", "mean"),
        share=usage["share"] if usage else None,
        dollars=price["dollars"] if price else None,
        per_thousand=1000 * price["per_clip"] if price else None,
        p50_ms=latency["p50_ms"] if latency else None,
        p95_ms=latency["p95_ms"] if latency else None,
        above_10s=latency["share_above_10s"] if latency else None,
        ttft_ms=of("ttft", "p50_ms"),
        model_ms=of("model", "p50_ms"),
        attempts=of("attempts", "mean"),
        unanswered=sum(usage["unanswered"].values()) if usage else None,
        kinds=kinds_words(usage) if usage else "",
        served=", ".join(usage["served_models"]) if usage else "",
    )


def _picture(
    title: tuple[str, str, str], stated: Sequence[tuple[Cost, float | None]], words: Callable[[float], str]
) -> Picture | None:
    """Return the picture of a quantity, None where fewer than two entries state it."""
    known = sorted(
        ((row, x) for row, x in stated if x is not None and x > LEAST and row.score.value is not None),
        key=lambda item: (item[1], -(item[0].score.value or 0)),
    )
    if len(known) < 2:
        return None
    across = log_axis([x for _, x in known])
    up = axis_over([end for row, _ in known for end in (row.score.value, row.score.low, row.score.high)])
    highest, points, labels = -math.inf, [], list[tuple[float, float]]()
    for row, x in known:
        value = row.score.value or 0.0
        label = _label(across.at(x), up.at(value), labels)
        points.append(Point(row.place, row.name, x, row.score, value > highest, label))
        highest = max(highest, value)
    best = [f"{point.name} ({words(point.x)}, {point.score.value:.3f})" for point in points if point.best]
    finding = f"{title[0]}, {'this is' if len(best) == 1 else 'these are'} the best: {in_words(best)}."
    return Picture(title[1], title[2], across, up, points, finding)


def _label(across: float, up: float, taken: list[tuple[float, float]]) -> int:
    """Return the first place beside a point whose number meets none of those before, and take it; else the first."""
    places = [(across * PIXELS[0] + dx, dy - up * PIXELS[1]) for dx, dy, _ in LABELS]
    free = (i for i, (x, y) in enumerate(places) if all(abs(x - a) >= 13 or abs(y - b) > 10 for a, b in taken))
    chosen = next(free, 0)
    taken.append(places[chosen])
    return chosen


def log_axis(values: Sequence[float]) -> LogAxis:
    """Return a logarithmic axis around positive values, with two to seven ticks that bear a number."""
    low, high = min(values), max(values)
    first, last = math.floor(math.log10(low)), math.floor(math.log10(high)) + 1
    steps = [factor * 10.0**power for power in range(first, last + 1) for factor in (1, 2, 5)]
    low_end = max(step for step in steps if step <= low * (1 + 1e-9))
    high_end = min(step for step in steps if step >= high * (1 - 1e-9) and step > low_end)
    ticks = [step for step in steps if low_end <= step <= high_end]
    if len(ticks) > 6:
        ticks = [tick for tick in ticks if math.log10(tick) % 1 < 1e-9 or math.log10(tick) % 1 > 1 - 1e-9]
    every = -(-len(ticks) // 7)
    ticks = ticks[::every]
    return LogAxis(
        low_end, high_end, tuple(ticks), tuple(f"{tick:,.0f}" if tick >= 1 else f"{tick:g}" for tick in ticks)
    )
