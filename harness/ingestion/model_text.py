"""The answer inside what a model really said: JSON alone, in a fence, in prose, or slightly broken.

Of several objects in a text the last that is a whole answer counts: models that think aloud end with their answer. What
was not JSON alone is marked as repaired. Nothing is guessed: a text in which no complete answer stands is unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from harness.ingestion.strict_json import objects_inside, parse

_TRAILING_COMMA = re.compile(r",(\s*[}\]])")


def answer_in(text: str, is_answer: Callable[[dict[str, Any]], bool]) -> tuple[dict[str, Any] | None, bool]:
    """(the answer or None, whether it had to be cut out or mended)."""
    value, faults = parse(text)
    if isinstance(value, dict) and not faults and is_answer(value):
        return value, False
    for candidate in _readings(text):
        for found in reversed(objects_inside(candidate)):
            if is_answer(found):
                return found, True
    return None, False


def _readings(text: str) -> Iterator[str]:
    """The text, then the text with the slips that models make undone, the likeliest first."""
    yield text
    mended = _TRAILING_COMMA.sub(r"\1", text)
    if '"' not in mended:
        mended = mended.replace("'", '"')
    yield mended
    yield mended + "}"
