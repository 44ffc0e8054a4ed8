"""Clips from rows of truth files: spelling, frame rate, sessions, and everything that the truth store cannot hold.

Labels that answers would not tell apart (task.normalise_label) are one label, spelt as first seen, the canonical ten as
in task.OPERATIONS. Two labels, or two names of a column, that merely look alike are refused, since nobody could tell
whether they are one. Frames that are counted at another rate become frames at 25 fps by task.frame_table, as answers
do.
A clip without a session is a session of its own; a clip without an index stands behind the earlier ones of its session.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

from reference.errors import WorldError
from reference.outside_files import INT64
from reference.stated_units import contradiction
from reference.task import CLIP_FRAMES, OPERATIONS, Clip, Segment, frame_table, normalise_label
from reference.truth.confusables import code_points, skeleton
from reference.truth.truth_files import TRUTH_ALONE, Row, rows

INT32 = range(-(1 << 31), 1 << 31)
NAME_CHARACTERS = 1000
FEW_FRAMES = 75
"""Frames of a clip at 15 fps, the usual rate that is not 25: truth that stays below probably counts at another rate."""

_NO_NAMES = (list, tuple, dict, bytes)
_NOTHING = frozenset(("nan", "none", "null", "nat", "<na>"))
"""What programs write for a name that is missing."""
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


@dataclass(frozen=True)
class ReadTruth:
    """Clips of truth files, sessions together, in time order, and notes for the user."""

    clips: list[Clip]
    notes: tuple[str, ...]


def read_truth(paths: Mapping[Path, str], fps: float | None = None, clip_frames: int | None = None) -> ReadTruth:
    """Return the clips of all files. `paths` maps each path to the user's name of the file.

    `fps` and `clip_frames` say how the files count frames. Raises WorldError with file and line.
    """
    try:
        rate, frames = frame_table(fps, clip_frames)
    except ValueError as error:
        raise WorldError(str(error)) from None
    reader = _Reader(frames, rate, other_rate=fps is not None or clip_frames is not None)
    for path, name in paths.items():
        for line, row in rows(path, name):
            reader.add(row, f"{name}:{line}")
    return ReadTruth(reader.clips(), tuple(reader.notes()))


@dataclass
class _Reader:
    """Clips read so far, and what the later ones must agree with."""

    frames: Sequence[int]
    rate: Fraction
    other_rate: bool
    found: dict[str, tuple[Clip, str]] = field(default_factory=dict)
    sessions: dict[str, bool] = field(default_factory=dict)  # in order; whether a file names it
    counts: dict[str, int] = field(default_factory=dict)
    indices: dict[tuple[str, int], str] = field(default_factory=dict)
    kinds: dict[str, tuple[type, str]] = field(default_factory=dict)
    spelling: dict[str, str] = field(default_factory=lambda: {normalise_label(label): label for label in OPERATIONS})
    looks: dict[str, str] = field(default_factory=lambda: {normalise_label(label): label for label in OPERATIONS})
    names: dict[str, dict[str, str]] = field(default_factory=dict)  # of each column, by what they look like
    alone: int = 0
    is_surely_truth: bool = False  # some row has a field that answers have not
    last_frame: int = 0

    def add(self, row: Row, place: str) -> None:
        """Add the clip of a row. Raises WorldError at `place`."""
        clip_id = self._clip_id(row["clip_id"], place)
        session = self._session(row, clip_id, place)
        clip = self._clip(row, clip_id, session, place)
        if clip_id in self.found:
            raise WorldError(f"{place}: clip_id {clip_id!r} was already read from {self.found[clip_id][1]}")
        before = self.indices.setdefault((session, clip.clip_index), place)
        if before != place:
            raise WorldError(
                f"{place}: two clips of a session have the same clip_index, {clip.clip_index} (the other: {before})"
            )
        self.found[clip_id] = clip, place
        self.is_surely_truth |= not row.keys().isdisjoint(TRUTH_ALONE)

    def clips(self) -> list[Clip]:
        """Return the clips, sessions in the order of the files, each in the order of its indices."""
        order = {session: place for place, session in enumerate(self.sessions)}
        return sorted(
            (clip for clip, _ in self.found.values()), key=lambda clip: (order[clip.session], clip.clip_index)
        )

    def notes(self) -> list[str]:
        """Return what the user should know about sessions and frames."""
        notes, n = [], len(self.found)
        if n > 1 and self.alone == n:
            notes.append("no session column: each clip is a session of its own, so intervals assume independent clips")
            if not self.is_surely_truth:
                notes.append("a model's answers look the same: if these are answers, harness score judges them")
        elif n > 1 and len(self.sessions) == n:
            notes.append("every clip has a session of its own, so intervals assume independent clips")
        elif n > 1 and self.alone:
            notes.append(f"{self.alone} of {n} clips name no session: each of these is a session of its own")
        if n and not self.other_rate and self.last_frame <= FEW_FRAMES:
            notes.append(
                f"no frame is above {self.last_frame} of {CLIP_FRAMES}: if the clips have other frames than "
                f"{CLIP_FRAMES}, import again with --fps (15 for 75 frames) or --clip-frames"
            )
        return notes

    def _clip_id(self, value: Any, place: str) -> str:
        if type(value) not in (str, int, UUID) or value == "":
            raise WorldError(f"{place}: clip_id is {_short(value)}, expected a text")
        text = _limited(str(value), "clip_id", place)
        if odd := _characters(text, _HIDDEN):
            raise WorldError(f"{place}: clip_id {text!r} holds {odd}, so no answer can name it")
        return text

    def _session(self, row: Row, clip_id: str, place: str) -> str:
        """Return the session's name: any value but an absent one names a session, also 0 and an empty text."""
        named = "session" in row
        session = self._text(row, "session", place) if named else clip_id
        assert session is not None
        if self.sessions.setdefault(session, named) != named:
            raise WorldError(f"{place}: {session!r} is the name of a session and of a clip without one")
        self.alone += not named
        return session

    def _text(self, row: Row, key: str, place: str) -> str | None:
        """Return a name as text. All names of a column are of one type: 1 and "1" and 1.0 might be one or three."""
        value = row.get(key)
        if value is None:
            return None
        kind = type(value)
        if isinstance(value, _NO_NAMES) or (kind is float and not math.isfinite(value)):
            raise WorldError(f"{place}: {key} is {_short(value)}, expected a text or a number")
        first, where = self.kinds.setdefault(key, (kind, place))
        if first is not kind:
            raise WorldError(f"{place}: {key} is {_short(value)} ({kind.__name__}), but {first.__name__} at {where}")
        text = _limited(str(value), key, place)
        if odd := _characters(text, ("Cc", "Cs")):
            raise WorldError(f"{place}: {key} {text!r} holds {odd}")
        self._check_name(key, text, place)
        return text

    def _check_name(self, key: str, text: str, place: str) -> None:
        """Raise WorldError for a word that stands for no name, and for a name that looks like another one."""
        known = self.names.setdefault(key, {})
        if known.get(text) == text:
            return
        if text.strip().casefold() in _NOTHING:
            remedy = "leave it empty (null) where there is none, or write a name"
            raise WorldError(f"{place}: {key} is {text!r}, which programs write for a missing name: {remedy}")
        other = known.setdefault(" ".join(skeleton(text).split()), text)
        if other != text:
            odd = code_points(text) or code_points(other)
            how = odd and f" ({odd})"
            raise WorldError(
                f"{place}: {key} {text!r} and {key} {other!r} look alike{how}: write both alike, or rename one"
            )
        known[text] = text

    def _clip(self, row: Row, clip_id: str, session: str, place: str) -> Clip:
        segment = self._segment(row, place)
        operation, first = (self._label(row[key], place) for key in ("dominant_operation", "next_operation"))
        following = self._following(row, first, place)
        if following[0] != first or operation == first:
            raise WorldError(
                f"{place}: next_operation {first!r} must be the first of next_operations, and not the dominant one"
            )
        before = row.get("previous_operation")
        index = self.counts[session] = self.counts.get(session, -1) + 1
        return Clip(
            clip_id=clip_id,
            session=session,
            clip_index=_integer(row, "clip_index", place, INT32, default=index),
            start_ms=_integer(row, "start_ms", place, INT64, default=0),
            dominant_operation=operation,
            temporal_segment=segment,
            next_operation=first,
            previous_operation=None if before is None else self._label(before, place),
            next_operations=following[:3],
            cut_kind=self._text(row, "cut_kind", place) or "mid",
            domain=self._text(row, "domain", place),
            worker=self._text(row, "worker", place),
        )

    def _segment(self, row: Row, place: str) -> Segment:
        start, end = (_integer(row, key, place, INT64) for key in ("start_frame", "end_frame"))
        last = len(self.frames) - 1
        if wrong := contradiction(row["stated"], self.rate, last):
            raise WorldError(f"{place}: {wrong.field} {wrong.wrong}: {wrong.remedy}, or leave {wrong.field} out")
        if not 0 <= start < end <= last:
            hint = "; --fps or --clip-frames, if the truth counts other frames" if 0 <= start < end else ""
            raise WorldError(f"{place}: segment [{start}, {end}) does not lie in a clip of {last} frames{hint}")
        self.last_frame = max(self.last_frame, end)
        segment = Segment(self.frames[start], self.frames[end])
        if not segment.frames:
            raise WorldError(f"{place}: segment [{start}, {end}) is shorter than a frame at 25 fps")
        return segment

    def _following(self, row: Row, first: str, place: str) -> tuple[str, ...]:
        labels = row.get("next_operations")
        if labels is not None and not isinstance(labels, list | tuple):
            raise WorldError(f"{place}: next_operations is {_short(labels)}, expected an array of operations")
        return tuple(self._label(label, place) for label in labels) if labels else (first,)

    def _label(self, text: Any, place: str) -> str:
        if not isinstance(text, str) or not text.strip():
            raise WorldError(f"{place}: {_short(text)} is no operation")
        label = unicodedata.normalize("NFC", _limited(text.strip(), "operation", place))
        if odd := _characters(normalise_label(label), ("Cc", "Cs")):
            raise WorldError(f"{place}: operation {text!r} holds {odd}")
        known = self.spelling.get(normalise_label(label))
        return known if known is not None else self._new_label(label, place)

    def _new_label(self, label: str, place: str) -> str:
        """Return a label that was not read before. Raises WorldError where it looks like an earlier one."""
        other = self.looks.setdefault(normalise_label(skeleton(label)), label)
        if other != label:
            odd = _characters(label, ("Cf",)) or _characters(other, ("Cf",))
            how = f"differ in {odd} alone, which nobody sees" if odd else f"look alike ({code_points(label + other)})"
            raise WorldError(f"{place}: operations {label!r} and {other!r} {how}: write both alike, or rename one")
        return self.spelling.setdefault(normalise_label(label), label)


def _integer(row: Row, key: str, place: str, limit: range, default: int | None = None) -> int:
    value = row.get(key, default)
    if type(value) is not int:
        whole = re.fullmatch(r"(-?[0-9]{1,18})\.0+", str(value))
        raise WorldError(
            f"{place}: {key} is {_short(value)}, expected an integer{f': write {whole[1]}' if whole else ''}"
        )
    if value not in limit:
        raise WorldError(f"{place}: {key} is {_short(value)}, out of range")
    return value


def _limited(text: str, what: str, place: str) -> str:
    """Return a name. Raises WorldError where it is longer than any name is."""
    if len(text) > NAME_CHARACTERS:
        raise WorldError(f"{place}: {what} has {len(text):,} characters, at most {NAME_CHARACTERS:,} are read")
    return text


def _short(value: Any) -> str:
    """Return a value for a message, cut short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _characters(text: str, categories: Sequence[str]) -> str:
    """Return the first character of these Unicode categories as a code point, or ""."""
    return next((f"U+{ord(char):04X}" for char in text if unicodedata.category(char) in categories), "")
