"""Collect the results of batches that have ended: answers into the journal, failures into attempts.jsonl.

Results are joined by the ids of their requests, in whatever order they come; ids that are not of the batch are counted
and left out, and the first answer about a clip counts. A clip without an answer is *not answered*, and the next
submission asks about it. What was taken is on disk before the book says so: a kill in between takes it once more, to
the same end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from harness.errors import IncompleteError
from harness.formatting import plural
from harness.prediction.asker import WORDS, NotAnswered
from harness.prediction.loop.outcomes import Outcomes, line
from harness.prediction.predictor import Reply
from harness.prediction.provider_batches.book import Batch, Book
from harness.prediction.provider_batches.files import rows
from harness.prediction.provider_batches.patience import patiently
from harness.prediction.provider_batches.provider import Provider, State
from harness.prediction.provider_batches.submit import Submitter
from harness.prediction.run import Run

LINES, NAMED = 256, 3
"""Lines that are written at once, and batches that a message names."""
GROWTH, LONGEST_POLL_S = 1.5, 600.0


class Pending(NamedTuple):
    """A batch that has not ended, and how far it is."""

    batch: Batch
    words: str


class Collector:
    """Collection of one run's batches."""

    def __init__(self, provider: Provider, run: Run, outcomes: Outcomes, book: Book):
        self.provider, self.run, self.outcomes, self.book = provider, run, outcomes, book

    async def collect(self, *, wait: bool) -> None:
        """Take what has ended; with `wait`, until all has. Raises IncompleteError while anything is to come."""
        poll, said = self.provider.times.poll, ""
        while pending := await self._take_ended():
            if not wait:
                raise IncompleteError(self._still_pending(pending))
            if (words := _in_words(pending)) != said:
                self.run.choices.say(f"waiting for {words}")
                said = words
            await asyncio.sleep(poll)
            poll = min(poll * GROWTH, LONGEST_POLL_S)
        self._count_losses()

    async def _take_ended(self) -> list[Pending]:
        """Take the results of the batches that have ended, and return the others."""
        pending = list[Pending]()
        for batch in self.book.open:
            if batch.id is None and not await Submitter(self.provider, self.book).look_for(batch):
                continue
            assert batch.id is not None
            state = await patiently(self.provider.state, batch.id)
            if not state.ended:
                pending.append(Pending(batch, state.words))
            else:
                await self._take(batch, state)
        return pending

    async def _take(self, batch: Batch, state: State) -> None:
        """Take the results of one batch."""
        failures, strange = dict[str, NotAnswered](), 0
        before, own = len(self.outcomes.journal.lines), 0
        path = self.book.results(batch)
        for result in state.results:
            await patiently(self.provider.download, result, path)
            found, unknown = self._take_file(batch, failures)
            own, strange = own + found, strange + unknown
            path.unlink()
        if strange and not own and batch.found:
            self._give_back(batch)
            return
        lines = self.outcomes.journal.lines
        for clip_id in batch.clips:
            if clip_id not in lines:
                failures.setdefault(clip_id, NotAnswered(*state.rest))
        lost = {clip_id: failure for clip_id, failure in failures.items() if clip_id not in lines}
        self._write_attempts(batch, lost)
        batch.lost, batch.collected = {clip_id: failure.kind for clip_id, failure in lost.items()}, True
        self.book.save()
        self._say(batch, state, len(lines) - before, strange)

    def _take_file(self, batch: Batch, failures: dict[str, NotAnswered]) -> tuple[int, int]:
        """Write the answers in a file of results, and note failures. Returns its rows of this batch, and the others."""
        clips, counts = batch.custom_ids(), Counter[bool]()
        journal, found = self.outcomes.journal, rows(self.provider, self.book.results(batch))
        while part := list(islice(found, LINES)):
            answers = dict[str, Reply]()
            for row in part:
                clip_id = clips.get(row.custom_id)
                counts[clip_id is not None] += 1
                if clip_id is None or clip_id in journal.lines:
                    continue
                if isinstance(row.outcome, NotAnswered):
                    failures.setdefault(clip_id, row.outcome)
                else:
                    answers.setdefault(clip_id, row.outcome)
            if answers:
                self.outcomes.add([line(self.run, clip_id, reply, None) for clip_id, reply in answers.items()])
        return counts[True], counts[False]

    def _give_back(self, batch: Batch) -> None:
        """Forget an id that was found in the provider's list and turns out to be another program's batch."""
        self.run.choices.say(f"batch {batch.id} is not of this run: its ids are others")
        batch.notes["others"] = [*batch.notes.get("others", []), batch.id]
        batch.id, batch.found = None, False
        self.book.save()

    def _write_attempts(self, batch: Batch, lost: dict[str, NotAnswered]) -> None:
        """Write each clip that a batch left without an answer into attempts.jsonl, once."""
        journal, mask = self.outcomes.journal, self.run.mask
        written = {attempt.get("clip_id") for attempt in journal.attempts() if attempt.get("batch") == batch.id}
        for clip_id, failure in lost.items():
            if clip_id not in written:
                words = mask.message(" ".join(failure.words.split()))[:WORDS]
                journal.add_attempt({"clip_id": clip_id, "batch": batch.id, "kind": failure.kind, "words": words})

    def _say(self, batch: Batch, state: State, answers: int, strange: int) -> None:
        """Say what a batch brought."""
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in Counter(batch.lost.values()).most_common())
        without = f", {len(batch.lost):,} without ({kinds})" if kinds else ""
        others = f", {plural(strange, 'row')} with an id that is not its own left out" if strange else ""
        self.run.choices.say(f"batch {batch.id}: {plural(answers, 'answer')}{without}{others}; {state.words}")

    def _still_pending(self, pending: Sequence[Pending]) -> str:
        lines = self.outcomes.journal.lines
        answered = sum(clip_id in lines for clip_id in self.outcomes.clips)
        return (
            f"{answered:,} of {plural(len(self.outcomes.clips), 'clip')} answered so far; {_in_words(pending)} still "
            "to come. The same command collects them later, and --batch wait waits"
        )

    def _count_losses(self) -> None:
        """Note which clips are left without an answer. Raises IncompleteError where some were never submitted."""
        lines, lost = self.outcomes.journal.lines, self.book.lost
        left = [clip_id for clip_id in self.outcomes.clips if clip_id not in lines]
        unsent = [clip_id for clip_id in left if clip_id not in lost]
        if unsent:
            raise IncompleteError(
                f"{plural(len(unsent), 'clip')} of {len(self.outcomes.clips):,} in no batch yet; "
                "--batch submit submits them"
            )
        self.outcomes.unanswered |= {clip_id: lost[clip_id] for clip_id in left}
        most = self.run.given.max_failures
        if self.run.choices.give_up and len(left) >= most:
            raise IncompleteError(
                f"{plural(len(left), 'clip')} not answered, and --max-failures is {most}: --batch submit asks about "
                "them again; --give-up needs a higher one"
            )


def _in_words(pending: Sequence[Pending]) -> str:
    """Return which batches are waited for, as far as a message has room."""
    questions = sum(len(each.batch.clips) for each in pending)
    named = "; ".join(f"{each.batch.id}: {each.words}" for each in pending[:NAMED])
    more = f"; {len(pending) - NAMED:,} more" if len(pending) > NAMED else ""
    many = "a batch" if len(pending) == 1 else f"{len(pending):,} batches"
    return f"{plural(questions, 'question')} in {many} ({named}{more})"
