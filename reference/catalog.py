"""Where the truth of a world comes from: its name -> an Origin, whose splits can be made into truth databases.

Names: a world that ships (`warehouse-v1`), the path of a world file, either with `-xN` behind it (the same world with N
times the sessions, of which the first are the unscaled split's), or a world that was imported or sealed on
this machine.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from reference.errors import WorldError
from reference.fit import Fit, fit
from reference.task import Clip
from reference.world import World, load_world, world_names

SCALED = re.compile(r"(?P<base>.+)-x(?P<scale>[1-9][0-9]{0,5})")
MANY_CLIPS = 20_000
"""From here on clips are made by several processes."""


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


def locate(name: str | Path, home: Path) -> Origin:
    """The world of that name. Raises WorldError where there is none."""
    from reference.imported import find
    from reference.sealing import registered

    text = str(name)
    imported = find(text, home)
    if imported is not None:
        return imported
    seal = registered(text, home)
    if seal is not None:
        return sealed_origin(seal.world(), seal.split, seal.commitment)
    scaled = SCALED.fullmatch(text)
    if scaled and not Path(text).is_file():
        return _synthetic(load_world(scaled["base"]), int(scaled["scale"]))
    try:
        return _synthetic(load_world(text))
    except WorldError as error:
        raise WorldError(f"{error}{_imported_names(home)}") from None


def names(home: Path) -> list[str]:
    """Worlds that ship, then those imported and sealed on this machine."""
    from reference.imported import imported_names
    from reference.sealing import sealed_names

    return [*world_names(), *imported_names(home), *sealed_names(home)]


def _imported_names(home: Path) -> str:
    from reference.imported import imported_names

    found = imported_names(home)
    return f"; imported: {', '.join(found)}" if found else ""


def _synthetic(world: World, scale: int = 1) -> Origin:
    return Origin(
        name=world.name if scale == 1 else f"{world.name}-x{scale}",
        digest=world.digest if scale == 1 else f"{world.digest}x{scale}",
        kind="synthetic",
        public=world.key == world.seed.encode(),
        splits=tuple(world.splits),
        pinned=world.digests if scale == 1 else {},
        content=lambda split: _content(world, split, scale),
    )


def sealed_origin(world: World, split: str, commitment: str) -> Origin:
    """One split under a secret key. `digest` names the key without giving it away."""
    secret = hashlib.sha256(b"sealed|" + world.key).hexdigest()
    return Origin(
        name=world.name, digest=f"{world.digest}:{secret}", kind="synthetic", public=False, splits=(split,), pinned={},
        content=lambda _: _content(world, split, 1), sealed=commitment,
    )  # fmt: skip


def _content(world: World, split: str, scale: int) -> Content:
    """Floors and transitions are fitted on the public, unscaled train split, whatever is quoted on it."""
    from reference.build import build_split
    from reference.visible import script

    chosen = world.split(split)
    expected = chosen.sessions * chosen.clips * scale
    workers = (os.cpu_count() or 1) if expected >= MANY_CLIPS else 1
    return Content(
        operations=world.operations,
        clips=build_split(world, split, scale=scale, workers=workers),
        expected=expected,
        fits=[fit(list(build_split(replace(world, key=world.seed.encode()), "train")), world.operations)],
        script=script(world),
    )
