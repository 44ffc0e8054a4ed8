"""Where the truth of a world comes from: its name -> an Origin, whose splits can be made into truth databases.

Names: a world that ships (`warehouse-v1`), the path of a world file, either with `-xN` behind it (the same world with N
times the sessions, of which the first are the unscaled split's), or a world that was imported or sealed on
this machine.
"""

from __future__ import annotations

from pathlib import Path

from reference.errors import WorldError
from reference.process.world import load_world, world_names
from reference.truth.imported import find, imported_names
from reference.truth.origin import Origin
from reference.truth.sealed import registered, sealed_names, sealed_origin
from reference.truth.synthetic import SCALED, synthetic_origin


def locate(name: str | Path, home: Path) -> Origin:
    """The world of that name. Raises WorldError where there is none."""
    text = str(name)
    imported = find(text, home)
    if imported is not None:
        return imported
    seal = registered(text, home)
    if seal is not None:
        return sealed_origin(seal.world(), seal.split, seal.commitment)
    scaled = SCALED.fullmatch(text)
    if scaled and not Path(text).is_file():
        return synthetic_origin(load_world(scaled["base"]), int(scaled["scale"]))
    try:
        return synthetic_origin(load_world(text))
    except WorldError as error:
        raise WorldError(f"{error}{_imported_names(home)}") from None


def names(home: Path) -> list[str]:
    """Worlds that ship, then those imported and sealed on this machine."""
    return [*world_names(), *imported_names(home), *sealed_names(home)]


def _imported_names(home: Path) -> str:
    found = imported_names(home)
    return f"; imported: {', '.join(found)}" if found else ""
