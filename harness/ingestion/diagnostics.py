"""Diagnostics of a prediction file: problems, for which a line is rejected, and notes on what was accepted.

This module counts, orders and prints problems; line_checker.py and strict_json.py find and word them. A problem prints
as `file:line:col: CODE field: what is wrong; expected what; a suggestion`. Problems with the same code, field and
wording are of one kind, whatever their values; a kind prints as one entry, counted, with up to three examples. Lines and columns count from 1; a column
counts characters, or bytes where the line is not UTF-8. Values are quoted in ASCII and cut short, so that no message
can carry control or bidirectional characters to a terminal. No message holds anything of the truth but clip ids and the
world's public labels.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
KEPT = 100_000
KINDS_SHOWN = 20
KINDS_KEPT = 1_000
EXAMPLES = 3
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


_VALUE = re.compile(
    r"""(^[\[{].*(?:[\]}]|\.\.\.)"""  # an array or an object, which only begins a sentence
    r"""|"(?:[^"\\]|\\.)*"(?!\w)|"[^"]*?\.\.\."""  # a text, whole or cut short
    r"""|(?:U\+[0-9A-F]{4,6}(?:\ (?:control\ character|[A-Z0-9 -]*[A-Z0-9]))?(?:,\ )?)+(?:\.\.\.)?"""  # characters
    r"""|0x[0-9a-f]{2}|(?<![\w.+-])-?[0-9][0-9,]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?:\.\.\.)?(?!\w)"""  # numbers
    r"""|^(?:true|false)\b)"""
)
"""Values in the sentence of a problem: what differs between problems of one kind."""
ANY = "..."


@dataclass
class Kind:
    """Problems with the same code, fields and wording. `lines`: how many lines have one; `examples`: up to three.

    A part of the wording reads "..." where it differs between the problems.
    """

    code: str
    fields: tuple[str, ...]
    count: int = 0
    lines: int = 0
    line_sum: int = 0
    last_line: int = 0
    values: tuple[list[str | None], ...] = ()  # of the wording's three parts; None where they differ
    wording: tuple[list[str], ...] = ()  # what stands between the values
    firsts: list[Problem] = field(default_factory=list)
    distinct: list[Problem] = field(default_factory=list)

    def add(self, problem: Problem, parts: tuple[list[str], ...]) -> None:
        """Count a problem, whose wording is given as text and value in turn."""
        values = tuple(part[1::2] for part in parts)
        if not self.count:
            self.wording, self.values = tuple(part[::2] for part in parts), tuple([*part] for part in values)
        for known, new in zip(self.values, values, strict=True):
            known[:] = [value if value == other else None for value, other in zip(known, new, strict=True)]
        self.count += 1
        if problem.line != self.last_line:  # the problems of a kind come in line order, but for unknown clips
            self.lines, self.line_sum, self.last_line = self.lines + 1, self.line_sum + problem.line, problem.line
        if len(self.firsts) < EXAMPLES:
            self.firsts.append(problem)
        if len(self.distinct) < EXAMPLES and all(problem.wrong != other.wrong for other in self.distinct):
            self.distinct.append(problem)

    def merged(self, other: Kind) -> Kind:
        """Return this kind with the fields of another one that stands on the same lines."""
        values = tuple(
            [value if value == more else None for value, more in zip(mine, theirs, strict=True)]
            for mine, theirs in zip(self.values, other.values, strict=True)
        )
        return Kind(
            code=self.code,
            fields=(*self.fields, *other.fields),
            count=self.count + other.count,
            lines=self.lines,
            line_sum=self.line_sum,
            last_line=self.last_line,
            values=values,
            wording=self.wording,
            firsts=self.firsts,
            distinct=self.distinct,
        )

    @property
    def examples(self) -> list[Problem]:
        """Return up to three problems, of different values where there are some, in line order."""
        more = [problem for problem in self.firsts if problem not in self.distinct]
        return sorted([*self.distinct, *more][:EXAMPLES])

    @property
    def parts(self) -> tuple[str, ...]:
        """Return what is wrong, what is expected and the suggestion, with ... for what differs."""
        texts = []
        for words, values in zip(self.wording, self.values, strict=True):
            shown = [ANY if value is None else value for value in values]
            texts.append("".join(text for pair in zip(words, [*shown, ""], strict=True) for text in pair))
        return tuple(texts)

    def as_dict(self) -> dict[str, Any]:
        """Return the kind as JSON values, with examples as places and what is wrong there."""
        wrong, expected, suggestion = self.parts
        return {
            "code": self.code,
            "fields": [*self.fields],
            "count": self.count,
            "lines": self.lines,
            "wrong": wrong,
            "expected": expected,
            "suggestion": suggestion,
            "examples": [
                {"line": problem.line, "column": problem.column, "wrong": problem.wrong} for problem in self.examples
            ],
        }

    def text(self) -> list[str]:
        """Return lines for the terminal: a single problem as it is, or the count with wording, remedy and examples."""
        if self.count == 1:
            return [str(self.firsts[0])]
        wrong, expected, suggestion = self.parts
        fields = f" {', '.join(self.fields)}" if any(self.fields) else ""
        often = plural(self.lines, "line") if self.count == self.lines * len(self.fields) else f"{self.count:,} times"
        remedies = [f"expected {expected}"] if expected else []
        remedies += [suggestion] if suggestion and ANY not in suggestion else []
        return [
            f"{often}: {self.code}{fields}: {wrong}",
            *(f"    {remedy}" for remedy in remedies),
            *(f"  {self._example(problem)}" for problem in self.examples),
        ]

    def _example(self, problem: Problem) -> str:
        """Return the place of a problem with what is its own: its value, and its suggestion where they differ."""
        own = [problem.wrong] if any(self.values[0]) or None in self.values[0] else []
        own += [problem.suggestion] if None in self.values[2] else []
        place = f"{problem.file}:{problem.line}:{problem.column}"
        return f"{place}: {'; '.join(own)}" if own else place


