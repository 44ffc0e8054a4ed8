"""Models by name, and functions as models.

Any installed package brings a model by an entry point of the group `harness.predictors`:

    [options.entry_points]
    harness.predictors =
        mine = my_package.model:load

`--model mine:REST` calls `load(REST, options)`, `options` being the `--option key=value` of the command as texts, and
asks what it returns, a `Predictor` or an `Asker`. `load` raises HarnessError for what the user can repair; whatever
else it raises is reported with the line that raised it. Where it misses a package, the error names the extra that is
called like the entry point, if the distribution has such an extra. Secrets (keys, tokens, passwords) a model reads from
the environment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import metadata
from typing import Any

from harness.errors import HarnessError, UsageError
from harness.ingestion.rows import kind_of
from harness.prediction.asker import Asker, Setting, is_asker, is_async_function
from harness.prediction.model_code import ModelCode
from harness.prediction.predictor import Answer, Predictor, Question, Wants
from reference.extras import extra_of, install

GROUP, PACKAGE = "harness.predictors", "warehouse-harness"


class Function:
    """Predictor that asks a function, `question -> answer`, clip by clip."""

    batch_size, training = 1, None

    def __init__(self, function: Callable[[Question], Answer], wants: Wants | None, card: Mapping[str, Any] | None):
        self.function, self.wants, self.card = function, wants, card or {}

    def ask(self, questions: Sequence[Question], operations: Sequence[str]) -> Sequence[Answer]:
        """Return what the function answers."""
        return [self.function(question) for question in questions]


class AsyncFunction:
    """Asker that calls an asynchronous function, `question -> answer`."""

    connections, training = 8, None

    def __init__(
        self, function: Callable[[Question], Awaitable[Answer]], wants: Wants | None, card: Mapping[str, Any] | None
    ):
        self.function, self.wants, self.card = function, wants, card or {}

    async def prepare(self, setting: Setting) -> Mapping[str, Any]:
        """Return nothing: a function agrees nothing."""
        return {}

    async def answer(self, question: Question) -> Answer:
        """Return what the function answers."""
        return await self.function(question)

    async def close(self) -> None:
        """Release nothing."""


_SAYS_ITSELF = "{} says itself what it wants and what its card holds: leave wants and card out"


def to_predictor(model: Any, wants: Wants | None = None, card: Mapping[str, Any] | None = None) -> Predictor | Asker:
    """Return a model as it is, or a function as a model with these wants and this card.

    Raises UsageError for what is neither, and for wants or a card beside a model that has its own.
    """
    name = name_of(model)
    if isinstance(model, type):
        raise UsageError(f"{name} is a class, expected an object of it, a function, or NAME:REST")
    if is_asker(model):
        if wants is not None or card is not None:
            raise UsageError(_SAYS_ITSELF.format(name))
        return model
    if not hasattr(model, "ask"):
        if not callable(model):
            raise UsageError(f"{name} cannot be asked: expected a function, an object with `ask`, or NAME:REST")
        return AsyncFunction(model, wants, card) if is_async_function(model) else Function(model, wants, card)
    if missing := [part for part in ("wants", "batch_size", "card", "training") if not hasattr(model, part)]:
        raise UsageError(f"{name} has no {', '.join(missing)}; harness.prediction.predictor describes a Predictor")
    if wants is not None or card is not None:
        raise UsageError(_SAYS_ITSELF.format(name))
    return model


def name_of(model: Any) -> str:
    """Return the full name of a function, or of an object's class."""
    named = model if hasattr(model, "__qualname__") else type(model)
    return f"{named.__module__}.{named.__qualname__}"


def entry_points() -> dict[str, metadata.EntryPoint]:
    """Return the entry points of all installed packages by name."""
    return {point.name: point for point in metadata.entry_points(group=GROUP)}


def find(model: str, options: Mapping[str, str], code: ModelCode) -> Predictor | Asker:
    """Return the model that `NAME:REST` names. Raises UsageError, and the HarnessErrors that its `load` raises."""
    name, _, rest = model.partition(":")
    points = entry_points()
    if name not in points:
        known = ", ".join(sorted(points)) or "none"
        meant = f" (behind an endpoint it is openai:{model})" if ":" not in model and "openai" in points else ""
        raise UsageError(
            f"--model {model}: no model {name!r} is installed, expected NAME:REST with one of {known}{meant}; a "
            f"package adds a model by an entry point of the group {GROUP}; docs/predict.md says how, and how a server, "
            "a script or a Python function is asked without"
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
            raise UsageError(f"{name} needs {error.name}{_remedy(points[name], error)}") from None
    raise AssertionError  # `called` lets nothing pass


def _remedy(point: metadata.EntryPoint, error: ModuleNotFoundError) -> str:
    """Return how to install a missing module, as the end of a sentence.

    Only an extra that is called like the entry point is sure to bring it: a module's name need not be a package's.
    """
    extras = (point.dist.metadata.get_all("Provides-Extra") or []) if point.dist else []
    package = point.dist.metadata["Name"] if point.dist else ""
    if package == PACKAGE and (extra := extra_of(error)):
        return f": {install(extra)}"
    if point.name in extras:
        return f": {install(point.name)}" if package == PACKAGE else f": pip install '{package}[{point.name}]'"
    return ", which is not installed"
