"""Clip that an object of a file is about, where no `clip_id` of it says so.

Looked for in the map of --clip-map, by an id in the object or by its place in the file; then in a field that is a clip
of the split as it stands (custom_id, metadata.clip_id, video ...); then in a field that names exactly one among other
words: the path of a picture, an echoed prompt, a target. Which field it is, objects from all over the file decide
together. What the model answered, and what its answer cost, names no clip; a bare number does so only under the name
of an id. An object that names two clips is refused, however its clip was found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from harness.clip_map import IDS, ClipMap
from harness.errors import SubmissionError, UsageError
from harness.formatting import count, plural
from harness.ingestion.contents import MODEL_ROLES, are_turns, who
from harness.ingestion.diagnostics import quote
from harness.ingestion.field_names import text_names
from harness.ingestion.formats.records import Unshaped
from harness.ingestion.formats.replies import HOLDERS, TOP_LEVEL
from harness.ingestion.formats.row_order import RowOrder
from harness.ingestion.lines.fields import FIELDS

Place = tuple[str, ...]
"""Keys on the way to a text of an object; the elements of a list share a place."""

REPLIES = frozenset((*(path[0] for path in HOLDERS if path), *TOP_LEVEL, "resps", "filtered_resps"))
"""Fields that hold what a model or its provider said."""
ANSWERS = FIELDS - {"clip_id", "source"}
"""Fields of an answer and of its cost; `source` is also where a picture stands."""
SHORTEST_MENTION = 4
"""A shorter id among other words may be a word."""
LONGEST_TEXT, MOST_ITEMS, DEPTH = 100_000, 100, 10
LONGEST_PATH = 1_000
REMEDY = "add clip_id, or pass --clip-map FILE: an object from id to clip_id, or the clips in the order of the lines"
_PIECE = re.compile(r"[^\W_]+")
_OTHER_CLIP = re.compile(r"prev|next|neighbou?r|example|shot|negative|context|history", re.IGNORECASE)
"""In the name of a field that rightly names another clip than that of its row."""


class Mentions:
    """Search for clips of a split in texts."""

    def __init__(self, clip_ids: Collection[str]):
        self.clip_ids = frozenset(clip_ids)
        self._longest = max((len(_PIECE.findall(clip_id)) for clip_id in self.clip_ids), default=0)

    def inside(self, text: str) -> set[str]:
        """Return the clips that a text is or holds as words; of two that overlap the longer."""
        if text in self.clip_ids:
            return {text}
        found, after = set(), 0
        pieces = [match.span() for match in _PIECE.finditer(text[:LONGEST_TEXT])]
        for at, (start, _) in enumerate(pieces):
            if at < after:
                continue
            for last in range(min(at + self._longest, len(pieces)), at, -1):
                words = text[start : pieces[last - 1][1]]
                if len(words) >= SHORTEST_MENTION and words in self.clip_ids:
                    found.add(words)
                    after = last
                    break
        return found


class Clips:
    """Finder of the clip that an object is about. `voters`: objects from all over the file, which is called `name`."""

    def __init__(
        self,
        clip_ids: Callable[[], Collection[str]],
        clip_map: ClipMap | None = None,
        voters: Sequence[dict[str, Any]] = (),
        name: str = "",
    ):
        self._clip_ids, self._name = clip_ids, name
        self._translated = clip_map if isinstance(clip_map, Mapping) else None
        self._ordered = None if clip_map is None or isinstance(clip_map, Mapping) else clip_map
        self._voters = [value for value in voters if value]
        self._taken: Counter[str] = Counter()
        self._map_used, self._own = False, 0  # whether the map gave a clip; how many objects named their own
        self._order = RowOrder()
        self.in_order = False  # True once a clip came from its place in the file

    def named(self, value: dict[str, Any], number: int, *, foreign: bool) -> dict[str, Any]:
        """Return an object, the `number`-th of the file from 0, with its clip as `clip_id`.

        `foreign`: it holds a model's text, and no answer fields by which a missing id is recognised. Raises Unshaped
        where it names no clip, and SubmissionError where no object of the file does.
        """
        if "clip_id" not in value and (odd := next((key for key in value if key.casefold() == "clip_id"), "")):
            raise Unshaped("clip_id", f"is spelt {quote(odd)}", "clip_id", f"rename {quote(odd)}", code="KEY_CASE")
        if "clip_id" in value and (not self._mapped or self._is_clip(value["clip_id"])):
            if self._mapped:
                self._own += 1
                self._check_agreement(value["clip_id"], number)
            return self._of_one_clip(value, value["clip_id"])
        self._map_used |= self._mapped
        if self._ordered is not None:
            return self._of_one_clip(value, self._next(value, number))
        if self._translated is not None:
            return self._of_one_clip(value, self._translation(value, self._translated))
        clip_id, place = self._found(value)
        if clip_id:
            self._taken[".".join(place)] += 1
        elif foreign and not (clip_id := _own_id(value)):
            raise Unshaped("clip_id", "names no clip", "a clip_id", REMEDY)
        return {"clip_id": clip_id} | self._of_one_clip(value, clip_id) if clip_id else value

    def require(self, format: str) -> None:
        """Raise UsageError where no object of a format of models' texts names a clip, and no map does."""
        unnamed = [value for value in self._voters if "clip_id" not in value and not _own_id(value)]
        if not self._mapped and unnamed and len(unnamed) == len(self._voters) and not self._places:
            fields = ", ".join(dict.fromkeys(quote(name) for value in unnamed for name in value))
            what = self._several or f"nothing in it names a clip of the split ({fields[:200]})"
            raise UsageError(
                f"{self._name}: read as {format}, and {what}; add "
                "clip_id, or pass --clip-map FILE: a JSON object from an id to clip_id, or the clips in the order of "
                "the lines, such as the clips.jsonl of a rendering"
            )

    @property
    def _several(self) -> str:
        """Return what is said of a place that names several clips in one object, or nothing without one."""
        for value in self._voters:
            named: dict[Place, set[str]] = {}
            for place, text in _texts(value):
                named.setdefault(place, set()).update(self._mentions.inside(text))
            for place, found in named.items():
                if len(found) > 1:
                    shown = " and ".join(quote(clip) for clip in sorted(found)[:2])
                    return f"{'.'.join(place)} names {plural(len(found), 'clip')} in one object, such as {shown}"
        return ""

    def check_count(self, objects: int) -> None:
        """Raise SubmissionError where a map in the file's order has another length than the file."""
        if self.in_order and self._ordered is not None and len(self._ordered) != objects:
            listed = plural(len(self._ordered), "clip")
            raise SubmissionError(
                f"{self._name}: {plural(objects, 'answer')}, but the clip map lists {listed}: without ids both must "
                "be in the same order and of one length"
            )
        if self.in_order and (wrong := self._order.fault()):
            raise SubmissionError(f"{self._name}: {wrong}")

    def notes(self) -> list[str]:
        """Return what is to be said about where the clips were found."""
        shown = sorted(self._taken.items(), key=lambda item: -item[1])
        if self._mapped:
            named = "the clip map was not used: the file names its clips itself" if self._own else ""
            return [note for note in ("the clip map gave the clips" if self._map_used else named,) if note]
        return [f"the clip was taken from {place} on {count(times)} lines" for place, times in shown]

    @cached_property
    def _mentions(self) -> Mentions:
        return Mentions(self._clip_ids())

    def _at(self, value: dict[str, Any], place: Place) -> str:
        """Return the one clip that the texts at a place name, or nothing."""
        found = {clip for text in _texts_at(value, place) for clip in self._mentions.inside(text)}
        return found.pop() if len(found) == 1 else ""

    @property
    def _mapped(self) -> bool:
        return self._translated is not None or self._ordered is not None

    def _of_one_clip(self, value: dict[str, Any], clip_id: Any) -> dict[str, Any]:
        """Return an object with its clip. Raises Unshaped where one of its fields plainly names another one.

        A field does so whose one word is an id or a path; a sentence may speak of many clips.
        """
        if not FIELDS.issuperset(value) and self._is_clip(clip_id):
            named: dict[Place, set[str]] = {}
            for place, text in _texts(value):
                if place != ("clip_id",) and not text.isdigit() and _is_path(text) and not _is_of_another(place):
                    named.setdefault(place, set()).update(self._mentions.inside(text))
            for place, found in named.items():
                if len(found) == 1 and clip_id not in found:
                    wrong = f"is {quote(clip_id)}, but {'.'.join(place)} names {quote(next(iter(found)))}"
                    remedy = f"mend the pairing of clips and answers, or leave {quote(place[0])} out"
                    raise Unshaped("clip_id", wrong, "one clip a row", remedy, code="CONFLICT")
        return value if value.get("clip_id") == clip_id else value | {"clip_id": clip_id}

    def _is_clip(self, name: Any) -> bool:
        return isinstance(name, str) and name in self._mentions.clip_ids

    def _translation(self, value: dict[str, Any], translated: Mapping[str, str]) -> str:
        """Return the clip that the map has for the ids of an object. Raises Unshaped for none, and for two."""
        ids = [(place, text) for place in self._map_places for text in _texts_at(value, place)]
        known = [(place, text) for place, text in ids if text in translated]
        if not known:
            wrong = (
                f"{quote(ids[0][1])} is not in the clip map" if ids else "names nothing that the clip map translates"
            )
            raise Unshaped("clip_id", wrong, "an id of the clip map")
        if len({translated[text] for _, text in known}) > 1:
            shown = " and ".join(f"{'.'.join(place)} {quote(text)}" for place, text in known[:2])
            wrong = f"{shown} are different clips of the clip map"
            raise Unshaped("clip_id", wrong, "one id a row", "leave the field out that is no id", code="CONFLICT")
        return translated[known[0][1]]

    def _next(self, value: dict[str, Any], number: int) -> str:
        """Return the clip in the map's order. Raises Unshaped where the object itself names another one."""
        self.in_order, ordered = True, self._ordered or ()
        if number >= len(ordered):
            raise Unshaped("clip_id", f"is answer {number + 1:,}", f"{len(ordered):,} answers, as in the clip map")
        own, _ = self._found(value)
        self._check_agreement(own or ordered[number], number)
        if not own:
            self._order.add(number, ((place, text) for place, text in _texts(value) if _is_id(place)))
        return ordered[number]

    def _check_agreement(self, own: str, number: int) -> None:
        """Raise Unshaped where the map has another clip than an object names itself, in its place or by its name."""
        ordered = self._ordered or ()
        mapped = ordered[number] if number < len(ordered) else (self._translated or {}).get(own, own)
        if mapped != own:
            self._map_used = True
            wrong = f"{quote(own)} is named where the clip map has {quote(mapped)}"
            expected = "both in one order" if ordered else "one clip"
            raise Unshaped(
                "clip_id", wrong, expected, "no map is needed where the file names its clips", code="CONFLICT"
            )

    def _found(self, value: dict[str, Any]) -> tuple[str, Place]:
        """Return the clip that an object names at one of the places, and the place; empty without one."""
        found = [(clip_id, place) for place in self._places if (clip_id := self._at(value, place))]
        if len({clip_id for clip_id, _ in found}) > 1:
            shown = " and ".join(f"{'.'.join(place)} names {quote(clip_id)}" for clip_id, place in found[:2])
            raise Unshaped("clip_id", f"is not there, and {shown}", "one clip a row", "add clip_id", code="CONFLICT")
        return found[0] if found else ("", ())

    @cached_property
    def _map_places(self) -> list[Place]:
        """Return the places whose values are ids of the map, or, where the voters know none, every name of an id.

        A place that is called like an id goes before any other, and each such place that the map mostly translates must
        agree. Numbers under another name are ids only where the map has them all and they differ.
        """
        translated = self._translated or {}
        hits: dict[Place, list[str]] = {}
        for value in self._voters:
            for place, text in dict(_texts(value)).items():
                if text in translated:
                    hits.setdefault(place, []).append(text)
        ranked = sorted(hits, key=lambda place: (not _is_id(place), -len(hits[place]), _rank(place), len(place)))
        sure = [place for place in ranked if _is_id(place) or _are_ids(hits[place], len(self._voters))]
        more = [place for place in sure[1:] if _is_id(place) and 2 * len(hits[place]) > len(self._voters)]
        return [*sure[:1], *more] or [(name,) for name in IDS]

    @cached_property
    def _places(self) -> list[Place]:
        """Return the places that name the clip, the surest first, as those objects say that have no clip_id.

        Raises SubmissionError where two places name different clips.
        """
        voters = [value for value in self._voters if "clip_id" not in value or self._mapped]
        if 2 * len(voters) <= len(self._voters):
            return []
        whole: Counter[Place] = Counter()
        named: dict[Place, list[set[str]]] = {}
        for value in voters:
            found: dict[Place, set[str]] = {}
            for place, text in _texts(value):
                if clips := self._mentions.inside(text):
                    whole[place] += text in clips
                    found.setdefault(place, set()).update(clips)
            for place, clips in found.items():
                named.setdefault(place, []).append(clips)
        sure = [place for place in named if _is_id(place) and whole[place] == len(named[place])]
        told = [
            place for place in named if _tells_apart(named[place], len(voters)) and not _counts(place, named[place])
        ]
        surest = sorted(sure, key=lambda place: (-len(named[place]), _rank(place), len(place)))
        places = [*surest, *(place for place in told if place not in surest)]
        for value in voters:
            seen = {clip: place for place in places if (clip := self._at(value, place))}
            if len(seen) > 1:
                shown = " and ".join(f"{'.'.join(place)} names {quote(clip)}" for clip, place in seen.items())
                raise SubmissionError(f"{self._name}: no clip_id, and {shown}; {REMEDY}")
        return places


