"""Operations that a model may answer, with what they mean: from the user's file, or those of a world.

A file holds one operation a line, or a JSON array of such lines, or a JSON object from operation to description. A
description stands after a tab or, where the line has none, after the first ": ", as in a prompt; so does a "- " before
the operation. Empty lines are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import UsageError
from reference import shapes
from reference.files import sha256
from reference.outside_files import parse_json, read_text
from reference.task import MEANINGS, normalise_label
from reference.truth.catalog import locate
from reference.truth.confusables import code_points, hidden_characters, skeleton

MOST_BYTES = 1 << 20
LABELS = 2, 254
"""Fewest and most operations of a file; codes above stand for "other label" and "no answer"."""
LONGEST_LABEL, LONGEST_MEANING = 100, 1000


class Labels(NamedTuple):
    """Operations in the order of the prompt, and the descriptions of those that have one."""

    operations: tuple[str, ...]
    meanings: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Return 16 hexadecimal digits that tell these labels and descriptions, in their order, from any others."""
        return sha256(repr([(label, self.meanings.get(label)) for label in self.operations]).encode())[:16]


def labels_of_world(world: str, home: Path | None = None) -> Labels:
    """Return the operations of a world by its name or file, described as its own prompt does. Raises WorldError."""
    origin = locate(world, home)
    operations = origin.operations()
    meanings = MEANINGS if origin.process else origin.content(origin.splits[0]).meanings
    return Labels(operations, {label: meanings[label] for label in operations if label in meanings})


def read_labels(source: Path | Sequence[str] | Mapping[str, str]) -> Labels:
    """Return the operations in a file, or in a list or dict as a JSON file holds them.

    Raises UsageError with the place of what is none or stands there twice.
    """
    place = source if isinstance(source, Path) else "labels"
    operations, meanings, seen = list[str](), dict[str, str](), dict[str, str]()
    for at, label, meaning in _from_file(source) if isinstance(source, Path) else _from_value(source, "labels"):
        label = _checked(label, at)
        for look in (normalise_label(label), normalise_label(skeleton(label))):
            if seen.setdefault(look, at) != at:
                raise UsageError(f"{at}: {label!r} cannot be told from the operation of {seen[look]}")
        operations.append(label)
        if meaning := " ".join(meaning.split())[:LONGEST_MEANING]:
            meanings[label] = meaning
    if not LABELS[0] <= len(operations) <= LABELS[1]:
        raise UsageError(f"{place}: {len(operations)} operations, expected {LABELS[0]} to {LABELS[1]}, one a line")
    return Labels(tuple(operations), meanings)


def _from_file(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield place, operation and description."""
    text = read_text(path, UsageError, MOST_BYTES).removeprefix("\ufeff")
    if text.lstrip().startswith(("[", "{")):
        yield from _from_value(parse_json(text, str(path), UsageError), str(path))
    else:
        yield from _from_lines((f"{path}:{number}", line) for number, line in enumerate(text.split("\n"), 1))


def _from_value(value: Any, place: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, Mapping):
        for label, meaning in value.items():
            at = f"{place}: {str(label)[:60]!r}"
            yield at, _text(label, at), _text(meaning or "", at)
    else:
        places = ((f"{place}: [{number}]", item) for number, item in enumerate(value))
        yield from _from_lines((at, _text(item, at)) for at, item in places)


def _from_lines(lines: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    for place, line in lines:
        if line.strip():
            bare = line.strip().removeprefix("- ")
            label, _, meaning = bare.partition("\t" if "\t" in bare else ": ")
            yield place, label, meaning


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{place}: is {shapes.shown(value)}, expected a text")
    return value


def _checked(label: str, place: str) -> str:
    label = label.strip()
    if not label or len(label) > LONGEST_LABEL:
        raise UsageError(f"{place}: an operation has 1 to {LONGEST_LABEL} characters, not {len(label)}")
    if hidden_characters(label):
        raise UsageError(f"{place}: the operation hides characters: {code_points(label)}")
    return label
