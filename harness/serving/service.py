"""The service behind the routes: the model with its operations, the queue, and the state that the probes tell."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.errors import HarnessError, UsageError
from harness.masking import mask_of_model
from harness.prediction.asker import AGAIN, CLIP, NotAnswered, is_asker
from harness.prediction.facts import Facts
from harness.prediction.floors import Floor
from harness.prediction.loop.batches import no_replies
from harness.prediction.model_code import ModelCode, no_silent_exit
from harness.prediction.models import find, name_of, to_predictor
from harness.prediction.own_clips.labels import Labels
from harness.prediction.predictor import Predictor, Question, Reply, Wants, without_pictures
from harness.prediction.replies import Reader, without_secrets
from harness.serving.batching import Answered, Ask, Batcher, Line
from harness.serving.elsewhere import Elsewhere
from harness.serving.intake.decoding import ClipIn, Decoders
from harness.serving.limits import PICTURES, Limits
from harness.serving.metrics import Metrics
from harness.serving.operations import WorldFloors, read_operations
from harness.serving.refusal import Refusal
from reference.rendering.artifacts import SIDES
from reference.rendering.prompt import task_prompt, times_s
from reference.task import CLIP_FRAMES, DEFAULT_WORLD, UNKNOWN
from reference.video.samplers import SAMPLERS, uniform_indices

BLIND = Wants(PICTURES[0], SIDES[0])
"""How a clip is looked at for a model that wants no pictures: whether it can be read at all."""
WARM = "warm-up"
"""Name of the clip that is asked about before the first request."""
LOADING, READY, DRAINING = "loading", "ready", "draining"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is served, and how."""

    model: Any  # NAME:REST, or what `harness.predict` takes
    options: Mapping[str, str] = field(default_factory=dict)
    world: str = DEFAULT_WORLD
    labels: Path | None = None
    batch_size: int | None = None
    limits: Limits = field(default_factory=Limits)


class Loaded(NamedTuple):
    """Model that is loaded, with all that belongs to it."""

    predictor: Predictor | Elsewhere
    facts: Facts
    labels: Labels
    reader: Reader
    batch_size: int
    card_sha256: str


class Timed(NamedTuple):
    """Answer about a clip, and the seconds that it took to decode it."""

    answered: Answered
    decode_s: float


