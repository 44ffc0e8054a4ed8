"""One reader for all TOML files: world files, operation maps, submission cards, training configs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reference.errors import HarnessError
from reference.outside_files import DEPTH, INT64, decode, read_bytes

_LONG_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+)""" + f"{{{DEPTH}}}",
)
"""A dotted key so long that it nests too deep; tomllib takes time with the square of its length."""


def read_toml(path: Path, error: type[HarnessError]) -> dict[str, Any]:
    """Return the table in a TOML file. Raises `error`, naming the file and the place in it."""
    return parse_toml(read_bytes(path, error), path, error)


def parse_toml(content: bytes, place: object, error: type[HarnessError]) -> dict[str, Any]:
    """Return the table in a TOML text. Raises `error` where it is none; `place` names the file in the message."""
    text = decode(content, place, error)
    try:
        if _LONG_KEY.search(text):
            raise RecursionError
        table = tomllib.loads(text)
        if any(isinstance(value, int) and value not in INT64 for value in _values(table)):
            raise ValueError("an integer is outside 64 bits")
    except ValueError as fault:  # TOMLDecodeError, and a number of more than 4,300 digits
        raise error(f"{place}: not a TOML file: {fault}") from None
    except RecursionError:
        raise error(f"{place}: not a TOML file: nested too deep") from None
    return table


def _values(value: Any) -> Iterator[Any]:
    """Yield the values in a table, at any depth. Raises RecursionError."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _values(part)
    else:
        yield value
