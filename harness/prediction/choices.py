"""Choices of a prediction run: what is asked about, with which pictures and on which machine, as one frozen object."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from harness.errors import UsageError, check_choices
from harness.ingestion.rows import kind_of
from harness.scoring.transfer.gaps import CLEAN
from reference.home import cache_home
from reference.pools.on_ray import address_of
from reference.shard import Shard
from reference.task import DEFAULT_SPLIT, DEFAULT_WORLD
from reference.truth.store import Truth, open_clips

Say = Callable[[str], object]
"""Takes a sentence about the run while it is under way."""

SUBMIT, COLLECT, WAIT = BATCH_WAYS = ("submit", "collect", "wait")
"""Ways of `batch`."""
PATHS = ("frames", "clips", "labels", "home", "truth")


def _silent(text: str) -> None:
    """Drop a sentence."""


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Choices of `predict`, all with defaults. Paths may be texts, and None chooses the default.

    Raises UsageError for numbers below 1 or amounts below 0, and for options that are no texts.
    """

    world: str = DEFAULT_WORLD
    split: str = DEFAULT_SPLIT
    frames: Path | None = None  # a rendering of the split, instead of one made for the model
    as_domain: str | None = None  # "clean": the clips drawn clean, whose answers join an entry that is whole
    clips: Path | None = None  # own videos, pictures, or the clips.jsonl of a rendering, instead of a split
    labels: Path | Sequence[str] | Mapping[str, str] | None = None  # operations of own clips; by default the world's
    clips_fps: float | None = None  # pictures a second of own folders of pictures
    sample: int | None = None  # so many whole sessions, which the harness draws, in the split's place
    sample_seed: int = 0  # another one draws others
    limit: int | None = None  # only the first clips
    shard: Shard | None = None  # of the clips that all else asks about; texts such as 3/8 and env say it too
    batch_size: int | None = None  # clips a question; by default the model's own number
    options: Mapping[str, str] = field(default_factory=dict)  # of a model that is given by name
    connections: int | None = None  # most questions at once; by default the model's own number
    deadline: float = 600.0  # seconds a clip, over all attempts at it
    max_failures: int = 50  # clips without an answer that end a start
    price: tuple[float, float] | None = None  # dollars per million tokens in and out
    max_cost: float | None = None  # dollars that end a start
    batch: str | None = None  # in the provider's batches: one of BATCH_WAYS
    give_up: bool = False  # make an entry although clips are without an answer
    fresh: bool = False  # discard what an earlier run left
    workers: int | None = (
        None  # processes that draw pictures, by default 2; with `on` workers, by default all there are
    )
    on: str | None = None  # the cluster that asks: ray, ray:ADDRESS or ray://HOST:PORT; by default this process asks
    home: Path | None = None  # the cache; by default HARNESS_HOME
    truth: Path | None = None  # a truth database, or a folder of them, instead of the cache
    say: Say = _silent  # takes what is worth knowing before the run ends

    def __post_init__(self) -> None:
        if isinstance(self.shard, str):
            object.__setattr__(self, "shard", Shard.of(self.shard))
        if self.shard is not None and not isinstance(self.shard, Shard):
            raise UsageError(f"shard={self.shard!r:.80}: expected a text such as 3/8")
        if self.shard is not None and self.clips is not None:
            raise UsageError("--shard is about the clips of a split: --clips are asked about in one process")
        for name in ("sample", "limit", "batch_size", "workers", "connections", "max_failures"):
            number = getattr(self, name)
            if number is not None and not (isinstance(number, int) and number >= 1 and number is not True):
                raise UsageError(f"{name}={number!r}: expected an integer from 1 on")
        if not (isinstance(self.sample_seed, int) and 0 <= self.sample_seed < 10**18):
            raise UsageError(f"sample_seed={self.sample_seed!r}: expected an integer from 0 on")
        if self.sample is None and self.sample_seed:
            raise UsageError(f"--sample-seed {self.sample_seed} is of --sample, which says how many sessions are drawn")
        for name in ("limit", "clips"):
            if self.sample is not None and getattr(self, name) is not None:
                raise UsageError(f"--sample draws whole sessions of a split: leave --{name} out")
        if self.as_domain is not None and self.as_domain != CLEAN:
            raise UsageError(f"as_domain={self.as_domain!r}: the gap is against clips drawn {CLEAN}, and no others")
        if self.as_domain is not None and self.clips is not None:
            raise UsageError("--as-domain is about the clips of a split: --clips are shown as they are")
        if self.batch not in (None, *BATCH_WAYS):
            raise UsageError(f"batch={self.batch!r}: expected one of {', '.join(BATCH_WAYS)}")
        if not _is_amount(self.deadline) or self.deadline <= 0:
            raise UsageError(f"deadline={self.deadline!r}: expected seconds above 0")
        if self.price is not None and not (len(self.price) == 2 and all(map(_is_amount, self.price))):
            raise UsageError(f"price={self.price!r}: expected dollars per million tokens in and out, such as 2.5,10")
        if self.max_cost is not None and not (_is_amount(self.max_cost) and self.max_cost > 0):
            raise UsageError(f"max_cost={self.max_cost!r}: expected dollars above 0")
        if self.max_cost is not None and self.price is None:
            raise UsageError("max_cost needs the price of tokens (--price IN,OUT)")
        if self.on is not None:
            address_of(str(self.on))
            if self.batch is not None:
                raise UsageError("--batch: the provider answers, and workers have nothing to do; leave --on out")
        for key, text in dict(self.options or {}).items():
            if not isinstance(key, str) or not isinstance(text, str):
                raise UsageError(f"options: {key!s:.80} has a value that is {kind_of(text)}, expected texts")
        plain = {"world": str(self.world), "options": dict(self.options or {})}
        paths = {name: Path(path) for name in PATHS if (path := getattr(self, name)) and isinstance(path, str | Path)}
        for name, value in (plain | paths).items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, **choices: Any) -> Choices:
        """Return the default choices with these fields changed. Raises UsageError for other names."""
        check_choices(cls, choices)
        return cls(**choices)

    def absolute(self) -> Choices:
        """Return the choices with paths that hold in any working directory."""
        paths = {name: path.absolute() for name in PATHS if isinstance(path := getattr(self, name), Path)}
        paths["home"] = cache_home(self.home).absolute()
        return replace(self, **cast(Any, paths))

    def open(self) -> Truth:
        """Open the truth of the split; no model sees it, so that a published split's clips are enough."""
        return open_clips(self.world, self.split, home=self.home, truth=self.truth)
