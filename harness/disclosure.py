"""What leaves a sealed split: four rounded numbers with intervals, the coverage, and what is wrong with the format.

Whoever can score often could read the truth off the answers; so numbers are rounded to .001, nothing is said of a clip,
a session or a slice, and every scoring is logged under a name. The organiser, who holds the secret, sees everything
with `organiser=True` (`--organiser`).
"""

from __future__ import annotations

import fcntl
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.metrics_table import PUBLIC
from harness.rules import AA40, STANDARD, Rules, Weights
from reference.truth.catalog import locate

FORMAT = "warehouse-harness/sealed-score-1"
PARTS = ("value", "low", "high")
DIGITS = 3
KEPT = ("world", "split", "n", "sessions", "coverage", "rules", "scheme", "weights", "version")


def check_request(world: str, name: str | None, rules: Rules, weights: Weights) -> None:
    """Raise UsageError where a scoring could not be logged, or would single clips out."""
    if not name:
        raise UsageError(f"{world} is sealed, and scorings are logged by name: --name is needed")
    if rules != STANDARD or weights != AA40:
        raise UsageError(f"{world} is sealed, and other rules or weights would tell of single clips")


def redacted(record: dict[str, Any], commitment: str, home: Path) -> dict[str, Any]:
    """The public part of a score record, after the scoring was logged."""
    seal = locate(record["world"], home).seal
    assert seal is not None
    public = public_record(record, commitment, record["name"])
    return public | {"scorings": log(seal.log, public)}


def public_record(record: dict[str, Any], commitment: str, name: str) -> dict[str, Any]:
    """The part of a score record that may be given to whoever sent the predictions."""
    metrics = {metric.key: {part: _rounded(record["metrics"][metric.key][part]) for part in PARTS} for metric in PUBLIC}
    return {
        "format": FORMAT,
        "name": name,
        "signature": _signature(record["signature"], commitment),
        **{key: record[key] for key in KEPT},
        "commitment": commitment,
        "submission": {key: record["submission"][key] for key in ("sha256", "lines", "adapter")},
        "metrics": metrics,
        "diagnostics": record["diagnostics"],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _signature(signature: str, commitment: str) -> str:
    """With the commitment in the place of the truth's digest, which is revealed only with the secret."""
    parts = (f"sealed:{commitment[:16]}" if part.startswith("truth:") else part for part in signature.split("|"))
    return "|".join(parts)


def log(path: Path, record: dict[str, Any]) -> int:
    """Append a scoring to the organiser's log; returns how often this name was scored. Whole lines, many writers."""
    row = {
        "name": record["name"],
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": record["submission"]["sha256"],
        "score": record["metrics"]["score"]["value"],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
        file.flush()
        file.seek(0)
        return sum(json.loads(line)["name"] == record["name"] for line in file)


def refuse(world: str, what: str, *, organiser: bool, home: str | Path | None = None) -> None:
    """Raise UsageError where `what` would give a sealed truth away."""
    if not organiser and locate(world, home).seal is not None:
        raise UsageError(f"{world} is sealed, and {what} would tell of its truth; its organiser may use --organiser")
