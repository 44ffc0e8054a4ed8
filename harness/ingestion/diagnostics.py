"""Diagnostics of a prediction file: problems, for which a line is rejected, and notes on what was accepted.

lines/ and strict_json.py find and word problems, problem_kinds.py counts and prints them. A problem prints as
`file:line:col: CODE field: what is wrong; expected what; a suggestion`. Lines and columns count from 1; a column counts
characters, or bytes where the line is not UTF-8. Values are quoted in ASCII and cut short, so that no message can carry
control or bidirectional characters to a terminal. No message holds anything of the truth but clip ids and the world's
public labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.formatting import plural

CODES = {
    "ENCODING": "a byte that is not UTF-8",
    "TOO_LONG": "a line over the byte cap",
    "JSON": "not one JSON value by RFC 8259",
    "TOO_DEEP": "nested too deep",
    "NOT_OBJECT": "a JSON value that is not an object",
    "DUPLICATE_KEY": "an object that holds a key twice",
    "KEY_CASE": "an object with keys that differ only in case",
    "NOT_FINITE": "NaN or Infinity",
    "NUMBER_RANGE": "a number outside the 64-bit range",
    "SURROGATE": "half a surrogate pair: text that no UTF-8 file can hold",
    "MISSING": "a required field is not there",
    "CONFLICT": "one thing stated in two fields, or a target beside a model's text",
    "TYPE": "a value of the wrong type",
    "RANGE": "a number outside its range",
    "VALUE": "a text that is not one of the allowed ones",
    "CHARACTERS": "control, invisible, bidirectional or look-alike characters",
    "CLIP_UNKNOWN": "a clip that is not of the split",
    "CLIP_DUPLICATE": "a clip named on several lines",
    "COLUMNS": "a table row with another number of cells than its header",
}
NAMES_KEPT = 1_000
TEXT_SHOWN = 60
MESSAGE_SHOWN = 300


class Problem(NamedTuple):
    """Reason why a line is rejected."""

    line: int
    column: int
    code: str
    field: str
    wrong: str
    expected: str = ""
    suggestion: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.sentence}"

    @property
    def sentence(self) -> str:
        """Return the problem in words, without its place."""
        field = f" {self.field}" if self.field else ""
        expected = f"expected {self.expected}" if self.expected else ""
        text = "; ".join(part for part in (self.wrong, expected, self.suggestion) if part)
        return f"{self.code}{field}: {text}"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields without the file's name: a score is stored by content, wherever the file lies."""
        return {name: value for name, value in self._asdict().items() if name != "file"}


def problem_count(codes: Mapping[str, int]) -> str:
    """Return the number of problems in words: "1 problem", "3,412 problems"."""
    return plural(sum(codes.values()), "problem")


NOTES = {
    "anticipated": "anticipated_next_operation read as next_operation on {lines}",
    "flat": "start_frame and end_frame beside the other fields read as temporal_segment on {lines}",
    "pair": "temporal_segment read from [start, end] on {lines}",
    "text": "raw_output judged, since no answer field is given, on {lines}",
    "inside": "the answer was taken from inside {name} on {lines}",
    "choices": "of several choices of a reply the first counts, on {lines}",
    "filtered": "a filter cut the reply in resps down to a text without an answer on {lines}; what it left is judged",
    "repaired": "the answer had to be cut out of the surrounding text or repaired on {lines}; counted as repaired",
    "unreadable": "no answer could be read from the text on {lines}; an unreadable answer is wrong{more}",
    "normalised": "labels spelt otherwise (case, spaces, _ or -) normalised: {count} (first: line {first})",
    "label": "label {name} on {lines} is not known to this world, so it is never right{more}",
    "field": "unknown field {name} ignored on {lines}",
    "clip": "lines for clips that are not of the split ignored: {count} (first: line {first})",
}
"""Kind -> sentence. Kinds are listed in this order, names of a kind in the order of their first lines."""


class Notes:
    """Counts of what was accepted with a note, by kind and name, with the first line of each."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, list]] = {kind: {} for kind in NOTES}

    def add(self, kind: str, line: int, name: str = "", count: int = 1, more: str = "") -> None:
        """Count a note. Names beyond the first 1,000 of a kind are counted together."""
        seen = self._seen[kind]
        if name not in seen and len(seen) >= NAMES_KEPT:
            name, more = "(others)", ""
        entry = seen.setdefault(name, [0, line, more])
        entry[0] += count
        entry[1] = min(entry[1], line)

    def count(self, kind: str) -> int:
        """Return how often a kind was noted, under any name."""
        return sum(count for count, _, _ in self._seen[kind].values())

    def sentences(self) -> list[str]:
        """Return a sentence for each kind and name."""
        return [
            NOTES[kind].format(name=name, count=f"{count:,}", first=first, more=more, lines=_lines(count, first))
            for kind, seen in self._seen.items()
            for name, (count, first, more) in sorted(seen.items(), key=lambda item: (item[1][1], item[0]))
        ]


def _lines(count: int, first: int) -> str:
    return f"line {first}" if count == 1 else f"{count:,} lines (first: line {first})"


def quote(value: Any, most: int = TEXT_SHOWN) -> str:
    """Return a value as ASCII JSON, cut after `most` characters."""
    try:
        text = json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError):
        text = ascii(value)
    return text if len(text) <= most else f"{text[:most]}..."
