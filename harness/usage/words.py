"""What the answers of an entry cost, in words: shared by terminal, leaderboards, page and exports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.formatting import count, percent, plural

Section = Mapping[str, Any]
"""Section `usage` of a score record."""


def dollars(value: float) -> str:
    """Return an amount in dollars: in cents from one dollar on, below with three significant digits."""
    if value == 0 or value >= 1:
        return f"${value:,.2f}"
    return f"${value:.{2 - math.floor(math.log10(value))}f}"


def price_words(section: Section) -> str:
    """Return the price of an entry, "at least" where a clip does not state its tokens; "" without a price."""
    if section["price"] is None:
        return ""
    part = "" if section["share"] == 1 else "at least "
    return part + dollars(section["price"]["dollars"])


def token_words(section: Section) -> str:
    """Return the mean tokens of a clip, as "1,103 tokens in and 45 out"; "" where no line states any."""
    sides = [(section["input_tokens"], "in"), (section["output_tokens"], "out")]
    stated = [f"{side['mean']:,.0f} {where}" for side, where in sides if side]
    if not stated:
        return ""
    first, *rest = stated
    amount, _, where = first.partition(" ")
    return " and ".join([f"{amount} tokens {where}", *rest])


def unanswered_words(section: Section) -> str:
    """Return how many clips were not answered and why, as "12 clips not answered: timeout 10, length 2", else ""."""
    kinds = section["unanswered"]
    return f"{plural(sum(kinds.values()), 'clip')} not answered: {kinds_words(section)}" if kinds else ""


def kinds_words(section: Section) -> str:
    """Return the clips that were not answered by kind, as "timeout 10, length 2"."""
    return ", ".join(f"{kind} {count(clips)}" for kind, clips in section["unanswered"].items())


def cost_words(section: Section) -> str:
    """Return tokens, price and repeated requests in one line; "" where nothing of it is stated."""
    tokens, price, attempts = token_words(section), price_words(section), section["attempts"]
    parts = [f"{tokens} a clip"] if tokens else []
    if tokens and section["share"] != 1:
        parts[0] += f" ({percent(section['share'])} of the clips state them)"
    parts += [f"{price} in all"] if price else []
    if attempts and attempts["repeated"]:
        parts.append(f"{plural(attempts['repeated'], 'clip')} took more than one attempt")
    return ", ".join(parts)


def milliseconds(value: float) -> str:
    """Return a time as text, such as 1,234 ms or 0.12 ms."""
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.2g} ms"
