"""Choices of a prediction run: what is asked about, with which pictures and on which machine, as one frozen object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError, check_choices
from harness.ingestion.rows import kind_of
from reference.home import cache_home
from reference.task import DEFAULT_SPLIT, DEFAULT_WORLD
from reference.truth.store import Truth, open_clips

Say = Callable[[str], object]
"""Takes a sentence about the run while it is under way."""


def _silent(text: str) -> None:
    """Drop a sentence."""


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Choices of `predict`, all with defaults. Paths may be texts, and None chooses the default.

    Raises UsageError for a limit, a batch or a number of processes below 1, and for options that are no texts.
    """

    world: str = DEFAULT_WORLD
    split: str = DEFAULT_SPLIT
    frames: Path | None = None  # a rendering of the split, instead of one made for the model
    limit: int | None = None  # only the first clips
    batch_size: int | None = None  # clips a question; by default the model's own number
    options: Mapping[str, str] = field(default_factory=dict)  # of a model that is given by name
    fresh: bool = False  # discard what an earlier run left
    workers: int = 2  # processes that draw pictures
    home: Path | None = None  # the cache; by default HARNESS_HOME
    truth: Path | None = None  # a truth database, or a folder of them, instead of the cache
    say: Say = _silent  # takes what is worth knowing before the run ends

    def __post_init__(self) -> None:
        for name in ("limit", "batch_size", "workers"):
            number = getattr(self, name)
            if number is not None and not (isinstance(number, int) and number >= 1 and number is not True):
                raise UsageError(f"{name}={number!r}: expected an integer from 1 on")
        for key, text in dict(self.options or {}).items():
            if not isinstance(key, str) or not isinstance(text, str):
                raise UsageError(f"options: {key!s:.80} has a value that is {kind_of(text)}, expected texts")
        plain = {"world": str(self.world), "options": dict(self.options or {})}
        paths = {name: Path(path) for name in ("frames", "home", "truth") if (path := getattr(self, name))}
        for name, value in (plain | paths).items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, **choices: Any) -> Choices:
        """Return the default choices with these fields changed. Raises UsageError for other names."""
        check_choices(cls, choices)
        return cls(**choices)

    def absolute(self) -> Choices:
        """Return the choices with paths that hold in any working directory."""
        paths = {name: path.absolute() for name in ("frames", "truth") if (path := getattr(self, name))}
        return replace(self, home=cache_home(self.home).absolute(), **paths)

    def open(self) -> Truth:
        """Open the truth of the split; no model sees it, so that a published split's clips are enough."""
        return open_clips(self.world, self.split, home=self.home, truth=self.truth)
