"""`python:MODULE:NAME`, a function or an object of a module of one's own, as the model of a run.

    harness predict --model python:ask:middle -o submissions/middle/

The module is found as `python -m` finds it: the current directory comes first. The name may be

    def middle(question)                     asked about one clip after the other
    async def middle(question)               asked about many clips at once
    def middle(questions[, operations])      asked about a batch, one reply a question, in order
    middle = Model(...)                      an object that answers: a Predictor, or an Asker

A function may have attributes: `wants` (a Wants: which pictures it is shown; none without it) and `card` (what its card
says). The SHA-256 of the module's file stands on the card of all of them, so that changed code is another run.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.askers.options import Options
from harness.errors import UsageError
from harness.prediction.asker import Asker, is_asker, is_async_function
from harness.prediction.models import to_predictor
from harness.prediction.predictor import Answer, Predictor, Question, Wants
from reference.extras import needs
from reference.files import sha256

BATCH = 16
DIGEST = "module_sha256"

_loaded: dict[str, str] = {}  # module -> digest of its file as it was imported


class BatchFunction:
    """Predictor that asks a function, `questions -> answers`, or `questions, operations -> answers`."""

    training = None

    def __init__(
        self,
        function: Callable[..., Sequence[Answer]],
        batch_size: int,
        wants: Wants | None,
        card: Mapping[str, Any],
    ):
        self.function, self.batch_size, self.wants, self.card = function, batch_size, wants, card
        self._takes_operations = len(_required(function) or ()) > 1

    def ask(self, questions: Sequence[Question], operations: Sequence[str]) -> Sequence[Answer]:
        """Return what the function answers."""
        return self.function(questions, operations) if self._takes_operations else self.function(questions)


class OfModule:
    """A model as it is, with the digest of its module's file on its card."""

    def __init__(self, model: Predictor | Asker, digest: str):
        self._model, self._digest = model, digest

    @property
    def card(self) -> Any:
        """Return the model's card with the digest in its table `run`; what is no card stays as it is."""
        return _with_digest(self._model.card, self._digest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def load(rest: str, options: Mapping[str, str]) -> Predictor | Asker:
    """Return the model of `python:MODULE:NAME`. Raises UsageError, and whatever the module raises."""
    module_name, _, name = rest.partition(":")
    if module_name.endswith(".py") or "/" in module_name:
        meant = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise UsageError(
            f"python:{rest}: expected a module as `import` names it, such as python:{meant}:{name or 'ask'}"
        )
    if not module_name or not name:
        raise UsageError(f"python:{rest}: expected python:MODULE:NAME, such as python:ask:middle for middle in ask.py")
    module, digest = _import(module_name)
    model = _attribute(module, name)
    given = Options(f"python:{rest}", options)
    if _is_object(model):
        if options:
            raise UsageError(
                f"{name} says itself what it wants and takes no options: leave --option {min(options)} out"
            )
        return OfModule(to_predictor(model), digest)
    return _of_function(model, name, given, digest)


def _of_function(function: Any, name: str, given: Options, digest: str) -> Predictor | Asker:
    """Return a function as a model."""
    if not callable(function):
        raise UsageError(f"{given.model}: {name} is {function!r:.80}, expected a function, or an object with `ask`")
    parameters = _required(function)
    batches = parameters is not None and parameters[:1] == ["questions"]
    _check_parameters(given.model, function, parameters, batches)
    wants, card = getattr(function, "wants", None), getattr(function, "card", {})
    if isinstance(wants, Wants | None):  # anything else is refused with what it is
        wants = given.wants(wants)
    card = _with_digest(card, digest)
    batch = given.integer("batch", BATCH, least=1, most=100_000) if batches else 0
    given.done()
    return BatchFunction(function, batch, wants, card) if batches else to_predictor(function, wants, card)


def _check_parameters(model: str, function: Any, parameters: list[str] | None, batches: bool) -> None:
    """Raise UsageError for a class, for what makes models, and for a function that is no function of a question."""
    name = model.rpartition(":")[2]
    if isinstance(function, type):
        raise UsageError(f"{model} is a class: make an object of it in its module, such as model = {name}(...)")
    if parameters is None:
        return  # built in: it says nothing of its parameters
    if not parameters:
        raise UsageError(
            f"{model} takes no question; if it makes a model, call it in its module, such as model = {name}(), and "
            "name that"
        )
    if batches and is_async_function(function):
        raise UsageError(f"{model} is asynchronous and takes a batch: let it take one question, many are asked at once")
    if len(parameters) > 1 and not (batches and len(parameters) == 2):
        raise UsageError(f"{model} takes {', '.join(parameters)}: expected question, or questions and operations")


def _import(name: str) -> tuple[ModuleType, str]:
    """Return a module and the digest of its file, empty for one without. Imports it again if its file changed."""
    here = str(Path.cwd())
    if sys.path[:1] != [here]:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(name)
        digest = _digest(module)
        if _loaded.get(name, digest) != digest:
            module = importlib.reload(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise UsageError(f"python:{name}: there is no module {error.name!r} in {here} or installed") from None
        raise UsageError(needs(f"python:{name}", error)) from None
    except SyntaxError as error:  # no line of the program raised it
        raise UsageError(f"python:{name} cannot be loaded: {type(error).__name__}: {error}") from None
    _loaded[name] = digest
    return module, digest


def _digest(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return sha256(Path(file)) if file and Path(file).is_file() else ""


def _attribute(module: ModuleType, name: str) -> Any:
    value: Any = module
    for part in name.split("."):
        if not hasattr(value, part):
            near = difflib.get_close_matches(part, [known for known in dir(value) if not known.startswith("_")], 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            place = getattr(module, "__file__", None) or module.__name__
            raise UsageError(f"python:{module.__name__}:{name}: there is no {part!r} in {place}{meant}")
        value = getattr(value, part)
    return value


def _is_object(model: Any) -> bool:
    """Return True for an object that is a Predictor or an Asker, or means to be one."""
    return not isinstance(model, type) and (is_asker(model) or hasattr(model, "ask") or hasattr(model, "answer"))


def _required(function: Any) -> list[str] | None:
    """Return the names of the parameters that a function needs, by position; None where nobody knows."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = [one for one in parameters if one.kind in places]
    needed = [one.name for one in found if one.default is inspect.Parameter.empty]
    open_end = [one.name for one in parameters if one.kind is inspect.Parameter.VAR_POSITIONAL]
    return needed or [one.name for one in found[:1]] or open_end


def _with_digest(card: Any, digest: str) -> Any:
    """Return a card with the digest of the module's file in its table `run`."""
    run = card.get("run", {}) if isinstance(card, Mapping) else None
    if not digest or not isinstance(run, Mapping):
        return card
    return {**card, "run": {**run, DIGEST: digest}}
