"""Gates: conditions on a score that a build can fail on, such as `aa1=0.6,aa1.low=0.55,coverage=1`."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from harness.errors import GateFailed, UsageError
from harness.metrics_table import BY_KEY, METRICS

PARTS = ("value", "low", "high", "skill")
FORM = "expected NAME=NUMBER, e.g. score=0.9, which holds where the score is at least 0.9"
OTHER_FORM = re.compile(r"([^<>=:≥\s]+?)(?:\.([a-z]+))?\s*(?:>=|=>|==|[>=:≥\s])\s*([-+.0-9e]+)", re.IGNORECASE)
"""Condition that is no gate but says what is meant: `score>=0.9`, `AA1.low > 0.5`, `tIoU@0.5: 0.6`."""


class Gate(NamedTuple):
    """Condition on a score: `part` of `metric` must be at least `least`."""

    metric: str
    part: str
    least: float

    def __str__(self) -> str:
        return self.metric if self.part == "value" else f"{self.metric}.{self.part}"


def parse(text: str) -> list[Gate]:
    """Return the gates of a text such as `aa1=0.6,coverage=1`.

    Raises UsageError, also for an empty text: an unset variable of a build must not pass for a gate that holds.
    """
    return [_parse_one(item.strip()) for item in text.split(",")]


def _parse_one(item: str) -> Gate:
    name, _, least = item.partition("=")
    metric, _, part = name.strip().partition(".")
    if not _known(metric, part) and name.strip() != "coverage":
        names = ", ".join((*BY_KEY, "coverage"))
        meant = f"did you mean {right}?" if (right := _right_form(item)) else f"{FORM}."
        raise UsageError(f"--fail-under {item!r}: unknown; {meant} There are {names}, with .low, .high or .skill")
    try:
        value = float(least)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        meant = f"did you mean {right}?" if (right := _right_form(item)) else FORM
        raise UsageError(f"--fail-under {item!r}: {meant}")
    if value > 1:
        raise UsageError(f"--fail-under {item!r}: nothing reaches {value:g}; shares are from 0 to 1, not in percent")
    return Gate(metric, part or "value", value)


def _known(metric: str, part: str) -> bool:
    return metric in BY_KEY and (part or "value") in PARTS


def _right_form(item: str) -> str:
    """Return the gate that a condition in another form or spelling means, `score=0.9` for `score>=0.9`, or ""."""
    names = {name.casefold(): metric.key for metric in METRICS for name in (metric.key, metric.title)}
    found = OTHER_FORM.fullmatch(item)
    if not found:
        return ""
    name, part, least = found[1].casefold(), (found[2] or "").lower(), found[3]
    metric = names.get(name, name)
    if not _known(metric, part) and (metric, part) != ("coverage", ""):
        return ""
    return f"{metric}.{part}={least}" if part else f"{metric}={least}"


def evaluate(record: dict[str, Any], gates: list[Gate]) -> list[tuple[Gate, str]]:
    """Return each gate with what is wrong, empty where the gate holds. It fails where its number does not exist."""
    results = []
    for gate in gates:
        row = record["metrics"].get(gate.metric, {})
        value = record["coverage"] if gate.metric == "coverage" else row.get(gate.part)
        shown = "not available" if value is None else f"{value:.4f}"
        holds = value is not None and value >= gate.least
        results.append((gate, "" if holds else f"{gate} is {shown}, at least {gate.least:g} is required"))
    return results


def check(record: dict[str, Any], gates: list[Gate]) -> None:
    """Raise GateFailed with every gate that does not hold."""
    failed = [f"gate failed: {wrong}" for _, wrong in evaluate(record, gates) if wrong]
    if failed:
        raise GateFailed("\n".join(failed))
