"""A model on Ray: it is loaded by name in each worker, and this process knows what it says of itself.

Only a model given by name can be sent: `NAME:REST` and its options travel, and what they name (a run's folder, a
module) must be there, at the same path. A worker works in the folder that the command was started in, where it exists.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import UsageError
from harness.masking import mask_of_model
from harness.prediction.asker import is_asker
from harness.prediction.choices import Choices
from harness.prediction.facts import Facts
from harness.prediction.floors import Floor
from harness.prediction.model_code import ModelCode, no_silent_exit
from harness.prediction.models import AsyncFunction, Function, find, name_of, to_predictor
from harness.prediction.predictor import Answer, Predictor, Question
from reference.pools.on_ray import Workers, host, joined

KINDS = Floor, Function, AsyncFunction
"""Classes of models that the harness treats apart."""


class Name(NamedTuple):
    """What a worker needs to load the model."""

    model: str
    options: Mapping[str, str]
    folder: str


@dataclass(frozen=True)
class Loaded:
    """The model in a worker."""

    predictor: Predictor
    code: ModelCode
    facts: Facts


class ModelOnRay:
    """Stand-in for a model whose workers answer. `kind`: its class, where the harness treats that apart."""

    def __init__(self, name: Name, workers: Workers, facts: Facts, kind: type | None):
        self.name, self.workers, self.kind = name, workers, kind
        self.wants, self.batch_size = facts.wants, facts.at_once
        self.card, self.training = facts.raw

    def ask(self, questions: Sequence[Question], operations: Sequence[str]) -> Sequence[Answer]:
        """Refuse: the workers ask, with `ask_on_ray`."""
        raise UsageError(f"{self.name.model} answers on Ray, and not here")


@contextlib.contextmanager
def placed(model: Any, choices: Choices) -> Iterator[Any]:
    """Yield the model as it is, or as it stands in the first worker on Ray, whose cluster is joined so long.

    Raises UsageError for a model that cannot be sent, PoolError, and what loading the model raises.
    """
    if choices.on is None:
        yield model
        return
    if not isinstance(model, str):
        raise UsageError(f"{name_of(model)}: only a model given by its name, NAME:REST, can be sent to Ray")
    name = Name(model, choices.options, str(Path.cwd()))
    with joined(choices.on, choices.workers) as cluster, contextlib.closing(Workers(cluster, choices.say)) as workers:
        facts, kind = workers.first(load, name)
        yield ModelOnRay(name, workers, facts, kind)


def load(kept: Loaded | None, name: Name) -> tuple[Loaded, tuple[Facts, type | None]]:
    """Load a model in a worker, and read what it says of itself. Raises UsageError, and what loading raises."""
    with contextlib.suppress(OSError):
        os.chdir(name.folder)
    code = ModelCode()
    with no_silent_exit():
        found = find(name.model, name.options, code)
        with code.called(lambda cause: UsageError(f"{name.model} cannot be asked: {cause}"), own=UsageError):
            predictor = to_predictor(found)
        if is_asker(predictor):
            raise UsageError(
                f"{name.model} is asked about many clips at once by this process (--connections): leave --on out"
            )
        facts = Facts.of(predictor, code, mask_of_model(name.model, name.options))
    kind = type(predictor) if isinstance(predictor, KINDS) else None
    return Loaded(predictor, code, facts), (facts, kind)


def check_same(model: str, facts: Facts, first: Facts) -> None:
    """Raise UsageError where a model says of itself something else than it says in the first worker."""
    here, there = ([one.wants, one.at_once, *one.raw] for one in (facts, first))
    names = ("wants", "batch_size", "card", "training")
    if json.dumps(here, sort_keys=True) != json.dumps(there, sort_keys=True):
        other = [name for name, one, two in zip(names, here, there, strict=True) if one != two]
        raise UsageError(
            f"{model} says otherwise of itself on {host()} than in the first worker ({', '.join(other)}): the same "
            "model, on the same kind of machine, must be everywhere"
        )
