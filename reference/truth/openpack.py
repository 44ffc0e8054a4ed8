"""OpenPack annotation files -> session timelines.

Two layouts, told apart by the header (columns in any order, further ones are ignored; names quoted or not, separated
by `,`, `;` or tabs):

- operations: `uuid,user,session,box,id,operation,start,end,actions`; ISO 8601 timestamps with their UTC offset, `end`
  exclusive.
- one-second labels: `unixtime,user,session,box,id` (older files: `act_id`); `unixtime` in milliseconds, a row labels
  `[unixtime, unixtime + 1000)`. Consecutive rows of one box and id are one event.

A session is named after its user and session ids, `U0209-S0500`; older files write them as bare integers, and 209 is
U0209. All times are integer milliseconds, rounded down, from the start of the session's first event; that start itself
is in Unix time. Rows may be in any order, but must not overlap.

A map turns an operation's id into a label. By default it is "identity": the operations' own names, all of them
different labels; the label of an id without a name is its digits. Others are data: maps/openpack.toml, which takes
labels of the task where they are true of what OpenPack names, maps/ten-labels.toml, which has all ten labels of the
task and no other, or a file like these.

Source: Yoshimura et al., "OpenPack: A Large-scale Dataset for Recognizing Packaging Works in IoT-enabled Logistic
Environments", PerCom 2024; layouts as openpack-toolkit reads them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from reference.errors import WorldError
from reference.outside_files import decode, read_bytes, read_text
from reference.process.cutter import join_events
from reference.resources import text
from reference.task import OPERATIONS, UNKNOWN, Run, normalise_label
from reference.toml import parse_toml

IDENTITY = "identity"
DEFAULT_MAP = IDENTITY
SHIPPED_MAPS = ("openpack", "ten-labels")
NULL, NULL_MEANING = "Null", "none of the other operations"
SECOND_MS = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

DELIMITERS = (",", ";", "\t")
HEADER_BYTES = 1 << 16
MAX_BYTES = 1 << 30
COMMON_COLUMNS = ("user", "session", "box")
LAYOUTS: tuple[tuple[str, ...], ...] = (("id", "start", "end"), ("id", "unixtime"), ("act_id", "unixtime"))
"""Columns of the layouts beside COMMON_COLUMNS; the first is the operation's id."""


@dataclass(frozen=True, slots=True)
class Event(Run):
    """One annotated operation: a Run with its id and box. `operation` is the map's label."""

    id: int
    box: str


class Session(NamedTuple):
    """Events in time order, in milliseconds from the first one's start, which was at `start_ms` in Unix time."""

    events: tuple[Event, ...]
    start_ms: int

    @property
    def runs(self) -> list[Run]:
        """Return the runs for the cutter: equal neighbours merged, a gap of a frame or more as an `Unknown` run."""
        return join_events(self.events)


@dataclass(frozen=True)
class OperationMap:
    """Map from operation ids to labels. With `keeps_ids` the digits of an id without a label are its label."""

    name: str
    labels: Mapping[int, str]
    keeps_ids: bool = False

    def label(self, operation_id: int) -> str | None:
        """Return the label of an operation, or None."""
        return self.labels.get(operation_id, str(operation_id) if self.keeps_ids else None)


class _Row(NamedTuple):
    """A checked row: its line, and `[start_ms, end_ms)` in Unix time; `sampled`: it is one second of an event."""

    line: int
    session: str
    box: str
    id: int
    operation: str
    start_ms: int
    end_ms: int
    sampled: bool


def read_sessions(
    paths: str | Path | Iterable[str | Path], operation_map: OperationMap | None = None
) -> dict[str, Session]:
    """Return the sessions by name, in the order of the files and of the rows in them.

    Raises WorldError with file and line for a file that is no annotation file or has rows that overlap.
    """
    operation_map = operation_map or load_map()
    sessions: dict[str, Session] = {}
    origin: dict[str, Path] = {}
    for path in map(Path, [paths] if isinstance(paths, str | Path) else paths):
        for name, rows in _by_session(_rows(path, operation_map)).items():
            if name in sessions:
                raise WorldError(f"{path}:{rows[0].line}: session {name} was already read from {origin[name]}")
            sessions[name], origin[name] = _session(path, rows), path
    return sessions


def map_text(name_or_path: str | Path) -> str | None:
    """Return the TOML text of a map by name or path; None for "identity", which has none."""
    if str(name_or_path) == IDENTITY:
        return None
    if str(name_or_path) in SHIPPED_MAPS:
        return _shipped_map(str(name_or_path))
    return read_text(Path(name_or_path), WorldError)


def _shipped_map(name: str) -> str:
    return text(__package__, "maps", f"{name}.toml")


