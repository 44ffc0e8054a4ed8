"""What the replies of providers and engines say of their cost and their model -> fields of a prediction line.

OpenAI and vLLM count the cached part in the input, and reasoning in the output, as a prediction line does. Anthropic,
Bedrock and Inspect count what is read from and written to the cache beside the input, Gemini its thoughts beside the
output.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from harness.ingestion.formats.replies import Path, at, replies
from harness.usage.fields import FIELDS, LONGEST, MOST, TOKENS, Fault, usage_of


class Names(NamedTuple):
    """Places of the counts of one provider in its reply; `input` and `output` are sums, of which the first must be."""

    input: tuple[Path, ...]
    output: tuple[Path, ...]
    reasoning: tuple[Path, ...] = ()
    cached: tuple[Path, ...] = ()


PROVIDERS = (
    Names(
        input=(("usage", "prompt_tokens"),),
        output=(("usage", "completion_tokens"),),
        reasoning=(("usage", "completion_tokens_details", "reasoning_tokens"),),
        cached=(("usage", "prompt_tokens_details", "cached_tokens"),),
    ),
    Names(  # Anthropic, Inspect, and OpenAI's responses, which have no counts beside the input
        input=(
            ("usage", "input_tokens"),
            ("usage", "cache_read_input_tokens"),
            ("usage", "cache_creation_input_tokens"),
            ("usage", "input_tokens_cache_read"),
            ("usage", "input_tokens_cache_write"),
        ),
        output=(("usage", "output_tokens"),),
        reasoning=(("usage", "output_tokens_details", "reasoning_tokens"), ("usage", "reasoning_tokens")),
        cached=(
            ("usage", "cache_read_input_tokens"),
            ("usage", "input_tokens_cache_read"),
            ("usage", "input_tokens_details", "cached_tokens"),
            ("usage", "cached_tokens"),
        ),
    ),
    Names(
        input=(("usageMetadata", "promptTokenCount"),),
        output=(("usageMetadata", "candidatesTokenCount"), ("usageMetadata", "thoughtsTokenCount")),
        reasoning=(("usageMetadata", "thoughtsTokenCount"),),
        cached=(("usageMetadata", "cachedContentTokenCount"),),
    ),
    Names(
        input=(("usage", "inputTokens"), ("usage", "cacheReadInputTokens"), ("usage", "cacheWriteInputTokens")),
        output=(("usage", "outputTokens"),),
        cached=(("usage", "cacheReadInputTokens"),),
    ),
    Names(input=(("prompt_eval_count",),), output=(("eval_count",),)),
    Names(  # lmms-eval
        input=(("token_counts", 0, "input_tokens"),),
        output=(("token_counts", 0, "output_tokens"),),
        reasoning=(("token_counts", 0, "reasoning_tokens"),),
    ),
)
MODEL: Path = ("model",)
ENDS: tuple[Path, ...] = (("choices", 0, "finish_reason"), ("choices", 0, "stop_reason"))
"""Places in a reply of the name by which the model answered, and of why it stopped."""


def cost_in(value: dict[str, Any]) -> dict[str, Any]:
    """Return what a row with a model's text says of its cost, as fields of a prediction line.

    A value that no prediction line could hold is left out: in another tool's row the name may mean something else.
    """
    faults: list[Fault] = []
    usage_of(value, faults.append, lambda name: None)
    wrong = {fault.field.partition(".")[0] for fault in faults}
    stated = texts_in(value) | {name: value[name] for name in FIELDS if name in value and name not in wrong}
    usage = usage_in(value)
    if usage is None and isinstance(tokens := stated.pop("usage", None), dict):
        usage = {name: tokens[name] for name in TOKENS if name in tokens}
    return stated | ({"usage": usage} if usage else {})


def texts_in(value: dict[str, Any]) -> dict[str, str]:
    """Return the model's name and the reason of the end that a row's reply states, as fields of a prediction line."""
    found: dict[str, str] = {}
    for _, reply in replies(value):
        ends = (at(reply, path) for path in ENDS)
        for name, said in ("served_model", at(reply, MODEL)), ("finish_reason", next(filter(None, ends), None)):
            if isinstance(said, str) and 0 < len(said) <= LONGEST:
                found.setdefault(name, said)
    return found


def usage_in(value: dict[str, Any]) -> dict[str, int] | None:
    """Return the tokens that a row with a provider's reply states, None where it states none in a known way."""
    for reply in (*(reply for _, reply in replies(value)), value):
        for names in PROVIDERS:
            if None not in (_count(reply, names.input[:1]), _count(reply, names.output[:1])):
                counts = (
                    _count(reply, names.input),
                    _count(reply, names.output),
                    _first(reply, names.reasoning),
                    _first(reply, names.cached),
                )
                return {name: n for name, n in zip(TOKENS, counts, strict=True) if n is not None}
    return None


def _count(reply: dict[str, Any], paths: tuple[Path, ...]) -> int | None:
    """Return the sum of the counts that are there, None where there is none."""
    found = [n for path in paths if type(n := at(reply, path)) is int and 0 <= n <= MOST]
    return min(sum(found), MOST) if found else None


def _first(reply: dict[str, Any], paths: tuple[Path, ...]) -> int | None:
    return next((n for path in paths if (n := _count(reply, (path,))) is not None), None)
