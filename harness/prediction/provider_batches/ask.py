"""Ask a run's questions in batches: agree with the model as for single questions, then submit or collect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from harness.errors import UsageError
from harness.formatting import in_words, plural
from harness.prediction.asker import NotAnswered
from harness.prediction.choices import SUBMIT, WAIT
from harness.prediction.journal import Journal
from harness.prediction.loop.in_flight import agree, prepare_asker, run_async
from harness.prediction.loop.outcomes import Outcomes
from harness.prediction.provider_batches.book import Book
from harness.prediction.provider_batches.collect import Collector
from harness.prediction.provider_batches.patience import as_error
from harness.prediction.provider_batches.provider import Provider
from harness.prediction.provider_batches.submit import Submitted, Submitter
from harness.prediction.run import Run

T = TypeVar("T")


def check_batch(run: Run) -> None:
    """Raise UsageError for a model that no provider answers in batches, for choices that do not go with it, and where
    nothing was submitted that could be collected."""
    if not hasattr(run.predictor, "batches"):
        raise UsageError(
            f"{run.model} is not asked in a provider's batches: openai:NAME and anthropic:NAME are; leave --batch out"
        )
    if run.own:
        raise UsageError("--batch is about the clips of a split: --clips asks one by one, leave --batch out")
    if run.choices.fresh and run.choices.batch != SUBMIT:
        raise UsageError(f"--fresh begins a run anew: it belongs to --batch {SUBMIT}")
    if run.choices.batch != SUBMIT and not Book(run.folder).batches:
        raise UsageError(f"{run.output}: nothing was submitted yet; first the same with --batch {SUBMIT}")


def refuse_open_batches(run: Run) -> None:
    """Raise UsageError where questions are in batches: to ask them one by one would pay for them twice.

    Batches that were refused are forgotten, so that a later submission does not send them.
    """
    book = Book(run.folder)
    book.drop_uncreated()
    if in_flight := book.in_flight:
        raise UsageError(
            f"{run.output}: {plural(len(in_flight), 'question')} in a provider's batches still to come: --batch wait "
            "collects them first"
        )


def warn_of_open_batches(folder: Path, say: Callable[[str], object]) -> None:
    """Say which batches go on at the provider though a run that begins anew forgets them."""
    with suppress(UsageError):
        if ids := [batch.id for batch in Book(folder).open if batch.id]:
            say(f"forgotten, but not cancelled at the provider, which will want to be paid: {in_words(ids)}")


def submit_batches(run: Run, journal: Journal) -> Submitted:
    """Submit all questions that have no answer and are in no open batch."""
    outcomes, book, model = Outcomes(run, journal), Book(run.folder), cast(Any, run.predictor)
    book.save()  # from here on the run resumes, though it has no answers yet
    if outcomes.waiting and journal.agreed is None:
        journal.agree(run_async(agree(model, run, len(outcomes.waiting))))

    async def call(provider: Provider) -> Submitted:
        return await Submitter(provider, book).submit(run, outcomes)

    return run_async(_with_provider(model, run, journal, call))


def collect_batches(run: Run, journal: Journal) -> Mapping[str, str]:
    """Take the answers that are there. Returns the clips that stay without one, with why.

    Raises IncompleteError while some are to come.
    """
    # what was submitted is paid for, and is taken whatever it cost
    paid = replace(run, choices=replace(run.choices, max_cost=None))
    outcomes, book = Outcomes(paid, journal), Book(run.folder)
    outcomes.report = _nowhere

    async def call(provider: Provider) -> None:
        await Collector(provider, paid, outcomes, book).collect(wait=run.choices.batch == WAIT)

    try:
        run_async(_with_provider(run.predictor, run, journal, call))
    except KeyboardInterrupt:
        run.choices.say("interrupted; the batches go on at the provider, and the same command waits for them again")
        raise
    return outcomes.unanswered


def _nowhere(done: int, clips: int) -> None:
    """Show no progress: answers come all at once."""


async def _with_provider(model: Any, run: Run, journal: Journal, call: Callable[[Provider], Awaitable[T]]) -> T:
    """Return what a call of the model's provider returns. Raises HarnessError where the provider does not answer."""
    try:
        await prepare_asker(model, run, 0, journal.agreed or {})
        return await call(model.batches())
    except NotAnswered as failure:
        masked = NotAnswered(failure.kind, run.mask.message(failure.words), failure.retry_after)
        raise as_error(run.model, masked) from None
    finally:
        journal.sync()
        await model.close()
