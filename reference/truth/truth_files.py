"""Rows of truth files: JSON Lines, one JSON array, CSV or Parquet -> (line, fields), read as strictly as predictions.

A row has the fields of FIELDS, those without a value left out, and `stated`: what it says of how its frames are counted
(stated_units.py). The segment is flat, the next operation is called
`next_operation`, and a conversation (LLaVA's `conversations`, or `messages`) is the answer in its only reply. Refused
with file and line: bytes that are not UTF-8, a key or column twice, a row of more or fewer cells than its header, NaN,
half surrogate pairs, two values for one field, and a model's answers (ANSWERS_ALONE without TRUTH_ALONE).
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from reference.errors import WorldError
from reference.outside_files import DEPTH, decode, is_deep, is_utf8, read_bytes
from reference.resources import sql
from reference.stated_units import stated_units
from reference.task import NEXT_NAMES
from reference.truth import openpack

Row = Mapping[str, Any]

SEGMENT = ("start_frame", "end_frame")
ANSWER = ("dominant_operation", "temporal_segment", *SEGMENT, *NEXT_NAMES)
TRUTH_ALONE = (
    *("session", "clip_index", "start_ms", "previous_operation", "next_operations", "cut_kind", "domain", "worker"),
)
"""Fields that rows of truth may have, and answers have not."""
FIELDS = ("clip_id", *ANSWER, *TRUTH_ALONE, "id", "conversations", "messages")
ANSWERS_ALONE = ("raw_output", "confidence", "next_confidence", "latency_ms")
"""Fields of a prediction file that truth has not, unless it also has one of TRUTH_ALONE."""
UNITS = ("fps", "frame_rate", "unit", "units", "clip_frames", "inclusive", "end_inclusive")
"""Columns of Parquet that may say how frames are counted."""
REQUIRED = ("clip_id", "dominant_operation", *SEGMENT, "next_operation")
INTEGERS = (*SEGMENT, "clip_index", "start_ms")
DELIMITERS = (",", "\t", ";")
REPLIES = ("gpt", "assistant", "model")
MAX_BYTES = openpack.MAX_BYTES
"""Bytes of a truth file that are read; of Parquet characters of all cells, which it may hold packed."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SPACES = re.compile(r"[ \t\r\n]*")
_FENCE = re.compile(r"\s*```\w*\n(.*?)\n?```\s*", re.DOTALL)


def rows(path: Path, name: str) -> Iterator[tuple[int, Row]]:
    """Yield line and fields of each row of a truth file; of Parquet the row's number. `name` is the user's file name.

    Raises WorldError with file and line.
    """
    readers = {".jsonl": _json, ".ndjson": _json, ".json": _json, ".csv": _csv, ".tsv": _csv, ".parquet": _parquet}
    reader = readers.get(Path(name).suffix.lower())
    if reader is None:
        raise WorldError(
            f"{name}: expected a .jsonl, .json, .csv or .parquet file of truth, or OpenPack annotations (.csv)"
        )
    for line, row in reader(path, name):
        place = f"{name}:{line}"
        if twice := _twice(row):
            raise WorldError(f"{place}: {twice}")
        known = {key: value for key, value in row.items() if key in FIELDS and value is not None}
        _need_truth(row, name, place)
        read = _canonical(_answered(known, place), place)
        if missing := [key for key in REQUIRED if key not in read]:
            there = ", ".join([str(key) for key in row if key not in FIELDS][:10])
            raise WorldError(f"{place}: {', '.join(missing)} missing{f'; there are {there}' if there else ''}")
        yield line, {**read, "stated": _stated(row)}


def _stated(row: Row) -> Row:
    """Return what a row, or its segment, says of how its frames are counted."""
    segment = row.get("temporal_segment")
    inside = stated_units(segment) if isinstance(segment, dict) else {}
    return {**stated_units(row), **{f"temporal_segment.{key}": value for key, value in inside.items()}}


