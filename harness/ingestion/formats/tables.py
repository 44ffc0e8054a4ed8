"""Readers of CSV, TSV and Parquet: one prediction a row, columns named as the canonical fields, the segment flat.

A table without answer columns holds the model's text, by one of its usual names, or its turns. Excel's .xlsx becomes
JSON Lines before it is read (packed/excel.py).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any, NamedTuple

import duckdb
from duckdb import (
    CaseExpression,
    CoalesceOperator,
    ColumnExpression,
    ConstantExpression,
    Expression,
    FunctionExpression,
    LambdaExpression,
)

from harness.clip_map import IDS
from harness.errors import SubmissionError
from harness.ingestion.cells import TURNS, from_text, from_value, nest_segment
from harness.ingestion.diagnostics import quote
from harness.ingestion.field_names import (
    EITHER,
    MODEL_TEXTS,
    PREDICTED_PARTS,
    TARGETS,
    TRUTH_ONLY,
    named_like,
    text_names,
)
from harness.ingestion.formats import tools
from harness.ingestion.formats.csv_rows import CsvRow, CsvRows, split, text_lines
from harness.ingestion.formats.documents import line_item
from harness.ingestion.formats.records import Item, Options
from harness.ingestion.lines.fields import ANSWERING_FIELDS, FIELDS
from harness.ingestion.submission_file import SubmissionFile
from reference.resources import sql
from reference.truth.database import connect

DELIMITERS = (",", "\t", ";")
FETCHED_BYTES = 32 << 20
ROW_BYTES = 500  # of Python's objects
LINES_SEEN, NAMES_SHOWN = 64, 12
BLOCK = 64  # rows
NAME_BYTES = 4096  # of a clip id
NESTED = 8
ID_NAMES = (*IDS, "name")
_ROW = ColumnExpression("file_row_number")
_INTEGERS = {sign + size for sign in ("", "u") for size in ("tinyint", "smallint", "integer", "bigint", "hugeint")}
_PLAIN = frozenset(_INTEGERS | {"boolean", "float", "double", "decimal", "varchar", "json", "uuid"})
_NAME = re.compile(r'[^{}\[\]":]{0,64}')


def shape(row: dict[str, Any], options: Options) -> dict[str, Any]:
    """Shape a row of a table: an answer as it is, else the model's last turn, or its text."""
    if not ANSWERING_FIELDS.isdisjoint(row):
        return row
    if tools.TOOL_ROWS["vlmevalkit"] <= row.keys():
        return tools.prediction_text(row, options)
    for field, from_turns in zip(TURNS, (tools.llava, tools.chat), strict=True):
        if isinstance(row.get(field), list) and not tools.repeats_turn(row, field):
            return from_turns(row, options)
    return tools.raw_text(row, options) if text_names(row) else tools.canonical(row, options)


def require_answers(source: SubmissionFile, names: list[str]) -> None:
    """Raise SubmissionError for a table that has neither a column of an answer nor one of a model's text."""
    if ANSWERING_FIELDS.isdisjoint(names) and not text_names(names) and set(TURNS).isdisjoint(names):
        shown = ", ".join(quote(name) for name in names[:NAMES_SHOWN])
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        raise SubmissionError(
            f"{source.name}: a table without a column of answers or of a model's text, its columns are {shown}{more}; "
            "name them clip_id, dominant_operation, start_frame, end_frame and next_operation, or raw_output"
        )


class Header(NamedTuple):
    """Delimiter of a table and the names of its columns; an unnamed one, as of a row number, is ""."""

    mark: str
    names: list[str]


def find_header(lines: list[bytes | None]) -> Header | None:
    """Return the header that the first of a file's lines is, or None where they are no table.

    Without a clip_id it must know another name, or all lines have as many cells, and no half of them is JSON.
    """
    first, *others = [(line or b"").decode(errors="replace") for line in lines] or [""]
    text = first.strip("\r\n").split("\r")[0]  # a file of lone carriage returns is one line
    headers = [
        header for mark in DELIMITERS if (header := Header(mark, [name.strip() for name in split(text, mark)[0]])).names
    ]
    named = next((header for header in headers if "clip_id" in header.names), None)
    if named is not None:
        return named
    best = max(headers, key=lambda header: (len(_known(header.names)), len(header.names)), default=None)
    if best is None or not all(_NAME.fullmatch(name) for name in best.names):
        return None
    if len({*best.names} - {""}) < 2 and not text_names(best.names):
        return None
    if not others or 2 * sum(line.lstrip()[:1] in ("{", "[") for line in others) >= len(others):
        return None
    is_even = all(len(split(line, best.mark)[0]) == len(best.names) for line in others)
    return best if is_even or _known(best.names) else None


