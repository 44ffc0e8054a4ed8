"""Names of worlds: `locate` resolves one, once, to the Origin that answers truth, process and seal.

Names: a world that ships (`warehouse-v2`), the path of a world file, either with `-xN` behind it (the same world with N
times the sessions, of which the first are the unscaled split's), a world that was imported or sealed on this machine,
or the published folder of a sealed split. No other module parses a name.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path

from reference.errors import WorldError, nearest
from reference.home import cache_home
from reference.process.world import load_world, world_names
from reference.truth.imported import imported_names, imported_origin
from reference.truth.origin import Origin
from reference.truth.published import published_origin
from reference.truth.sealed import COMMITMENT, registered_seal, registered_world, sealed_names, sealed_origin
from reference.truth.synthetic import synthetic_origin

_SCALED = re.compile(r"(?P<base>.+)-x(?P<scale>[1-9][0-9]{0,5})")


def locate(name: str | Path, home: str | Path | None = None) -> Origin:
    """Return the world of that name. Raises WorldError where there is none.

    An imported world comes before a sealed one, and both before a folder or world file of the same name.
    """
    text, folder = str(name), cache_home(home)
    imported = imported_origin(text, folder)
    if imported is not None:
        return imported
    seal = registered_seal(text, folder)
    if seal is not None:
        return sealed_origin(registered_world(seal), seal.split, seal)
    published = published_origin(text)
    if published is not None:
        return _with_registration(published, folder)
    scaled = _SCALED.fullmatch(text)
    if scaled and not Path(text).is_file():
        return synthetic_origin(load_world(scaled["base"]), int(scaled["scale"]))
    try:
        return synthetic_origin(load_world(text))
    except WorldError as error:
        raise WorldError(f"{error}{_more_names(text, folder)}") from None


def names(home: Path) -> list[str]:
    """Return the names of the worlds that ship, then of those imported and sealed on this machine."""
    return [*world_names(), *imported_names(home), *sealed_names(home)]


def is_name(name: str, home: Path) -> bool:
    """Return True for the name of a world that `names` lists, or of a scaled one of those that ship: no path."""
    scaled = _SCALED.fullmatch(name)
    return (scaled["base"] in world_names()) if scaled else name in names(home)


def sealed_split(name: str, home: Path) -> str | None:
    """Return the split that was sealed under a name on this machine, also where its secret is missing; else None."""
    with contextlib.suppress(WorldError):
        seal = registered_seal(name, home)
        return seal.split if seal else None
    return None


def _with_registration(origin: Origin, home: Path) -> Origin:
    """Return a published split with the knowledge whether it was sealed on this machine."""
    assert origin.published is not None
    with contextlib.suppress(WorldError):
        seal = registered_seal(origin.name, home)
        if seal is not None and seal.commitment == origin.published.commitment:
            return replace(origin, published=replace(origin.published, here=True))
    return origin


def _more_names(name: str, home: Path) -> str:
    """Return what else could have been named: a published folder, an imported world."""
    if Path(name).is_dir():
        return f"; the folder holds no {COMMITMENT}, as that of a sealed split does"
    is_file, found = Path(name).exists(), imported_names(home)
    sealed = "" if is_file else ", or of the folder that a sealed split was published as"
    near = "" if is_file else nearest(name, names(home))
    return sealed + (f"; imported: {', '.join(found)}" if found else "") + (f"; did you mean {near}?" if near else "")
