"""What a truth database is made of: an Origin names a world and gives the Content of each of its splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reference.process.priors import Fit
from reference.task import Clip


@dataclass(frozen=True)
class Content:
    """What a truth database is filled with. `fits` has one row for all clips, or one for each session in turn."""

    operations: Sequence[str]
    clips: Iterable[Clip]  # by session, sessions together, in time order
    expected: int  # clips, about
    fits: Sequence[Fit]
    script: Mapping[str, str] = field(default_factory=dict)
    in_sample: bool = False


@dataclass(frozen=True)
class Origin:
    """A world as the store sees it. `digest` pins all that its truth depends on."""

    name: str
    digest: str
    kind: str  # "synthetic" | "imported"
    public: bool  # the truth follows from a public seed
    splits: tuple[str, ...]
    pinned: Mapping[str, str]  # split -> digest of its truth
    content: Callable[[str], Content]
    sealed: str = ""  # the commitment of a sealed split
