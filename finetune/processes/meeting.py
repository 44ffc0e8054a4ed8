"""Meetings of the processes of a run: sums of gradients, and whatever else all of them must know.

Gradients travel by the backend of the device. What processes agree on travels beside it, by gloo, so that no card is
waited for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, TypeVar

import torch
from torch import distributed

from harness.errors import HarnessError

Value = TypeVar("Value")
Result = TypeVar("Result")


class TrainingError(HarnessError):
    """Error of a run that cannot continue; every process of the run raises it."""


class MemoryFullError(TrainingError):
    """Error of a run whose memory did not suffice in the processes of these `ranks`, `doing` something."""

    def __init__(self, ranks: list[int], doing: str, processes: int):
        self.ranks = ranks
        place = f" in process {' and '.join(map(str, ranks))} of {processes}, counted from 0" if processes > 1 else ""
        super().__init__(
            f"out of memory{place}, {doing}: take fewer or smaller frames or a lower rank, or free the memory that "
            "other programs hold; python -m finetune.plan says what fits"
        )


class LostError(HarnessError):
    """Error of a process that lost the others."""


class Processes:
    """All processes of a run, as one of them sees them: its `rank`, from 0 on, of `count`.

    Every method is called by all processes in the same order. Where one of them has ended, it raises LostError in the
    others.
    """

    def __init__(self, rank: int = 0, count: int = 1):
        self.rank, self.count = rank, count

    @property
    def first(self) -> bool:
        """True in the process that writes checkpoints, log and record."""
        return self.rank == 0

    def gather(self, value: Value) -> list[Value]:
        """Return the values of all processes, by rank."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        self._meet(lambda: distributed.all_gather_object(values, value, group=between_hosts()))
        return values

    def from_first(self, value: Value) -> Value:
        """Return the value of the first process."""
        return self.gather(value if self.first else None)[0]  # type: ignore[return-value]

    def wait(self) -> None:
        """Wait until every process has come here."""
        self.gather(None)

    def add(self, *tensors: torch.Tensor) -> None:
        """Replace tensors on the device by their sums over all processes."""
        if self.count > 1:
            for tensor in tensors:
                self._meet(partial(distributed.all_reduce, tensor))

    @contextlib.contextmanager
    def within_memory(self, doing: str) -> Iterator[None]:
        """Run a block; raise MemoryFullError in every process if memory did not suffice in one of them.

        The block must not wait for other processes.
        """
        full = False
        try:
            yield
        except torch.OutOfMemoryError:
            full = True
        if any(found := self.gather(full)):
            raise MemoryFullError([rank for rank, one in enumerate(found) if one], doing, self.count)

    def _meet(self, call: Callable[[], Result]) -> Result:
        """Return what a call between processes returns. Raises LostError where another process has ended."""
        try:
            return call()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0].rpartition("] ")[2][:100]  # gloo names its code first
            raise LostError(
                f"process {self.rank} of {self.count} has lost the others ({reason}). One of them has ended; what it "
                "printed says why. The same command resumes the run from its newest checkpoint"
            ) from None


@cache
def between_hosts() -> Any:
    """Return the group in which processes exchange what the device needs not know."""
    return distributed.new_group(backend="gloo")
