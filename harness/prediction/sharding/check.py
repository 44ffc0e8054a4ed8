"""Check that shards of a run, or of a rendering, are all those of one whole, each once, before `harness merge` joins.

Every refusal names the folders or shards, and what to do.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from harness.errors import UsageError
from harness.formatting import plural
from reference.shard import Shard

SHOWN, NAMED = 80, 3
"""Characters of a value, and facts, that a message shows."""


class Piece(Protocol):
    """Shard of one whole in a folder."""

    @property
    def folder(self) -> Path:
        """Return the folder."""

    @property
    def shard(self) -> Shard:
        """Return number and total."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return what all shards share, by name."""

    @property
    def is_finished(self) -> bool:
        """Return whether the shard is all there."""

    @property
    def content(self) -> Any:
        """Return what tells a finished shard from another one of its number."""


P = TypeVar("P", bound=Piece)


def in_order(pieces: Sequence[P]) -> list[P]:
    """Return the shards of one whole in their order. Raises UsageError unless they are all of them, each once."""
    first = pieces[0]
    if unfinished := [piece for piece in pieces if not piece.is_finished]:
        named = ", ".join(f"{piece.folder} ({piece.shard.words})" for piece in unfinished)
        raise UsageError(
            f"not finished yet: {named}; the command that began a shard resumes it, and then it can be merged"
        )
    for piece in pieces[1:]:
        _check_alike(first, piece)
    numbers = defaultdict(list)
    for piece in pieces:
        numbers[piece.shard.number].append(piece)
    for same in numbers.values():
        _refuse_twice(same)
    total = first.shard.total
    if missing := [number for number in range(1, total + 1) if number not in numbers]:
        verb = "is" if len(missing) == 1 else "are"
        raise UsageError(
            f"{_shards(missing)} of {total} {verb} missing; ask for {'it' if len(missing) == 1 else 'them'} with "
            f"--shard {missing[0]}/{total}{' and so on' if missing[1:] else ''}, and name the folders of all {total}"
        )
    return sorted(pieces, key=lambda piece: piece.shard.number)


def _check_alike(first: Piece, other: Piece) -> None:
    """Raise UsageError for shards of two cuts or of two wholes."""
    if first.shard.total != other.shard.total:
        raise UsageError(
            f"{first.folder} is {first.shard.words}, and {other.folder} is {other.shard.words}: shards of one cut can "
            "be merged; make those of one of the two again"
        )
    here, there = first.facts, other.facts
    differing = [name for name in {**here, **there} if here.get(name) != there.get(name)]
    if differing:
        shown = [
            f"{name} {_value(there.get(name), here.get(name))}, not {_value(here.get(name), there.get(name))}"
            for name in differing
        ]
        more = f" and {plural(len(shown) - NAMED, 'other difference')}" if shown[NAMED:] else ""
        raise UsageError(
            f"{other.folder}: is of another whole than {first.folder} ({'; '.join(shown[:NAMED])}{more}); leave it "
            "out, and make this shard again with the command of the others"
        )


def _refuse_twice(same: Sequence[Piece]) -> None:
    if len(same) == 1:
        return
    folders = " and ".join(str(piece.folder) for piece in same)
    if all(piece.content == same[0].content for piece in same):
        raise UsageError(f"{folders} hold the same {same[0].shard.words}; name one of them")
    raise UsageError(
        f"{folders} hold {same[0].shard.words} with different contents; name the one that counts, since nothing here "
        "can tell"
    )


def _shards(numbers: Sequence[int]) -> str:
    """Return numbers in words, three neighbours and more as a range: "shards 2, 4 to 6 and 8"."""
    words, rest = list[str](), list(numbers)
    while rest:
        length = next((n for n in range(1, len(rest)) if rest[n] != rest[0] + n), len(rest))
        words += [f"{rest[0]} to {rest[length - 1]}"] if length > 2 else map(str, rest[:length])
        rest = rest[length:]
    joined = f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
    return f"shard {joined}" if len(numbers) == 1 else f"shards {joined}"


def _value(value: Any, other: Any) -> str:
    """Return a value in words; of a list what the other one has not."""
    if isinstance(value, list) and isinstance(other, list):
        value = " ".join(str(part) for part in value if part not in other) or None
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
