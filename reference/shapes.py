"""Shapes of JSON values from elsewhere: a page's recipe, a board, a rendering's lists, a shard's member.

A shape is a function (value, place) -> what is wrong, or "". Shapes are put together from the few below, so that each
kind of file has one table of what it may say: the keys, their types and their ranges, and nothing else.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from reference.errors import HarnessError
from reference.outside_files import INT64, is_utf8, json_lines

Shape = Callable[[Any, str], str]
_SHOWN = 60


def text(most: int = 1000, pattern: str = "", expected: str = "") -> Shape:
    """Return the shape of a text of at most so many characters, which a regular expression may match whole."""
    wanted = expected or f"a text of at most {most:,} characters"

    def fault(value: Any, place: str) -> str:
        fits = isinstance(value, str) and len(value) <= most and (not pattern or re.fullmatch(pattern, value))
        return "" if fits and "\0" not in value and is_utf8(value) else wrong(place, value, wanted)

    return fault


def integer(least: int = 0, most: int = INT64[-1]) -> Shape:
    """Return the shape of an integer in a range, ends included; True is none."""

    def fault(value: Any, place: str) -> str:
        fits = type(value) is int and least <= value <= most
        return "" if fits else wrong(place, value, f"an integer from {least:,} to {most:,}")

    return fault


def number(least: float = -math.inf, most: float = math.inf) -> Shape:
    """Return the shape of a finite number in a range, ends included; True is none."""
    bounds = f" from {least:g} to {most:g}" if math.isfinite(least) and math.isfinite(most) else ""

    def fault(value: Any, place: str) -> str:
        if type(value) is int:
            fits = value in INT64 and least <= value <= most
        else:
            fits = type(value) is float and math.isfinite(value) and least <= value <= most
        return "" if fits else wrong(place, value, f"a finite number{bounds}")

    return fault


def boolean(value: Any, place: str) -> str:
    """Shape of true and false."""
    return "" if type(value) is bool else wrong(place, value, "true or false")


def anything(value: Any, place: str) -> str:
    """Shape of what is not used."""
    return ""


def one_of(*values: Any) -> Shape:
    """Return the shape of a value that is one of these; None among them is null."""
    wanted = "one of " + ", ".join("null" if value is None else str(value) for value in values)

    def fault(value: Any, place: str) -> str:
        fits = any(value == known and type(value) is type(known) for known in values)
        return "" if fits else wrong(place, value, wanted)

    return fault


def optional(shape: Shape) -> Shape:
    """Return the shape of a value that may be null."""
    return lambda value, place: "" if value is None else shape(value, place)


def one_or_more(shape: Shape) -> Shape:
    """Return the shape of a value, or of an array of at least two."""
    several = array(shape, 2)
    return lambda value, place: (several if isinstance(value, list) else shape)(value, place)


def array(shape: Shape, least: int = 0, most: int = 10_000_000) -> Shape:
    """Return the shape of an array of so many values of one shape."""
    count = f"{least:,} values" if least == most else f"{least:,} to {most:,} values"

    def fault(value: Any, place: str) -> str:
        if not isinstance(value, list) or not least <= len(value) <= most:
            return wrong(place, value, f"an array of {count}")
        return next((found for i, each in enumerate(value) if (found := shape(each, f"{place}[{i}]"))), "")

    return fault


def table(
    required: Mapping[str, Shape], optional_keys: Mapping[str, Shape] | None = None, *, others: bool = False
) -> Shape:
    """Return the shape of an object with these keys. With `others` it may have more, which are not looked at."""
    allowed = {**required, **(optional_keys or {})}

    def fault(value: Any, place: str) -> str:
        if not isinstance(value, dict):
            return wrong(place, value, "an object")
        for key in required:
            if key not in value:
                return f"{_path(place, key)} is missing"
        for key, each in value.items():
            if key not in allowed:
                if not others:
                    return f"{_path(place, _short(key))} is not expected; there may be {', '.join(allowed)}"
            elif found := allowed[key](each, _path(place, key)):
                return found
        return ""

    return fault


def mapping(key: Shape, value_shape: Shape) -> Shape:
    """Return the shape of an object whose keys are of one shape and whose values are of another."""

    def fault(value: Any, place: str) -> str:
        if not isinstance(value, dict):
            return wrong(place, value, "an object")
        for name, each in value.items():
            if found := key(name, f"a key of {place or 'the object'}") or value_shape(each, _path(place, _short(name))):
                return found
        return ""

    return fault


def wrong(place: str, value: Any, expected: str) -> str:
    """Return the sentence about a value that is not what is expected."""
    return f"{place or 'it'} is {shown(value)}, expected {expected}"


def shown(value: Any) -> str:
    """Return a value for a message: scalars cut short, arrays and objects by their kind and length."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'an array'} of {len(value):,}"
    if type(value) is int and value not in INT64:
        return "an integer of more than 64 bits"
    return _short(json.dumps(value)) if value is None or isinstance(value, str | int | float) else type(value).__name__


def _path(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


CLIP_ID = text(128, r"[^\x00-\x1f\x7f]+", "the name of a clip")


def clip_rows(
    path: Path, check_row: Callable[[Any, str], dict[str, Any]], error: type[HarnessError]
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield of each line of a list of clips where it begins, its place (`file:line`) and its row.

    `check_row(value, place)` returns the row, whose clip_id is a CLIP_ID. Raises `error` at the place of what is no
    JSON, and of a clip that an earlier line names.
    """
    seen: set[str] = set()
    for at, place, value in json_lines(path, error):
        row = check_row(value, place)
        if row["clip_id"] in seen:
            raise error(f"{place}: clip_id {shown(row['clip_id'])} stands there twice")
        seen.add(row["clip_id"])
        yield at, place, row


def check(value: Any, shape: Shape, place: str, error: type[HarnessError]) -> Any:
    """Return a value that has the shape. Raises `error`, which begins with `place`, for any other."""
    if found := shape(value, ""):
        raise error(f"{place}: {found}")
    return value