class Problems:
    """Problems of one file: all are counted, by code and by kind; the first 100,000 are kept."""

    def __init__(self, file: str):
        self.file, self.codes = file, Counter[str]()
        self._kept: list[Problem] = []
        self._kinds: dict[tuple, Kind] = {}

    def extend(self, problems: Iterable[Problem]) -> None:
        """Count problems, and keep them while there is room."""
        for problem in problems:
            placed = problem._replace(file=self.file)
            self.codes[problem.code] += 1
            if len(self._kept) < KEPT:
                self._kept.append(placed)
            self._count_kind(placed)

    def in_order(self) -> tuple[Problem, ...]:
        """Return the kept problems in line order."""
        return tuple(sorted(self._kept))

    def kinds(self) -> tuple[Kind, ...]:
        """Return the kinds, the most frequent first; fields that are wrong alike on the same lines are one kind."""
        merged: dict[tuple, Kind] = {}
        for (code, _, *wording), kind in self._kinds.items():
            lines = kind.count, kind.lines, kind.line_sum, kind.firsts[0].line
            same = (code, *wording, *lines) if kind.count > 1 else (kind.firsts[0],)
            merged[same] = merged[same].merged(kind) if same in merged else kind
        return tuple(sorted(merged.values(), key=lambda kind: (-kind.count // len(kind.fields), kind.examples[0])))

    def _count_kind(self, problem: Problem) -> None:
        parts = tuple(_VALUE.split(part) for part in (problem.wrong, problem.expected, problem.suggestion))
        named = problem.field if quote(problem.field) not in problem.wrong else ""  # a key that the file made up
        key = (problem.code, named, *(tuple(part[::2]) for part in parts))
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= KINDS_KEPT:
                parts = ([CODES[problem.code]], [""], [""])
                key = (problem.code, "", *(tuple(part) for part in parts))
            kind = self._kinds.setdefault(key, Kind(problem.code, (named,)))
        kind.add(problem, parts)


def problem_lines(kinds: Sequence[Kind]) -> list[str]:
    """Return lines for the terminal: an entry for each of the most frequent kinds, and how many more there are."""
    lines = [line for kind in kinds[:KINDS_SHOWN] for line in kind.text()]
    if more := kinds[KINDS_SHOWN:]:
        lines.append(
            f"... and {plural(len(more), 'more kind')} of problem, on {plural(sum(kind.lines for kind in more), 'line')} "
            "(harness validate --format json lists them)"
        )
    return lines


def problem_count(codes: Mapping[str, int]) -> str:
    """Return the number of problems in words: "1 problem", "3,412 problems"."""
    return plural(sum(codes.values()), "problem")


NOTES = {
    "anticipated": "anticipated_next_operation read as next_operation on {lines}",
    "flat": "start_frame and end_frame beside the other fields read as temporal_segment on {lines}",
    "pair": "temporal_segment read from [start, end] on {lines}",
    "text": "raw_output judged, since no answer field is given, on {lines}",
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