def _known(names: list[str]) -> list[str]:
    """Return the names that a prediction, a model's text, a target or a clip may have."""
    likes = [name for like in (MODEL_TEXTS, EITHER, TARGETS, PREDICTED_PARTS) for name in named_like(like, names)]
    known = {*FIELDS, *TRUTH_ONLY, *ID_NAMES, *TURNS, *likes}
    return [name for name in dict.fromkeys(names) if name in known]


def delimited(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read the rows of a CSV or TSV file with a header."""
    header = _header(source)
    require_answers(source, header.names)
    rows = options.connection.cursor().execute(sql("harness.ingestion", "clip_ids")).fetchall()
    clip_ids = frozenset(clip_id for (clip_id,) in rows)
    for row in CsvRows(source, header.mark, header.names, clip_ids.__contains__):
        yield _item(header.names, row)


def _header(source: SubmissionFile) -> Header:
    first = next(text_lines(source), None)
    if first is None or first.fault:
        raise SubmissionError(f"{source.name}: a table needs a header with the names of its columns, in UTF-8")
    header = find_header(source.sample(LINES_SEEN)) or Header(",", split(first.text, ",")[0])
    if "\r" in first.text.rstrip("\r\n"):
        raise SubmissionError(f"{source.name}: lines end in carriage returns alone; save it with LF line ends")
    names = [name for name in header.names if name]
    if len(names) < 2 and "clip_id" not in names and not text_names(names):
        raise SubmissionError(f"{source.name}:{first.number}: the header needs names of columns, such as clip_id")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SubmissionError(f"{source.name}:{first.number}: the header needs distinct names, {quote(twice)} is twice")
    return header


def _item(names: list[str], row: CsvRow) -> Item:
    if row.fault is not None:
        return Item(row.line, {} if row.clip is None else {"clip_id": row.clip}, [row.fault])
    value = {name: from_text(name, cell) for name, cell in zip(names, row.cells, strict=True) if name}
    return Item(row.line, nest_segment(value), [])


def rows_of_sample(source: SubmissionFile, count: int) -> list[dict[str, Any]]:
    """Return up to `count` spread rows of a table, as its reader yields them. Raises SubmissionError as that does."""
    if source.parquet:
        with _Parquet(source) as table:
            head = count - count // 2
            items = [*table.rows(0, head), *table.rows(max(head, table.count - count // 2), count // 2)]
            return [item.value for item in items if not item.faults]
    header = _header(source)
    rows, lines = [], source.sample(count + 1)[1:]
    for line in lines:
        text = (line or b"").decode(errors="replace")
        cells = split(text, header.mark)[0]
        if len(cells) == len(header.names) and text.count('"') % 2 == 0:  # else broken, or in the midst of a cell
            rows.append(_item(header.names, CsvRow(0, cells)).value)
    if 2 * len(rows) >= len(lines):
        return rows
    first = islice(CsvRows(source, header.mark, header.names, lambda cell: False), count - len(rows))
    return [_item(header.names, row).value for row in first if row.fault is None] + rows  # cells span lines


def parquet(source: SubmissionFile, options: Options) -> Iterator[Item]:
    """Read the rows of a Parquet file, numbered from 1."""
    with _Parquet(source) as table:
        require_answers(source, table.names)
        yield from table.rows()


class _Parquet:
    """Parquet file, its caps checked from the footer and by the sizes of its texts before a row is fetched.

    The connection is its own, so that a damaged file harms no other query. DuckDB holds a whole result in memory;
    so rows are fetched in ranges, of which none holds much more than FETCHED_BYTES.
    """

    def __init__(self, source: SubmissionFile):
        self._source, self._connection = source, connect()

    def __enter__(self) -> _Parquet:
        with self._readable():
            self._connection.execute("SET threads = 1")
            self._table = self._connection.read_parquet(str(self._source.path), file_row_number=True)
            *columns, _ = zip(self._table.columns, self._table.types, strict=True)
            self.names = [name for name, _ in columns]
            self._check_caps([_size(ColumnExpression(name), kind) for name, kind in columns if _is_read(name, kind)])
            self._columns = [self._column(name, kind) for name, kind in columns]
        return self

    def __exit__(self, *_: Any) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.Error, RuntimeError, ValueError) as error:  # also names and texts that are not UTF-8
            why = next(iter(str(error).splitlines()), type(error).__name__)
            raise SubmissionError(f"{self._source.name}: not a readable Parquet file ({why})") from None

    def _check_caps(self, sizes: list[Expression]) -> None:
        """Count rows and bytes of blocks of rows. Raises SubmissionError above a cap."""
        limits, name = self._source.limits, self._source.name
        (self.count,) = self._table.aggregate([FunctionExpression("count_star")]).fetchall()[0]
        if self.count > limits.max_lines:
            raise SubmissionError(f"{name}: over the cap of {limits.max_lines:,} lines (--max-lines)")
        self._size = sum(sizes, ConstantExpression(0))
        block = FunctionExpression("//", _ROW, ConstantExpression(BLOCK)).alias("block")
        blocks = self._table.aggregate([block, FunctionExpression("sum", self._size)], "1").order("block").fetchall()
        if sum(size for _, size in blocks) > limits.max_bytes:
            raise SubmissionError(f"{name}: over the cap of {limits.max_bytes:,} decompressed bytes (--max-bytes)")
        self._ends, held = [0], 0
        for block, size in blocks:
            held += size + BLOCK * ROW_BYTES
            if held > FETCHED_BYTES:
                self._ends.append(min((block + 1) * BLOCK, self.count))
                held = 0
        self._ends.append(self.count)

    def _column(self, name: str, kind: Any) -> Expression:
        """Return what is fetched of a column: nothing of what is not read, or of a row over the cap on a line."""
        if not _is_read(name, kind):
            if name in FIELDS:
                wrong = f"the column {name} is of type {kind}, expected texts or numbers"
                raise SubmissionError(f"{self._source.name}: {wrong}")
            return ConstantExpression(None).alias(name)
        column = ColumnExpression(name)
        size, cap = (_size(column, kind), NAME_BYTES) if name == "clip_id" else (self._size, self._cap)
        return CaseExpression(size <= ConstantExpression(cap), column).alias(name)

    @property
    def _cap(self) -> int:
        return self._source.limits.max_line_bytes

    def rows(self, first: int = 0, count: int | None = None) -> Iterator[Item]:
        """Yield the rows from number `first`, counted from 0, by default all."""
        end = self.count if count is None else min(first + count, self.count)
        fits = (self._size <= ConstantExpression(self._cap)).alias("fits")
        ends = [first, *(at for at in self._ends if first < at < end), end]
        for low, high in pairwise(ends):
            chosen = self._table.filter(_ROW.between(ConstantExpression(low), ConstantExpression(high - 1)))
            with self._readable():
                rows = chosen.select(_ROW, fits, *self._columns).fetchall()
            for place, is_whole, *cells in rows:
                yield self._item(place + 1, is_whole, cells)

    def _item(self, number: int, is_whole: bool, cells: list[Any]) -> Item:
        row = {name: from_value(cell, name) for name, cell in zip(self.names, cells, strict=True)}
        if is_whole:
            return Item(number, nest_segment(row), [])
        return Item(number, {"clip_id": row.get("clip_id")}, line_item(number, None, self._cap).faults)


def _is_read(name: str, kind: Any) -> bool:
    """Return True for a column of texts or numbers, also nested; bytes only where a text may be expected."""
    return _is_plain(kind, _PLAIN | {"blob"} if _known([name]) else _PLAIN)


def _is_plain(kind: Any, plain: frozenset[str], depth: int = 0) -> bool:
    if kind.id in ("list", "struct"):
        return depth < NESTED and all(_is_plain(child, plain, depth + 1) for _, child in kind.children)
    return kind.id in plain


def _size(value: Expression, kind: Any, depth: int = 0) -> Expression:
    """Return an expression of the bytes that the texts in a value take, and 8 for what else it holds."""
    size = ConstantExpression(8)
    if kind.id in ("varchar", "json"):
        size = FunctionExpression("strlen", value)
    elif kind.id == "blob":
        size = FunctionExpression("octet_length", value)
    elif kind.id == "struct":
        for name, child in kind.children:
            size += _size(FunctionExpression("struct_extract", value, ConstantExpression(name)), child, depth)
    elif kind.id == "list":
        one, (_, child) = f"x{depth}", kind.children[0]
        sizes = LambdaExpression(one, _size(ColumnExpression(one), child, depth + 1))
        size = FunctionExpression("list_sum", FunctionExpression("list_transform", value, sizes))
    return CoalesceOperator(size, ConstantExpression(0))
