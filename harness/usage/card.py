"""What an entry's card says of asking: clips without an answer, by kind, and the price of tokens.

Both are free parts of `run`, and the card may be a stranger's: what is not of the expected form is left out.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.cards import CARD, folder_of, read_card, stated_sum
from harness.errors import UsageError
from harness.usage.table import empty_section
from reference.outside_files import read_bytes

KINDS, LONGEST_KIND = 20, 40
MOST = 1_000_000_000
MILLION = 1_000_000


def with_card(record: dict[str, Any], predictions: Path) -> dict[str, Any]:
    """Return the score record of a prediction file with what the card beside it says, pinned in the signature.

    The card counts for the file whose sum it states. A record without any of it is returned as it is.
    """
    run = _run(predictions, record["submission"]["sha256"])
    unanswered, price = unanswered_of(run), price_of(run)
    section = record.get("usage") or empty_section()
    if not unanswered and (price is None or "usage" not in record):
        return record
    section = section | {"unanswered": unanswered, "price": _price(section, price)}
    said = json.dumps([unanswered, price], sort_keys=True)
    digest = hashlib.sha256(said.encode()).hexdigest()[:8]
    return record | {"usage": section, "signature": f"{record['signature']}|card:{digest}"}


def unanswered_of(run: Mapping[str, Any]) -> dict[str, int]:
    """Return the clips that were not answered, by kind."""
    said = run.get("unanswered")
    if not isinstance(said, Mapping):
        return {}
    found = {
        str(kind)[:LONGEST_KIND]: clips
        for kind, clips in said.items()
        if type(clips) is int and 0 < clips <= MOST and str(kind).isprintable()
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:KINDS])


def price_of(run: Mapping[str, Any]) -> list[float] | None:
    """Return the price of input and output in dollars a million tokens, None where the card states none."""
    said = run.get("price")
    if not isinstance(said, (list, tuple)) or len(said) != 2:
        return None
    if not all(type(part) in (int, float) and math.isfinite(part) and 0 <= part <= MOST for part in said):
        return None
    return [float(part) for part in said]


def _price(section: Mapping[str, Any], price: list[float] | None) -> dict[str, float] | None:
    """Return the price with what the tokens cost, None where a side is not stated."""
    sides = (section["input_tokens"], section["output_tokens"])
    if price is None or None in sides:
        return None
    dollars = sum(side["sum"] * part for side, part in zip(sides, price, strict=True)) / MILLION
    return {"input": price[0], "output": price[1], "dollars": dollars, "per_clip": dollars / section["n"]}


def _run(predictions: Path, sha256: str) -> Mapping[str, Any]:
    """Return `run` of the card beside a file, empty where it has none or is of another file."""
    path = folder_of(predictions) / CARD
    try:
        text = read_bytes(path, UsageError)
    except UsageError:
        return {}
    if b"unanswered" not in text and b"price" not in text:  # most cards; reading one takes longer than this look
        return {}
    try:
        card = read_card(path.parent)
    except UsageError:
        return {}
    return card.run if stated_sum(card, predictions) == sha256 else {}
