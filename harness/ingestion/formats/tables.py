"""Readers of CSV, TSV and Parquet: one prediction a row, columns named as the canonical fields, the segment flat.

An empty cell is null: an abstention in an answer column, "not stated" in an optional one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

import duckdb

from harness.errors import SubmissionError
from harness.ingestion.formats.documents import line_item
from harness.ingestion.formats.records import Item, Options
from harness.ingestion.line_checker import NUMBER_FIELDS, SEGMENT_FIELDS
from harness.ingestion.strict_json import Fault
from harness.ingestion.submission_file import SubmissionFile
from reference.resources import sql

DELIMITERS = (",", "\t", ";")
ROWS = 10_000
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?")
_NUMBERS = dict.fromkeys(SEGMENT_FIELDS, _INTEGER) | dict.fromkeys(NUMBER_FIELDS, _DECIMAL)


def delimiter(header: str) -> str | None:
    """Return the delimiter by which a first line is a header with a clip_id column, or None."""
    return next((mark for mark in DELIMITERS if "clip_id" in _names(header, mark)), None)


def _names(header: str, mark: str) -> list[str]:
    try:
        return next(csv.reader([header], delimiter=mark), [])
    except csv.Error:  # longer than any header
        return []


class _Lines:
    """Decoded lines for the csv module; keeps the latest line number and the faults of unreadable lines."""

    def __init__(self, source: SubmissionFile):
        self.number, self.faults = 0, list[Item]()
        self._lines, self._cap = source.lines(), source.limits.max_line_bytes

    def __iter__(self) -> Iterator[str]:
        for number, line in self._lines:
            self.number = number
            try:
                yield (line or b"").decode()
            except UnicodeDecodeError:
                line = b"\xff" if line is None else line
                self.faults.append(line_item(number, line, self._cap))
            else:
                if line is None:
                    self.faults.append(line_item(number, None, self._cap))


def delimited(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read the rows of a CSV or TSV file with a header."""
    lines = _Lines(source)
    texts = iter(lines)
    header = next(texts, "").strip("\r\n").removeprefix("\ufeff")
    mark = delimiter(header) or ","
    names = _names(header, mark)
    if len(set(names)) < len(names) or "clip_id" not in names:
        raise SubmissionError(f"{source.name}:{lines.number}: the header needs distinct names, clip_id among them")
    rows = csv.reader(texts, delimiter=mark, strict=True)
    try:
        for cells in rows:
            yield from lines.faults
            lines.faults.clear()
            if cells:
                yield _row(lines.number, names, cells)
        yield from lines.faults
    except csv.Error as error:
        yield Item(lines.number, None, [Fault("COLUMNS", 1, "", f"not a CSV row ({error})", "quoted cells closed")])


def _row(line: int, names: list[str], cells: list[str]) -> Item:
    if len(cells) != len(names):
        return Item(line, None, [Fault("COLUMNS", 1, "", f"{len(cells)} cells", f"{len(names)} as in the header")])
    return Item(line, nest_segment({name: _cell(name, cell) for name, cell in zip(names, cells, strict=True)}), [])


def _cell(name: str, cell: str) -> Any:
    if cell == "" and name != "clip_id":
        return None
    pattern = _NUMBERS.get(name)
    if pattern is None or not pattern.fullmatch(cell):
        return cell
    return int(cell) if _INTEGER.fullmatch(cell) else float(cell)


def nest_segment(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with flat start and end as the canonical segment; both empty is no segment."""
    if "temporal_segment" in row or not all(name in row for name in SEGMENT_FIELDS):
        return row
    segment = {name: row.pop(name) for name in SEGMENT_FIELDS}
    return row | {"temporal_segment": None if set(segment.values()) == {None} else segment}


def parquet(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read the rows of a Parquet file, numbered from 1."""
    cursor = options.connection.cursor()  # of its own: these rows are fetched while earlier ones are being inserted
    try:
        cursor.execute(sql("harness.ingestion", "parquet"), [str(source.path)])
        names = [column[0] for column in cursor.description]
        number = 0
        while rows := cursor.fetchmany(ROWS):
            for row in rows:
                number += 1
                yield Item(number, nest_segment(dict(zip(names, row, strict=True))), [])
    except duckdb.Error as error:
        raise SubmissionError(f"{source.name}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
    finally:
        cursor.close()
