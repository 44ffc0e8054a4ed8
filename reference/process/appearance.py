"""The appearance of a step in a world file: `look` tells how box, table and screen stand when the step begins.

Steps of one operation look different, so that a picture shows the step and not the operation alone. What a run adds
(tape, a label, fill) stays for the rest of the order, and later steps need not repeat it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MARKS = ("glass", "cluster", "arrows", "bolt", "bow")
"""Signs an attribute can be drawn as. On the items: glass ware, three of them, large ones."""
BOXES = ("none", "flat", "bottom up", "open", "closed")
INSIDE = ("padding", "items", "filling")
ON_BOX = ("tape", "second tape", "label", "second label", "gift wrap")
SCREENS = ("off", "pass", "fail")


@dataclass(frozen=True)
class Look:
    """Appearance of the station when a step begins."""

    box: str = "open"  # one of BOXES
    inside: tuple[str, ...] = ()  # of INSIDE
    marks: tuple[str, ...] = ()  # of ON_BOX
    items_out: bool = False  # the order's items lie on the table
    screen: str = "off"  # one of SCREENS: the result of a check that is over


def read_look(table: dict[str, Any]) -> Look:
    """Return the look in a step's table. Raises TypeError for a key that a look does not have."""
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Look(**fields)


def look_faults(look: Look) -> Iterator[str]:
    """Yield the faults of a look, each with its key."""
    named = (("box", (look.box,), BOXES), ("screen", (look.screen,), SCREENS))
    for key, values, known in (*named, ("inside", look.inside, INSIDE), ("marks", look.marks, ON_BOX)):
        for value in values:
            if value not in known:
                yield f"{key}: there is no {value!r}; there are {', '.join(known)}"
    if not isinstance(look.items_out, bool):
        yield f"items_out is {look.items_out!r}, expected true or false"
    if look.inside and look.box != "open":
        yield "inside: only an open box shows what is in it"
    if look.marks and look.box not in ("open", "closed"):
        yield f"marks: a box that is {look.box!r} bears none"