class Service:
    """Model behind the routes. `loaded` is None until the model answers; `failure` says why it never will."""

    def __init__(self, settings: Settings, log: Callable[[str], object]):
        self.settings, self.limits, self.metrics = settings, settings.limits, Metrics()
        self.model = settings.model if isinstance(settings.model, str) else name_of(settings.model)
        self.mask = mask_of_model(self.model, settings.options)
        self.loaded: Loaded | None = None
        self.failure: BaseException | None = None
        self._pending: Loaded | None = None
        self.draining = False
        self.in_flight, self.bytes_in_flight = 0, 0
        self.started = time.time()
        self.changed: Callable[[], object] = lambda: None
        self._log, self._code = log, ModelCode()
        self._decoders = Decoders(self.limits, self.metrics.decoders_ended.inc)
        self._batcher: Batcher | None = None
        self.metrics.in_flight.set_function(lambda: self.in_flight)
        self.metrics.queue.set_function(lambda: len(self._batcher) if self._batcher else 0)
        self.metrics.ready.set_function(lambda: float(self.reason() is None))

    def start(self) -> None:
        """Begin to load the model, inside the event loop that serves."""
        self._batcher = Batcher(self._load, self._is_loaded, self._count_call)
        self._batcher.start()

    def close(self) -> None:
        """End the model's thread after its call, and the decoding processes."""
        if self._batcher is not None:
            self._batcher.end()
        self._decoders.close()

    @property
    def is_busy(self) -> bool:
        """Return True while the model loads or works, which nothing but the end of the process stops."""
        return self._batcher is not None and self._batcher.is_busy

    @property
    def state(self) -> str:
        """Return loading, ready or draining."""
        return DRAINING if self.draining else READY if self.loaded else LOADING

    def reason(self) -> str | None:
        """Return why the server takes no further request, None where it does."""
        if self.state != READY:
            return self.state
        if self.in_flight >= self.limits.requests:
            return "full"
        if self._batcher is not None and self._batcher.call_s > self.limits.deadline_s:
            return "the model does not answer"
        return None

    def retry_after_s(self) -> int:
        """Return in how many seconds a refused client may come again."""
        seconds = self._batcher.seconds_a_clip * self.in_flight if self._batcher else 1.0
        return min(60, max(1, math.ceil(seconds)))

    def ready(self) -> Loaded:
        """Return the model. Raises Refusal while there is none."""
        if self.loaded is None:
            raise Refusal(503, "the model is being loaded", retry_after_s=5)
        return self.loaded

    async def answer(self, clip: ClipIn, prompt: str | None = None) -> Timed:
        """Return the model's answer about a clip; `prompt`: words instead of the published prompt. Raises Refusal."""
        loaded = self.ready()
        begun = time.monotonic()
        try:
            frames, indices = await self._decoders.squares(clip, loaded.facts.wants or BLIND)
        except Refusal:
            self.metrics.decode_failures.inc()
            raise
        took = time.monotonic() - begun
        if loaded.facts.wants is None:
            question = without_pictures(clip.name)
        else:
            words = task_prompt(loaded.labels.operations, indices.tolist(), loaded.labels.meanings)
            times = np.array(times_s(indices.tolist()), np.float64)
            question = Question(clip.name, frames, indices, times, words if prompt is None else prompt)
        assert self._batcher is not None
        try:
            answered = await self._batcher.answer(question)
        except Exception as error:
            self.metrics.model_failures.inc()
            self._log(json.dumps({"failure": self.mask.message(str(error) or type(error).__name__)[:2000]}))
            if isinstance(error, NotAnswered) and error.ends != CLIP:  # a key that is refused is no clip's fault
                again = min(60, math.ceil(error.retry_after or (1 if error.ends == AGAIN else 60)))
                raise Refusal(503, "the model behind this server does not answer now", None, again) from None
            raise Refusal(500, "the model failed on this clip") from None
        self.metrics.answers.labels(answered.line["source"]).inc()
        return Timed(answered, took)

    def decoder_pids(self) -> Sequence[int]:
        """Return the process ids of the decoding processes."""
        return self._decoders.pids()

    def info(self) -> dict[str, Any]:
        """Return what is served."""
        loaded = self.ready()
        wants = loaded.facts.wants
        return {
            "model": self.name,
            "card": without_folders(loaded.facts.card),
            "card_sha256": loaded.card_sha256,
            "operations": [label for label in loaded.labels.operations if label != UNKNOWN],
            "meanings": dict(loaded.labels.meanings),
            "wants": None if wants is None else wants._asdict(),
            "batch_size": loaded.batch_size,
            "limits": {
                "requests": self.limits.requests,
                "body_bytes": self.limits.body_bytes,
                "batch_clips": self.limits.batch_clips,
                "pictures": list(PICTURES),
                "deadline_s": self.limits.deadline_s,
            },
        }

    @property
    def name(self) -> str:
        """Return the model's name for clients: without the folders that it lies in, and without secrets."""
        kind, _, rest = self.model.partition(":")
        return self.mask.message(f"{kind}:{Path(rest).name or rest}")

    def _load(self) -> tuple[Ask, int]:
        """Load and warm the model, in its thread. Raises HarnessError."""
        with no_silent_exit():
            loaded = self._found()
            self._warm(loaded)
        self._pending = loaded
        return lambda questions: self._ask(loaded, questions), loaded.batch_size

    def _found(self) -> Loaded:
        settings, code = self.settings, self._code
        labels, floors = read_operations(settings.world, settings.labels)
        found = settings.model
        if isinstance(found, str):
            found = find(found, settings.options, code)
        with code.called(lambda cause: UsageError(f"{self.model} cannot be asked: {cause}"), own=UsageError):
            model = to_predictor(found)
        predictor: Predictor | Elsewhere = (
            Elsewhere(model, self.limits.deadline_s, self._note, self.mask.message) if is_asker(model) else model
        )
        facts = Facts.of(model, code, self.mask)
        if facts.wants is not None:
            _check_wants(facts.wants)
        if isinstance(predictor, Floor):
            if not isinstance(floors, WorldFloors):
                raise UsageError(f"{self.model} answers from a training split: --world names one that has it")
            predictor.prepare(floors)
        digest = hashlib.sha256(json.dumps(facts.card, sort_keys=True).encode()).hexdigest()
        size = max(1, settings.batch_size or facts.at_once)
        return Loaded(predictor, facts, labels, Reader(floors), size, digest)

    def _warm(self, loaded: Loaded) -> None:
        """Ask about a grey clip, so that the first request waits for nothing that is done once."""
        wants = loaded.facts.wants
        if wants is None:
            question = without_pictures(WARM)
        else:
            indices = uniform_indices(CLIP_FRAMES, wants.frames)
            frames = np.full((wants.frames, wants.size, wants.size, 3), 128, np.uint8)
            prompt = task_prompt(loaded.labels.operations, indices, loaded.labels.meanings)
            question = Question(WARM, frames, np.array(indices, np.int64), np.array(times_s(indices)), prompt)
        if isinstance(loaded.predictor, Elsewhere):

            def failure(cause: str) -> HarnessError:
                return UsageError(f"{self.model} cannot be asked: {cause}")

            with self._code.called(failure, own=HarnessError):
                loaded.predictor.prepare(question, loaded.labels.operations)
        for line in self._ask(loaded, [question]):
            if isinstance(line, NotAnswered) and line.ends == AGAIN:
                self._note(f"{self.model} does not answer yet: {line}")  # it has agreed already
            elif isinstance(line, Exception):
                raise HarnessError(f"{self.model} does not answer: {line}")
        self._decoders.warm(wants or BLIND)

    def _note(self, text: str) -> None:
        self._log(json.dumps({"note": self.mask.message(text)[:2000]}))

    def _is_loaded(self, error: BaseException | None) -> None:
        if error is None:
            self.loaded = self._pending
        else:
            self.failure = error
        self.changed()

    def _count_call(self, clips: int, seconds: float) -> None:
        self.metrics.batch.observe(clips)
        self.metrics.model_seconds.observe(seconds)

    def _ask(self, loaded: Loaded, batch: Sequence[Question]) -> list[Line | Exception]:
        """Ask the model about a batch, as `harness predict` does. Raises HarnessError.

        Returns a line a clip, or in its place why there is none.
        """
        clips = [question.clip_id for question in batch]

        def failure(cause: str) -> HarnessError:
            return HarnessError(f"the model failed on {', '.join(clips[:8])}: {cause}")

        begun = time.perf_counter()
        with no_silent_exit(), self._code.called(failure):
            given = loaded.predictor.ask(list(batch), tuple(loaded.labels.operations))
            fault = no_replies(given)
            replies: list[Any] = [] if fault else list(islice(_series(given), len(batch) + 1))
        latency_ms = (time.perf_counter() - begun) * 1000 / len(batch)
        if fault or len(replies) != len(batch):
            raise HarnessError(fault or f"the model gave {len(replies)} replies to {len(batch)} questions")
        return [self._line(loaded, clip, reply, latency_ms) for clip, reply in zip(clips, replies, strict=True)]

    def _line(self, loaded: Loaded, clip: str, reply: Any, latency_ms: float) -> Line | Exception:
        """Return the prediction line of a reply, without secrets that the model repeats, or why it is none."""
        if isinstance(reply, Exception):
            return reply
        try:
            found = loaded.reader.line(clip, reply, latency_ms)
        except HarnessError as error:
            return error
        return without_secrets(found, self.mask, loaded.labels.operations)


def _series(given: Any) -> Iterable[Reply]:
    return given


def without_folders(value: Any) -> Any:
    """Return a value of a card with absolute paths cut down to their last part: where files lie concerns nobody."""
    if isinstance(value, Mapping):
        return {key: without_folders(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(inner) for inner in value]
    return Path(value).name if isinstance(value, str) and value.startswith(("/", "~")) else value


def _check_wants(wants: Wants) -> None:
    if wants.frames > CLIP_FRAMES or wants.sampler not in SAMPLERS or not SIDES[0] <= wants.size <= SIDES[1]:
        raise UsageError(
            f"the model wants {wants.frames} frames of {wants.size} x {wants.size} by the sampler {wants.sampler}; "
            f"a clip has {CLIP_FRAMES} frames, sides are {SIDES[0]} to {SIDES[1]}, samplers {', '.join(SAMPLERS)}"
        )
