"""Units of frame numbers that a row states beside them: rate, unit, inclusive end and first number.

Frames are read at one rate, from 0, the end exclusive. What a row says of its own frames must not contradict that: its
numbers would be read as others than were meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

LONGEST = 40
RATES = ("fps", "framerate", "framespersecond")
UNITS = ("unit", "units", "timeunit", "timeunits", "frameunit", "segmentunit")
NAMES = re.compile(
    rf"{'|'.join((*RATES, *UNITS))}|clipframes|(is|in)?seconds|(is|end)?(is)?(in|ex)clusive(end)?|bounds|interval"
    r"|(one|zero)(based|indexed)|(index|frame)base"
)
"""Names that say how frames are counted, without regard to case, `_`, `-` and spaces."""
_NUMBER = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(?:fps|hz)?\s*", re.IGNORECASE)
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")


class Contradiction(NamedTuple):
    """Field that contradicts how the frames beside it are read, what it says, and what to do."""

    field: str
    wrong: str
    remedy: str


def stated_units(holder: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an object says of how frames are counted, by the names of its fields."""
    return {key: value for key, value in holder.items() if value is not None and _is_name(key[:LONGEST])}


def contradiction(stated: Mapping[str, Any], rate: Fraction, clip_frames: int) -> Contradiction | None:
    """Return the first field that contradicts frames counted at `rate` from 0 to `clip_frames`, the end exclusive."""
    for key, value in stated.items():
        name = _plain(key.rpartition(".")[2])
        if name in RATES and (number := _number(value)) is not None and number != rate:
            wrong = f"is {float(number):g}, and the frames are read at {float(rate):g} frames per second"
            return Contradiction(key, wrong, f"give --fps {float(number):g} if they are counted so")
        if name == "clipframes" and (number := _number(value)) is not None and number != clip_frames:
            wrong = f"is {float(number):g}, and the frames are read as those of a clip of {clip_frames}"
            return Contradiction(key, wrong, f"give --clip-frames {float(number):g} if they are counted so")
        for names, is_other, meaning, remedy in _OTHERS:
            if re.fullmatch(names, name) and is_other(value):
                return Contradiction(key, f"says that {meaning}", remedy.format(rate=f"{float(rate):g}"))
    return None


def _is_yes(value: Any) -> bool:
    return value is True or str(value).strip().casefold() in _YES


def _is_no(value: Any) -> bool:
    return value is False or str(value).strip().casefold() in _NO


def _is_other_unit(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and not re.match(r"f$|fr$|frame", value.strip().casefold())


def _is_closed(value: Any) -> bool:
    return isinstance(value, str) and value.strip().casefold() in ("closed", "inclusive", "[]")


_SECONDS = "write frames, seconds x {rate} rounded"
_END = "write the frame after the last one as end_frame"
_FIRST = "count the first frame as 0"
_OTHERS: tuple[tuple[str, Callable[[Any], bool], str, str], ...] = (
    ("|".join(UNITS), _is_other_unit, "the numbers are no frames", _SECONDS),
    ("(is|in)?seconds", lambda value: value is True or str(value) in ("true", "True"), "they are seconds", _SECONDS),
    ("(is|end)?(is)?inclusive(end)?", _is_yes, "the end is inclusive", _END),
    ("(is|end)?(is)?exclusive(end)?", _is_no, "the end is inclusive", _END),
    ("bounds|interval", _is_closed, "the end is inclusive", _END),
    ("one(based|indexed)", _is_yes, "the first frame is 1", _FIRST),
    ("zero(based|indexed)", _is_no, "the first frame is 1", _FIRST),
    ("(index|frame)base", lambda value: _number(value) == 1, "the first frame is 1", _FIRST),
)
"""Names of other contradictions, when a value is one, what it means, and the remedy."""


def _number(value: Any) -> Fraction | None:
    """Return a number above 0, also one in a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    number = _NUMBER.fullmatch(str(value))
    return (Fraction(number[1]) or None) if number else None


@lru_cache(1024)
def _is_name(key: str) -> bool:
    return NAMES.fullmatch(_plain(key)) is not None


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key[:LONGEST].casefold())