def _need_truth(row: Row, name: str, place: str) -> None:
    """Raise WorldError for a row that has fields of a model's answers, and none that only truth has."""
    answers = [key for key in ANSWERS_ALONE if row.get(key) is not None]
    if answers and not any(row.get(key) is not None for key in TRUTH_ALONE):
        raise WorldError(
            f"{place}: this is a prediction file, a model's answers ({', '.join(answers)}), not the truth: import the "
            f"truth, and harness score {shlex.quote(name)} --world NAME judges these by it. If it is truth all the "
            "same, name the session of each clip, or leave these fields out"
        )


def _answered(row: Row, place: str) -> Row:
    """Return a row with the answer of its conversation as fields, where it has one."""
    named = [key for key in ("conversations", "messages") if key in row]
    if not named:
        return row
    if beside := [*named[1:], *(key for key in ANSWER if key in row)]:
        raise WorldError(f"{place}: {named[0]} stands beside {beside[0]}: leave one of the two, the truth")
    reply = _reply(row[named[0]], f"{place}: {named[0]}")
    fenced = _FENCE.fullmatch(reply)
    answer = _parse(fenced[1] if fenced else reply, f"{place}: the reply in {named[0]}")
    if not isinstance(answer, dict):
        raise WorldError(f"{place}: the reply in {named[0]} is no object with dominant_operation and so on")
    ids = [holder[key] for holder in (row, answer) for key in ("clip_id", "id") if holder.get(key) is not None]
    if any(other != ids[0] for other in ids):
        raise WorldError(f"{place}: the clip is called {ids[0]!r} and {next(i for i in ids if i != ids[0])!r}")
    said = {key: answer[key] for key in ANSWER if answer.get(key) is not None}
    return {**row, **said, **({"clip_id": ids[0]} if ids else {})}


def _reply(turns: Any, place: str) -> str:
    """Return the text of the only turn that the model speaks."""
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise WorldError(f"{place}: expected an array of turns")
    replies = [turn for turn in turns if turn.get("from", turn.get("role")) in REPLIES]
    if len(replies) != 1:
        raise WorldError(f"{place}: {len(replies)} replies, expected one, whose text is the truth")
    content = replies[0].get("value", replies[0].get("content"))
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        content = "".join(part["text"] for part in content if isinstance(part.get("text"), str))
    if not isinstance(content, str):
        raise WorldError(f"{place}: the reply holds no text")
    return content


def _canonical(row: Row, place: str) -> Row:
    """Return a row with a flat segment and the usual name of the next operation."""
    flat = dict(row)
    segment = flat.pop("temporal_segment", None)
    if isinstance(segment, list | tuple) and len(segment) == len(SEGMENT):
        segment = dict(zip(SEGMENT, segment, strict=True))
    if segment is not None and not isinstance(segment, dict):
        raise WorldError(
            f"{place}: temporal_segment is {_short(segment)}, expected an object with start_frame and end_frame, "
            "[start, end], or the two as columns"
        )
    for key in SEGMENT:
        if segment and segment.get(key) is not None:
            _put(flat, key, segment[key], f"temporal_segment.{key}", place)
    usual, *others = NEXT_NAMES
    for key in others:
        if key in flat:
            _put(flat, usual, flat.pop(key), key, place)
    return flat


def _put(row: dict[str, Any], key: str, value: Any, named: str, place: str) -> None:
    if row.setdefault(key, value) != value:
        raise WorldError(f"{place}: {key} is {_short(row[key])} and {named} is {_short(value)}: which is the truth?")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(path: Path, name: str) -> str:
    return decode(read_bytes(path, WorldError, MAX_BYTES, name), name, WorldError, mark=True)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's fields. Raises ValueError for a key that stands there twice."""
    if twice := _repeated([key for key, _ in pairs]):
        raise ValueError(f"the key {_short(twice[0])} stands twice in one object")
    return dict(pairs)


