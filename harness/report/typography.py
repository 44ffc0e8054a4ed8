"""Numbers as the page sets them: those of harness/formatting.py with a true minus sign, and an en dash for "none"."""

from __future__ import annotations

import json

from harness import formatting
from harness.report.panels.measure import Measure

NONE, MINUS = "–", "−"


def number(value: float | None, digits: int = 3) -> str:
    """Return `value` with so many decimals."""
    return NONE if value is None else formatting.number(value, digits)


def signed(value: float | None, digits: int = 3) -> str:
    """Return `value` with its sign."""
    return NONE if value is None else formatting.number(value, digits, sign=True).replace("-", MINUS)


def percent(value: float | None, digits: int = 0) -> str:
    """Return a share as percent."""
    return NONE if value is None else formatting.percent(value, digits)


def count(value: int | None) -> str:
    """Return a whole number with a comma between thousands."""
    return NONE if value is None else formatting.count(value)


def p_value(p: float | None) -> str:
    """Return a p-value with the digits of a table."""
    return NONE if p is None else formatting.p_value(p)


def p_in_a_sentence(p: float | None) -> str:
    """Return a p-value as sentences hold it."""
    return NONE if p is None else formatting.p_in_a_sentence(p)


def ranks(low: int, high: int) -> str:
    """Return a rank range with an en dash."""
    return formatting.rank_range({"rank_low": low, "rank_high": high}).replace("-", NONE)


def fraction(value: float, digits: int = 3) -> str:
    """Return a share without the zero before its point."""
    return formatting.without_zero(formatting.number(value, digits))


def interval_in_words(measure: Measure, digits: int = 3) -> str:
    """Return "95% 0.123 to 0.145", or why there is no interval."""
    if measure.low is None or measure.high is None:
        return measure.note or "interval not supported"
    kind = "one-sided 97.5%" if measure.one_sided else "95%"
    low, high = (formatting.number(end, digits) for end in (measure.low, measure.high))
    return f"{kind} {low} to {high}".replace("-0", f"{MINUS}0")


def exact(value: float | None) -> str:
    """Return all digits of a number, as JSON writes them; nothing where there is none."""
    return "" if value is None else json.dumps(value)


def capital(title: str) -> str:
    """Return a title for the head of a column: `score` becomes `Score`, `tIoU@0.5` stays."""
    return title.capitalize() if title.islower() else title
