"""Text in the contents of chat messages: a text, a list of parts, or turns of which the model's last counts.

A model that answers by calling a function says the call's arguments, as JSON, where they hold a field of an answer.
"""

from __future__ import annotations

import json
from typing import Any

_SAYING = frozenset(("content", "value", "tool_calls"))
MODEL_ROLES, ASKERS = ("assistant", "gpt", "model"), ("user", "human")
THOUGHTS = frozenset(("thinking", "redacted_thinking", "thought", "reasoning", "reasoning_text", "reasoning_content"))
"""Types of parts that are no answer."""
NEEDED = "dominant_operation"
"""Field without which no object is an answer: a call without it looks something up."""
CALLS, CALLED = ("tool_calls", "function_call"), ("function", "functionCall", "function_call", "toolUse")
ARGUMENTS = ("arguments", "input", "args", "parameters")
"""Keys of a message for its calls of functions, keys of a call for the function, and keys of that for its arguments."""


def text_in(value: Any) -> str | None:
    """Return a text, one in parts or alone in lists, or what the model says last in turns; else None."""
    if _are_parts(value):
        return text_of(value) or None
    while isinstance(value, list) and len(value) == 1 and not isinstance(value[0], dict):
        value = value[0]
    if isinstance(value, str):
        return value
    turns = [value] if isinstance(value, dict) else value
    return last_turn(turns) or None if are_turns(turns) else None


def _are_parts(value: Any) -> bool:
    """Return True for a list of parts of one text, and for what a pipeline wraps in a list: one generated text."""
    if not isinstance(value, list) or not value or are_turns(value):
        return False
    if not all(isinstance(part, dict) for part in value):
        return False
    return all("type" in part for part in value) or (len(value) == 1 and "generated_text" in value[0])


def unwrapped(value: Any) -> Any:
    """Return the object that stands alone in a list, as pipelines wrap each of their results; else the value."""
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) else value


def are_turns(value: Any) -> bool:
    """Return True for a list of messages, each with who says what."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(turn, dict) and who(turn) and not _SAYING.isdisjoint(turn) for turn in value)
    )


def last_turn(turns: Any) -> str:
    """Return the text of the last turn that is a model's; empty where there is none, or a question is open."""
    turns = [turn for turn in turns if isinstance(turn, dict)] if isinstance(turns, list) else []
    if turns and who(turns[-1]) in ASKERS:
        return ""
    texts = [turn_text(turn) for turn in turns if who(turn) in MODEL_ROLES]
    return texts[-1] if texts else ""


def question_in(value: Any) -> str:
    """Return a text, or what turns say before the model does; empty without one."""
    turns = [value] if isinstance(value, dict) else value
    if are_turns(turns):
        return next((text_of(turn.get("content", turn.get("value"))) for turn in turns if who(turn) in ASKERS), "")
    return value if isinstance(value, str) else ""


def turn_text(turn: dict[str, Any]) -> str:
    """Return the text of a turn, and what it says in calls of functions."""
    return _joined(text_of(turn.get("content", turn.get("value"))), calls_in(turn))


def calls_in(message: Any) -> str:
    """Return the arguments of the calls beside the content of a message, where they answer; empty without them."""
    called = [message.get(name) for name in CALLS] if isinstance(message, dict) else []
    calls = [call for item in called if item for call in (item if isinstance(item, list) else [item])]
    return _joined(*map(_arguments, calls))


def _arguments(call: Any) -> str:
    """Return the arguments of a call of a function that hold an answer, as JSON; empty for anything else."""
    if not isinstance(call, dict):
        return ""
    called = next((call[name] for name in CALLED if isinstance(call.get(name), dict)), call)
    given = next((called[name] for name in ARGUMENTS if called.get(name)), "")
    text = json.dumps(given, ensure_ascii=False) if isinstance(given, dict) else given
    return text if isinstance(text, str) and NEEDED in text else ""


def _joined(*texts: str) -> str:
    return "\n".join(text for text in texts if text.strip())


def who(turn: dict[str, Any]) -> Any:
    """Return the role of a turn, or None."""
    return turn.get("from", turn.get("role"))


def text_of(content: Any) -> str:
    """Return a text, or the texts of a list of parts or messages in a row, without thoughts; empty without one."""
    if isinstance(content, dict):
        return turn_text(content) if "content" in content else _part(content)
    if isinstance(content, list):
        return "".join(_part(part) for part in content)
    return content if isinstance(content, str) else ""


def _part(part: Any) -> str:
    if not isinstance(part, dict):
        return part if isinstance(part, str) else ""
    if part.get("type") in THOUGHTS or part.get("thought") is True or who(part) in ("user", "system", "tool"):
        return ""
    if isinstance(part.get("text"), str):
        return part["text"]
    return text_of(part.get("content", part.get("generated_text"))) or calls_in(part) or _arguments(part)
