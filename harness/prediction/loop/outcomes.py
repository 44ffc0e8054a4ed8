"""Take what becomes of each clip of a run: an answer into the journal, a failed attempt into attempts.jsonl.

Answered, answered without an answer (the reader's fallback) and not answered are never mixed: a failure writes no
prediction line, and its clip is asked about again by the next start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.errors import HarnessError, IncompleteError, UsageError
from harness.formatting import plural
from harness.prediction.asker import WORDS, NotAnswered
from harness.prediction.journal import Journal, Line
from harness.prediction.predictor import Answer
from harness.prediction.replies import Asked, without_secrets
from harness.prediction.run import Run


class Outcomes:
    """Outcomes of one start of a run. `unanswered`: clip id -> kind of its last failure.

    `report` takes (clips with an outcome, clips of the run).
    """

    report: Callable[[int, int], object]

    def __init__(self, run: Run, journal: Journal):
        self.run, self.journal = run, journal
        self.unanswered: dict[str, str] = {}
        self.clips = run.questions.clips[: run.choices.limit]
        self._refuse_fewer()
        self.waiting = [clip_id for clip_id in self.clips if clip_id not in journal.lines]
        self.done = len(self.clips) - len(self.waiting)
        self.cost = sum(cost(line, run.choices.price) or 0.0 for line in journal.lines.values())
        if self.waiting:
            self._stop_at_cost()

    def _refuse_fewer(self) -> None:
        """Raise UsageError where the run has answers beyond its limit: it would end, and its card would deny them."""
        if beyond := len(self.journal.lines.keys() - set(self.clips)):
            raise UsageError(
                f"{self.run.output}: holds the answers to {plural(beyond, 'clip')} beyond --limit "
                f"{self.run.choices.limit}, and would end there; raise it, leave it out, or discard them with --fresh"
            )

    def add(self, lines: Iterable[Line], *, sync: bool = True) -> None:
        """Write prediction lines into the journal. Raises IncompleteError where they reach the highest cost."""
        written = list(lines)
        self.journal.add(written, sync=sync)
        self._count(len(written))
        if self.run.choices.max_cost is not None:
            self._check_cost(written)

    def take_answer(self, clip_id: str, answer: Answer, latency_ms: float, asked: Asked) -> None:
        """Write one answer; it is synced with others, by time and number."""
        self.add([line(self.run, clip_id, answer, latency_ms, asked)], sync=False)

    def take_failure(self, clip_id: str, failure: NotAnswered) -> None:
        """Note a failed attempt."""
        words = self.run.mask.message(" ".join(failure.words.split()))[:WORDS]
        self.journal.add_attempt({"clip_id": clip_id, "kind": failure.kind, "words": words})

    def take_loss(self, clip_id: str, failure: NotAnswered) -> None:
        """Count a clip that stays without an answer. Raises IncompleteError at the most that are allowed."""
        self.unanswered[clip_id] = failure.kind
        self._count(1)
        most = self.run.choices.max_failures
        if len(self.unanswered) >= most:
            raise IncompleteError(
                f"{plural(len(self.unanswered), 'clip')} not answered, the last: {failure}; stopped at --max-failures "
                f"{most}. The answers are kept, and the same command asks about the rest; --give-up needs a higher one"
            )

    def _count(self, number: int) -> None:
        self.done += number
        self.report(self.done, len(self.clips))

    def _check_cost(self, lines: Iterable[Line]) -> None:
        for written in lines:
            dollars = cost(written, self.run.choices.price)
            if dollars is None:
                raise HarnessError("the answers say nothing of tokens, so that no one knows when --max-cost is reached")
            self.cost += dollars
        self._stop_at_cost()

    def _stop_at_cost(self) -> None:
        most = self.run.choices.max_cost
        if most is not None and self.cost >= most:
            raise IncompleteError(
                f"${self.cost:,.2f} spent, stopped at --max-cost {most:g} with {self.done:,} of "
                f"{plural(len(self.clips), 'clip')} asked about. The answers are kept, also those that were in flight, "
                "and the same command with a higher one asks about the rest"
            )


def cost(line: Mapping[str, Any], price: tuple[float, float] | None) -> float | None:
    """Return the dollars of one answer; None without a price, or where the line does not count tokens."""
    usage = line.get("usage")
    if price is None or not isinstance(usage, dict) or not {"input_tokens", "output_tokens"} <= usage.keys():
        return None
    return (usage["input_tokens"] * price[0] + usage["output_tokens"] * price[1]) / 1e6


def line(run: Run, clip_id: str, answer: Answer, latency_ms: float | None, asked: Asked | None = None) -> Line:
    """Return the prediction line of an answer, without secrets that the model repeats. Raises HarnessError."""

    def failure(cause: str) -> HarnessError:
        return HarnessError(f"clip {clip_id}: the reply cannot be read: {cause}")

    with run.code.called(failure, own=HarnessError):
        found = run.reader.line(clip_id, answer, latency_ms, asked)
    return without_secrets(found, run.mask, run.split.floors.operations)


def unanswered_by_kind(unanswered: Mapping[str, str]) -> dict[str, int]:
    """Return how many clips each kind of failure left without an answer, most first."""
    return dict(Counter(unanswered.values()).most_common())
