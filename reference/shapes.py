"""Shapes of JSON values from elsewhere: a page's recipe, a board, a rendering's lists, a shard's member.

A shape is a function (value, place) -> what is wrong, or "". Shapes are put together from the few below, so that each
kind of file has one table of what it may say: the keys, their types and their ranges, and nothing else. `read_json`
reads a whole file of limited size and depth.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from reference.errors import HarnessError

Shape = Callable[[Any, str], str]
DEPTH = 64
JSON_BYTES, LINE_BYTES = 1 << 28, 1 << 20
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_OPEN, _SHUT = frozenset("[{"), frozenset("]}")
_SHOWN = 60


def text(most: int = 1000, pattern: str = "", expected: str = "") -> Shape:
    """Return the shape of a text of at most so many characters, which a regular expression may match whole."""
    wanted = expected or f"a text of at most {most:,} characters"

    def fault(value: Any, place: str) -> str:
        fits = isinstance(value, str) and len(value) <= most and (not pattern or re.fullmatch(pattern, value))
        return "" if fits and _is_unicode(value) else wrong(place, value, wanted)

    return fault


def integer(least: int = 0, most: int = (1 << 63) - 1) -> Shape:
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
            fits = abs(value) < 1 << 63 and least <= value <= most
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
    if type(value) is int and abs(value) >= 1 << 63:
        return "an integer of more than 64 bits"
    return _short(json.dumps(value)) if value is None or isinstance(value, str | int | float) else type(value).__name__


def _path(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _is_unicode(text: str) -> bool:
    """Return whether a text holds no half surrogate pair and no NUL, which no file name and no output can hold."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def parse_json(content: str, place: str, error: type[HarnessError]) -> Any:
    """Return the JSON value in a text. Raises `error`, naming `place`, where it is none or nested deeper than DEPTH."""
    if _depth_above(content, DEPTH):
        raise error(f"{place}: nested deeper than {DEPTH}")
    try:
        return json.loads(content, parse_constant=_refuse)
    except json.JSONDecodeError as fault:
        line = f", line {fault.lineno}" if "\n" in content.rstrip("\n") else ""
        raise error(f"{place}: not JSON ({fault.msg}{line})") from None
    except (ValueError, RecursionError) as fault:
        raise error(f"{place}: not JSON that is read here ({str(fault)[:100]})") from None


def read_json(path: Path, error: type[HarnessError], most: int = JSON_BYTES) -> Any:
    """Return the JSON value in a regular file of at most `most` bytes. Raises `error`, naming the file."""
    return parse_json(decode(read_bytes(path, error, most), path, error), str(path), error)


def decode(content: bytes, place: object, error: type[HarnessError]) -> str:
    """Return the text of these UTF-8 bytes. Raises `error`."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise error(f"{place}: line {line} is not UTF-8") from None


def read_bytes(path: Path, error: type[HarnessError], most: int) -> bytes:
    """Return the content of a regular file of at most `most` bytes. Raises `error`, naming the file."""
    with open_regular(path, error) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise error(f"{path}: has more than {most:,} bytes, which are not read")
    return content


@contextlib.contextmanager
def open_regular(path: Path, error: type[HarnessError]) -> Iterator[IO[bytes]]:
    """Open a regular file for reading. Raises `error` for what cannot be read, and for a pipe: it would never end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as fault:
        raise error(f"{_short(ascii(str(path)))}: cannot be read ({fault})") from None
    except OSError as fault:
        raise error(f"{path}: {fault.strerror}") from None
    try:
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind):
            raise error(f"{path}: is {'a folder' if stat.S_ISDIR(kind) else 'no regular file'}")
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    except OSError as fault:
        raise error(f"{path}: {fault.strerror or fault}") from None
    finally:
        os.close(descriptor)


def json_lines(path: Path, error: type[HarnessError]) -> Iterator[tuple[int, str, Any]]:
    """Yield of each line of a JSON Lines file where it begins, its place (`file:line`) and its value.

    A line ends at a line feed alone: str.splitlines would also cut at U+2028, which JSON texts may hold. Raises `error`
    at that place, also for a line of more than LINE_BYTES.
    """
    with open_regular(path, error) as file:
        at = 0
        for number, line in enumerate(iter(lambda: file.readline(LINE_BYTES + 1), b""), 1):
            yield at, f"{path}:{number}", json_line(line, f"{path}:{number}", error)
            at += len(line)


def json_line(line: bytes, place: str, error: type[HarnessError]) -> Any:
    """Return the value of a line of a JSON Lines file. Raises `error`, naming its place."""
    if len(line) > LINE_BYTES:
        raise error(f"{place}: has more than {LINE_BYTES:,} bytes, which are not read")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise error(f"{place}: not UTF-8") from None
    return parse_json(text, place, error)


def _depth_above(content: str, limit: int) -> bool:
    """Return whether arrays and objects of a JSON text stand in more than `limit` others."""
    if content.count("[") + content.count("{") <= limit:
        return False
    depth = 0
    for char in re.finditer(r"[\[\]{}]", _STRING.sub("", content)):
        depth += 1 if char[0] in _OPEN else -1
        if depth > limit:
            return True
    return False


def _refuse(literal: str) -> None:
    raise ValueError(f"{literal} is no JSON")


def check(value: Any, shape: Shape, place: str, error: type[HarnessError]) -> Any:
    """Return a value that has the shape. Raises `error`, which begins with `place`, for any other."""
    if found := shape(value, ""):
        raise error(f"{place}: {found}")
    return value
