"""Search for the answer in a model's text: JSON alone, in a fence, in prose, or slightly broken.

Of several objects in a text the last that is a whole answer counts: models that think aloud end with their answer. Any
answer but JSON alone, also in a Markdown fence, is marked as repaired. Nothing is guessed: a text without a complete
answer is unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from harness.ingestion.strict_json import objects_inside, parse

_MODELS_TURN = re.compile(
    r"<\|im_start\|>\s*assistant|<start_of_turn>\s*model|<\|start_header_id\|>\s*assistant\s*<\|end_header_id\|>"
    r"|<\|assistant\|>|\[/INST\]|(?:^|\n)ASSISTANT:"
)
"""Where the model's turn begins in a text that repeats the whole chat: what stands before it is the question."""
_FENCE = re.compile(r"(`{3,}+|~{3,}+)[ \t]*+(?:json[c5]?+|JSON)?+[^\S\n]*+\n")
"""First line of a text that is one fenced block: how chat models write JSON when they are asked for nothing else."""
_THOUGHT = r"(?:think|thinking|thought|reasoning|reflection|scratchpad)"
_THOUGHT_ENDS = re.compile(rf"</{_THOUGHT}>|◁/think▷|<\|end_of_thought\|>|<\|channel\|>\s*final", re.IGNORECASE)
_THOUGHT_BEGINS = re.compile(rf"<{_THOUGHT}>|◁think▷|<\|begin_of_thought\|>|<\|channel\|>\s*analysis", re.IGNORECASE)
"""Marks round what a model only thought: no draft in it is an answer, also where the first or the last is missing."""
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")


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


def said_in(text: str) -> str:
    """Return what a model said at last: without the question before its turn, and without its thoughts."""
    for marks in (_MODELS_TURN, _THOUGHT_ENDS):
        ends = [mark.end() for mark in marks.finditer(text)]
        text = text[ends[-1] :] if ends else text
    return _THOUGHT_BEGINS.split(text, maxsplit=1)[0]


def _readings(text: str) -> Iterator[str]:
    """Yield the text, then repairs of the slips that models make, the likeliest first."""
    yield text
    repaired = _TRAILING_COMMA.sub(r"\1", text)
    if '"' not in repaired:
        repaired = repaired.replace("'", '"')
    yield repaired
    yield repaired + "}"