def _repeated(names: list[str]) -> list[str]:
    """Return the names that stand in a list more than once."""
    return [] if len(set(names)) == len(names) else [name for name in names if names.count(name) > 1]


def _twice(names: Iterable[str]) -> str:
    """Return what is wrong with names of which two are equal, or are a field of truth but for their case; else ""."""
    seen: dict[str, str] = {}
    for name in names:
        key = name.casefold() if name.casefold() in FIELDS else name
        other = seen.setdefault(key, name)
        if other != name:
            return f"{_short(other)} and {_short(name)} differ only in case"
    return ""


def _constant(literal: str) -> None:
    raise ValueError(f"{literal} is no JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise ValueError(f"{literal[:20]} is out of range")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_constant, parse_float=_finite)


def _parse(text: str, place: str) -> Any:
    """Return the one JSON value in a text. Raises WorldError at `place`."""
    if is_deep(text):
        raise _deep(place)
    try:
        value = _DECODER.decode(text)
    except ValueError as error:
        raise WorldError(f"{place}: not JSON ({error})") from None
    _check_characters(value, text, place)
    return value


def _deep(place: str) -> WorldError:
    return WorldError(f"{place}: not JSON that is read here (nested deeper than {DEPTH})")


def _check_characters(value: Any, text: str, place: str) -> None:
    if _SURROGATE.search(text) and not is_utf8(value):
        raise WorldError(f"{place}: half a surrogate pair, expected whole characters")


def _json(path: Path, name: str) -> Iterator[tuple[int, Row]]:
    text = _text(path, name)
    values = _elements(text, name) if text.lstrip().startswith("[") else _lines(text, name)
    for line, value in values:
        if not isinstance(value, dict):
            raise WorldError(f"{name}:{line}: expected an object")
        yield line, value


def _need_line_feeds(text: str, name: str) -> None:
    """Raise WorldError for a text whose lines end in carriage returns alone, which JSON takes for spaces."""
    if "\n" not in text and "\r" in text.strip():
        raise WorldError(f"{name}:1: its lines end in a carriage return alone: save the file with line feeds")


def _lines(text: str, name: str) -> Iterator[tuple[int, Any]]:
    """Yield line and value of each line that is not blank. A line ends at a line feed alone, as JSON texts do."""
    _need_line_feeds(text, name)
    for line, part in enumerate(text.split("\n"), 1):
        if part.strip() in ("{", "[") and line == 1 and "\n" in text.strip():
            raise WorldError(
                f"{name}:1: an object over several lines; expected one object a line, or one array of them"
            )
        if part.strip():
            yield line, _parse(part, f"{name}:{line}")


def _elements(text: str, name: str) -> Iterator[tuple[int, Any]]:
    """Yield line and value of each element of the one array in a text."""
    at, line, counted = text.index("[") + 1, 1, 0

    def line_at(position: int) -> int:
        nonlocal line, counted
        line, counted = line + text.count("\n", counted, position), position
        return line

    more = False
    while True:
        at = _after_spaces(text, at)
        if text[at : at + 1] == "]" and not more:
            break
        start = line_at(at)
        try:
            value, end = _DECODER.raw_decode(text, at)
        except RecursionError:
            raise _deep(f"{name}:{start}") from None
        except json.JSONDecodeError as error:
            raise WorldError(f"{name}:{error.lineno}: not JSON ({error.msg})") from None
        except ValueError as error:
            raise WorldError(f"{name}:{start}: not JSON ({error})") from None
        if is_deep(text[at:end]):
            raise _deep(f"{name}:{start}")
        _check_characters(value, text[at:end], f"{name}:{start}")
        yield start, value
        at = _after_spaces(text, end)
        more = text[at : at + 1] == ","
        if not more and text[at : at + 1] != "]":
            raise WorldError(f"{name}:{line_at(at)}: not JSON (the array is not closed, or a comma is missing)")
        at += more
    if text[at + 1 :].strip():
        raise WorldError(f"{name}:{line_at(_after_spaces(text, at + 1))}: more stands after the array")


def _after_spaces(text: str, at: int) -> int:
    match = _SPACES.match(text, at)
    return match.end() if match else at


def _csv(path: Path, name: str) -> Iterator[tuple[int, Row]]:
    text = _text(path, name)
    _need_line_feeds(text, name)
    first = text.partition("\n")[0].strip("\r")
    mark = next((mark for mark in DELIMITERS if "clip_id" in openpack.column_names(first, mark)), None)
    if mark is None:
        raise WorldError(
            f"{name}:1: header {_short(first)} has no column clip_id, as truth has; OpenPack annotations have "
            f"{openpack.expected_columns()}"
        )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    line = 1
    try:
        header = next(reader)
        if twice := _repeated([column for column in header if column]):
            raise WorldError(f"{name}:1: the column {_short(twice[0])} stands twice")
        line = reader.line_num + 1
        for cells in reader:
            if cells and len(cells) != len(header):
                raise WorldError(f"{name}:{line}: {len(cells)} cells under a header of {len(header)}")
            if cells:
                yield line, _cells(dict(zip(header, cells, strict=True)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise WorldError(f"{name}:{line}: not a CSV row ({error})") from None


def _cells(row: Mapping[str, str]) -> Row:
    """Return the cells of a row that are not empty, whole numbers as such."""
    cells: dict[str, Any] = {key: cell for key, cell in row.items() if key and cell}
    for key in INTEGERS:
        if re.fullmatch(r"-?[0-9]{1,20}", cells.get(key, "")):
            cells[key] = int(cells[key])
    if "next_operations" in cells:
        cells["next_operations"] = cells["next_operations"].split("|")
    return cells


def _parquet(path: Path, name: str) -> Iterator[tuple[int, Row]]:
    import duckdb

    try:
        with duckdb.connect() as connection:
            elements = connection.execute(sql(__package__, "parquet_schema"), {"path": str(path)}).fetchall()
            _check_columns(elements, name)
            wanted = {"path": str(path), "columns": f"^({'|'.join((*FIELDS, *ANSWERS_ALONE, *UNITS))})$"}
            sizes = connection.execute(sql(__package__, "parquet_size"), wanted).fetchone() or ()
            if (size := sum(each or 0 for each in sizes)) > MAX_BYTES:
                raise WorldError(f"{name}: holds {size:,} characters, at most {MAX_BYTES:,} are read")
            result = connection.execute(sql(__package__, "parquet_rows"), wanted)
            _check_types(result.description, name)
            columns = [column[0] for column in result.description]
            for number, row in enumerate(result.fetchall(), 1):
                yield number, dict(zip(columns, row, strict=True))
    except (duckdb.Error, ValueError, OverflowError) as error:
        problem = str(error).splitlines()[0].replace(str(path), name)
        raise WorldError(f"{name}: not a readable Parquet file ({problem})") from None


def _check_types(description: list[tuple[Any, ...]], name: str) -> None:
    """Raise WorldError for a column of times with a time zone: their text depends on the machine that reads them."""
    for column, kind, *_ in description:
        if "TIME ZONE" in str(kind):
            raise WorldError(f"{name}:1: the column {column} holds times with a time zone: write them as text")


def _check_columns(elements: list[tuple[str, int | None]], name: str) -> None:
    """Raise WorldError for a column twice, and where none is called clip_id.

    `elements` are those of the schema: each column, with its number of children, before the children.
    """
    columns, children = list[str](), 0
    for element, below in elements[1:]:  # the first is the whole table
        if not children:
            columns.append(element)
        children = max(children - 1, 0) + (below or 0)
    if twice := _repeated(columns):
        raise WorldError(f"{name}:1: the column {_short(twice[0])} stands twice")
    if problem := _twice(columns):
        raise WorldError(f"{name}:1: the columns {problem}")
    if not {"clip_id", "id"} & set(columns):
        raise WorldError(f"{name}:1: no column clip_id; there are {', '.join(columns[:10])}")
