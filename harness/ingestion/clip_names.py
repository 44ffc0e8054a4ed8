"""Look-alikes of clip ids: the clip that was meant by a name that is not of the split.

People write an id in another case, as the file of its video, as a path or URL, with a prefix (ActivityNet's `v_`),
without its zeros, or cut off. A name that fits two clips stands for none.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

from harness.ingestion.diagnostics import quote
from reference.truth.confusables import skeleton

SHORTEST_CUT = 4
"""A shorter piece of an id is no sign of it."""
LONGEST_NAME = 1_000
"""A longer name stands for no clip: the work on it would grow with its square."""
PIECES = 12
"""So many pieces of a name, between its marks, are looked up."""
_ENDING = re.compile(r"\.[a-z][a-z0-9]{1,4}$|\.7z$|\.3gp$")
_PREFIX = re.compile(r"^(?:v|vid|(?:video|clip|sample|item)s?(?:[_-]?id)?|u?id)[\s_:=#.-]+|^[#@]+\s*")
_AFTER_ADDRESS = re.compile(r"(?<=.)[?#].*$")
_ROUND = " \t\r\n\"'`<>()[]{},;"
_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")


class LookAlikes:
    """Clip ids of a split by their looks, read on first use: most files name no unknown clip."""

    def __init__(self, clip_ids: Callable[[], list[str]]):
        self.clip_ids = clip_ids
        self._by_looks: dict[str, str | None] = {}
        self._by_number: dict[str, str | None] = {}
        self._sorted: tuple[list[str], list[str]] = [], []

    def clip(self, name: str) -> str | None:
        """Return the clip that a name stands for: its id, also in another case, as a path or with a prefix."""
        if len(name) > LONGEST_NAME:
            return None
        self._read()
        whole = skeleton(name)
        if whole in self._by_looks:
            return self._by_looks[whole]
        found = {self._exact(part) for part in _parts(whole)} - {None}
        return found.pop() if len(found) == 1 else None

    def nearest(self, name: str) -> str | None:
        """Return the clip that a name stands for, or the only one whose id it cuts off, lengthens or pads otherwise."""
        found = self.clip(name)
        if found is not None or len(name) > LONGEST_NAME:
            return found
        whole = skeleton(name)
        if whole in self._by_looks:
            return None
        parts = [*_parts(whole)]
        if len({self._exact(part) for part in parts} - {None}) > 1:
            return None
        for part in parts:
            fits = {looks for spelling in _spellings(part) for looks in self._fits(spelling)}
            if fits:
                return self._by_looks.get(fits.pop()) if len(fits) == 1 else None
        return None

    def _read(self) -> None:
        if not self._by_looks:
            self._by_looks = _unambiguous((skeleton(clip_id), clip_id) for clip_id in self.clip_ids())
            self._by_number = _unambiguous((_ZEROS.sub("", looks), looks) for looks in self._by_looks)
            self._sorted = sorted(self._by_looks), sorted(looks[::-1] for looks in self._by_looks)

    def _exact(self, part: str) -> str | None:
        spellings = (spelling for spelling in _spellings(part) if spelling in self._by_looks)
        return self._by_looks.get(next(spellings, ""))

    def _fits(self, name: str) -> Iterator[str]:
        """Yield the looks of clips that a name may mean; of many that it begins or ends, two."""
        unpadded = _ZEROS.sub("", name)
        if unpadded in self._by_number:
            yield self._by_number[unpadded] or ""  # two ids that differ in zeros alone
        if len(name) >= SHORTEST_CUT:
            for turned, ids in enumerate(self._sorted):
                piece = name[::-1] if turned else name
                at = bisect_left(ids, piece)
                for looks in ids[at : at + 2]:
                    if looks.startswith(piece):
                        yield looks[::-1] if turned else looks
        marks = [place for place, char in enumerate(name) if not char.isalnum()][:PIECES]
        for start in (0, *(place + 1 for place in marks)):
            for end in (*marks, len(name)):
                if end - start >= SHORTEST_CUT and name[start:end] in self._by_looks:
                    yield name[start:end]


def difference(name: str, clip_id: str) -> str:
    """Return what to change in a name so that it is the id that was meant, or nothing where no few words say it."""
    if (bare := name.strip()) == clip_id != name:
        return "remove the spaces round the id"
    if len(bare) < len(clip_id) and (clip_id.startswith(bare) or clip_id.endswith(bare)):
        return "the id is cut off"
    if _ZEROS.sub("", bare) == _ZEROS.sub("", clip_id):
        return "zeros count"
    at = name.casefold().find(clip_id.casefold())
    if at < 0 or len(name.casefold()) != len(name):
        return ""
    said = name[at : at + len(clip_id)]
    round_it = [(name[:at], "before"), (name[at + len(said) :], "after")]
    removed = [f"{quote(text)} {where} the id" for text, where in round_it if text]
    changes = [f"remove {' and '.join(removed)}"] if removed else []
    return " and ".join([*changes, "mind the case of the id"] if said != clip_id else changes)


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    """Return the pairs as a dict, with None where a key has two values."""
    found: dict[str, str | None] = {}
    for key, value in pairs:
        found[key] = value if found.get(key, value) == value else None
    return found


def _parts(whole: str) -> Iterator[str]:
    """Yield a name, or the parts of a path or an address from its end."""
    if "://" in whole:
        whole = unquote(_AFTER_ADDRESS.sub("", whole.partition("://")[2]))
    for part in reversed(re.split(r"[/\\]", whole)):
        if bare := part.strip(_ROUND):
            yield bare


def _spellings(part: str) -> Iterator[str]:
    """Yield a name, then without its prefixes, and both without its endings."""
    while part:
        yield part
        bare = part
        while (shorter := _PREFIX.sub("", bare)) != bare and shorter:
            bare = shorter
            yield bare
        shorter = _ENDING.sub("", part)
        part = shorter if shorter != part else ""
