"""Submit the questions of a run in batches, so that a kill at any moment submits none twice.

Before a batch is created, its file of requests is on disk, and the book says that it is being created and by what it
can be found. Where the reply that names it was lost (a kill, a broken connection, an error of the server), the
provider's own list is searched, until the batch is found or `settle` seconds have passed; only then it is created
again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from harness.errors import HarnessError, IncompleteError
from harness.formatting import plural
from harness.prediction.asker import NotAnswered
from harness.prediction.journal import Journal
from harness.prediction.loop.outcomes import Outcomes, cost
from harness.prediction.provider_batches.book import Batch, Book
from harness.prediction.provider_batches.files import is_whole, request_files, sweep
from harness.prediction.provider_batches.patience import TRIES, once, patiently, wait
from harness.prediction.provider_batches.provider import Provider
from harness.prediction.run import Run

LOST_REPLY = ("connection", "server error", "unreadable reply", "no reply in time")
"""Kinds of failure after which a batch may have been created all the same."""
LOOK_S = 1.0
"""Shortest pause between two looks into the provider's list."""


class Submitted(NamedTuple):
    """Outcome of a submission: batches and questions of this start, then what was in batches before."""

    batches: tuple[str, ...]
    questions: int
    before: int  # questions in earlier batches whose results are still to come
    answered: int
    clips: int


class Submitter:
    """Submission of one run's batches."""

    def __init__(self, provider: Provider, book: Book):
        self.provider, self.book = provider, book

    async def submit(self, run: Run, outcomes: Outcomes) -> Submitted:
        """Submit what no open batch asks about. Raises NotAnswered, and HarnessError."""
        book, here = self.book, list[Batch]()
        for batch in [each for each in book.open if each.id is None]:
            if await self.resume(batch):
                here.append(batch)
        sweep(book)
        before = {clip_id for batch in book.open if batch not in here for clip_id in batch.clips}
        in_flight = book.in_flight
        clips = [clip_id for clip_id in outcomes.waiting if clip_id not in in_flight]
        check_cost(run, outcomes, len(in_flight), len(clips))
        if clips:
            run.questions.draw()
        for batch in request_files(self.provider, run.questions, clips, book):
            book.batches.append(batch)
            book.save()
            await self._create(batch)
            here.append(batch)
            run.choices.say(f"batch {batch.id}: {plural(len(batch.clips), 'question')} submitted")
        named = tuple(batch.id for batch in here if batch.id)
        questions = sum(len(batch.clips) for batch in here)
        lines = len(outcomes.clips) - len(outcomes.waiting)
        return Submitted(named, questions, len(before & set(outcomes.waiting)), lines, len(outcomes.clips))

    async def resume(self, batch: Batch) -> bool:
        """Find a batch that an earlier start was about to create, or create it; False where its file is gone."""
        if await self.look_for(batch):
            return True
        if is_whole(batch, self.book.requests(batch)):
            await self._create(batch)
            return True
        self.book.drop(batch)
        return False

    async def look_for(self, batch: Batch) -> bool:
        """Return whether the provider lists a batch that may have been created, and write its id down.

        The seconds count from now: a request that was cut off just before may still be at work there.
        """
        end = time.monotonic() + self.provider.times.settle
        while batch.tried_at is not None:
            left = end - time.monotonic()
            others = {*self.book.ids, *batch.notes.get("others", [])}
            if found := await patiently(self.provider.find, batch, others):
                self.book.name(batch, found, found=True)
                return True
            if left <= 0:  # it was not created, and will not be
                batch.tried_at = None
                self.book.save()
                break
            await asyncio.sleep(min(left, max(LOOK_S, self.provider.times.settle / 10)))
        return False

    async def _create(self, batch: Batch) -> None:
        """Create a batch, of which it is certain that there is none yet. Raises NotAnswered."""
        path = self.book.requests(batch)
        for attempt in range(1, TRIES + 1):
            batch.notes |= await patiently(self.provider.prepare, batch, path)
            batch.tried_at = time.time()
            self.book.save()
            try:
                self.book.name(batch, await once(self.provider.create, batch, path))
                return
            except NotAnswered as failure:
                if failure.kind in LOST_REPLY:
                    if await self.look_for(batch):
                        return
                else:  # it was refused: nothing was created, perhaps because the file is gone
                    batch.tried_at, batch.notes = None, {}
                    self.book.save()
                if attempt == TRIES or failure.kind not in (*LOST_REPLY, "rate limit"):
                    raise
                await wait(attempt, failure)


def check_cost(run: Run, outcomes: Outcomes, in_flight: int, clips: int) -> None:
    """Raise IncompleteError where these questions may cost more than the user allows; say what they will cost."""
    price, most = run.choices.price, run.choices.max_cost
    if price is None or not clips:
        return
    each = _cost_of_one([cost(line, price) for line in outcomes.journal.lines.values()], outcomes.journal, price)
    if each is None:
        if most is not None:
            raise HarnessError("the server says nothing of tokens, so that no one knows when --max-cost is reached")
        return
    run.choices.say(f"{plural(clips, 'question')} in batches: about ${each * clips:,.2f}")
    ahead = each * (in_flight + clips)
    if most is not None and outcomes.cost + ahead > most:
        raise IncompleteError(
            f"{plural(clips, 'question')} would cost about ${each * clips:,.2f}, above --max-cost {most:g} with "
            f"${outcomes.cost:,.2f} spent and ${each * in_flight:,.2f} in batches; none of them was submitted. "
            "A higher one, or --limit N, submits"
        )


def _cost_of_one(known: Sequence[float | None], journal: Journal, price: tuple[float, float]) -> float | None:
    """Return the mean dollars of an answer: of those that there are, else of the samples before the run."""
    counted = [dollars for dollars in known if dollars is not None]
    if counted:
        return sum(counted) / len(counted)
    estimate = (journal.agreed or {}).get("estimate", {})
    if not {"input_tokens", "output_tokens", "clips"} <= estimate.keys():
        return None
    dollars = estimate["input_tokens"] * price[0] + estimate["output_tokens"] * price[1]
    return dollars / 1e6 / max(1, estimate["clips"])
