"""The paired transfer gap: the same clips answered twice, as they are drawn and drawn clean.

`clean.jsonl` of an entry holds the answers to the clean pictures, and feeds this alone, never the score. A pair is a
clip that has an answer in both files; an answer that cannot be read is a wrong one. The gap of a domain is the mean
over its pairs of the weighted right answers as drawn minus those drawn clean, tested as `harness compare` tests two
entries: sign flip over sessions, CR3 interval. Holm is over all domains that are tested.

A clip of occlusion drawn clean shows what its own pictures hide, so that domain has no pairs and keeps its gap to other
clips.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness import statistics
from harness.cards import pinned
from harness.errors import UsageError
from harness.ingestion.ingest import ingest
from harness.ingestion.submission_file import open_submission, shown_name
from harness.metrics_table import PARTS
from harness.rules import Weights
from harness.scoring import slices
from harness.scoring.clip_facts import ClipFacts, Columns, make_clip_facts
from harness.scoring.metrics import float_or_none
from harness.scoring.request import Request
from harness.scoring.transfer.gaps import CLEAN, add_holm

OCCLUSION = "occlusion"
"""Domain whose clips drawn clean are other questions."""
FIELDS = ("operation", "segment", "next")
"""Parts of an answer in sql/pairs.sql, in the order of PARTS."""
assert len(FIELDS) == len(PARTS)


class CleanAnswers(NamedTuple):
    """Answers to the clips drawn clean: the file, its sum, a scratch folder that the truth's connection may read."""

    path: Path
    sha256: str
    scratch: Path


def paired_gaps(found: dict[str, Any], facts: ClipFacts, clean: CleanAnswers, request: Request) -> dict[str, Any]:
    """Return the transfer gaps `found` (`gaps.transfer`) with those of domains that have pairs in their place.

    `facts` are of the entry's predictions, whose table in the truth's connection is replaced. Raises SubmissionError
    where lines of the clean answers are rejected, and UsageError where they are not those of the card.
    """
    facts.set_aside()
    _read(facts, clean, request)
    other = make_clip_facts(facts.truth, request.rules)
    rows = other.pairs()
    facts.truth.connection.execute("DROP TABLE predictions")
    return with_pairs(found, domain_pairs(rows, other.domains), request.weights) | {"clean_sha256": clean.sha256}


def _read(facts: ClipFacts, clean: CleanAnswers, request: Request) -> None:
    """Fill the table `predictions` with the clean answers."""
    copy = clean.scratch / pinned(clean.path, clean.sha256).name
    shutil.copyfile(clean.path, copy)
    with open_submission(copy, clean.scratch, request.limits()) as source:
        source.name = shown_name(clean.path)
        if source.sha256 != clean.sha256:
            raise UsageError(f"{source.name}: the file changed while it was read")
        ingest(facts.truth, source, **request.ingestion())


class Pairs(NamedTuple):
    """Pairs of a domain, by session: how many [G], and right answers of OCA, tIoU@0.5, AA@1 [G, 3] in either file."""

    n: np.ndarray
    own: np.ndarray
    clean: np.ndarray


def domain_pairs(rows: Columns, domains: list[str]) -> dict[str, Pairs]:
    """Return the pairs of each domain that has some, from the columns of sql/pairs.sql."""
    code = np.ma.filled(np.ma.asarray(rows["domain"]).astype(np.int64), -1)
    found = {}
    for place, domain in enumerate(domains):
        chosen = code == place
        if domain == OCCLUSION or not chosen.any():
            continue
        session = np.unique(rows["session_index"][chosen], return_inverse=True)[1]
        own, clean = (
            np.stack([np.bincount(session, rows[f"{file}_{field}"][chosen]) for field in FIELDS], axis=1)
            for file in ("own", "clean")
        )
        found[domain] = Pairs(np.bincount(session), own.astype(np.int64), clean.astype(np.int64))
    return found


def with_pairs(found: dict[str, Any], pairs: dict[str, Pairs], weights: Weights) -> dict[str, Any]:
    """Return transfer gaps with those of the domains that have pairs; those together are of pairs alone."""
    gaps: list[dict[str, Any]] = []
    for row in found["gaps"]:
        here = pairs.get(row["domain"])
        gaps.append(dict(row) if here is None else row | _gap([here], weights))
    m = add_holm(gaps)
    together: dict[str, Any] = {}
    for name, seen in (("seen", True), ("unseen", False)):
        parts = [pairs[row["domain"]] for row in gaps if row["seen_in_training"] is seen and row["domain"] in pairs]
        whole = _gap(parts, weights) if parts else None
        together[name] = whole and {key: whole[key] for key in ("gap", "low", "high", "n")}
    count = sum(int(part.n.sum()) for name, part in pairs.items() if name != CLEAN)
    return found | {"m": m, "gaps": gaps, **together, "paired": True, "pairs": count}


def _gap(parts: list[Pairs], weights: Weights) -> dict[str, Any]:
    """Return the gap over the pairs of domains whose sessions are others, with interval and raw p."""
    n, own, clean = (np.concatenate(column) for column in zip(*parts, strict=True))
    whole = np.array(weights.integers())
    unit, right, base = n * whole.sum(), own @ whole, clean @ whole
    difference, total = right - base, unit.sum()
    value = float(difference.sum() / total)
    row: dict[str, Any] = {
        "n": int(n.sum()),
        "sessions": len(n),
        "score": float_or_none(right.sum() / total),
        "clean": float_or_none(base.sum() / total),
        "gap": value,
        **dict.fromkeys(("low", "high", "p", "p_adjusted")),
        "paired": True,
    }
    if len(n) < slices.MIN_SESSIONS or n.sum() < slices.MIN_CLIPS:
        return row
    interval = statistics.identity_interval(value, (difference.sum() - difference) / (total - unit), n)
    return row | {"low": interval.low, "high": interval.high, "p": statistics.sign_flip_p(difference)[0]}
