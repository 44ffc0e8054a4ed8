"""Ask a Predictor batch by batch; each batch is on disk before the next is asked."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import closing
from itertools import islice
from typing import Any

from harness.errors import HarnessError
from harness.ingestion.rows import kind_of
from harness.prediction.loop.outcomes import Outcomes, line
from harness.prediction.predictor import Predictor, Question, Reply
from harness.prediction.questions import read_ahead, split_in_batches
from harness.prediction.run import Run

NAMED = 8
"""Clips of a batch that a message names."""


def ask_in_batches(predictor: Predictor, run: Run, outcomes: Outcomes) -> None:
    """Ask about every clip that waits. Raises HarnessError where the model fails."""
    with closing(read_ahead(run.questions, split_in_batches(outcomes.waiting, run.batch_size))) as batches:
        for batch in filter(None, batches):  # a clip of one's own that cannot be shown is not in its batch
            outcomes.add(answer_batch(predictor, run, batch))


def answer_batch(predictor: Predictor, run: Run, batch: Sequence[Question]) -> list[dict[str, Any]]:
    """Ask about a batch, and return its lines. The model gets copies: what it does to them changes no answer's clip."""
    clips = [question.clip_id for question in batch]

    def failure(cause: str) -> HarnessError:
        return HarnessError(f"{failure_on(run, clips)}: {cause}; {kept(run)}")

    begun = time.perf_counter()
    try:
        with run.code.called(failure):
            given = predictor.ask(list(batch), tuple(run.split.floors.operations))
            fault = no_replies(given)
            replies = [] if fault else list(islice(given, len(batch) + 1))
        latency_ms = (time.perf_counter() - begun) * 1000 / len(batch)
        if fault or len(replies) != len(batch):
            many = "more" if len(replies) > len(batch) else f"{len(replies)}"
            fault = fault or f"{many} replies to {len(batch)} questions"
            raise HarnessError(f"{failure_on(run, clips)}: gave {fault}")
        return [line(run, clip_id, reply, latency_ms) for clip_id, reply in zip(clips, replies, strict=True)]
    except KeyboardInterrupt:
        run.choices.say(f"interrupted at {_named(clips)}; {kept(run)}")
        raise


def no_replies(given: Any) -> str | None:
    """Return why what `ask` returned is no series of replies, or None: a text is a series, too, but of characters."""
    one = isinstance(given, str | bytes | Mapping | Set | Reply)
    if not one and isinstance(given, Iterable):
        return None
    with contextlib.suppress(Exception):
        given.close()  # a coroutine that nobody awaits complains
    return f"{kind_of(given)}, expected a list of one reply a question, in order"


def kept(run: Run) -> str:
    """Return the end of a sentence about a run that stops: what becomes of its answers."""
    resumes = "and the same command resumes" if run.is_identified else "but no run resumes them without a card"
    return f"earlier answers are kept, {resumes}"


def failure_on(run: Run, clips: Sequence[str]) -> str:
    """Return the beginning of a sentence about a model that fails on a batch."""
    return f"{run.model} failed on {_named(clips)}"


def _named(clips: Sequence[str]) -> str:
    more = f" and {len(clips) - NAMED:,} more" if len(clips) > NAMED else ""
    return f"{', '.join(clips[:NAMED])}{more}"
