"""Fields of a prediction line that say what an answer cost: their names, their ranges, and the check of each.

`usage` holds the tokens of the answer's request. `attempts` counts the requests that it took, `wait_ms` is the time
from the first of them until the one that was answered began, `ttft_ms` the time until that one's first token, and
`model_ms` what the model itself took of that one's time, as the server states it. No answer is scored by any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from reference.task import round_half_up

TOKENS = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens")
"""Members of `usage`; the last two are parts of output and input."""
TIMES = ("wait_ms", "ttft_ms", "model_ms")
NUMBERS = ("attempts", *TIMES)
TEXTS = ("finish_reason", "served_model")
FIELDS = ("usage", "attempts", "wait_ms", "finish_reason", "served_model", "ttft_ms", "model_ms")
"""The fields in the order of a line that is read fast: behind `source`, and before `raw_output`."""
NAMES = frozenset(FIELDS)
MOST = 1_000_000_000
"""Greatest number of tokens, attempts and milliseconds."""
LONGEST = 1_000
"""Characters of a finish reason and of a model's name."""


class Usage(NamedTuple):
    """Row of the table `usage`, without its clip; None where the line does not say. Times are in microseconds."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    attempts: int | None = None
    wait_us: int | None = None
    ttft_us: int | None = None
    model_us: int | None = None
    finish_reason: str | None = None
    served_model: str | None = None


class Fault(NamedTuple):
    """Value that is not what the schema says: the kind of problem, the field, what was expected there."""

    code: str  # TYPE or RANGE
    field: str
    value: Any
    expected: str


def usage_of(line: Mapping[str, Any], fault: Callable[[Fault], None], extra: Callable[[str], None]) -> Usage:
    """Return the usage that a line states. `fault` is called for each wrong value, `extra` for other members."""

    def number(holder: Mapping[str, Any], name: str, field: str, scale: int = 0) -> int | None:
        value, least = holder.get(name), int(name == "attempts")
        expected = f"{'a number' if scale else 'an integer'} from {least} to {MOST}"
        if value is None:
            return None
        if type(value) is not int and not (scale and type(value) is float):
            fault(Fault("TYPE", field, value, expected))
        elif not least <= value <= MOST:
            fault(Fault("RANGE", field, value, expected))
        else:
            return round_half_up(float(value) * scale) if scale else int(value)
        return None

    def text(name: str) -> str | None:
        value = line.get(name)
        if isinstance(value, str) and len(value) <= LONGEST:
            return value
        if value is not None:
            code = "RANGE" if isinstance(value, str) else "TYPE"
            fault(Fault(code, name, value, f"a text of at most {LONGEST} characters, or null"))
        return None

    tokens = line.get("usage")
    if not isinstance(tokens, dict | None):
        fault(Fault("TYPE", "usage", tokens, f"an object of {', '.join(TOKENS)}, or null"))
        tokens = None
    tokens = tokens or {}
    for name in tokens:
        if name not in TOKENS:
            extra(f"usage.{name}")
    return Usage(
        **{name: number(tokens, name, f"usage.{name}") for name in TOKENS},
        attempts=number(line, "attempts", "attempts"),
        wait_us=number(line, "wait_ms", "wait_ms", 1_000),
        ttft_us=number(line, "ttft_ms", "ttft_ms", 1_000),
        model_us=number(line, "model_ms", "model_ms", 1_000),
        finish_reason=text("finish_reason"),
        served_model=text("served_model"),
    )
