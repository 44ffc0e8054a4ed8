"""Checked predictions + truth -> one row per judged clip (`facts`), and everything that is read from those rows.

The only room that runs scoring SQL. Results are numpy columns; sums are float64 holding exact integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from harness.errors import HarnessError
from harness.rules import Rules
from harness.scoring.failure_modes import MODES
from harness.scoring.slices import MAX_LEVELS
from reference.resources import sql

if TYPE_CHECKING:
    import pandas

    from reference.truth.store import Truth

Columns = dict[str, np.ndarray]

CONFUSED = (("operation", "answered_operation", "operation_right"), ("next_operation", "answered_next", "next_right"))
"""Truth, answer and hit of a field, columns of sql/codes.sql."""


@dataclass
class Facts:
    """The facts table of one submission inside the truth's connection. Build with `judge`."""

    truth: Truth
    domains: list[str]
    workers: list[str]

    @cached_property
    def sessions(self) -> Columns:
        """Sums per session (sql/sessions.sql): column -> [G], only sessions that hold a judged clip."""
        return {name: _float(column, "ceiling" in name) for name, column in self._fetch("sessions").items()}

    @cached_property
    def row_of_session(self) -> np.ndarray:
        """Position of each session_index in `sessions`, [truth.sessions]."""
        index = self.sessions["session_index"].astype(int)
        rows = np.zeros(self.truth.sessions, int)
        rows[index] = np.arange(len(index))
        return rows

    def totals(self) -> dict[str, np.ndarray]:
        return {name: column.sum() for name, column in self.sessions.items()}

    @cached_property
    def session_names(self) -> list[str]:
        """In the order of `sessions`; none where they are too many to be listed."""
        if len(self.sessions["n"]) > MAX_LEVELS:
            return []
        return [name for (name,) in self.truth.connection.execute(sql(__package__, "session_names")).fetchall()]

    @cached_property
    def codes(self) -> Columns:
        """Every judged clip as codes (sql/codes.sql), session_index replaced by its row, which is also the code of the
        dimension `session`."""
        rows = self._by_row(self._fetch("codes"))
        return rows | {"session": rows["session_index"]}

    def confusion(self, field: int) -> tuple[np.ndarray, np.ndarray]:
        """Counts by class of operation (0) or next operation (1): per session hit, answered, support [3, G, C], and the
        whole matrix [C, C + 2], whose last two columns are "no answer" and "other label"."""
        true, answer, right = (self.codes[name] for name in CONFUSED[field])
        classes = len(self.truth.operations)
        matrix = np.bincount(true.astype(int) * 256 + answer, minlength=classes * 256).reshape(classes, 256)
        per_session = [
            self._per_session(code, classes, chosen)
            for code, chosen in ((true, right == 1), (answer, answer < classes), (true, None))
        ]
        return np.stack(per_session), matrix[:, [*range(classes), 254, 255]]

    def levels(self) -> np.ndarray:
        """Histogram of tIoU in twentieths per session, [G, 21], of clips whose segment counts."""
        return self._per_session(self.codes["tiou_level"], 21, self.codes["segment_counted"] == 1)

    def _per_session(self, code: np.ndarray, size: int, chosen: np.ndarray | None) -> np.ndarray:
        """How often each of `size` codes occurs in each session [G, size], on the chosen clips."""
        key = self.codes["session_index"] * size + code
        sessions = len(self.sessions["n"])
        counts = np.bincount(key if chosen is None else key[chosen], minlength=sessions * size)
        return counts.reshape(sessions, size).astype(float)

    def detections(self) -> Columns:
        return self._by_row(self._fetch("detections"))

    def edit(self) -> np.ndarray:
        """Edit score of each session in percent, [G]."""
        rows = self._fetch("segmental")
        return 100 * (1 - rows["distance"] / rows["longest"])

    def calibration_counts(self, field: int) -> Columns:
        rows = self._calibration
        return {name: _float(column[rows["field"] == field]) for name, column in rows.items()}

    @cached_property
    def _calibration(self) -> Columns:
        return self._fetch("calibration")

    def record(self, name: str) -> dict[str, Any]:
        """The single row of a query, as plain Python values."""
        relation = self.truth.connection.execute(sql(__package__, name))
        columns = [column[0] for column in relation.description]
        row = relation.fetchone()
        assert row is not None
        return dict(zip(columns, row, strict=True))

    def examples(self) -> dict[str, list[str]]:
        """A few clip ids of each failure mode, in session and time order."""
        rows = self.truth.connection.execute(sql(__package__, "examples")).fetchall()
        return dict(rows)

    def unseen_domains(self) -> frozenset[str]:
        return frozenset(domain for (domain,) in self.truth.connection.execute(sql(__package__, "domains")).fetchall())

    def clips(self) -> pandas.DataFrame:
        """The per-clip facts with labels, in session and time order."""
        return self.truth.connection.execute(sql(__package__, "clips")).df()

    def write_answers(self, path: Path) -> None:
        """Write the checked answers, and what was right about them, as Parquet; `restore_answers` reads them."""
        self.copy(sql(__package__, "answers"), path)

    def write_clips(self, path: Path) -> None:
        """The per-clip facts with labels as Parquet: the same rows write the same bytes."""
        self.copy(sql(__package__, "clips"), path)

    def copy(self, query: str, path: Path) -> None:
        target = str(path).replace("'", "''")
        try:
            self.truth.connection.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
        except duckdb.IOException as error:
            raise HarnessError(f"cannot write {path}: {str(error).splitlines()[0]}") from None

    def _fetch(self, name: str) -> Columns:
        columns: Columns = self.truth.connection.execute(sql(__package__, name)).fetchnumpy()  # type: ignore[assignment]
        return columns

    def _by_row(self, columns: Columns) -> Columns:
        return columns | {"session_index": self.row_of_session[columns["session_index"].astype(int)]}


