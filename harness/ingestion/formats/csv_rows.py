"""Rows of delimited text, of which a malformed one costs nothing but itself.

A row begins at a line and ends with the line on which its quotes are closed, so a quoted cell may span lines. A row is
broken when something stands beside the quotes of a cell, when a quote is not closed within the cap on a line's bytes,
or when a line in its midst is by itself a row of the table: as many cells as the header, a clip of the split in the
column of clips. The next row then begins at the next line that names a clip of the split in a cell; where no line of
the file does, as far as some tell, at the next line with as many cells as the header.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from harness.ingestion.formats.documents import line_item
from harness.ingestion.strict_json import Fault
from harness.ingestion.submission_file import SubmissionFile

LINES_SEEN = 200
LONGEST_CELL = (1 << 31) - 1  # of the csv module, so that the cap on lines is the only one


class Line(NamedTuple):
    """Line of the file as text, with its fault where it is over the cap or not UTF-8."""

    number: int
    text: str
    fault: Fault | None = None


class CsvRow(NamedTuple):
    """Row of the file: its first line, and its cells or, where it is broken, a fault and the clip that it names."""

    line: int
    cells: list[str]
    fault: Fault | None = None
    clip: str | None = None


class CsvRows:
    """Iterator over the rows of a file. `is_clip`: whether a cell names a clip; `place`: the column of clips."""

    def __init__(self, source: SubmissionFile, mark: str, names: list[str], is_clip: Callable[[str], bool]):
        self._cap = source.limits.max_line_bytes
        self._mark, self._width, self._is_clip = mark, len(names), is_clip
        self._place = names.index("clip_id") if "clip_id" in names else None
        self._lines, self._ahead = text_lines(source), deque[Line]()
        self._open = False  # whether the row asked for more lines than it may have
        self._source = source
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))

    def __iter__(self) -> Iterator[CsvRow]:
        next(self._lines, None)  # the header
        while (line := self._pull()) is not None:
            yield self._row(line)

    @cached_property
    def _names_clips(self) -> bool:
        """Return True if the table names clips of the split, as far as some of its lines tell."""
        lines = [*islice(text_lines(self._source), LINES_SEEN)]
        lines += [Line(0, (line or b"").decode(errors="replace")) for line in self._source.sample(LINES_SEEN)]
        return any(self._clip_of(line) for line in lines)

    def _pull(self) -> Line | None:
        return self._ahead.popleft() if self._ahead else next(self._lines, None)

    def _push(self, lines: list[Line]) -> None:
        self._ahead.extendleft(reversed(lines))

    def _row(self, first: Line) -> CsvRow:
        taken = [first]
        try:
            cells = next(csv.reader(self._feed(taken), delimiter=self._mark, strict=True), [])
        except csv.Error:
            return self._broken(taken, self._what_is_wrong(first))
        if fault := next((line.fault for line in taken if line.fault), None):
            return self._broken(taken, fault)
        if len(cells) == self._width:
            return CsvRow(first.number, cells)
        more = f'a cell that holds "{self._mark}" needs quotes' if len(cells) > self._width else ""
        fault = Fault("COLUMNS", 1, "", f"{len(cells)} cells", f"{self._width} as in the header", more)
        if len(taken) > 1 and not self._is_named(cells):
            return self._broken(taken, fault)
        return CsvRow(first.number, [], fault, cells[self._place or 0] if len(taken) > 1 else self._clip_of(first))

    def _feed(self, taken: list[Line]) -> Iterator[str]:
        """Yield the lines of a row as the csv module asks for them, and note them in `taken`."""
        self._open = False
        yield taken[0].text
        size = len(taken[0].text)
        while (line := self._pull()) is not None:
            taken.append(line)
            size += len(line.text)
            if size > self._cap or self._is_row(line):
                break
            yield line.text
        self._open = True  # asked for more than there is

    def _what_is_wrong(self, first: Line) -> Fault:
        wrong = "something stands beside the quotes of a cell"
        remedy = 'write "" for a quote inside a quoted cell'
        if self._open:
            wrong = "a quote is never closed"
        elif "\r" in first.text.rstrip("\r\n"):
            wrong, remedy = "a carriage return stands alone", "lines end in LF or CR LF"
        return first.fault or Fault("COLUMNS", 1, "", f"not a CSV row: {wrong}", "quotes round whole cells", remedy)

    def _broken(self, taken: list[Line], fault: Fault) -> CsvRow:
        """Return a broken row, and go to the line where the next one begins."""
        first = taken[0]
        self._push(taken[1:])
        clip = self._clip_of(first)
        begins = self._clip_of if clip or self._names_clips else self._has_width
        while (line := self._pull()) is not None:
            is_long = line.fault is not None and not line.text  # a row over the cap, unless of this row
            if begins(line) or (is_long and line.fault is not fault):
                self._push([line])
                break
        return CsvRow(first.number, [], fault, clip)

    def _is_row(self, line: Line) -> bool:
        """Return True for a row by itself; the end of a cell that spans lines has a quote too many."""
        return line.text.count('"') % 2 == 0 and self._names_clip(line) and self._has_width(line)

    def _names_clip(self, line: Line) -> bool:
        return any(self._is_named(cells) for cells in split(line.text, self._mark))

    def _is_named(self, cells: list[str]) -> bool:
        """Return True if a clip of the split stands in the column of clips."""
        return self._place is not None and len(cells) > self._place and self._is_clip(cells[self._place])

    def _has_width(self, line: Line) -> bool:
        """Return True for as many cells as the header has; a line that leaves a quote open may have fewer."""
        count = len(split(line.text, self._mark)[0])
        return count == self._width or (1 < count < self._width and line.text.count('"') % 2 == 1)

    def _clip_of(self, line: Line) -> str | None:
        """Return the clip that a broken row names, in the column of clips or in one other cell alone."""
        splits = [cells for cells in split(line.text, self._mark) if len(cells) > 1]
        for cells in splits:
            if self._place is not None and self._is_named(cells):
                return cells[self._place]
        named = {cell for cells in splits for cell in cells if self._is_clip(cell)}
        return named.pop() if len(named) == 1 else None


def split(text: str, mark: str) -> list[list[str]]:
    """Return the cells of a line by its quotes, unless they are beyond the csv module, and without trust in them."""
    naive = [cell.strip(' "') for cell in text.strip("\r\n").split(mark)]
    try:
        return [next(csv.reader([text.rstrip("\r\n")], delimiter=mark), []), naive]
    except csv.Error:
        return [naive]


def text_lines(source: SubmissionFile) -> Iterator[Line]:
    """Yield the lines that are not blank as text, with a replacement character for what is not UTF-8."""
    for number, line in source.lines():
        text = (line or b"").decode(errors="replace")
        faults = line_item(number, line, source.limits.max_line_bytes).faults if not line or "\ufffd" in text else []
        yield Line(number, text, next((fault for fault in faults if fault.code in ("TOO_LONG", "ENCODING")), None))
