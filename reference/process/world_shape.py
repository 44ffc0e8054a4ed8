"""Shape of a world file that anybody may have written: types, names and ranges, before anything is made of it.

Names of worlds and splits become names of files and folders, so they are plain. Counts are limited where work or
memory grows with them: a file of a few lines could ask for a billion sessions. What fits together (targets, habits,
cycles) is checked by `world`.
"""

from __future__ import annotations

from typing import Any

from reference import shapes
from reference.errors import WorldError
from reference.task import CLIP_FRAMES

MAX_CLIPS = 1_000_000
"""Clips that a split of a world file may have; `-xN` behind its name makes more."""
_NAME = shapes.text(64, r"[A-Za-z0-9][A-Za-z0-9._-]*", "a name of letters, digits, '.', '_' and '-'")
_WORD = shapes.text(64, r"\S+", "a word of at most 64 characters")
_LABEL = shapes.text(100)


def _bounded(most: int) -> shapes.Shape:
    """Return the shape of a number that is at most `most`; `world` checks its type and its least value."""

    def fault(value: Any, place: str) -> str:
        too_large = isinstance(value, int | float) and value > most
        return shapes.wrong(place, value, f"at most {most:,}") if too_large else ""

    return fault


_WEIGHT = _PER_MILLE = _bounded(1_000_000)
_LEAST = -(1 << 31)
_MS = shapes.integer(_LEAST, 100_000_000)
_RULES = shapes.array(
    shapes.table(
        {"to": shapes.mapping(_WORD, _WEIGHT)},
        {"when": shapes.array(shapes.text(200, r"(?s).*\S.*", "a condition"), 0, 64)},
        others=True,
    ),
    0,
    256,
)
_SPAN = shapes.array(shapes.integer(_LEAST, 1 << 31), 2, 2)
_OCCLUDER = shapes.table({"hides": shapes.array(_LABEL, 0, 8), "weight": _WEIGHT}, others=True)


def _named(shape: shapes.Shape, most: int) -> shapes.Shape:
    """Return the shape of a table of at most so many named things."""
    whole = shapes.mapping(_WORD, shape)

    def fault(value: Any, place: str) -> str:
        if isinstance(value, dict) and len(value) > most:
            return f"{place} has {len(value):,} entries, at most {most:,} are read"
        return whole(value, place)

    return fault


_WORLD = shapes.table(
    {
        "name": _NAME,
        "seed": shapes.text(1000, r"(?s).+", "a text that is not empty"),
        "attributes": _named(
            shapes.table({"per_mille": _PER_MILLE, "shown_by": _LABEL}, {"mark": _LABEL}, others=True), 64
        ),
        "start": shapes.table({"next": _RULES}, others=True),
        "steps": _named(
            shapes.table(
                {"operation": _LABEL, "next": _RULES},
                {
                    "look": shapes.table(
                        {},
                        {
                            "box": _LABEL,
                            "screen": _LABEL,
                            "inside": shapes.array(_LABEL, 0, 20),
                            "marks": shapes.array(_LABEL, 0, 20),
                        },
                        others=True,
                    )
                },
                others=True,
            ),
            256,
        ),
        "idle": shapes.table({"per_mille": _PER_MILLE}, others=True),
        "durations": shapes.mapping(_LABEL, shapes.array(_MS, 0, 10_000)),
        "workers": _named(shapes.table({"tempo_percent": _bounded(10_000), "habit": _LABEL}, others=True), 1000),
        "randomised": shapes.table({"one_in": _bounded(1_000_000)}, others=True),
        "domains": _named(
            shapes.table({"strength": _PER_MILLE}, {"occluders": shapes.array(_OCCLUDER, 0, 64)}, others=True), 256
        ),
        "splits": _named(
            shapes.table(
                {
                    "sessions": _bounded(1 << 31),
                    "clips": _bounded(1 << 31),
                    "domains": shapes.array(_LABEL, 0, 256),
                },
                others=True,
            ),
            64,
        ),
        "cutting": shapes.table(
            {"mid": _WEIGHT, "boundary": _WEIGHT, "dense": _WEIGHT, "offset_ms": _SPAN, "lead_ms": _SPAN}
        ),
    },
    {
        "surfaces": _named(
            shapes.table(
                {}, {"window": shapes.array(shapes.integer(1, CLIP_FRAMES), 2, 2), "next_beside": shapes.boolean}
            ),
            8,
        ),
        "digests": shapes.mapping(_WORD, shapes.text(64, "[0-9a-f]{64}", "a SHA-256 of 64 hexadecimal digits")),
    },
    others=True,
)


def check_shape(table: Any) -> None:
    """Raise WorldError for the first value of a world file that is missing or out of shape; it names the key."""
    if fault := _WORLD(table, ""):
        raise WorldError(fault)
    for name, split in table["splits"].items():
        if fault := _NAME(name, "the name of a split"):
            raise WorldError(fault)
        size = [split[key] for key in ("sessions", "clips")]
        if all(type(each) is int for each in size) and size[0] * size[1] > MAX_CLIPS:
            raise WorldError(f"splits.{name} has more than {MAX_CLIPS:,} clips")
