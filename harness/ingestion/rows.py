"""Rows of a program, a list of dicts or a DataFrame -> JSON Lines, which the readers of files take from there.

A row becomes the line of its number, so that problems name it. Numbers of numpy become those of Python; in a DataFrame
a missing cell (NaN, NA, NaT, None) becomes null, and a start_frame and end_frame become a segment. What JSON cannot
hold is refused by row and field, and so are frames that pandas turned into floats, as it does where one is missing.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from harness.errors import SubmissionError, UsageError
from harness.ingestion.cells import nest_segment
from harness.ingestion.lines.fields import SEGMENT_FIELDS
from harness.ingestion.submission_file import Limits

if TYPE_CHECKING:
    import pandas

    Rows = Iterable[Mapping[str, Any]] | pandas.DataFrame

NAME = "rows"
EXPECTED = "expected a path, a list of dicts or a DataFrame"


def is_path(submission: Any) -> TypeGuard[str | Path]:
    """Return True for a path (or "-"), False for rows. Raises UsageError for what is neither."""
    if isinstance(submission, str | os.PathLike):
        return True
    if isinstance(submission, Mapping):
        raise UsageError(f"one dict is no list of rows: pass [row, ...], each with its clip_id; {EXPECTED}")
    if isinstance(submission, bytes | bytearray) or not isinstance(submission, Iterable):
        raise UsageError(f"{kind_of(submission)} holds no predictions; {EXPECTED}")
    return False


def write_rows(rows: Any, path: Path, limits: Limits) -> Path:
    """Write one row a line and return the path.

    Raises UsageError for a row that JSON cannot hold, and SubmissionError for more than the caps allow: a generator
    need not end.
    """
    written = 0
    with path.open("w", encoding="ascii") as file:
        for number, row in enumerate(_frame_rows(rows) if _is_frame(rows) else rows, start=1):
            written += file.write(_line(number, row))
            if written > limits.max_bytes or number > limits.max_lines:
                caps = f"{limits.max_lines:,} rows or {limits.max_bytes:,} bytes"
                raise SubmissionError(f"{NAME}: over the cap of {caps} (max_lines, max_bytes)")
    return path


def to_plain(value: Any) -> Any:
    """Return a number of numpy as one of Python, an array as a list, a date as text; else raise TypeError."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, np.number | np.bool_ | np.ndarray):
        return value.tolist()
    raise TypeError(f"{kind_of(value)}, which JSON cannot hold")


def fault_of(row: Mapping[str, Any]) -> str:
    """Return the first field of a row that JSON cannot hold, and why, as the end of a sentence."""
    for name, value in row.items():
        if not isinstance(name, str):
            return f"a field is called {name!r}, expected a text"
        try:
            json.dumps(value, default=to_plain)
        except (TypeError, ValueError, RecursionError) as error:
            return f"{name} is {error}" if isinstance(error, TypeError) else f"{name} cannot be written ({error})"
    return "it cannot be written"


def kind_of(value: Any) -> str:
    """Return what a value of a program is, in words."""
    return "None" if value is None else f"an object of type {type(value).__name__}"


def _line(number: int, row: Any) -> str:
    if not isinstance(row, Mapping):
        remedy = "; of a file pass the path" if isinstance(row, str | bytes) else ""
        raise UsageError(f"{NAME}: row {number} is {kind_of(row)}, expected a dict{remedy}")
    try:
        if not all(isinstance(name, str) for name in row):
            raise TypeError
        return json.dumps(dict(row), default=to_plain) + "\n"
    except (TypeError, ValueError, RecursionError):
        raise UsageError(f"{NAME}: row {number}: {fault_of(row)}") from None


def _is_frame(rows: Any) -> bool:
    """Return True for a pandas DataFrame; pandas is loaded where there is one."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(rows, pandas.DataFrame)


def _frame_rows(frame: pandas.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows of a DataFrame. A `clip_id` may be its index."""
    if "clip_id" in frame.index.names and "clip_id" not in frame.columns:
        frame = frame.reset_index()
    names = list(frame.columns)
    if strange := [name for name in names if not isinstance(name, str)]:
        raise UsageError(f"{NAME}: a column is called {strange[0]!r}, expected a text such as clip_id")
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"{NAME}: there are two columns {twice[0]!r}")
    _refuse_float_frames(frame)
    # object cells keep an integer an integer: a row of several dtypes would be cast to floats
    for cells in zip(*(frame[name].astype(object) for name in names), strict=True):
        row = {name: _cell(cell) for name, cell in zip(names, cells, strict=True)}
        if isinstance(row.get("clip_id"), int | np.integer):
            row["clip_id"] = str(row["clip_id"])  # as in tables of files
        yield nest_segment(row)


def _refuse_float_frames(frame: pandas.DataFrame) -> None:
    """Raise UsageError where whole frame numbers stand in a column of floats: 1 and 1.0 are not the same answer."""
    floats = [name for name in SEGMENT_FIELDS if name in frame.columns and frame[name].dtype.kind == "f"]
    stated = {name: frame[name].dropna() for name in floats}
    whole = [name for name, cells in stated.items() if len(cells) and (cells % 1 == 0).all()]
    if whole:
        first = float(stated[whole[0]].iloc[0])
        cast = ", ".join(f'"{name}": "Int64"' for name in whole)
        raise UsageError(
            f"{NAME}: floats such as {first!r} in {' and '.join(whole)}, expected integers: pandas makes floats where "
            f"a cell is missing; df.astype({{{cast}}}) keeps integers beside missing cells"
        )


def _cell(cell: Any) -> Any:
    """Return a cell of a DataFrame as a JSON value; a missing one is None."""
    if isinstance(cell, Mapping):
        return {name: _cell(value) for name, value in cell.items()}
    return None if _is_missing(cell) else cell


def _is_missing(cell: Any) -> bool:
    import pandas  # loaded already: the rows are a DataFrame

    return pandas.api.types.is_scalar(cell) and bool(pandas.isna(cell))
