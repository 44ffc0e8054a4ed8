"""Numbers, p-values, ranks and lists as people read them: in terminal, page, exports and documents alike."""

from __future__ import annotations

from typing import Any


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
    if value is None:
        return "-"
    return f"{value:{'+' if sign else ''}.{digits}f}"


def interval(row: dict[str, Any], digits: int = 3, sign: bool = False) -> str:
    if row.get("low") is None:
        return "not supported"
    return f"[{number(row['low'], digits, sign)}, {number(row['high'], digits, sign)}]"


def p_value(p: float) -> str:
    return f"{p:.1e}" if p < 0.001 else f"{p:.3f}"


def rank_range(row: dict[str, Any]) -> str:
    low, high = row["rank_low"], row["rank_high"]
    return str(low) if low == high else f"{low}-{high}"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: "1 clip", "1,440 clips"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def markdown_cell(text: str) -> str:
    """Text that cannot end a Markdown cell or start markup."""
    escaped = "".join(f"\\{char}" if char in "\\`*_[]<>|#" else char for char in text)
    return " ".join(escaped.split())
