"""Strict reader of one JSON value: RFC 8259, and nothing that two readers could take differently.

Refused beyond what the grammar refuses: a key twice in an object (at any depth), NaN and Infinity, integers outside 64
bits and decimals that overflow, half surrogate pairs, nesting deeper than 64. A fault is worded here, since the json
module's messages differ between Python versions.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from typing import Any, NamedTuple

from harness.ingestion.diagnostics import quote
from reference.outside_files import DEPTH, INT64, is_utf8

FAULTS_SHOWN = 5
OBJECTS_INSIDE, TRIES, OPEN_DEPTH, STRETCH = 1_000, 20_000, 500, 8_192
VALUE_CUT_OFF = "the value is not complete"
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_OBJECT = re.compile(r'\{(?=[ \t\r\n]*+["}])')
_COLON = re.compile(r"\s*:")
_NUMBER_TO_CHECK = re.compile(r"[0-9]{19}|[0-9][eE]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class Fault(NamedTuple):
    """Reason why a text is not one acceptable JSON value; `column` counts characters of the text from 1."""

    code: str
    column: int
    field: str
    wrong: str
    expected: str = ""
    suggestion: str = ""


def parse(text: str) -> tuple[Any, list[Fault]]:
    """Return the value and its faults. With faults the value may be read in part (None where it cannot be)."""
    if text.count("{") + text.count("[") > DEPTH and (column := _too_deep(text)):
        return None, [Fault("TOO_DEEP", column, "", f"nested deeper than {DEPTH}", "a flat object")]
    reader = _CAREFUL if _NUMBER_TO_CHECK.search(text) else _QUICK
    try:
        value, faults = reader.read(text)
    except json.JSONDecodeError as error:
        return None, [_grammar_fault(text, error)]
    if _SURROGATE_ESCAPE.search(text) and not is_utf8(value):
        column = _SURROGATE_ESCAPE.search(text).start() + 1  # type: ignore[union-attr]
        faults.append(Fault("SURROGATE", column, "", "half a surrogate pair", "whole characters"))
    return value, faults


class _Reader:
    """JSON decoder that notes the faults of values and reads on, so that the rest of the object is still known."""

    def __init__(self, check_numbers: bool):
        hooks: dict[str, Any] = {"parse_int": self._integer, "parse_float": self._decimal} if check_numbers else {}
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=self._constant, **hooks)
        self._faults: list[tuple[str, str]] = []

    def read(self, text: str) -> tuple[Any, list[Fault]]:
        """Return the value and its faults. Raises JSONDecodeError for what the grammar refuses."""
        self._faults = []
        value = self._decoder.decode(text)
        return value, [_value_fault(text, code, literal) for code, literal in self._faults[:FAULTS_SHOWN]]

    def read_at(self, text: str, start: int) -> tuple[Any, int, bool]:
        """Return the value that starts at an offset, its end, and whether it has faults."""
        self._faults = []
        value, end = self._decoder.raw_decode(text, start)
        return value, end, bool(self._faults)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    self._faults.append(("DUPLICATE_KEY", key))
                    value[key] = None  # neither of two values is the right one
                seen.add(key)
        return value

    def _constant(self, literal: str) -> None:
        self._faults.append(("NOT_FINITE", literal))

    def _integer(self, literal: str) -> int | None:
        if len(literal) > 20 or int(literal) not in INT64:
            self._faults.append(("NUMBER_RANGE", literal))
            return None
        return int(literal)

    def _decimal(self, literal: str) -> float | None:
        if math.isinf(float(literal)):
            self._faults.append(("NUMBER_RANGE", literal))
            return None
        return float(literal)


_QUICK, _CAREFUL = _Reader(check_numbers=False), _Reader(check_numbers=True)


def objects_inside(text: str, most: int = OBJECTS_INSIDE) -> list[dict[str, Any]]:
    """Return the last `most` faultless JSON objects in a text, outermost only, in order.

    Looks at the last TRIES braces, in time proportional to the text, whatever it holds: where an object is no JSON at
    some place, so is every object that is open there, and those that were closed before are known. So no stretch is
    read from brace after brace.
    """
    found: deque[dict[str, Any]] = deque(maxlen=most)
    is_open: set[int] = set()  # braces of objects that are never closed
    places = [match.start() for match in _OBJECT.finditer(text)]
    start = _OBJECT.search(text, places[-TRIES:][0]) if places else None
    while start:
        at = start.start()
        if at > STRETCH:  # an error of the decoder counts the lines before it, each time anew
            text, at, is_open = text[at:], 0, {place - at for place in is_open if place >= at}
        end = at + 1
        if at not in is_open:
            try:
                value, end, faulty = _CAREFUL.read_at(text, at)
                if not faulty and is_utf8(value):
                    found.append(value)
            except json.JSONDecodeError as error:
                is_open = _open_braces(text, at, error.pos)
            except RecursionError:
                is_open = _open_braces(text, at, len(text))
        start = _OBJECT.search(text, end)
    return list(found)


def _open_braces(text: str, start: int, end: int) -> set[int]:
    """Return the braces in [start, end) that are not closed by then, down to OPEN_DEPTH."""
    stack: list[int] = []
    for token in TOKEN.finditer(text, start, end):
        if token[0] in ("{", "["):
            stack.append(token.start())
            if len(stack) > OPEN_DEPTH:
                break
        elif token[0] in ("}", "]") and stack:
            stack.pop()
    return set(stack)


def column_of(text: str, field: str) -> int:
    """Return the column of a field's value, 1 where the text does not show it. Of `a.b` the last part counts."""
    key = re.escape(json.dumps(field.rpartition(".")[2], ensure_ascii=False))
    match = re.search(rf"{key}\s*:\s*", text)
    return match.end() + 1 if match else 1


