"""Checked predictions + truth -> one row per judged clip (`facts`), and everything that is read from those rows.

The only room that runs scoring SQL. Results are numpy columns; sums are float64 holding exact integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.failures import MODES
from harness.resources import sql
from harness.rules import Rules

if TYPE_CHECKING:
    from reference.store import Truth

Columns = dict[str, np.ndarray]


@dataclass
class Facts:
    """The facts table of one submission inside the truth's connection. Build with `judge`."""

    truth: Truth

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
    def domains(self) -> list[str]:
        return self._distinct("domain")

    @cached_property
    def workers(self) -> list[str]:
        return self._distinct("worker")

    def slice_codes(self) -> Columns:
        """Per-clip codes of every slice dimension (sql/slices.sql), session_index replaced by its row."""
        self._set("domains", self.domains)
        self._set("workers", self.workers)
        return self._by_row(self._fetch("slices"))

    def confusion(self, field: int) -> tuple[np.ndarray, np.ndarray]:
        """Counts by class of operation (0) or next operation (1): per session hit, answered, support [G, 3, C], and the
        whole matrix [C, C + 2], whose last two columns are "no answer" and "other label"."""
        rows = self._by_row(self._confusion)
        keep = rows["field"] == field
        session, true, answer, n = (rows[name][keep].astype(int) for name in ("session_index", "truth", "answer", "n"))
        classes, sessions = len(self.truth.operations), len(self.sessions["n"])
        column = np.where(answer >= 254, classes + answer - 254, answer)
        matrix = np.zeros((classes, classes + 2))
        np.add.at(matrix, (true, column), n)
        counts = np.zeros((sessions, 3, classes))
        np.add.at(counts, (session, 2, true), n)
        known = answer < classes
        np.add.at(counts, (session[known], 1, answer[known]), n[known])
        hit = true == answer
        np.add.at(counts, (session[hit], 0, true[hit]), n[hit])
        return counts, matrix

    @cached_property
    def _confusion(self) -> Columns:
        return self._fetch("confusion")

    def levels(self) -> np.ndarray:
        """Histogram of tIoU in twentieths per session, [G, 21]."""
        rows = self._by_row(self._fetch("levels"))
        histogram = np.zeros((len(self.sessions["n"]), 21))
        histogram[rows["session_index"], rows["tiou_level"]] = rows["n"]
        return histogram

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
        relation = self.truth.connection.execute(sql(name))
        columns = [column[0] for column in relation.description]
        return dict(zip(columns, relation.fetchone(), strict=True))

    def examples(self) -> dict[str, list[str]]:
        """A few clip ids of each failure mode, in session and time order."""
        rows = self.truth.connection.execute(sql("examples")).fetchall()
        return dict(rows)

    def unseen_domains(self) -> frozenset[str]:
        return frozenset(domain for (domain,) in self.truth.connection.execute(sql("domains")).fetchall())

    def write_clips(self, path: Path) -> None:
        """The per-clip facts with labels as Parquet: the same rows write the same bytes."""
        self.copy(sql("clips"), path)

    def copy(self, query: str, path: Path) -> None:
        target = str(path).replace("'", "''")
        self.truth.connection.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")

    def _fetch(self, name: str) -> Columns:
        return self.truth.connection.execute(sql(name)).fetchnumpy()

    def _by_row(self, columns: Columns) -> Columns:
        return columns | {"session_index": self.row_of_session[columns["session_index"].astype(int)]}

    def _distinct(self, column: str) -> list[str]:
        assert column in ("domain", "worker")
        query = f"SELECT DISTINCT {column} FROM facts WHERE {column} IS NOT NULL ORDER BY ALL"
        return [value for (value,) in self.truth.connection.execute(query).fetchall()]

    def _set(self, name: str, value: list[str]) -> None:
        self.truth.connection.execute(f"SET VARIABLE {name} = ?::VARCHAR[]", [value])


def judge(truth: Truth, rules: Rules) -> Facts:
    """Turn the `predictions` of the truth's connection into `facts` under a rule set."""
    connection = truth.connection
    connection.execute("DROP TABLE IF EXISTS facts; DROP TABLE IF EXISTS script; DROP TYPE IF EXISTS failure_mode")
    modes = ", ".join(f"'{mode.name}'" for mode in MODES)
    connection.execute(f"CREATE TYPE failure_mode AS ENUM ({modes})")
    connection.execute("CREATE TEMP TABLE script (operation UTINYINT, next_operation UTINYINT)")
    pairs = [(code, successor) for code, successor in enumerate(truth.script) if successor is not None]
    if pairs:
        connection.executemany("INSERT INTO script VALUES (?, ?)", pairs)
    connection.execute(f"SET VARIABLE end_inclusive = {int(rules.end_inclusive)}::SMALLINT")
    connection.execute(f"SET VARIABLE drop_missing = {rules.drop_missing}")
    connection.execute(f"SET VARIABLE drop_degenerate = {rules.drop_degenerate}")
    connection.execute(sql("facts"))
    return Facts(truth)


def _float(column: np.ndarray, can_be_unknown: bool = False) -> np.ndarray:
    """NULL is the sum over no clip, 0; but a ceiling that the world does not know is NaN."""
    if not isinstance(column, np.ma.MaskedArray):
        return np.asarray(column, float)
    return column.astype(float).filled(np.nan if can_be_unknown and column.mask.all() else 0.0)
