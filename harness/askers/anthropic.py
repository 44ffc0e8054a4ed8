"""`anthropic:NAME`, a model behind Anthropic's Messages API, asked one by one or in Message Batches.

    harness predict --model anthropic:NAME --batch submit -o submissions/name/

The questions are those of `openai:NAME` in another spelling: pictures as base64 blocks, the form of the answer as
`output_config`. The key is that of ANTHROPIC_API_KEY.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from harness.askers.batches.anthropic import AnthropicBatches
from harness.askers.chat import Chat, load_as
from harness.askers.endpoint import ANTHROPIC
from harness.askers.messages import response_format
from harness.askers.reply import WHITE_SPACE
from harness.errors import UsageError
from harness.prediction.asker import NotAnswered, check_finished
from harness.prediction.predictor import Reply
from harness.prediction.provider_batches.provider import Provider
from harness.usage.fields import MOST


class Messages(Chat):
    """Asker of one model behind the Messages API."""

    path: ClassVar[str] = "/messages"
    forms: ClassVar[tuple[str, ...]] = ("schema", "none")
    shows: ClassVar[tuple[str, ...]] = ("timed-frames", "frames")

    def batches(self) -> Provider:
        """Return the provider's batches; after `prepare`."""
        assert self._server is not None
        return AnthropicBatches(self, self._server)

    def to_reply(self, value: Any, latency_ms: float | None) -> Reply:
        """Return the reply in a message. Raises NotAnswered for one that was cut off, refused, or is none."""
        return to_reply(value, latency_ms)

    def form(self, rung: str) -> dict[str, Any]:
        """Return the fields of a request that hold the server to this form of answer."""
        form = response_format(rung, self._operations)
        if form is None:
            return {}
        return {"output_config": {"format": {"type": "json_schema", "schema": form["json_schema"]["schema"]}}}

    def request(self, parts: list[dict[str, Any]], max_tokens: int, more: Mapping[str, Any]) -> bytes:
        """Return a request with a message of these parts, as JSON; `more`: further fields."""
        return super().request([_block(part) for part in parts], max_tokens, more)


def to_reply(value: Any, latency_ms: float | None) -> Reply:
    """Return the reply in a message of the Messages API. Raises NotAnswered where it is none."""
    try:
        blocks, stop = value["content"], value.get("stop_reason")
        text = "".join(str(block.get("text") or "") for block in blocks if block.get("type") == "text")
    except (TypeError, KeyError, AttributeError):
        raise NotAnswered("unreadable reply", f"no message: {json.dumps(value)}") from None
    if stop == "refusal":
        raise NotAnswered("refused by the provider", text)
    if stop in ("max_tokens", "model_context_window_exceeded"):
        blank = WHITE_SPACE if len(text.rstrip()) <= len(text) / 2 else ""
        raise NotAnswered("cut off", f"{blank}at the limit of tokens, after {text.rstrip()!r}")
    served = value.get("model")
    reply = Reply(
        text=text,
        usage=_usage(value.get("usage")),
        finish_reason=stop if isinstance(stop, str) else None,
        served_model=served if isinstance(served, str) and served else None,
        latency_ms=latency_ms,
    )
    check_finished(reply)
    return reply


def _block(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part of a message as a block of the Messages API: a picture as base64, a text as it is."""
    if part["type"] != "image_url":
        return part
    kind, _, data = part["image_url"]["url"].removeprefix("data:").partition(";base64,")
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _usage(value: Any) -> dict[str, int] | None:
    """Return the token counts of a message by the names of a prediction line; None where it has none."""
    if not isinstance(value, dict):
        return None
    read, written = (value.get(name) or 0 for name in ("cache_read_input_tokens", "cache_creation_input_tokens"))
    found = {
        "input_tokens": value.get("input_tokens"),
        "output_tokens": value.get("output_tokens"),
        "cached_tokens": value.get("cache_read_input_tokens"),
    }
    known = {name: number for name, number in found.items() if type(number) is int and 0 <= number <= MOST}
    if not {"input_tokens", "output_tokens"} <= known.keys():
        return None
    if type(read) is int and type(written) is int:  # its count leaves out what a cache held, and ours does not
        known["input_tokens"] += read + written
    return known


def load(name: str, options: Mapping[str, str]) -> Chat:
    """Return the model of `anthropic:NAME`. Raises UsageError."""
    if "seed" in options:
        raise UsageError("anthropic:NAME has no seed: leave --seed out")
    return load_as(Messages, ANTHROPIC, f"anthropic:{name}", options)
