"""Problems of a prediction file by kind: counted, ordered, and printed as one entry a kind.

Problems with the same code, field and wording are of one kind, whatever their values. A kind prints with its count,
what is wrong and the remedy once, and up to three examples; the only problem of a kind prints as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from harness.formatting import plural
from harness.ingestion.diagnostics import CODES, Problem, quote

KEPT = 100_000
KINDS_SHOWN = 20
KINDS_KEPT = 1_000
EXAMPLES = 3
VALUE_REPEATED = 20
"""A value that all problems of a kind share is repeated at each example unless it is longer."""
ANY = "..."
_VALUE = re.compile(
    r"""(^[\[{].*(?:[\]}]|\.\.\.)"""  # an array or an object, which only begins a sentence
    r"""|"(?:[^"\\]|\\.)*"(?!\w)|"[^"]*?\.\.\."""  # a text, whole or cut short
    r"""|(?:U\+[0-9A-F]{4,6}(?:\ (?:control\ character|[A-Z0-9 -]*[A-Z0-9]))?(?:,\ )?)+(?:\.\.\.)?"""  # characters
    r"""|0x[0-9a-f]{2}|(?<![\w.+-])-?[0-9][0-9,]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?:\.\.\.)?(?!\w)"""  # numbers
    r"""|^(?:true|false)\b)"""
)
"""Values in the sentence of a problem: what differs between problems of one kind."""


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
            "fields": [name for name in self.fields if name],
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
        remedies += [part for part in _sentences(suggestion) if ANY not in part]
        return [
            f"{often}: {self.code}{fields}: {wrong}",
            *(f"    {remedy}" for remedy in remedies),
            *(f"  {self._example(problem)}" for problem in self.examples),
        ]

    def _example(self, problem: Problem) -> str:
        """Return the place of a problem with what is its own: its value, and its suggestion where they differ."""
        value = ", ".join(str(value) for value in self.values[0])
        own = [problem.wrong] if None in self.values[0] else [value] if 0 < len(value) <= VALUE_REPEATED else []
        shared = [ANY not in part for part in _sentences(self.parts[2])]
        own += [part for part, once in zip(_sentences(problem.suggestion), shared, strict=False) if not once]
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
        parts = (_VALUE.split(problem.wrong), _in_parts(problem.expected), _in_parts(problem.suggestion))
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
        rest = f"{plural(len(more), 'more kind')} of problem, on {plural(sum(kind.lines for kind in more), 'line')}"
        lines.append(f"... and {rest} (harness validate --format json lists them)")
    return lines


@lru_cache(1024)
def _in_parts(text: str) -> list[str]:
    """Return text and value in turn; remembered, since most problems of a file expect and suggest the same."""
    return _VALUE.split(text)


def _sentences(suggestion: str) -> list[str]:
    """Return a suggestion's question and what follows it, each by itself."""
    return [part for part in re.split(r"(?<=\?) ", suggestion) if part]
