"""Which film a domain has: the domains that change pixels, by their names."""

from __future__ import annotations

from collections.abc import Callable

from reference.drawing.films.film import MOST_TAKES, Film
from reference.drawing.films.glare import glare
from reference.drawing.films.lens import lens
from reference.drawing.films.light import light
from reference.drawing.films.sensor import sensor
from reference.drawing.films.stutter import stutter
from reference.process.visible import VisibleState

__all__ = ["MOST_TAKES", "film"]

_FILMS: dict[str, Callable[[int, int, int], Film]] = {
    "light": light,
    "sensor": sensor,
    "lens": lens,
    "glare": glare,
    "stutter": stutter,
}


def film(state: VisibleState, seed: int, size: int) -> Film:
    """Return the film of the clip's domain; domains that change no pixels get a plain one."""
    make = _FILMS.get(state.domain)
    return Film() if make is None else make(state.strength, seed, size)