def restore_answers(truth: Truth, path: Path) -> None:
    """Make the table `predictions` from answers that `Facts.write_answers` wrote; the truth was opened with `path`."""
    truth.connection.execute(sql(__package__, "restore"), [str(path)])


def judge(truth: Truth, rules: Rules) -> Facts:
    """Turn the `predictions` of the truth's connection into `facts` under a rule set."""
    connection = truth.connection
    connection.execute("DROP TABLE IF EXISTS facts; DROP TYPE IF EXISTS failure_mode")
    modes = ", ".join(f"'{mode.name}'" for mode in MODES)
    connection.execute(f"CREATE TYPE failure_mode AS ENUM ({modes})")
    connection.execute("SET VARIABLE script = ?::UTINYINT[]", [truth.script])
    connection.execute(f"SET VARIABLE end_inclusive = {int(rules.end_inclusive)}::SMALLINT")
    connection.execute(f"SET VARIABLE drop_missing = {rules.drop_missing}")
    connection.execute(f"SET VARIABLE drop_degenerate = {rules.drop_degenerate}")
    named = [_named(connection, column) for column in ("domain", "worker")]
    connection.execute(sql(__package__, "facts"))
    return Facts(truth, *named)


def _named(connection: Any, column: str) -> list[str]:
    """The values of a column of the truth in order, also as the variable that sql/facts.sql reads; none where they are
    too many to be listed."""
    query = f"SELECT DISTINCT {column} FROM truth.clips WHERE {column} IS NOT NULL ORDER BY ALL LIMIT {MAX_LEVELS + 1}"
    found = [value for (value,) in connection.execute(query).fetchall()]
    named = found if len(found) <= MAX_LEVELS else []
    connection.execute(f"SET VARIABLE {column}s = ?::VARCHAR[]", [named])
    return named


def _float(column: np.ndarray, can_be_unknown: bool = False) -> np.ndarray:
    """NULL is the sum over no clip, 0; but a ceiling that the world does not know is NaN."""
    if not isinstance(column, np.ma.MaskedArray):
        return np.asarray(column, float)
    return np.ma.filled(column.astype(float), np.nan if can_be_unknown and column.mask.all() else 0.0)