def _too_deep(text: str) -> int:
    depth = 0
    for token in TOKEN.finditer(text):
        depth += (token[0] in ("{", "[")) - (token[0] in ("}", "]"))
        if depth > DEPTH:
            return token.start() + 1
    return 0


def _value_fault(text: str, code: str, literal: str) -> Fault:
    if code == "DUPLICATE_KEY":
        found = [token.start() for token in TOKEN.finditer(text) if _is_key(text, token, literal)]
        column = found[1] + 1 if len(found) > 1 else 1
        return Fault(code, column, literal, f"the key {quote(literal)} stands twice in one object", "each key once")
    at = next((token.start() for token in TOKEN.finditer(text) if token[0] == literal), 0)
    if code == "NOT_FINITE":
        return Fault(code, at + 1, "", f"{literal} is not JSON", "a finite number or null")
    shown = literal if len(literal) <= 24 else f"{literal[:20]}... ({len(literal)} characters)"
    return Fault(code, at + 1, "", f"{shown} is out of range", "a number that fits 64 bits")


def _is_key(text: str, token: re.Match, key: str) -> bool:
    if not token[0].startswith('"') or not _COLON.match(text, token.end()):
        return False
    try:
        return json.loads(token[0]) == key
    except ValueError:
        return False


def _grammar_fault(text: str, error: json.JSONDecodeError) -> Fault:
    at, end = error.pos, len(text.rstrip(" \t\r\n"))
    rest = text[at:].lstrip(" \t\r\n")
    at += len(text[at:]) - len(rest)
    if at >= end or error.msg.startswith("Unterminated string"):
        return Fault("JSON", end + 1, "", VALUE_CUT_OFF, "a closed object", "was the file cut off?")
    char, before = text[at], text[:at].rstrip(" \t\r\n")
    if error.msg.startswith("Extra data"):
        wrong = "a second value stands on the line" if char in '{["' else f"{quote(rest[:10])} after the value"
        if "\r" in text[len(before) : at]:
            return Fault("JSON", at + 1, "", "a carriage return alone ends a line", "LF line ends")
        return Fault("JSON", at + 1, "", wrong, "one object a line")
    if error.msg.startswith("Invalid control character"):
        return Fault("JSON", at + 1, "", f"control character U+{ord(char):04X} in a text", "its escape, or none")
    if char in "}]" and before.endswith(","):
        return Fault("JSON", len(before), "", "trailing comma", f"no comma before {char}")
    if char == "," and text[at + 1 :].lstrip(" \t\r\n")[:1] in ("}", "]"):
        return Fault("JSON", at + 1, "", "trailing comma", "no comma before the end")
    if char == "'":
        return Fault("JSON", at + 1, "", "single quotes", "double quotes")
    if char in "/#":
        return Fault("JSON", at + 1, "", "a comment", "JSON, which has none")
    return Fault("JSON", at + 1, "", f"unexpected {quote(rest[:10])}", "JSON")
