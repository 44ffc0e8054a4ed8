"""Search for the answer in a model's text: JSON alone, in a fence, in prose, or slightly broken.

Of several objects in a text the last that is a whole answer counts: models that think aloud end with their answer. Any
answer but JSON alone, also in a Markdown fence, is marked as repaired. Nothing is guessed: a text without a complete
answer is unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from harness.ingestion.diagnostics import Problem
from harness.ingestion.lines.field_check import FieldCheck, check_answer
from harness.ingestion.lines.fields import FIELDS, answer_part
from harness.ingestion.lines.hints import may_hold_answer
from harness.ingestion.lines.turns import said_in
from harness.ingestion.strict_json import VALUE_CUT_OFF, objects_inside, parse
from harness.ingestion.vocabulary import Vocabulary

CANDIDATES = 20
"""So many objects of a text are asked why they are no answer."""
_FENCE = re.compile(r"(`{3,}+|~{3,}+)[ \t]*+(?:json[c5]?+|JSON)?+[^\S\n]*+\n")
"""First line of a text that is one fenced block: how chat models write JSON when they are asked for nothing else."""
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")


class Found(NamedTuple):
    """Result of reading a model's text: an object with a whole answer or None, and why the nearest one is none."""

    value: dict[str, Any] | None
    repaired: bool = False
    problem: Problem | None = None


def read_answer(words: Vocabulary, text: str) -> tuple[dict[str, Any] | None, bool]:
    """Return the answer fields in a model's text, with confidences, or None; and whether it was cut out or repaired."""
    found = find_answer(words, text)
    return found.value and answer_part(found.value), found.repaired


def find_answer(words: Vocabulary, text: str) -> Found:
    """Return the object in a model's text that is a whole answer, or the first problem of the one nearest to it."""
    near: list[list[Problem]] = []

    def is_answer(candidate: dict[str, Any]) -> bool:
        """Return True for an object that is a whole answer to some clip."""
        answer = answer_part(candidate)
        good = bool(answer) and not check_answer(words, answer).problems
        if not good and len(near) < CANDIDATES and (answer or may_hold_answer(candidate)):
            beside = {key: item for key, item in candidate.items() if key not in FIELDS}  # for what they may mean
            fields = FieldCheck(words, 1, {"clip_id": "", **beside, **answer}, "", 1)
            if answer or not fields.answer_elsewhere():
                fields.check_fields()
            near.append(fields.problems)
        return good

    value, repaired = answer_in(text, is_answer)
    if value is not None:
        return Found(value, repaired)
    # candidates come last first; one that is whole but for a bad value tells more than a fragment
    nearest = min(near, key=_missing, default=[])
    cut_off = _cut_off(text) if _missing(nearest) or not nearest else None
    return Found(None, problem=cut_off or next(iter(nearest), None))


def _missing(problems: list[Problem]) -> int:
    return sum(problem.code == "MISSING" for problem in problems)


def _cut_off(text: str) -> Problem | None:
    """Return the problem of a text that ends inside an object, as answers do that reach a limit of tokens."""
    if "{" not in text:
        return None
    faults = parse(text[text.find("{") :].rstrip("` \r\n"))[1]
    if not faults or faults[0].wrong != VALUE_CUT_OFF:
        return None
    return Problem(1, 1, "JSON", "", VALUE_CUT_OFF, "a closed object", "was the answer cut off?")


def answer_in(text: str, is_answer: Callable[[dict[str, Any]], bool]) -> tuple[dict[str, Any] | None, bool]:
    """Return the answer or None, and whether it had to be cut out or repaired."""
    text = said_in(text)
    value, faults = parse(_unfenced(text))
    if isinstance(value, dict) and not faults and is_answer(value):
        return value, False
    for candidate in _readings(text):
        for found in reversed(objects_inside(candidate)):
            if is_answer(found):
                return found, True
    return None, False


def _unfenced(text: str) -> str:
    """Return what stands in a text that is one fenced block; any other text as it is."""
    block = text.strip()
    opening = _FENCE.match(block)
    if opening is None or not block.endswith(opening[1]):
        return text
    inside = block[opening.end() : len(block) - len(opening[1])]
    content = inside.rstrip()
    return content if "\n" in inside[len(content) :] else text


def _readings(text: str) -> Iterator[str]:
    """Yield the text, then repairs of the slips that models make, the likeliest first."""
    yield text
    repaired = _TRAILING_COMMA.sub(r"\1", text)
    if '"' not in repaired:
        repaired = repaired.replace("'", '"')
    yield repaired
    yield repaired + "}"
