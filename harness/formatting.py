"""Numbers, p-values, ranks and lists as people read them: in terminal, page, exports and documents alike.

A number that does not exist is "-". The page sets the same texts with its own dashes and minus signs
(harness/report/typography.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

NONE = "-"


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
    """Return `value` with so many decimals, with its sign where `sign` asks for it."""
    if value is None:
        return NONE
    return f"{value:{'+' if sign else ''}.{digits}f}"


def percent(value: float | None, digits: int = 0) -> str:
    """Return a share as percent: 0.985 with one digit is "98.5%"."""
    return NONE if value is None else f"{value:.{digits}%}"


def count(value: int | None) -> str:
    """Return a whole number with a comma between thousands."""
    return NONE if value is None else f"{value:,}"


def size(row: dict[str, Any]) -> str:
    """Return the size of a split, `n` and `sessions` of a row, as "2,880 clips in 144 sessions"."""
    return f"{plural(row['n'], 'clip')} in {plural(row['sessions'], 'session')}"


def coverage(share: float, n: int) -> str:
    """Return how many of `n` clips have an answer, as "coverage 91.67%, 55 of 60 clips"."""
    return f"coverage {percent(share, 2)}, {count(round(share * n))} of {plural(n, 'clip')}"


def unanswered(share: float, n: int) -> str:
    """Return the remark on answers to a part of `n` clips; "" where every clip has one."""
    return f"{coverage(share, n)}; what is missing counts as wrong" if share < 1 else ""


def interval(row: dict[str, Any], digits: int = 3, sign: bool = False) -> str:
    """Return `low` and `high` of a row as "[low, high]", or "not supported" where there is no interval."""
    if row.get("low") is None:
        return "not supported"
    return f"[{number(row['low'], digits, sign)}, {number(row['high'], digits, sign)}]"


def p_value(p: float) -> str:
    """Format a p-value for a table: three decimals, or two digits and an exponent where it is below .001."""
    return f"{p:.1e}" if p < 0.001 else f"{p:.3f}"


def p_in_a_sentence(p: float) -> str:
    """Format a p-value for a sentence: ".012", or "< .001"."""
    return "< .001" if p < 0.001 else without_zero(number(p))


def without_zero(text: str) -> str:
    """Drop the zero before the point of a share: "0.012" becomes ".012"."""
    return text.removeprefix("0")


def rank_range(row: dict[str, Any]) -> str:
    """Return the ranks of a row, `rank_low` to `rank_high`, as "2" or "2-4"."""
    low, high = row["rank_low"], row["rank_high"]
    return str(low) if low == high else f"{low}-{high}"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: "1 clip", "2,880 clips"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def in_words(names: Sequence[str], most: int = 4) -> str:
    """Return "A, B and C"; of more than `most` names the last ones are counted: "A, B, C and 3 more"."""
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


CONTROL = re.compile(
    "\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What a terminal obeys instead of showing it: control and format characters, those that turn text round, surrogates.

A tab, a line feed and the pair of carriage return and line feed are text.
"""


def printable(text: str, *, in_line: bool = False) -> str:
    """Return `text` with what a terminal would obey written as an escape, such as \\x1b.

    `in_line`: also what cannot stand in a line, as a file's name does: line ends, tabs and all that does not print.
    """
    if in_line:
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def writable(text: str) -> str:
    """Return a text with what no UTF-8 file can hold, half surrogate pairs and bytes of names, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def markdown_cell(text: str) -> str:
    """Return text escaped so that it can neither end a Markdown cell nor start markup."""
    escaped = "".join(f"\\{char}" if char in "\\`*_[]<>|#" else char for char in text)
    return printable(" ".join(escaped.split()))
