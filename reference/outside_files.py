"""Files from outside, read in one way: a regular file, within a limit of bytes, UTF-8, JSON of limited depth.

Cards, worlds, records, maps, pages, lists of clips: whoever wrote them, a file of gigabytes is not read into memory, a
pipe or device in the place of a file does not hang the reader, and deep nesting ends no recursion. Every fault is the
caller's kind of HarnessError, one sentence that begins with the file, or with `place` where the user knows the file by
another name.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from reference.errors import HarnessError
from reference.machine import is_of_the_machine

SMALL_BYTES, JSON_BYTES, LINE_BYTES = 1 << 20, 1 << 28, 1 << 20
"""Most bytes of a file that people write or programs keep small, of a JSON file, and of a line of JSON Lines."""
DEPTH = 64
"""Levels to which arrays, objects and tables may be nested."""
INT64 = range(-(1 << 63), 1 << 63)
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@contextlib.contextmanager
def open_regular(path: Path, error: type[HarnessError], place: object = None) -> Iterator[IO[bytes]]:
    """Open a regular file for reading. Raises `error` for anything else: a pipe would never end.

    An OSError passes where the machine is at fault (no open files left, say) and not the file.
    """
    place = place or path
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as fault:  # a NUL in the name, or half a surrogate pair
        raise error(f"{place}: no file can have this name ({fault})") from None
    except OSError as fault:
        if is_of_the_machine(fault):
            raise
        is_socket = fault.errno == errno.ENXIO
        raise error(f"{place}: {'not a regular file' if is_socket else fault.strerror}") from None
    try:
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind):
            raise error(f"{place}: {'is a directory' if stat.S_ISDIR(kind) else 'not a regular file'}")
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    except OSError as fault:
        if is_of_the_machine(fault):
            raise
        raise error(f"{place}: {fault.strerror or fault}") from None
    finally:
        os.close(descriptor)


def read_bytes(path: Path, error: type[HarnessError], most: int = SMALL_BYTES, place: object = None) -> bytes:
    """Return the content of a regular file of at most `most` bytes. Raises `error`."""
    place = place or path
    with open_regular(path, error, place) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise error(f"{place}: has more than {most:,} bytes, which are not read")
    return content


def read_text(path: Path, error: type[HarnessError], most: int = SMALL_BYTES, place: object = None) -> str:
    """Return the text of a regular UTF-8 file of at most `most` bytes. Raises `error`."""
    return decode(read_bytes(path, error, most, place), place or path, error)


def read_json(path: Path, error: type[HarnessError], most: int = SMALL_BYTES, place: object = None) -> Any:
    """Return the JSON value in a regular file of at most `most` bytes. Raises `error`."""
    return parse_json(read_text(path, error, most, place), place or path, error)


def read_object(path: Path, error: type[HarnessError], most: int = SMALL_BYTES) -> dict[str, Any]:
    """Return the JSON object in a regular file of at most `most` bytes. Raises `error`."""
    value = read_json(path, error, most)
    if not isinstance(value, dict):
        raise error(f"{path}: not a JSON object")
    return value


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
    return parse_json(decode(line, place, error), place, error)


def decode(content: bytes, place: object, error: type[HarnessError], *, mark: bool = False) -> str:
    """Return the text of these UTF-8 bytes, without a byte order mark where there may be a `mark`. Raises `error`."""
    try:
        return content.decode("utf-8-sig" if mark else "utf-8")
    except UnicodeDecodeError as fault:
        wide = " but UTF-16" if content[:2] in _UTF16 else ""
        raise error(
            f"{place}{_line(content, fault.start)}: not UTF-8{wide} ({fault.reason}): save the file as UTF-8"
        ) from None


def _line(content: bytes, at: int) -> str:
    """Return which line of several holds a byte, as the end of a place; "" where there is only one line."""
    line = content.count(b"\n", 0, at) + 1
    return f":{line}" if b"\n" in content.rstrip(b"\r\n") else ""


def parse_json(text: str, place: object, error: type[HarnessError]) -> Any:
    """Return the JSON value in a text. Raises `error`, naming `place`, where it is none or nested deeper than DEPTH."""
    if is_deep(text):
        raise error(f"{place}: nested deeper than {DEPTH}")
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as fault:
        line = f", line {fault.lineno}" if "\n" in text.rstrip("\n") else ""
        raise error(f"{place}: not JSON ({fault.msg}{line})") from None
    except (ValueError, RecursionError) as fault:
        raise error(f"{place}: not JSON that is read here ({str(fault)[:100]})") from None


def is_deep(text: str) -> bool:
    """Return whether arrays and objects of a JSON text are nested deeper than DEPTH."""
    if text.count("[") + text.count("{") <= DEPTH:
        return False
    depth = 0
    for char in re.finditer(r"[\[\]{}]", _STRING.sub("", text)):
        depth += 1 if char[0] in "[{" else -1
        if depth > DEPTH:
            return True
    return False


def is_utf8(value: Any) -> bool:
    """Return whether UTF-8 can hold a text, or each text in a JSON value: it has no half surrogate pair."""
    try:
        (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(literal: str) -> None:
    raise ValueError(f"{literal} is no JSON")