def load_map(name_or_path: str | Path = DEFAULT_MAP) -> OperationMap:
    """Return a map that ships with the package, "identity", or the map in the TOML file at that path."""
    if str(name_or_path) in SHIPPED_MAPS:
        return parse_map(_shipped_map(str(name_or_path)).encode(), str(name_or_path))
    if str(name_or_path) == IDENTITY:
        return OperationMap(IDENTITY, _names(), keeps_ids=True)
    path = Path(name_or_path)
    if not path.is_file():
        raise WorldError(
            f"no map {str(path)!r}: give {', '.join(SHIPPED_MAPS)}, {IDENTITY}, or the path of a .toml file"
        )
    return parse_map(read_bytes(path, WorldError), str(path))


def parse_map(content: bytes, place: str) -> OperationMap:
    """Return the checked map in `content`. Raises WorldError; `place` names the file in its message."""
    table = parse_toml(content, place, WorldError)
    for key in sorted(set(table) - {"operations", "aliases"}):
        raise WorldError(f"{place}: unknown key {key!r}; there are [operations] and [aliases]")
    for key in ("operations", "aliases"):
        if not isinstance(table.setdefault(key, {}), dict):
            raise WorldError(f"{place}: {key} is no table")
    if not table["operations"]:
        raise WorldError(f"{place}: [operations] is missing or empty")
    return OperationMap(place, _labels(table, place))


def label_order(operation_map: OperationMap, sessions: Mapping[str, Session]) -> tuple[str, ...]:
    """Return the canonical order of the sessions' labels: the task's if it has them all, else by id, Unknown last."""
    seen = {event.id: event.operation for session in sessions.values() for event in session.events}
    labels = {**operation_map.labels, **seen}
    if set(labels.values()) <= set(OPERATIONS):
        return OPERATIONS
    ordered = dict.fromkeys(labels[operation_id] for operation_id in sorted(labels))
    return (*(label for label in ordered if label != UNKNOWN), UNKNOWN)


def meanings(operation_map: OperationMap) -> dict[str, str]:
    """Return what a prompt says of each label: OpenPack's names of its operations, where the label is none itself.

    No other description of a label is certain to be true of what OpenPack's workers do.
    """
    names = _names()
    found: dict[str, list[str]] = {}
    for operation_id, label in sorted(operation_map.labels.items()):
        if operation_id in names:
            found.setdefault(label, []).append(names[operation_id])
    described = {
        label: " or ".join(NULL_MEANING if name == NULL else name for name in of) for label, of in found.items()
    }
    return {label: text for label, text in described.items() if text != label}


def _names() -> dict[int, str]:
    """Return OpenPack's name of each operation: the first alias of its id in the first shipped map."""
    name = SHIPPED_MAPS[0]
    table = parse_toml(_shipped_map(name).encode(), name, WorldError)
    return {operation_id: name for name, operation_id in reversed(table["aliases"].items())}


def _labels(table: dict[str, Any], place: str) -> dict[int, str]:
    ids = {normalise_label(name): operation_id for operation_id, name in _names().items()}
    for name, operation_id in table["aliases"].items():
        if type(operation_id) is not int:
            raise WorldError(f"{place}: aliases.{name} is {operation_id!r}, expected an id")
        ids[normalise_label(name)] = operation_id
    labels: dict[int, str] = {}
    for key, label in table["operations"].items():
        operation_id = int(key) if _is_whole_number(key) else ids.get(normalise_label(key))
        if operation_id is None:
            raise WorldError(f"{place}: operations: {key!r} is no id, no name of OpenPack and no alias")
        if operation_id in labels:
            raise WorldError(f"{place}: operations: {key!r} is operation {operation_id}, which has a label already")
        labels[operation_id] = _checked_label(label, key, place)
    _check_spelling(labels.values(), place)
    return labels


def _checked_label(label: object, key: str, place: str) -> str:
    if not isinstance(label, str) or not label.strip() or label != label.strip():
        raise WorldError(f"{place}: operations: the label of {key!r} is {label!r}, expected text")
    return label


def _check_spelling(labels: Iterable[str], place: str) -> None:
    """Raise WorldError for two spellings of one label: answers are compared after normalisation, which joins them."""
    spelling = {normalise_label(label): label for label in OPERATIONS}
    for label in labels:
        known = spelling.setdefault(normalise_label(label), label)
        if known != label:
            raise WorldError(f"{place}: operations: {label!r} and {known!r} are one label, spelt in two ways")


def is_annotation_file(path: Path) -> bool:
    """Return whether the first line of a .csv file is the header of a layout, plain or quoted, by any delimiter."""
    if path.suffix.lower() != ".csv":
        return False
    with path.open("rb") as file:
        header = file.readline(HEADER_BYTES).decode("utf-8-sig", "replace").strip()
    return _delimiter(header) is not None


def column_names(header: str, delimiter: str) -> list[str]:
    """Return the names in the first line of a CSV file; none where it is no CSV."""
    try:
        return next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return []


def expected_columns() -> str:
    """Return the columns of each layout, for messages."""
    return " or ".join(",".join((*COMMON_COLUMNS, *needed)) for needed in LAYOUTS)


def _delimiter(header: str) -> str | None:
    """Return the delimiter by which a first line is the header of a layout, or None."""
    for delimiter in DELIMITERS:
        names = set(column_names(header, delimiter))
        if any({*COMMON_COLUMNS, *needed} <= names for needed in LAYOUTS):
            return delimiter
    return None


