"""Mutations that know a structure: of JSON values, of bytes, of command lines. A seed gives the same ones again."""

from __future__ import annotations

import json
import random
from typing import Any

DEEP = "DEEP-CANARY"
"""Text that `dumped` replaces by arrays nested 100,000 deep, which json.dumps cannot write."""
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    125,
    1 << 31,
    1 << 63,
    -(1 << 63) - 1,
    10**400,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "0",
    "NaN",
    "x" * 100_000,
    "\0",
    "a\0b",
    "\ud800",
    "\u202e\u0007\u001b[31m",
    "e\u0301",
    "..",
    "../../../../etc/passwd",
    "/etc/passwd",
    "/dev/zero",
    "C:\\x",
    "a" * 300,
    [],
    {},
    [None],
    [[]],
    {"": None},
    DEEP,
)


def mutate_value(value: Any, draw: random.Random) -> Any:
    """Change one place of a JSON value: another value, a key or element more, fewer or twice, or another type."""
    if not isinstance(value, dict | list) or not value or draw.random() < 0.15:
        return _other(value, draw)
    if isinstance(value, dict):
        return _other_object(value, draw)
    at = draw.randrange(len(value))
    kind = draw.random()
    if kind < 0.1:
        return value[:at] + value[at + 1 :]
    if kind < 0.2:
        return [*value[:at], value[at], *value[at:]]
    if kind < 0.25:
        return value[::-1]
    return [*value[:at], mutate_value(value[at], draw), *value[at + 1 :]]


def _other_object(value: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    key, kind = draw.choice(sorted(value)), draw.random()
    if kind < 0.12:
        return {name: each for name, each in value.items() if name != key}
    if kind < 0.2:
        return value | {draw.choice(("", "x", "home", "truth", "organiser", "\ud800", "__class__")): draw.choice(ODD)}
    if kind < 0.25:
        return {draw.choice((name.upper(), f"{name} ", "")) if name == key else name: value[name] for name in value}
    return value | {key: mutate_value(value[key], draw)}


def _other(value: Any, draw: random.Random) -> Any:
    if isinstance(value, int | float) and draw.random() < 0.4:
        return value + draw.choice((-1, 1, 0.5, 1000, -1000))
    if isinstance(value, str) and value and draw.random() < 0.4:
        at = draw.randrange(len(value))
        return draw.choice((value[:at], value[at:], value + value, value[:at] + "\0" + value[at:], value.upper()))
    if draw.random() < 0.1:
        return draw.choice(([value], {"x": value}, str(value)))
    return draw.choice(ODD)


def mutate_bytes(content: bytes, draw: random.Random) -> bytes:
    """Change bytes: cut off, turned, doubled, filled with another byte, put in, or all of them others."""
    at, end = sorted(draw.randrange(len(content) + 1) for _ in range(2))
    few = bytes(draw.randrange(256) for _ in range(draw.choice((1, 1, 4, 60))))
    return draw.choice(
        (
            content[:at],
            content[at:],
            content[:at] + few + content[at + len(few) :],
            content[:at] + few + content[at:],
            content[:at] + content[end:],
            content + content[at:end],
            content[:at] + b"\0" * (end - at) + content[end:],
            b"",
            few,
            b"\xff\xfe" + content.decode("utf-8", "replace").encode("utf-16-le"),
            b"\xef\xbb\xbf" + content,
            content.replace(b"\n", b"\r"),
        )
    )


def dumped(value: Any) -> bytes:
    """Return a value as JSON, NaN and half surrogate pairs and all."""
    return json.dumps(value).replace(json.dumps(DEEP), "[" * 100_000 + "]" * 100_000).encode()