def _own_id(value: dict[str, Any]) -> str:
    """Return the text under the surest name of an id, or nothing; a number says no more than the place of a row."""
    texts = (text for name in IDS if isinstance(text := value.get(name), str))
    return next((text for text in texts if not text.isdigit()), "")


def _tells_apart(named: list[set[str]], voters: int) -> bool:
    """Return True if a place names one clip in two thirds of the objects, never two, and mostly different ones."""
    one = [next(iter(clips)) for clips in named if len(clips) == 1]
    if len(one) < len(named) or 3 * len(one) < 2 * voters:
        return False
    return len(one) == 1 or 2 * len(set(one)) > len(one)


def _counts(place: Place, named: list[set[str]]) -> bool:
    """Return True for bare numbers under a name that is no id's: tokens, seconds, frames."""
    return not _is_id(place) and all(clip.isdigit() for clips in named for clip in clips)


def _are_ids(texts: list[str], voters: int) -> bool:
    """Return True unless some of the texts are numbers that not every object has, each another one."""
    return len(set(texts)) == voters or not any(text.isdigit() for text in texts)


def _is_path(text: str) -> bool:
    """Return True for a text of one word, as an id or a path is."""
    return len(text) <= LONGEST_PATH and len(text.split(maxsplit=1)) == 1


