"""Vocabulary of answers: the world's labels in any usual spelling, and frames at the answers' own rate.

A label is looked up as it stands, then after task.normalise_label. One that only looks like a known label, or hides
characters, is refused; any other is accepted as UNKNOWN_LABEL. White space of JSON at its ends hides nothing.

"No answer" is None here and NULL in SQL. UNKNOWN_LABEL is a code and not NULL because it is an answer: whoever names an
operation that the world does not have is wrong, while null abstains, and tables tell the two apart. No truth equals it,
since a world has at most 254 labels.
"""

from __future__ import annotations

import difflib
import json
import unicodedata
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from harness.errors import UsageError
from reference import task
from reference.task import normalise_label
from reference.truth.confusables import code_points, hidden_characters, skeleton

JSON_SPACE = " \t\r\n"
UNKNOWN_LABEL = 255
LABELS_REMEMBERED, LONGEST_REMEMBERED = 100_000, 100
"""Labels of a file that are looked up once, and their most characters: one may be of a megabyte."""


class Label(NamedTuple):
    """Result of looking a label up."""

    code: int
    verdict: str  # exact | normalised | unknown | refused
    more: str = ""  # unknown: the nearest label; refused: the characters


class Vocabulary:
    """Labels of a world, and the frames of a clip in the answers with their frames at 25 fps."""

    def __init__(self, operations: tuple[str, ...], fps: float | None = None, clip_frames: int | None = None):
        self.operations = operations
        self.rate, self.frames = frame_table(fps, clip_frames)
        self._exact = {label: code for code, label in enumerate(operations)}
        self._normal = {normalise_label(label): code for code, label in reversed([*enumerate(operations)])}
        self._looks = {normalise_label(skeleton(label)) for label in operations}
        self._known: dict[str, Label] = {}

    def label(self, text: str) -> Label:
        """Look a label up, and remember the result."""
        found = self._known.get(text)
        if found is None:
            found = self._look_up(text)
            if len(text) <= LONGEST_REMEMBERED and len(self._known) < LABELS_REMEMBERED:
                self._known[text] = found
        return found

    def _look_up(self, text: str) -> Label:
        if text in self._exact:
            return Label(self._exact[text], "exact")
        normal = normalise_label(text)
        hides = hidden_characters(text.strip(JSON_SPACE))
        if normal in self._normal and not hides and (not normal.isascii() or _is_ascii_but_spaces(text)):
            return Label(self._normal[normal], "normalised")
        if hides or normalise_label(skeleton(text)) in self._looks:
            return Label(UNKNOWN_LABEL, "refused", code_points(text))
        near = difflib.get_close_matches(normal[:100], list(self._normal), 1)
        return Label(UNKNOWN_LABEL, "unknown", self.operations[self._normal[near[0]]] if near else "")

    def spellings(self) -> list[str]:
        """Return the labels, then the labels in another usual spelling, and so on: position % labels is the code.

        A spelling that JSON would escape, or that occurs already, is replaced by a text that no line holds.
        """
        styles: tuple[Callable[[str], str], ...] = (str, str.lower, str.upper, str.title)
        spellings: dict[str, None] = {}
        for joint in (" ", "_", "-"):
            for style in styles:
                for code, label in enumerate(self.operations):
                    text = style(label).replace(" ", joint)
                    usable = text not in spellings and self._is_plain(text, code)
                    spellings[text if usable else f"\x01{len(spellings)}"] = None
        return list(spellings)

    def _is_plain(self, text: str, code: int) -> bool:
        found = self.label(text)
        return found.code == code and found.verdict != "refused" and json.dumps(text, ensure_ascii=False) == f'"{text}"'


def _is_ascii_but_spaces(text: str) -> bool:
    """Return True unless a letter is not ASCII: two of those, U+017F and U+212A, are s and k in lower case."""
    return text.isascii() or all(char.isascii() or unicodedata.category(char) == "Zs" for char in text)


def frame_table(fps: float | None, clip_frames: int | None) -> tuple[Fraction, list[int]]:
    """Return task.frame_table of the answers. Raises UsageError where rate and length do not fit a clip."""
    try:
        return task.frame_table(fps, clip_frames)
    except ValueError as error:
        raise UsageError(str(error)) from None
