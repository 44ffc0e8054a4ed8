"""Tokens, hours and price of a run, from a few answers, with an interval where there are several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.prediction.asker import Setting
from harness.prediction.loop.outcomes import cost
from harness.prediction.predictor import Reply
from harness.progress import span
from harness.statistics import t_quantile


class Mean(NamedTuple):
    """Mean of a sample and half the width of its 95% interval; None for a sample of one."""

    value: float
    half: float | None

    @classmethod
    def of(cls, sample: Sequence[float]) -> Mean:
        """Return the mean of a sample (Student's t)."""
        n = len(sample)
        value = sum(sample) / n
        if n < 2:
            return cls(value, None)
        variance = sum((number - value) ** 2 for number in sample) / (n - 1)
        return cls(value, t_quantile(0.975, n - 1) * math.sqrt(variance / n))

    def times(self, factor: float) -> Mean:
        """Return the mean of the sample times a factor."""
        return Mean(self.value * factor, None if self.half is None else self.half * factor)

    def in_words(self) -> str:
        """Return a time with its interval."""
        if not self.half:
            return span(self.value)
        return f"{span(self.value)} ({span(max(0.0, self.value - self.half))} to {span(self.value + self.half)})"

    def text(self, form: str) -> str:
        """Return the value with its interval, each in this format."""
        if self.half is None or not self.half:
            return format(self.value, form)
        low, high = max(0.0, self.value - self.half), self.value + self.half
        return f"{self.value:{form}} ({low:{form}} to {high:{form}})"


class Estimate(NamedTuple):
    """Estimate of a run: tokens, dollars, and the time of all its answers one after the other."""

    answers: int
    input_tokens: Mean | None
    output_tokens: Mean | None
    latency_s: Mean
    dollars: Mean | None
    clips: int

    def sentences(self, setting: Setting) -> list[str]:
        """Return what the user reads before the run."""
        wall = self.latency_s.times(1 / setting.connections)
        found = [
            f"{setting.clips:,} clips with {setting.connections} connections: about {wall.in_words()} to ask, "
            f"by {self.answers} sample answers of {self.latency_s.value / setting.clips:.2f} s"
        ]
        if setting.in_batches:  # which take the provider's time
            found = [f"{setting.clips:,} clips in batches, by {self.answers} sample answers"]
        if self.input_tokens and self.output_tokens:
            found.append(f"  tokens in {self.input_tokens.text(',.0f')}, out {self.output_tokens.text(',.0f')}")
        elif setting.price:
            found.append("  the endpoint counts no tokens, so the price is unknown")
        if self.dollars:
            found.append(f"  price ${self.dollars.text(',.2f')}")
        return found

    def table(self) -> dict[str, Any]:
        """Return the estimate for the card."""
        known = {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens, "dollars": self.dollars}
        means = {name: round(mean.value, 4) for name, mean in known.items() if mean}
        return {"answers": self.answers, "clips": self.clips, "latency_s": round(self.latency_s.value, 3), **means}


def estimate(replies: Sequence[Reply], setting: Setting) -> Estimate:
    """Return the estimate of a run from answers to questions like its own."""
    usage = [reply.usage for reply in replies if reply.usage]
    tokens: dict[str, Mean | None] = {"input_tokens": None, "output_tokens": None}
    if usage:
        tokens = {name: Mean.of([count[name] for count in usage]).times(setting.clips) for name in tokens}
    dollars = None
    if usage and setting.price:
        dollars = Mean.of([cost({"usage": count}, setting.price) or 0.0 for count in usage]).times(setting.clips)
    seconds = Mean.of([(reply.latency_ms or 0.0) / 1000 for reply in replies]).times(setting.clips)
    return Estimate(len(replies), tokens["input_tokens"], tokens["output_tokens"], seconds, dollars, setting.clips)
