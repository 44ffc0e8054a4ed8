"""Read a chat completion: an answer, or why it is none."""

from __future__ import annotations

import json
from typing import Any

from harness.prediction.asker import NotAnswered, check_finished
from harness.prediction.predictor import Reply
from harness.usage.fields import MOST

WHITE_SPACE = "with white space, "


def is_white_space(failure: NotAnswered) -> bool:
    """Return True where an answer was cut off while it was white space alone, as servers do that hold to a form."""
    return failure.kind == "cut off" and failure.words.startswith(WHITE_SPACE)


def to_reply(value: Any, latency_ms: float | None) -> Reply:
    """Return the reply in a chat completion. Raises NotAnswered for one that was cut off, refused, or is none."""
    try:
        choice = value["choices"][0]
        if choice.get("error"):
            raise NotAnswered("server error", json.dumps(choice["error"]))
        message, finish = choice["message"], choice.get("finish_reason")
        text, refusal = message.get("content"), message.get("refusal")
    except (TypeError, KeyError, IndexError, AttributeError):
        raise NotAnswered("unreadable reply", f"no chat completion: {json.dumps(value)}") from None
    if isinstance(text, list):  # content parts
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
    if refusal and not text:
        raise NotAnswered("refused by the provider", str(refusal))
    if not isinstance(text, str | None) or not isinstance(finish, str | None):
        raise NotAnswered("unreadable reply", f"no chat completion: {json.dumps(value)}")
    if finish == "length":
        said = (text or "").rstrip()
        blank = WHITE_SPACE if len(said) <= len(text or "") / 2 else ""
        raise NotAnswered("cut off", f"{blank}at the limit of tokens, after {said!r}")
    served = value.get("model")
    reply = Reply(
        text=text or "",
        usage=_usage(value.get("usage")),
        finish_reason=finish,
        served_model=served if isinstance(served, str) and served else None,
        latency_ms=latency_ms,
    )
    check_finished(reply)
    return reply


def _usage(value: Any) -> dict[str, int] | None:
    """Return the token counts of a completion by the names of a prediction line; None where it has none."""
    if not isinstance(value, dict):
        return None
    details = {name: value.get(name) for name in ("completion_tokens_details", "prompt_tokens_details")}
    output, given = (part if isinstance(part, dict) else {} for part in details.values())
    found = {
        "input_tokens": value.get("prompt_tokens"),
        "output_tokens": value.get("completion_tokens"),
        "reasoning_tokens": output.get("reasoning_tokens"),
        "cached_tokens": given.get("cached_tokens"),
    }
    known = {name: number for name, number in found.items() if type(number) is int and 0 <= number <= MOST}
    return known if {"input_tokens", "output_tokens"} <= known.keys() else None