def _rows(path: Path, operation_map: OperationMap) -> list[_Row]:
    lines = _fields(path)
    first, header = next(lines, (1, []))
    layout = next((needed for needed in LAYOUTS if {*COMMON_COLUMNS, *needed} <= set(header)), None)
    if layout is None or len(set(header)) != len(header):
        raise WorldError(f"{path}:{first}: {_header_problem(header)}")
    rows = []
    for line, fields in lines:
        try:
            rows.append(_row(line, header, fields, layout, operation_map))
        except ValueError as error:
            raise WorldError(f"{path}:{line}: {error}") from None
    if not rows:
        raise WorldError(f"{path}:{first}: no annotation after the header")
    return rows


def _header_problem(header: list[str]) -> str:
    if not header:
        return "the file is empty"
    return f"header {','.join(header)!r} is not OpenPack's; expected the columns {expected_columns()}, each once"


def _fields(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, fields) of each line that is not blank; a row that spans several lines has the last one's number."""
    text = decode(read_bytes(path, WorldError, MAX_BYTES), path, WorldError, mark=True)
    delimiter = _delimiter(text.partition("\n")[0].strip()) or ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from ((reader.line_num, fields) for fields in reader if fields)
    except csv.Error as error:
        raise WorldError(f"{path}:{reader.line_num}: not CSV: {error}") from error


def _row(line: int, header: list[str], fields: list[str], layout: tuple[str, ...], operation_map: OperationMap) -> _Row:
    if len(fields) != len(header):
        raise ValueError(f"{len(fields)} fields under a header of {len(header)}")
    row = dict(zip(header, fields, strict=True))
    operation_id = _integer(row, layout[0])
    operation = operation_map.label(operation_id)
    if operation is None:
        raise ValueError(f"operation {operation_id} has no label in the map {operation_map.name}")
    sampled = "unixtime" in layout
    if sampled:
        start_ms = _integer(row, "unixtime")
        end_ms = start_ms + SECOND_MS
    else:
        start_ms, end_ms = _timestamp(row, "start"), _timestamp(row, "end")
    if end_ms <= start_ms:
        raise ValueError(f"end {row['end']} is not after start {row['start']}")
    session = f"{_identifier(row, 'user')}-{_identifier(row, 'session')}"
    return _Row(line, session, row["box"], operation_id, operation, start_ms, end_ms, sampled)


def _is_whole_number(text: str) -> bool:
    """Return whether a text is ASCII digits only; int() accepts signs, spaces, underscores and other digits, too."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def _integer(row: Mapping[str, str], column: str) -> int:
    if not _is_whole_number(row[column]):
        raise ValueError(f"{column} is {row[column]!r}, expected a whole number")
    return int(row[column])


def _identifier(row: Mapping[str, str], column: str) -> str:
    """Return `U0209` or `S0500` unchanged, and a bare integer in that form: both layouts name a session alike."""
    text = row[column].strip()
    if not text:
        raise ValueError(f"{column} is empty")
    return f"{column[0].upper()}{int(text):04d}" if _is_whole_number(text) else text


def _timestamp(row: Mapping[str, str], column: str) -> int:
    """Return Unix time in ms of an ISO 8601 timestamp. Raises ValueError without an offset, which no guess replaces."""
    try:
        moment = datetime.fromisoformat(row[column])
    except ValueError:
        raise ValueError(f"{column} is {row[column]!r}, expected a timestamp in ISO 8601") from None
    if moment.tzinfo is None:
        raise ValueError(f"{column} is {row[column]!r}, without an offset from UTC")
    return (moment - EPOCH) // timedelta(milliseconds=1)


def _by_session(rows: Iterable[_Row]) -> dict[str, list[_Row]]:
    sessions: dict[str, list[_Row]] = {}
    for row in rows:
        sessions.setdefault(row.session, []).append(row)
    return sessions


def _session(path: Path, rows: list[_Row]) -> Session:
    rows = sorted(rows, key=lambda row: (row.start_ms, row.line))
    for before, row in pairwise(rows):
        if row.start_ms < before.end_ms:
            overlap = before.end_ms - row.start_ms
            raise WorldError(f"{path}:{row.line}: begins {overlap} ms before the operation of line {before.line} ends")
    zero = rows[0].start_ms
    events = (Event(r.operation, r.start_ms - zero, r.end_ms - zero, r.id, r.box) for r in _merge_seconds(rows))
    return Session(tuple(events), zero)


def _merge_seconds(rows: Iterable[_Row]) -> list[_Row]:
    """Return the rows with consecutive seconds of one box and id merged; rows of whole operations stay as they are."""
    events: list[_Row] = []
    for row in rows:
        last = events[-1] if events else None
        if last and row.sampled and (last.end_ms, last.box, last.id) == (row.start_ms, row.box, row.id):
            events[-1] = last._replace(end_ms=row.end_ms)
        else:
            events.append(row)
    return events
