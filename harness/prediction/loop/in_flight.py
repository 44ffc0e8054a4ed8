"""Ask an Asker about many clips at once: refilled one by one, retried up to each clip's deadline, at the server's pace.

As many tasks ask as the pace allows, each about one clip from its first attempt to its last. A clip's pictures are in
memory only while it is asked about, and no more clips than fit `BYTES`. Answers are handed on in any order.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.cards import fault_in
from harness.errors import HarnessError, IncompleteError, UsageError
from harness.prediction.asker import AGAIN, RUN, Asker, NotAnswered, Setting, check_finished
from harness.prediction.loop.outcomes import Outcomes
from harness.prediction.loop.pace import Pace, pause
from harness.prediction.model_code import cause
from harness.prediction.predictor import Answer, Question
from harness.prediction.questions import Questions
from harness.prediction.replies import Asked
from harness.prediction.run import Run
from harness.progress import span

T = TypeVar("T")

BYTES = 512 * 2**20
"""Pictures that wait in memory, decoded."""
SAMPLES = 4
"""Questions that a model may try before the run."""
GRACE_S = 20.0
"""Time for what is in flight when a run has to stop: answers that may be paid for."""
LONGEST_RETRY_S = 3600.0
"""A server that asks to come back later than that ends the start."""
SAID_RETRY_S = 10.0
ALIKE = 3
"""Bad requests in a row, in the same words, that end a run."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of asking. `deadline_s`: seconds a clip, over all its attempts."""

    connections: int
    deadline_s: float
    any_answer: bool  # there was one before, or an agreement: then the request as such is right
    stop_at_bad_requests: bool = True


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end: here, or in a thread where a loop runs already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    loop = asyncio.new_event_loop()

    def run() -> T:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(coroutine)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(run)
        try:
            return done.result()
        except KeyboardInterrupt:  # it reaches the notebook's thread, and the run is to end all the same
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
            raise


async def ask_at_once(asker: Asker, run: Run, outcomes: Outcomes) -> None:
    """Ask a model, with which an earlier call agreed, about every clip that waits.

    Raises HarnessError where the run has to stop.
    """
    agreed = outcomes.journal.agreed or {}
    try:
        await prepare_asker(asker, run, len(outcomes.waiting), agreed)
        limits = Limits(
            connections=run.connections,
            deadline_s=run.choices.deadline,
            any_answer=bool(outcomes.journal.lines or agreed),
            stop_at_bad_requests=not (run.choices.give_up and outcomes.journal.lines),
        )
        with ThreadPoolExecutor(1) as reader:
            await _Start(asker, run.questions, iter(outcomes.waiting), limits, outcomes, reader).run()
    finally:
        outcomes.journal.sync()
        await asker.close()


async def agree(asker: Asker, run: Run, clips: int) -> dict[str, Any]:
    """Return what the model agrees to before a run about so many clips. Raises HarnessError."""
    try:
        agreed = run.mask.value(await prepare_asker(asker, run, clips, None))
        if fault := fault_in(agreed, "agreed"):
            raise UsageError(f"what {run.model} agreed to cannot be written: {fault}")
        return agreed
    finally:
        await asker.close()


