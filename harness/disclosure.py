"""Disclosure rules of a sealed split: four rounded numbers, the coverage and problems of the file's format leave it.

Repeated scoring lets an entrant overfit the hidden truth (Blum & Hardt 2015). Therefore numbers are rounded to .001,
nothing about a clip, a session or a slice leaves, and every scoring is logged by name. The organiser, who holds the
secret, sees everything with `organiser=True` (`--organiser`).

A file has a score only from LEAST_ANSWERED on. A file of one answer would tell by 0.001 whether it is right, since one
of 1,440 clips is 0.0007; from nine tenths on a score is a sum over nearly all clips. A model that fails on a few clips
is still scored. An answer has labels that a clip can have, and a segment. This stops files that leave clips out, and no
more: whoever gives wrong answers on purpose to all clips but one still learns whether that one is right.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import SubmissionError, UsageError
from harness.metrics_table import PUBLIC
from harness.rules import AA40, STANDARD, Rules, Weights
from reference.files import locked
from reference.truth.catalog import locate

FORMAT = "warehouse-harness/sealed-score-1"
PUBLIC_PARTS = ("value", "low", "high")
DIGITS = 3
LEAST_ANSWERED = 0.9
PUBLIC_KEYS = ("world", "split", "n", "sessions", "coverage", "rules", "scheme", "weights", "version")


def check_request(world: str, name: str | None, rules: Rules, weights: Weights) -> None:
    """Raise UsageError for a scoring without a name to log, or with rules or weights that would reveal single clips."""
    if not name:
        raise UsageError(f"{world} is sealed, and scorings are logged by name: --name is needed")
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


def log_and_redact(record: dict[str, Any], commitment: str, home: Path) -> dict[str, Any]:
    """Log a scoring and return the public part of its record, with the number of scorings under this name.

    Raises SubmissionError, and logs nothing, for a record of too few answers.
    """
    check_answered(record)
    seal = locate(record["world"], home).seal
    assert seal is not None
    public = public_record(record, commitment, record["name"])
    return public | {"scorings": log_scoring(seal.log, public)}


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


def log_scoring(path: Path, record: dict[str, Any]) -> int:
    """Append a scoring to the organiser's log and return how many are logged under this name.

    The same file with the same score is logged once: who looks again learns nothing. A lock on the file keeps lines
    whole when several processes write.
    """
    row = {
        "name": record["name"],
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": record["submission"]["sha256"],
        "score": record["metrics"]["score"]["value"],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file, locked(file):
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1))
        cut = file.read(1) not in (b"", b"\n")  # by a full disk; what is left of that line counts for nothing
        known = {_outcome(logged) for logged in scorings(path) if logged["name"] == record["name"]}
        if _outcome(row) not in known:
            file.write(b"\n" * cut + json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
            file.flush()
        return len(known | {_outcome(row)})


def scorings(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of the organiser's log; none where there is no log."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            with contextlib.suppress(ValueError):
                row = json.loads(line)
                if isinstance(row, dict) and row.keys() >= {"name", "sha256", "score"}:
                    yield row


def _outcome(row: dict[str, Any]) -> tuple[str, float]:
    """Return file and score of a row of the log; the same file read in another way has another score."""
    return row["sha256"], row["score"]


def refuse(world: str, what: str, *, organiser: bool, home: str | Path | None = None) -> None:
    """Raise UsageError for a sealed world, whose truth `what` would reveal; its organiser may have it."""
    if not organiser and locate(world, home).seal is not None:
        raise UsageError(f"{world} is sealed, and {what} would reveal its truth; its organiser may use --organiser")
