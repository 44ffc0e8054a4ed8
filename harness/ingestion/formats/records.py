"""Records that a reader passes to the strict checker: one object of the file, with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.ingestion.strict_json import Fault

if TYPE_CHECKING:
    import duckdb

    from harness.ingestion.submission_file import SubmissionFile


class Item(NamedTuple):
    """Parsed object and its faults. `text`: the JSON that it was parsed from, which begins at `column`; "" if none."""

    line: int
    value: Any
    faults: list[Fault]
    text: str = ""
    column: int = 1


@dataclass(frozen=True)
class Options:
    """Options of readers, besides the file."""

    connection: duckdb.DuckDBPyConnection
    rate: float = 25.0


Reader = Callable[["SubmissionFile", Options], Iterator[Item]]
Shape = Callable[[dict[str, Any], Options], dict[str, Any]]
"""One object of a format -> the same prediction as a canonical object. Raises Unshaped."""


class Unshaped(Exception):
    """Object that lacks a part which its format promises, or states one twice."""

    def __init__(self, field: str, wrong: str, expected: str = "", suggestion: str = "", *, code: str = "MISSING"):
        super().__init__(wrong)
        self.fault = Fault(code, 1, field, wrong, expected, suggestion)
