"""Regenerate the committed reference entries: `python -m harness.references submissions` (or `make submissions`).

Needed when a world is re-pinned: every card carries the digest of the truth that its predictions were made for.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from harness.baselines import BASELINES, write_baseline
from harness.cards import Card, write_card
from reference.store import open_truth

WORLD, SPLIT = "warehouse-v1", "test"
COMMITTED = ("constant", "whole-clip", "random", "transition-prior", "oracle")


def regenerate(folder: Path) -> None:
    with open_truth(WORLD, SPLIT) as truth:
        digest = truth.digest
    for name in COMMITTED:
        entry = folder / name
        entry.mkdir(parents=True, exist_ok=True)
        write_baseline(name, entry / "predictions.jsonl", world=WORLD, split=SPLIT)
        write_card(entry, card(name, digest, (entry / "predictions.jsonl").read_bytes()))


def card(name: str, truth_digest: str, predictions: bytes) -> Card:
    baseline = BASELINES[name]
    return Card(
        name=name, kind=baseline.kind, description=baseline.description, world=WORLD, split=SPLIT,
        truth_digest=truth_digest, predictions_sha256=hashlib.sha256(predictions).hexdigest(),
        uses_truth=baseline.kind == "reference",
    )  # fmt: skip


if __name__ == "__main__":
    regenerate(Path(sys.argv[1]))
