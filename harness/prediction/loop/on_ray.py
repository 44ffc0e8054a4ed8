"""Ask a Predictor in workers on Ray: the batches of one process, each answered wherever a worker is free.

A worker holds the model, reads or draws the pictures of its batches itself, the next one's while the model answers, and
returns prediction lines. They are on disk in this process before the worker gets another batch, so that a run resumes
by clip whatever died. A batch whose worker died is asked again, by others.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, cast

from harness.errors import HarnessError
from harness.formatting import plural
from harness.prediction.choices import Choices
from harness.prediction.floors import Floor, Floors
from harness.prediction.loop.batches import answer_batch, failure_on, kept
from harness.prediction.loop.model_on_ray import Loaded, ModelOnRay, Name, check_same, load
from harness.prediction.loop.outcomes import Outcomes
from harness.prediction.model_code import no_silent_exit
from harness.prediction.predictor import Predictor, Question
from harness.prediction.questions import split_in_batches, where_asked
from harness.prediction.run import Run
from reference.pools.on_ray import DEATHS, TaskLost


class Answered(NamedTuple):
    """Lines of a batch, and why clips of one's own cannot be shown, by clip id."""

    lines: list[dict[str, Any]]
    faults: Mapping[str, str]


@dataclass
class Asking:
    """What a worker keeps while it asks: the model, the run, and the pictures that are read ahead."""

    loaded: Loaded
    run: Run
    reader: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    coming: dict[tuple[str, ...], Future[list[Question]]] = field(default_factory=dict)

    def questions(self, batch: tuple[str, ...], following: tuple[str, ...] | None) -> list[Question]:
        """Return the questions of a batch, and let those of the following one be read."""
        read = self.run.questions.read
        found = self.coming.pop(batch, None) or self.reader.submit(read, batch)
        self.coming = {} if following is None else {following: self.reader.submit(read, following)}
        return found.result()


def ask_on_ray(model: ModelOnRay, run: Run, outcomes: Outcomes) -> None:
    """Ask about every clip that waits. Raises HarnessError where the model fails, or kills its workers."""
    batches = [tuple(batch) for batch in split_in_batches(outcomes.waiting, run.batch_size)]
    cluster = model.workers.cluster
    run.choices.say(f"asking on Ray, in {plural(min(cluster.workers, len(batches)), 'worker')}")
    begin = begin_asking, model.name, _as_sent(run, outcomes.waiting)
    try:
        with closing(model.workers.results(begin, ask, batches, most=len(batches))) as results:
            for _, answered in results:
                if run.own:
                    run.own.faults.update(answered.faults)
                outcomes.add(answered.lines)
    except TaskLost as lost:
        raise HarnessError(
            f"{failure_on(run, lost.task)}: {DEATHS} workers died while they answered (out of memory, or stopped from "
            f"outside); {kept(run)}"
        ) from None
    except KeyboardInterrupt:
        run.choices.say(f"interrupted; {kept(run)}")
        raise


def _as_sent(run: Run, clips: list[str]) -> Run:
    """Return a run as a worker needs it: without the model and its guard, and with questions that can be sent."""
    quiet = replace(run.choices, say=Choices().say)
    nothing = cast(Any, None)
    return replace(
        run,
        predictor=nothing,
        code=nothing,
        choices=quiet,
        given=quiet,
        questions=where_asked(run.questions, frozenset(clips)),
    )


def begin_asking(kept: Any, name: Name, run: Run) -> tuple[Asking, None]:
    """Make a worker ready: load the model unless it is there, and take the run."""
    loaded = kept if isinstance(kept, Loaded) else load(None, name)[0]
    check_same(run.model, loaded.facts, run.facts)
    if isinstance(loaded.predictor, Floor) and isinstance(run.split.floors, Floors):
        loaded.predictor.prepare(run.split.floors)
    run.questions.draw()
    return Asking(loaded, replace(run, predictor=loaded.predictor, code=loaded.code)), None


def ask(asking: Asking, batch: tuple[str, ...], following: tuple[str, ...] | None) -> Answered:
    """Ask the model in a worker about a batch."""
    run = asking.run
    questions = asking.questions(batch, following)
    with no_silent_exit():
        lines = answer_batch(cast(Predictor, run.predictor), run, questions) if questions else []
    faults = run.own.faults if run.own else {}
    return Answered(lines, {clip_id: faults[clip_id] for clip_id in batch if clip_id in faults})
