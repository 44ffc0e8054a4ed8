"""Errors of the harness, one family under `HarnessError`; `cli.main` turns them into exit codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from reference.errors import HarnessError, TruthError, WorldError, nearest

__all__ = [
    "GateFailed",
    "HarnessError",
    "IncompleteError",
    "SubmissionError",
    "TruthError",
    "UsageError",
    "WorldError",
    "check_choices",
    "nearest",
]


class UsageError(HarnessError):
    """A request that cannot be carried out: a missing file, an unknown name, options that exclude each other."""


class SubmissionError(HarnessError):
    """Refusal of a prediction file. `problems`: the first of them in line order; `total`: how many there are."""

    def __init__(self, message: str, problems: tuple = (), total: int = 0):
        super().__init__(message)
        self.problems = problems
        self.total = total


class GateFailed(HarnessError):
    """A `--fail-under` or `--fail-if-worse` condition that does not hold."""

    exit_code = 1


class IncompleteError(HarnessError):
    """A prediction run that ended with clips which got no answer; the next start asks about them."""

    exit_code = 3


def check_choices(kind: Any, names: Iterable[str]) -> None:
    """Raise UsageError for a name that is no field of the dataclass `kind`."""
    known = [field.name for field in fields(kind)]
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"no choice {unknown[0]!r}; there are {', '.join(known)}")
