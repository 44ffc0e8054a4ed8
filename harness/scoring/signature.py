"""The signature of a score: one line that pins every number. Same signature, same bytes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from harness.errors import UsageError
from harness.ingestion.ingest import Ingestion
from harness.scoring.request import Request
from harness.version import __version__
from reference.truth.store import Truth

SEED = 0
DIVIDER = "|"


def signature(
    ingestion: Ingestion, truth: Truth, request: Request, training: dict[str, Any] | None, clean: str = ""
) -> str:
    """Return the signature of a scoring: world, truth, split, rules, weights, submission, and the other choices.

    `clean`: the sum of the answers to clean pictures, where there are some.
    """
    parts = [
        f"world:{truth.world}",
        f"truth:{truth.digest[:16]}",
        f"split:{truth.split}",
        f"n:{truth.n}",
        f"sessions:{truth.sessions}",
        f"rules:{request.rules.name}",
        f"weights:{request.weights.scheme}({request.weights})",
        f"submission:{ingestion.sha256[:16]}",
        f"coverage:{ingestion.coverage:.4f}",
        f"seed:{SEED}",
        f"version:{__version__}",
    ]
    if truth.sample:
        parts.append(f"sample:{truth.sample}")
    parts += [f"{key}:{value}" for key, value in request.reading().items() if value not in (None, False)]
    if training is not None:
        parts.append(f"training:{hashlib.sha256(json.dumps(training, sort_keys=True).encode()).hexdigest()[:8]}")
    if clean:
        parts.append(f"clean:{clean[:16]}")
    if truth.public:
        parts.append("truth is public")
    return DIVIDER.join(parts)


def check_name(name: str | None) -> None:
    """Raise UsageError for a model's name that could not stand in a signature."""
    if name is not None and (not name.isprintable() or DIVIDER in name):
        raise UsageError(f"--name {name!r}: expected printable text without |, which divides the signature")


def with_name(record: dict[str, Any], name: str | None) -> dict[str, Any]:
    """Return the score record under a model's name: a stored score has none, since the name changes no number."""
    if name is None:
        return record
    return {"name": name} | record | {"signature": f"{record['signature']}{DIVIDER}name:{name}"}