def _is_of_another(place: Place) -> bool:
    return any(_OTHER_CLIP.search(name) for name in place)


def _is_id(place: Place) -> bool:
    return place[-1] in IDS


def _rank(place: Place) -> int:
    return IDS.index(place[-1]) if place[-1] in IDS else len(IDS)


def _texts(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield the texts and whole numbers of an object with their places, without what a model said or answered."""
    if isinstance(value, dict):
        if len(place) >= DEPTH or who(value) in MODEL_ROLES:
            return
        said = {*text_names(value), *REPLIES}
        for key, item in value.items():
            if key not in ANSWERS and (key not in said or are_turns(item)):  # turns hold the question too
                yield from _texts(item, (*place, key))
    elif isinstance(value, list):
        for item in value[:MOST_ITEMS]:
            yield from _texts(item, place)
    elif isinstance(value, str):
        yield place, value
    elif type(value) is int:
        yield place, str(value)


def _texts_at(value: Any, place: Place) -> Iterator[str]:
    """Yield the texts and whole numbers at a place."""
    if isinstance(value, list):
        for item in value[:MOST_ITEMS]:
            yield from _texts_at(item, place)
    elif isinstance(value, dict):
        if who(value) not in MODEL_ROLES and place and place[0] in value:
            yield from _texts_at(value[place[0]], place[1:])
    elif not place and (isinstance(value, str) or type(value) is int):
        yield str(value)
