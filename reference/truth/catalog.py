"""Names of worlds: `locate` resolves one, once, to the Origin that answers truth, process and seal.

Names: a world that ships (`warehouse-v1`), the path of a world file, either with `-xN` behind it (the same world with N
times the sessions, of which the first are the unscaled split's), or a world that was imported or sealed on
this machine. No other module parses a name.
"""

from __future__ import annotations

import re
from pathlib import Path

from reference.errors import WorldError
from reference.home import cache_home
from reference.process.world import load_world, world_names
from reference.truth.imported import imported_names, imported_origin
from reference.truth.origin import Origin
from reference.truth.sealed import registered_seal, registered_world, sealed_names, sealed_origin
from reference.truth.synthetic import synthetic_origin

_SCALED = re.compile(r"(?P<base>.+)-x(?P<scale>[1-9][0-9]{0,5})")


def locate(name: str | Path, home: str | Path | None = None) -> Origin:
    """Return the world of that name. Raises WorldError where there is none.

    An imported world comes before a sealed one, and both before a world file of the same name.
    """
    text, folder = str(name), cache_home(home)
    imported = imported_origin(text, folder)
    if imported is not None:
        return imported
    seal = registered_seal(text, folder)
    if seal is not None:
        return sealed_origin(registered_world(seal), seal.split, seal)
    scaled = _SCALED.fullmatch(text)
    if scaled and not Path(text).is_file():
        return synthetic_origin(load_world(scaled["base"]), int(scaled["scale"]))
    try:
        return synthetic_origin(load_world(text))
    except WorldError as error:
        raise WorldError(f"{error}{_imported_here(folder)}") from None


def names(home: Path) -> list[str]:
    """Return the names of the worlds that ship, then of those imported and sealed on this machine."""
    return [*world_names(), *imported_names(home), *sealed_names(home)]


def _imported_here(home: Path) -> str:
    found = imported_names(home)
    return f"; imported: {', '.join(found)}" if found else ""
