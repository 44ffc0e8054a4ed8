"""Look-alikes of clip ids: the clip that was meant by a name that is not of the split.

People write an id in another case, as the file of its video, with a prefix (ActivityNet's `v_`), or cut off.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator

from harness.ingestion.confusables import skeleton

SHORTEST_CUT = 4
"""A shorter piece of an id is no sign of it."""
_ENDING = re.compile(r"\.[a-z][a-z0-9]{1,4}$|\.7z$")
_PREFIX = re.compile(r"^(v|vid|video|clip|id|sample)[_-]")


class LookAlikes:
    """Clip ids of a split by their looks, read on first use: most files name no unknown clip."""

    def __init__(self, clip_ids: Callable[[], list[str]]):
        self.clip_ids = clip_ids
        self._by_looks: dict[str, str] | None = None
        self._sorted: tuple[list[str], list[str]] | None = None

    def clip(self, name: str) -> str | None:
        """Return the clip that a name stands for: its id, also in another case, as a path or with a prefix."""
        known = self._known()
        return next((known[spelling] for spelling in _spellings(name) if spelling in known), None)

    def nearest(self, name: str) -> str | None:
        """Return the clip that a name stands for, or the only one whose id it begins or ends, or that it lengthens."""
        found = self.clip(name)
        if found is not None:
            return found
        return next((near for spelling in _spellings(name) if (near := self._cut(spelling)) is not None), None)

    def _known(self) -> dict[str, str]:
        if self._by_looks is None:
            self._by_looks = {skeleton(clip_id): clip_id for clip_id in self.clip_ids()}
        return self._by_looks

    def _cut(self, name: str) -> str | None:
        """Return the only clip whose id begins or ends with a name, or the one that a name begins or ends with."""
        if self._sorted is None:
            known = self._known()
            self._sorted = sorted(known), sorted(looks[::-1] for looks in known)
        for turned, ids in enumerate(self._sorted):
            piece = name[::-1] if turned else name
            at = bisect_left(ids, piece)
            longer = [looks for looks in ids[at : at + 2] if looks.startswith(piece) and len(piece) >= SHORTEST_CUT]
            shorter = [looks for looks in ids[max(at - 1, 0) : at] if _lengthens(piece, looks)]
            if len(found := longer or shorter) == 1:
                return self._known()[found[0][::-1] if turned else found[0]]
        return None


def _lengthens(name: str, looks: str) -> bool:
    return len(looks) >= SHORTEST_CUT and name.startswith(looks) and not name[len(looks)].isalnum()


def _spellings(name: str) -> Iterator[str]:
    """Yield the looks of a name: whole, then of each part of a path from its end, without ending and prefix."""
    whole = skeleton(name)
    yield whole
    for part in reversed(re.split(r"[/\\]", whole)):
        bare = part.strip()
        while bare:
            yield bare
            yield _PREFIX.sub("", bare)
            shorter = _ENDING.sub("", bare)
            bare = shorter if shorter != bare else ""
