"""A shard of some work: number 3 of 8, whose shards together are the whole, cut in the work's own order.

`3/8` says it, or the environment does: `env` takes number and total from a SLURM job array that counts from 0 or 1
without a gap, `env/8` the number alone, from SLURM (`--array=1-8`) or from an indexed Kubernetes Job, which counts from
0 and does not tell its pods of how many they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from reference.errors import HarnessError

TEXT = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")
ENVIRONMENT = re.compile(r"env(?:/([1-9][0-9]{0,5}))?")
SLURM, SLURM_RANGE = "SLURM_ARRAY_TASK_ID", ("SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_COUNT")
KUBERNETES = "JOB_COMPLETION_INDEX"


@dataclass(frozen=True)
class Shard:
    """Number of a shard, from 1 on, and how many there are; as a text "3/8"."""

    number: int
    total: int

    @classmethod
    def of(cls, text: str, environment: Mapping[str, str] = os.environ) -> Shard:
        """Read `3/8`, `env` or `env/8`. Raises HarnessError, which says what is expected instead."""
        if found := TEXT.fullmatch(text):
            number, total = int(found[1]), int(found[2])
            if number > total:
                raise HarnessError(f"--shard {text}: of {total} shards the last one is {total}/{total}")
            return cls(number, total)
        if found := ENVIRONMENT.fullmatch(text):
            return _by_environment(text, int(found[1]) if found[1] else None, environment)
        raise HarnessError(f"--shard {text[:40]!r}: expected a number and how many, such as 3/8, or env, or env/8")

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    @property
    def words(self) -> str:
        """Return the shard as it is spoken of."""
        return f"shard {self.number} of {self.total}"

    def cut(self, steps: int, what: str, or_else: str = "") -> range:
        """Return the steps of this shard among so many, numbered from 0.

        Raises HarnessError where there are fewer steps than shards; `what` says what the steps are, and `or_else` what
        helps beside fewer shards.
        """
        if steps < self.total:
            fewer = f"{steps:,} or fewer" if steps > 1 else "1"
            raise HarnessError(
                f"--shard {self}: {what} cannot be cut into {self.total:,} shards; choose {fewer}{or_else}"
            )
        return range((self.number - 1) * steps // self.total, self.number * steps // self.total)


def _by_environment(text: str, total: int | None, environment: Mapping[str, str]) -> Shard:
    if SLURM in environment:
        return _by_slurm(text, total, environment)
    if KUBERNETES not in environment:
        raise HarnessError(
            f"--shard {text}: neither {SLURM} nor {KUBERNETES} is set here, so that nothing says which shard this is; "
            "give it, such as --shard 3/8"
        )
    if total is None:
        raise HarnessError(
            f"--shard {text}: {KUBERNETES} says which shard this is, and nothing of how many; write --shard env/8 in a "
            "Job with 8 completions"
        )
    index = _number(text, KUBERNETES, environment)
    if index >= total:
        raise HarnessError(f"--shard {text}: {KUBERNETES} is {index}, and {total} shards are 0 to {total - 1} there")
    return Shard(index + 1, total)


def _by_slurm(text: str, total: int | None, environment: Mapping[str, str]) -> Shard:
    """Return the shard of a task of a job array.

    An array with gaps, or that begins later, is some shards of an earlier one that are asked for again: it does not say
    of how many they are.
    """
    number = _number(text, SLURM, environment)
    if total is not None:
        if not 1 <= number <= total or environment.get(SLURM_RANGE[0]) == "0":
            raise HarnessError(f"--shard {text}: {SLURM} is {number}; count the tasks from 1: --array=1-{total}")
        return Shard(number, total)
    first, last, count = (_number(text, name, environment) for name in SLURM_RANGE)
    if first not in (0, 1) or count != last - first + 1 or not first <= number <= last:
        raise HarnessError(
            f"--shard {text}: this job array has {count} tasks from {first} to {last}, which does not say how many "
            "shards there are; write --shard env/8 with tasks from 1 to 8"
        )
    return Shard(number - first + 1, count)


def _number(text: str, name: str, environment: Mapping[str, str]) -> int:
    value = environment.get(name, "")
    if not re.fullmatch("[0-9]{1,9}", value):
        raise HarnessError(f"--shard {text}: {name} is {value[:40]!r}, expected a number")
    return int(value)
