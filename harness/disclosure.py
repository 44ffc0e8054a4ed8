"""Disclosure rules of a sealed split: four rounded numbers, the coverage and problems of the file's format leave it.

Repeated scoring lets an entrant overfit the hidden truth (Blum & Hardt 2015). Therefore only the numbers of a file
that stands leave, rounded to .001; nothing about a clip, a session or a slice does, nor any number of a file that was
not clearly better (harness/sealed). The organiser, who holds the secret, sees everything with `organiser=True`
(`--organiser`).

A file has a score only from LEAST_ANSWERED on. A file of one answer would tell by 0.001 whether it is right, since one
of 2,880 clips is 0.0003; from nine tenths on a score is a sum over nearly all clips. A model that fails on a few clips
is still scored. An answer has labels that a clip can have, and a segment. This stops files that leave clips out, and no
more: whoever gives wrong answers on purpose to all clips but one still learns whether that one is right.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from harness.errors import SubmissionError, UsageError
from harness.metrics_table import PUBLIC
from harness.rules import AA40, STANDARD, Rules, Weights
from reference.truth.catalog import locate

FORMAT = "warehouse-harness/sealed-score-2"
PUBLIC_PARTS = ("value", "low", "high")
DIGITS = 3
LEAST_ANSWERED = 0.9
PUBLIC_KEYS = ("world", "split", "n", "sessions", "coverage", "rules", "scheme", "weights", "version")


def check_request(world: str, entrant: str | None, name: str | None, rules: Rules, weights: Weights) -> None:
    """Raise UsageError for a scoring of a sealed split that is nobody's, or whose choices would reveal single clips."""
    if not entrant or name is not None:
        own = "a name of one's own is refused" if name is not None else "scorings are logged by entrant"
        raise UsageError(f"{world} is sealed, and {own}: --as NAME takes one that its organiser listed")
    check_rules(world, rules, weights)


def check_rules(world: str, rules: Rules, weights: Weights) -> None:
    """Raise UsageError for rules or weights of a sealed split by which single clips could be told apart."""
    if rules != STANDARD or weights != AA40:
        raise UsageError(f"{world} is sealed, and other rules or weights would reveal single clips")


def shortfall(world: str, answered: int, clips: int) -> str:
    """Return why a sealed split of so many clips has no score for so few answers; "" where there are enough."""
    least = math.ceil(LEAST_ANSWERED * clips)
    if answered >= least:
        return ""
    return (
        f"the predictions answer {answered:,} of {clips:,} clips of {world}; a sealed split is scored from {least:,} "
        f"answered clips on ({LEAST_ANSWERED:.0%}), because a score of few clips tells which of them are right"
    )


def check_answered(record: dict[str, Any]) -> None:
    """Raise SubmissionError for a full record of a sealed split with too few answered clips."""
    if why := shortfall(record["world"], record["submission"]["answered"], record["n"]):
        raise SubmissionError(why)


def public_record(record: dict[str, Any], commitment: str, name: str) -> dict[str, Any]:
    """Return the part of a score record that the entrant may see."""
    metrics = {
        metric.key: {part: _rounded(record["metrics"][metric.key][part]) for part in PUBLIC_PARTS} for metric in PUBLIC
    }
    return {
        "format": FORMAT,
        "name": name,
        "signature": _signature(record["signature"], commitment),
        **{key: record[key] for key in PUBLIC_KEYS},
        "commitment": commitment,
        "submission": {key: record["submission"][key] for key in ("sha256", "lines", "adapter")},
        "metrics": metrics,
        "diagnostics": record["diagnostics"],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _signature(signature: str, commitment: str) -> str:
    """Return a signature with the commitment in place of the truth's digest, which only the secret may reveal."""
    parts = (f"sealed:{commitment[:16]}" if part.startswith("truth:") else part for part in signature.split("|"))
    return "|".join(parts)


def refuse(world: str, what: str, *, organiser: bool, home: str | Path | None = None) -> None:
    """Raise UsageError for a sealed world, whose truth `what` would reveal; its organiser may have it."""
    if not organiser and locate(world, home).seal is not None:
        raise UsageError(f"{world} is sealed, and {what} would reveal its truth; its organiser may use --organiser")
