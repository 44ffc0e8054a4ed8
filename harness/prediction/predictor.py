"""Contract of a model that the harness asks, and the search for one by name.

The harness shows the clips, reads the answers, measures, and stores every answer; a model only answers. Any installed
package brings one by an entry point of the group `harness.predictors`:

    [options.entry_points]
    harness.predictors =
        mine = my_package.model:load

`--model mine:REST` calls `load(REST, options)`, `options` being the `--option key=value` of the command as texts, and
asks what it returns, a `Predictor`. `load` raises HarnessError for what the user can repair; whatever else it raises is
reported with the line that raised it. Where it misses a package, the error names the extra that is called like the
entry point, if the distribution has such an extra. Secrets (keys, tokens, passwords) a model reads from the
environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError, UsageError
from harness.ingestion.rows import kind_of
from harness.prediction.model_code import ModelCode
from reference.extras import install
from reference.task import DEFAULT_FRAMES, DEFAULT_SAMPLER, DEFAULT_SIZE

GROUP, PACKAGE = "harness.predictors", "warehouse-harness"


class Wants(NamedTuple):
    """Pictures that a model wants of a clip; the fields are options of `harness world render`."""

    frames: int = DEFAULT_FRAMES
    size: int = DEFAULT_SIZE
    sampler: str = DEFAULT_SAMPLER


class Question(NamedTuple):
    """One clip as a model sees it. Without pictures the arrays have length 0 and the prompt is empty."""

    clip_id: str  # to name the clip in an error or a log, never to answer from
    frames: NDArray[np.uint8]  # [n, h, w, 3] RGB
    indices: NDArray[np.int64]  # [n] frame numbers, 0 to 124
    times: NDArray[np.float64]  # [n] seconds from the clip's start
    prompt: str


class Reply(NamedTuple):
    """Answer of a model, as `text` or as fields. With both the fields count, and the text becomes `raw_output`.

    Text is read as `harness score` reads `raw_output`: JSON alone, in a fence, in prose, slightly broken. For a text
    that holds no answer the harness answers (`source` is then `fallback`); fields that are no answer are an error of
    the predictor and stop the run. Confidences are probabilities that the operation, and the next one, is right.
    """

    text: str | None = None
    answer: Mapping[str, Any] | None = None  # dominant_operation, temporal_segment, next_operation
    confidence: float | None = None
    next_confidence: float | None = None


Answer = Reply | Mapping[str, Any] | str
"""A reply, or its `answer` or its `text` alone."""


class Predictor(Protocol):
    """Contract of a model that can be asked."""

    @property
    def wants(self) -> Wants | None:
        """Return the pictures that the model wants; None where it needs no pictures."""

    @property
    def batch_size(self) -> int:
        """Return the clips a call of `ask`, where the user does not choose a number."""

    @property
    def card(self) -> Mapping[str, Any]:
        """Return fields of the entry's card: `description`, `model` (id of the base model), and `run`, a table of what
        is needed to repeat the run (plain TOML values and tables); also `kind`, `authors`, `license`, `url`. A run that
        was cut off resumes only under the same card, so nothing in it may change from start to start, and models that
        answer differently need different ones. Read once, before the first question."""

    @property
    def training(self) -> Mapping[str, Any] | None:
        """Return a training record (`harness schema training`) for training.json beside the predictions, or None."""

    def ask(self, questions: Sequence[Question], operations: Sequence[str]) -> Sequence[Answer]:
        """Return one reply a question, in order. `operations`: the world's labels.

        An exception, SystemExit too, stops the run; the answers of earlier calls are kept, and these clips are asked
        again when the run resumes.
        """


class Function:
    """Predictor that asks a function, `question -> answer`, clip by clip."""

    batch_size, training = 1, None

    def __init__(self, function: Callable[[Question], Answer], wants: Wants | None, card: Mapping[str, Any] | None):
        self.function, self.wants, self.card = function, wants, card or {}

    def ask(self, questions: Sequence[Question], operations: Sequence[str]) -> Sequence[Answer]:
        """Return what the function answers."""
        return [self.function(question) for question in questions]


def to_predictor(model: Any, wants: Wants | None = None, card: Mapping[str, Any] | None = None) -> Predictor:
    """Return a model as it is, or a function as a predictor with these wants and this card.

    Raises UsageError for what is neither, and for wants or a card beside a model that has its own.
    """
    name = name_of(model)
    if isinstance(model, type):
        raise UsageError(f"{name} is a class, expected an object of it, a function, or NAME:REST")
    if not hasattr(model, "ask"):
        if not callable(model):
            raise UsageError(f"{name} cannot be asked: expected a function, an object with `ask`, or NAME:REST")
        return Function(model, wants, card)
    if missing := [part for part in ("wants", "batch_size", "card", "training") if not hasattr(model, part)]:
        raise UsageError(f"{name} has no {', '.join(missing)}; harness.prediction.predictor describes a Predictor")
    if wants is not None or card is not None:
        raise UsageError(f"{name} says itself what it wants and what its card holds: leave wants and card out")
    return model


def name_of(model: Any) -> str:
    """Return the full name of a function, or of an object's class."""
    named = model if hasattr(model, "__qualname__") else type(model)
    return f"{named.__module__}.{named.__qualname__}"


def entry_points() -> dict[str, metadata.EntryPoint]:
    """Return the entry points of all installed packages by name."""
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def find(model: str, options: Mapping[str, str], code: ModelCode) -> Predictor:
    """Return the predictor that `NAME:REST` names. Raises UsageError, and the HarnessErrors that its `load` raises."""
    name, _, rest = model.partition(":")
    points = entry_points()
    if name not in points:
        known = ", ".join(sorted(points)) or "none"
        raise UsageError(
            f"--model {model}: no model {name!r} is installed, expected NAME:REST with one of {known}; a package adds "
            f"a model by an entry point of the group {GROUP}, and harness.predict asks a Python function: "
            "docs/predict.md shows both, for a server of chat models too"
        )

    def failure(cause: str) -> HarnessError:
        return UsageError(f"--model {model} cannot be loaded: {cause}")

    with code.called(failure, own=HarnessError):
        try:
            load = points[name].load()
            if not callable(load):
                raise UsageError(f"--model {model}: {points[name].value} is {kind_of(load)}, expected a function")
            return load(rest, dict(options))
        except ModuleNotFoundError as error:
            if error.name is None:
                raise
            raise UsageError(f"{name} needs {error.name}{_remedy(points[name])}") from None
    raise AssertionError  # `called` lets nothing pass


def _remedy(point: metadata.EntryPoint) -> str:
    """Return how to install a missing module, as the end of a sentence.

    Only an extra that is called like the entry point is sure to bring it: a module's name need not be a package's.
    """
    extras = (point.dist.metadata.get_all("Provides-Extra") or []) if point.dist else []
    if point.dist and point.name in extras:
        package = point.dist.metadata["Name"]
        return f": {install(point.name)}" if package == PACKAGE else f": pip install '{package}[{point.name}]'"
    return ", which is not installed"
