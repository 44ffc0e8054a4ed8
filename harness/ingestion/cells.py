"""Values of table cells, in the terms of JSON: a text of a CSV file or spreadsheet, or a value of a Parquet column.

An empty cell is null: an abstention in an answer column, "not stated" in an optional one. Only columns of numbers hold
numbers; what is none stays a text, and the strict checker says what was expected there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from harness.ingestion.lines.fields import LATER_FIELD, NUMBER_FIELDS, SEGMENT_FIELDS
from harness.ingestion.strict_json import parse
from harness.usage.fields import NUMBERS as USAGE_NUMBERS

TURNS = ("conversations", "messages")
_JSON_COLUMNS = ("temporal_segment", LATER_FIELD, "usage", *TURNS)
_NUMBER_COLUMNS = (*SEGMENT_FIELDS, *NUMBER_FIELDS, *USAGE_NUMBERS)
_INTEGER = re.compile(r" *-?[0-9]{1,40} *")
_DECIMAL = re.compile(r" *-?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,2})? *")


def from_text(name: str, cell: str) -> Any:
    """Return the value of a text in a column. A frame such as 10.0 becomes a float, which is no frame number."""
    if cell == "" and name != "clip_id":
        return None
    if name in _JSON_COLUMNS:
        return _nested(cell)
    if name not in _NUMBER_COLUMNS or not _DECIMAL.fullmatch(cell):
        return cell
    return int(cell) if _INTEGER.fullmatch(cell) else float(cell)


def _nested(cell: str) -> Any:
    """Return the array, object or null that a cell spells, also with the quotes of Python; else the text itself."""
    value, faults = parse(cell if '"' in cell else cell.replace("'", '"'))
    return cell if faults or not isinstance(value, dict | list | None) else value


def from_value(value: Any, name: str = "") -> Any:
    """Return a value of a Parquet column as JSON has it; NaN, and a segment of two nulls, are null."""
    if isinstance(value, str):
        return _nested(value) if name in _JSON_COLUMNS else value
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, float):
        return None if value != value else value
    if isinstance(value, bytes):  # a text whose writer did not say so
        text = value.decode(errors="ignore")
        return from_value(text, name) if text.encode() == value else value
    if isinstance(value, UUID) or (name == "clip_id" and type(value) is int):
        return str(value)  # as a CSV file has it
    if isinstance(value, list | tuple):
        return [from_value(one) for one in value]
    if isinstance(value, Mapping):
        row = {name: from_value(one) for name, one in value.items()}
        return None if row.keys() == set(SEGMENT_FIELDS) and _are_null(row) else row
    return value


def nest_segment(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with flat start and end as the canonical segment; both empty is no segment."""
    if "temporal_segment" in row or not all(name in row for name in SEGMENT_FIELDS):
        return row
    segment = {name: row.pop(name) for name in SEGMENT_FIELDS}
    return row | {"temporal_segment": None if _are_null(segment) else segment}


def _are_null(values: Mapping[str, Any]) -> bool:
    return all(value is None for value in values.values())
