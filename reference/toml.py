"""One reader for all TOML files: world files, operation maps, submission cards, training configs."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from reference.errors import HarnessError


def read_toml(path: Path, error: type[HarnessError]) -> dict[str, Any]:
    """Return the table in a TOML file. Raises `error`, naming the file and the place in it."""
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise error(f"{path}: {fault.strerror}") from None
    return parse_toml(content, path, error)


def parse_toml(content: bytes, place: object, error: type[HarnessError]) -> dict[str, Any]:
    """Return the table in a TOML text. Raises `error` where it is none; `place` names the file in the message."""
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise error(f"{place}: not a TOML file: {fault}") from None
    except RecursionError:
        raise error(f"{place}: not a TOML file: nested too deep") from None
