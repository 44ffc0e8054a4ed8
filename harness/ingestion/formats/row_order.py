"""Order that the rows of a file state by numbers in their ids, for a clip map that is read in the file's order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from harness.formatting import count
from harness.ingestion.diagnostics import quote

Place = tuple[str, ...]
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass
class _Numbers:
    """Numbers in the ids at one place: the last one read, their range, and the first two rows that go back."""

    words: str
    last: tuple[list[int], int, str]  # numbers, row, text
    low: list[int]
    high: list[int]
    rows: int = 1
    rises: bool = False
    back: tuple[int, str, int, str] | None = None
    is_hash: bool = False  # the words round the numbers differ, so that they count nothing

    def add(self, words: str, numbers: list[int], row: int, text: str) -> None:
        """Add the numbers of the next row."""
        before, row_before, text_before = self.last
        self.is_hash |= words != self.words
        self.rises |= numbers > before
        if numbers < before and self.back is None:
            self.back = (row_before, text_before, row, text)
        self.low, self.high = min(self.low, numbers), max(self.high, numbers)
        self.last, self.rows = (numbers, row, text), self.rows + 1

    @property
    def is_dense(self) -> bool:
        """Return True where the numbers count rows, with at most as many gaps as rows."""
        return len(self.low) != 1 or self.high[0] - self.low[0] < 2 * self.rows


class RowOrder:
    """Check that the numbers in the ids of a file ascend, gaps allowed, as the order of a clip map needs."""

    def __init__(self) -> None:
        self._places: dict[Place, _Numbers] = {}

    def add(self, row: int, ids: Iterable[tuple[Place, str]]) -> None:
        """Add the ids of a row, which is counted from 0."""
        for place, text in dict(ids).items():
            numbers = [int(number) for number in _NUMBER.findall(text[:100])]
            words = _NUMBER.sub("0", text[:100])
            seen = self._places.get(place)
            if seen is not None:
                seen.add(words, numbers, row, text)
            elif numbers:
                self._places[place] = _Numbers(words, (numbers, row, text), numbers, numbers)

    def fault(self) -> str:
        """Return what is wrong with the order and what to do, or nothing.

        Numbers that are far apart may be no order where another id ascends throughout.
        """
        counted = {place: seen for place, seen in self._places.items() if not seen.is_hash}
        has_order = any(seen.rises and seen.back is None for seen in counted.values())
        for place, seen in counted.items():
            if seen.back is not None and (seen.is_dense or not has_order):
                first, text, second, later = seen.back
                name = ".".join(place)
                return (
                    f"{name} is {quote(text)} in answer {count(first + 1)} and {quote(later)} in answer "
                    f"{count(second + 1)}, so the file is not in the order of the clip map; give a map from {name} to "
                    f"clip_id, sort the file by {name}, or leave {name} out where it is no id"
                )
        return ""
