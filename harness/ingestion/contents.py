"""Text in the contents of chat messages: a text, a list of parts, or turns of which the model's last counts."""

from __future__ import annotations

from typing import Any

MODEL_ROLES, ASKERS = ("assistant", "gpt", "model"), ("user", "human")
THOUGHTS = frozenset(("thinking", "redacted_thinking", "thought", "reasoning", "reasoning_text", "reasoning_content"))
"""Types of parts that are no answer."""


def text_in(value: Any) -> str | None:
    """Return a text, one that stands alone in lists, or what the model says last in turns; else None."""
    while isinstance(value, list) and len(value) == 1 and not isinstance(value[0], dict):
        value = value[0]
    if isinstance(value, str):
        return value
    turns = [value] if isinstance(value, dict) else value
    return last_turn(turns) or None if are_turns(turns) else None


def unwrapped(value: Any) -> Any:
    """Return the object that stands alone in a list, as pipelines wrap each of their results; else the value."""
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) else value


def are_turns(value: Any) -> bool:
    """Return True for a list of messages, each with who says what."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(turn, dict) and who(turn) and ("content" in turn or "value" in turn) for turn in value)
    )


def last_turn(turns: Any) -> str:
    """Return the text of the last turn that is a model's; empty where there is none, or a question is open."""
    turns = [turn for turn in turns if isinstance(turn, dict)] if isinstance(turns, list) else []
    if turns and who(turns[-1]) in ASKERS:
        return ""
    texts = [text_of(turn.get("content", turn.get("value"))) for turn in turns if who(turn) in MODEL_ROLES]
    return texts[-1] if texts else ""


def question_in(value: Any) -> str:
    """Return a text, or what turns say before the model does; empty without one."""
    turns = [value] if isinstance(value, dict) else value
    if are_turns(turns):
        return next((text_of(turn.get("content", turn.get("value"))) for turn in turns if who(turn) in ASKERS), "")
    return value if isinstance(value, str) else ""


def who(turn: dict[str, Any]) -> Any:
    """Return the role of a turn, or None."""
    return turn.get("from", turn.get("role"))


def text_of(content: Any) -> str:
    """Return a text, or the texts of a list of parts or messages in a row, without thoughts; empty without one."""
    if isinstance(content, dict):
        return text_of(content.get("content")) if "content" in content else _part(content)
    if isinstance(content, list):
        return "".join(_part(part) for part in content)
    return content if isinstance(content, str) else ""


def _part(part: Any) -> str:
    if not isinstance(part, dict):
        return part if isinstance(part, str) else ""
    if part.get("type") in THOUGHTS or part.get("thought") is True or who(part) in ("user", "system", "tool"):
        return ""
    return part["text"] if isinstance(part.get("text"), str) else text_of(part.get("content"))