async def prepare_asker(asker: Asker, run: Run, clips: int, agreed: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Prepare a model for questions about so many clips, and return what was agreed. Raises HarnessError."""
    setting = Setting(
        operations=tuple(run.split.floors.operations),
        samples=tuple(run.questions.sample(SAMPLES)) if agreed is None else (),
        agreed=agreed,
        clips=clips,
        connections=run.connections,
        in_batches=run.choices.batch is not None,
        deadline_s=run.choices.deadline,
        price=run.choices.price,
        say=run.choices.say,
        can_read=run.reader.can_read,
        mask=run.mask.message,
    )
    if agreed is None and run.questions.clips and not setting.samples:
        raise HarnessError("not one of the clips that were tried can be shown")
    try:
        return dict(await asker.prepare(setting))
    except NotAnswered as error:
        raise HarnessError(f"{run.model} cannot be asked: {error}") from None
    except (HarnessError, KeyboardInterrupt, asyncio.CancelledError):
        raise
    except BaseException as error:
        raise HarnessError(f"{run.model} failed before the first question: {cause(error)}") from error


class _Start:
    """One start of a run."""

    def __init__(
        self,
        asker: Asker,
        questions: Questions,
        clips: Iterator[str],
        limits: Limits,
        outcomes: Outcomes,
        reader: ThreadPoolExecutor,
    ):
        self.asker, self.questions, self.clips = asker, questions, clips
        self.limits, self.outcomes, self.reader = limits, outcomes, reader
        self.pace = Pace(limits.connections)
        self.group, self.tasks, self.most = asyncio.TaskGroup(), list[asyncio.Task[None]](), limits.connections
        self.attempting = set[asyncio.Task[Any] | None]()
        self.stopped: HarnessError | None = None
        self.any_answer, self.alike = limits.any_answer, list[str]()
        self.generator = random.Random()

    async def run(self) -> None:
        """Keep as many tasks as the pace allows, until all clips are asked about or one task fails."""
        try:
            async with self.group:
                self._fill()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors.exceptions[0].__cause__
        if self.stopped is not None:
            raise self.stopped

    def _fill(self) -> None:
        while len(self.tasks) < min(int(self.pace.limit), self.most) and self.stopped is None:
            self.tasks.append(self.group.create_task(self._work(len(self.tasks))))

    def _stop(self, error: HarnessError) -> None:
        """Ask nothing more; what is in flight has some time to end."""
        if self.stopped is None:
            self.stopped = error
            for task in self.tasks:
                if task in self.attempting:
                    asyncio.get_running_loop().call_later(GRACE_S, task.cancel)
                elif task is not asyncio.current_task():
                    task.cancel()

    async def _work(self, number: int) -> None:
        """Ask about one clip after the other, until all are asked about, the run stops, or pictures need the memory."""
        loop = asyncio.get_running_loop()
        try:
            while self.stopped is None and number < self.most and (clip_id := next(self.clips, None)) is not None:
                # a clip of one's own that cannot be shown gives no question
                for question in await loop.run_in_executor(self.reader, self.questions.read, [clip_id]):
                    self.most = min(self.most, max(1, BYTES // max(1, question.frames.nbytes)))
                    await self._ask(question)
        except HarnessError as error:
            self._stop(error)

    async def _ask(self, question: Question) -> None:
        """Ask about a clip until it is answered, refused, or out of time."""
        loop, clip_id = asyncio.get_running_loop(), question.clip_id
        begun, attempts, extended = loop.time(), 0, 0.0
        while True:
            attempts += 1
            waiting = loop.time()
            entered = await self.pace.enter()
            extended += entered - waiting  # waiting for a place is nobody's failure
            if self.stopped is not None:
                self.pace.leave()
                return
            left = begun + self.limits.deadline_s + extended - entered
            try:
                answer = await self._attempt(question, left)
            except NotAnswered as error:
                failure = error
                self.outcomes.take_failure(clip_id, failure)
                self._note(failure, entered)
            else:
                self.pace.note_answer()
                self._fill()
                self.any_answer, self.alike = True, []
                latency, wait = loop.time() - entered, entered - begun
                self.outcomes.take_answer(clip_id, answer, latency * 1000, Asked(attempts, wait * 1000))
                return
            finally:
                self.pace.leave()
            wait = pause(attempts, failure.retry_after, self.generator)
            if failure.retry_after and extended < LONGEST_RETRY_S:
                extended += wait  # time that the server asks for is not the clip's
            if self.stopped is not None:
                return
            if failure.ends == AGAIN and loop.time() + wait < begun + self.limits.deadline_s + extended:
                await asyncio.sleep(wait)
                continue
            self._end(failure)
            self.outcomes.take_loss(clip_id, failure)
            return

    async def _attempt(self, question: Question, seconds: float) -> Answer:
        """Return the answer, within so many seconds. Raises NotAnswered, and HarnessError for what the model raises."""
        try:
            async with asyncio.timeout(max(seconds, 0.001)) as limit:
                self.attempting.add(asyncio.current_task())
                answer = await self.asker.answer(question)
                check_finished(answer)
                return answer
        except NotAnswered as failure:
            words = self.outcomes.run.mask.message(failure.words)
            raise NotAnswered(failure.kind, words, failure.retry_after) from None
        except (HarnessError, KeyboardInterrupt, asyncio.CancelledError):
            raise
        except BaseException as error:
            if isinstance(error, TimeoutError) and limit.expired():
                raise NotAnswered("no reply in time", f"none within {seconds:.0f} s") from None
            raise HarnessError(f"the model failed on {question.clip_id}: {cause(error)}") from error
        finally:
            self.attempting.discard(asyncio.current_task())

    def _note(self, failure: NotAnswered, entered: float) -> None:
        """Let the pace know."""
        after = failure.retry_after or 0.0
        if after > LONGEST_RETRY_S:
            raise IncompleteError(
                f"{failure}: the server asks to come back in {span(after)}. The answers are kept, and the same command "
                "asks about the rest"
            )
        if after > SAID_RETRY_S:
            self.outcomes.run.choices.say(f"the server asks to wait {span(after)} ({failure})")
        if failure.kind in ("rate limit", "no reply in time"):  # a server with too much to do is first of all late
            self.pace.note_refusal(entered, failure.retry_after)
        elif failure.ends == AGAIN:
            self.pace.note_trouble()

    def _end(self, failure: NotAnswered) -> None:
        """Raise HarnessError where a failure ends the run: no access, or requests that are wrong as such."""
        if failure.ends == RUN:
            raise self._end_of_run(failure)
        if failure.kind != "bad request" or not self.limits.stop_at_bad_requests:
            self.alike = []
            return
        words = " ".join(word for word in failure.words.split() if word.isalpha())  # ids of requests differ
        self.alike = [*(before for before in self.alike if before == words), words]
        if not self.any_answer or len(self.alike) >= ALIKE:
            raise self._end_of_run(failure)

    def _end_of_run(self, failure: NotAnswered) -> HarnessError:
        kept = "the answers so far are kept, and the same command resumes"
        return HarnessError(f"{self.outcomes.run.model} cannot be asked any more ({failure}); {kept}")
