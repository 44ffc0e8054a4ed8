"""Excel workbooks (.xlsx) -> JSON Lines, which the readers of files take from there: line 7 is row 7 of the sheet.

Cells follow the rules of CSV, except that a spreadsheet knows no difference between 10 and 10.0. A workbook must have
one sheet with cells in it, and no formulas there: their results need not be in the file.
"""

from __future__ import annotations

import contextlib
import json
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import IO, Any

from harness.errors import HarnessError, SubmissionError, UsageError
from harness.ingestion.cells import from_text, nest_segment
from harness.ingestion.diagnostics import quote
from reference.extras import needs

ROWS = 1 << 20  # of a sheet of Excel
SHARED_BYTES = 1 << 27
"""Bytes of the table of texts, which is held in memory whole, several times as large."""
REMEDY = "save the sheet as CSV"


def is_workbook(names: list[str]) -> bool:
    """Return True for the names of the files in a workbook without macros."""
    return "xl/workbook.xml" in names and "xl/vbaProject.bin" not in names


def json_lines(file: IO[bytes], name: str, max_bytes: int, max_lines: int) -> Iterator[bytes]:
    """Yield a line for each row of the workbook's sheet, blank for the header.

    Raises UsageError without openpyxl, and SubmissionError for a workbook that cannot be read or is over a cap.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise UsageError(f"{name}: {needs('reading .xlsx', error)}, or {REMEDY}") from None
    try:
        with zipfile.ZipFile(file) as archive:
            sizes = {part.filename: part.file_size for part in archive.infolist()}
        if sum(sizes.values()) > max_bytes:
            raise SubmissionError(f"{name}: over the cap of {max_bytes:,} decompressed bytes (--max-bytes)")
        if sizes.get("xl/sharedStrings.xml", 0) > SHARED_BYTES:
            raise SubmissionError(f"{name}: its texts have more than {SHARED_BYTES:,} bytes; {REMEDY}")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="openpyxl")
            book = openpyxl.load_workbook(file, read_only=True)
        with contextlib.closing(book):
            yield from _lines(book, name, max_lines)
    except HarnessError:
        raise
    except Exception as error:  # whatever the parsers of a damaged file raise
        raise SubmissionError(f"{name}: not a readable workbook ({type(error).__name__}: {error}); {REMEDY}") from None


def _lines(book: Any, name: str, max_lines: int) -> Iterator[bytes]:
    sheets = [sheet for sheet in book.worksheets if next(_rows(sheet, name, max_lines), None)]
    if len(sheets) != 1:
        named = ", ".join(quote(sheet.title) for sheet in sheets) or "none"
        raise SubmissionError(f"{name}: sheets with cells are {named}, expected one; {REMEDY}")
    rows = _rows(sheets[0], name, max_lines)
    at, header = next(rows)
    names = [str(cell.value or "").strip() for cell in header]
    known = [column for column in names if column]
    if len(set(known)) < len(known) or (len(known) < 2 and "clip_id" not in known):
        raise SubmissionError(f"{name}:{at}: the header needs distinct names of columns, clip_id among them")
    yield b"\n" * at
    for number, cells in rows:
        row = dict.fromkeys(known)
        for column, cell in zip(names, cells, strict=False):
            if column:
                row[column] = _value(column, cell, name)
        if any(cell.value is not None for cell in cells[len(names) :]):
            raise SubmissionError(f"{name}:{number}: cells beyond the header's {len(names)} columns")
        yield b"\n" * (number - at - 1) + json.dumps(nest_segment(row)).encode() + b"\n"
        at = number


def _rows(sheet: Any, name: str, max_lines: int) -> Iterator[tuple[int, Any]]:
    """Yield number and cells of the rows that are not empty."""
    sheet.reset_dimensions()  # what the file says of its size need not be so
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        if number > min(max_lines, ROWS):
            raise SubmissionError(f"{name}: over the cap of {min(max_lines, ROWS):,} lines (--max-lines)")
        if any(cell.value is not None for cell in cells):
            yield number, cells


def _value(column: str, cell: Any, name: str) -> Any:
    value = cell.value
    if cell.data_type == "f":
        raise SubmissionError(f"{name}: the cell {cell.coordinate} holds a formula; paste values, or {REMEDY}")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if column == "clip_id" and type(value) is int:
        return str(value)
    return from_text(column, value) if isinstance(value, str) else value
