"""Checked predictions + truth -> one row per clip (the table `facts`), and everything that is read from those rows.

The only module that runs scoring SQL. Results are numpy columns; sums are float64 holding exact integers. "No answer"
is NULL in SQL, a masked element in numpy and None in Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.rules import Rules
from harness.scoring.audit import EXAMPLE_SEGMENT
from harness.scoring.failure_modes import MODES
from harness.scoring.score_cache import reading
from harness.scoring.slices import CUTS, MAX_LEVELS
from reference.resources import sql
from reference.task import FPS
from reference.truth.database import write_errors

if TYPE_CHECKING:
    import pandas

    from reference.truth.store import Truth

Columns = dict[str, np.ndarray]

CONFUSED = (("operation", "answered_operation", "operation_right"), ("next_operation", "answered_next", "next_right"))
"""Truth, answer and hit of OPERATION and NEXT, columns of sql/codes.sql."""


PROCESS_ONLY = ("ceiling", "expected", "state_prior", "frames_hit")
"""Parts of the names of sums that only a world with a process has; for others they are unknown, and not 0."""


@dataclass
class ClipFacts:
    """Table `facts` of one submission inside the truth's connection; `make_clip_facts` fills it.

    `domains` and `workers` are the names whose positions the columns `domain` and `worker` hold.
    """

    truth: Truth
    domains: list[str]
    workers: list[str]

    @cached_property
    def sessions(self) -> Columns:
        """Return sums per session (sql/sessions.sql): column -> [G], of the sessions that have a row in `facts`."""
        return {
            name: _sums(column, any(word in name for word in PROCESS_ONLY))
            for name, column in self._fetch("sessions").items()
        }

    def further(self) -> Columns:
        """Return sums per session about the second and third next operation (sql/further.sql): column -> [G]."""
        return {name: _sums(column, "ceiling" in name) for name, column in self._fetch("further").items()}

    @cached_property
    def row_of_session(self) -> np.ndarray:
        """Return the position of each session_index in `sessions`, [truth.sessions]."""
        index = self.sessions["session_index"].astype(int)
        rows = np.zeros(self.truth.sessions, int)
        rows[index] = np.arange(len(index))
        return rows

    def totals(self) -> dict[str, np.ndarray]:
        """Return the sums over all sessions: column -> scalar."""
        return {name: column.sum() for name, column in self.sessions.items()}

    @cached_property
    def session_names(self) -> list[str]:
        """Return the sessions' names in the order of `sessions`, or an empty list for more than MAX_LEVELS sessions."""
        if len(self.sessions["n"]) > MAX_LEVELS:
            return []
        return [name for (name,) in self.truth.connection.execute(sql(__package__, "session_names")).fetchall()]

    @cached_property
    def session_domains(self) -> np.ndarray | None:
        """Return the domain of each session as an integer, [G]; None where the world was not made in domains.

        None too for an imported world, whose names may mean anything.
        """
        domain, session = self.codes["domain"], self.codes["session_index"]
        if self.truth.meta["kind"] == "imported" or np.ma.getmaskarray(domain).any():
            return None
        domains = np.zeros(len(self.sessions["n"]), int)
        domains[session] = np.ma.getdata(domain)
        return domains

    @cached_property
    def codes(self) -> Columns:
        """Return the columns of sql/codes.sql, an integer code for each clip: column -> [N], masked where it is NULL.

        Here `session_index` is the row of the clip's session in `sessions`; the column `session` repeats it.
        """
        rows = self._by_row(self._fetch("codes"))
        return rows | {"session": rows["session_index"]}

    def confusion(self, field: int) -> tuple[np.ndarray, np.ndarray]:
        """Count the answers to one label (metrics.OPERATION or NEXT) by class.

        Returns hits, answers and support per session [3, G, C], and the confusion matrix [C, C + 2], whose last two
        columns are "no answer" and "other label".
        """
        true, answer, right = (self.codes[name] for name in CONFUSED[field])
        classes = len(self.truth.operations)
        column = matrix_columns(answer, classes)
        matrix = np.bincount(true.astype(int) * (classes + 2) + column, minlength=classes * (classes + 2))
        per_session = [
            self._per_session(code, classes, chosen)
            for code, chosen in ((true, right == 1), (column, column < classes), (true, None))
        ]
        return np.stack(per_session), matrix.reshape(classes, classes + 2)

    def levels(self) -> np.ndarray:
        """Return the histogram of tIoU in twentieths per session, [G, 21], of clips whose segment counts."""
        return self._per_session(self.codes["tiou_level"], 21, self.codes["segment_counted"] == 1)

    def _per_session(self, code: np.ndarray, size: int, chosen: np.ndarray | None) -> np.ndarray:
        """Count each of `size` codes in each session, [G, size], on the chosen clips (all, where None)."""
        key = self.codes["session_index"] * size + code
        sessions = len(self.sessions["n"])
        counts = np.bincount(key if chosen is None else key[chosen], minlength=sessions * size)
        return counts.reshape(sessions, size).astype(float)

    def detections(self) -> Columns:
        """Return the detections for mean average precision (sql/detections.sql): column -> [D]."""
        return self._by_row(self._fetch("detections"))

    def edit(self) -> np.ndarray:
        """Return the edit score of each session in percent, [G]."""
        rows = self._fetch("segmental")
        return 100 * (1 - rows["distance"] / rows["longest"])

    def calibration_counts(self, field: int) -> Columns:
        """Return answers and right answers by confidence of one label (sql/calibration.sql): column -> [V]."""
        rows = self._calibration
        return {name: _sums(column[rows["field"] == field]) for name, column in rows.items()}

    @cached_property
    def _calibration(self) -> Columns:
        return self._fetch("calibration")

    def audit_counts(self) -> dict[str, Any]:
        """Return the counts that `audit.constants` looks at (sql/audit.sql)."""
        start, end = EXAMPLE_SEGMENT
        return self.single_row("audit", example_start=start, example_end=end)

    def single_row(self, name: str, **parameters: Any) -> dict[str, Any]:
        """Return the single row of the query sql/NAME.sql as plain Python values."""
        relation = self.truth.connection.execute(sql(__package__, name), parameters or None)
        columns = [column[0] for column in relation.description]
        row = relation.fetchone()
        assert row is not None
        return dict(zip(columns, row, strict=True))

    def rounding(self, rate: Fraction) -> dict[str, Any]:
        """Count the answers whose frames, `rate` a second in the file, were rounded to 25 (sql/rounding.sql).

        Also the hits of tIoU@0.5 that this cost and gave.
        """
        unit = Fraction(FPS) / rate
        return self.single_row("rounding", up=unit.numerator, down=unit.denominator)

    def examples(self) -> dict[str, list[str]]:
        """Return a few clip ids of each failure mode, in session and time order."""
        rows = self.truth.connection.execute(sql(__package__, "examples")).fetchall()
        return dict(rows)

    def unseen_domains(self) -> frozenset[str]:
        """Return the domains of this split that the training split does not hold."""
        return frozenset(domain for (domain,) in self.truth.connection.execute(sql(__package__, "domains")).fetchall())

    def timelines(self) -> np.ndarray:
        """Return a hash of the clips of each session of `sessions`, [G]: equal where two hold the same clips."""
        rows = self.truth.connection.execute(sql(__package__, "timelines")).fetchnumpy()
        chosen = np.searchsorted(rows["session_index"], self.sessions["session_index"].astype(int))
        return np.asarray(rows["timeline"])[chosen]

    def set_aside(self) -> None:
        """Keep what is right about these clips, for `pairs` of the facts of another file that are made next."""
        self.truth.connection.execute(sql(__package__, "compared"))

    def pairs(self) -> Columns:
        """Return the clips that these facts and those set aside both answer (sql/pairs.sql): column -> [P]."""
        return self._fetch("pairs")

    def clips(self) -> pandas.DataFrame:
        """Return the facts with labels instead of codes, a row a clip, in session and time order."""
        return self.truth.connection.execute(sql(__package__, "clips")).df()

    def write_answers(self, path: Path) -> None:
        """Write the checked answers, and what is right about them, as Parquet; `restore_answers` reads them."""
        self._write("answers", path)

    def write_clips(self, path: Path) -> None:
        """Write the facts with labels as Parquet: the same rows write the same bytes."""
        self._write("clips", path)

    def _write(self, name: str, path: Path) -> None:
        with write_errors(path):
            self.truth.connection.sql(sql(__package__, name)).write_parquet(str(path), compression="zstd")

    def _fetch(self, name: str) -> Columns:
        columns: Columns = self.truth.connection.execute(sql(__package__, name)).fetchnumpy()  # type: ignore[assignment]
        return columns

    def _by_row(self, columns: Columns) -> Columns:
        return columns | {"session_index": self.row_of_session[columns["session_index"].astype(int)]}


def matrix_columns(answer: np.ndarray, classes: int) -> np.ndarray:
    """Return the column of a confusion matrix for each answered code [N], masked where there is no answer.

    The classes come first, then "no answer" (column `classes`), then "other label" (`classes + 1`).
    """
    code = np.ma.getdata(answer).astype(np.int16)
    return np.where(np.ma.getmaskarray(answer), classes, np.where(code < classes, code, classes + 1))


def restore_answers(truth: Truth, path: Path) -> None:
    """Fill the table `predictions` with answers that `write_answers` wrote; `truth` must be opened with `path`."""
    with reading(path):
        truth.connection.execute(sql(__package__, "restore"), [str(path)])


def make_clip_facts(truth: Truth, rules: Rules) -> ClipFacts:
    """Compare the table `predictions` of the truth's connection with the truth under a rule set, clip by clip."""
    connection = truth.connection
    connection.execute("DROP TABLE IF EXISTS facts; DROP TYPE IF EXISTS failure_mode")
    connection.execute(
        "CREATE TYPE failure_mode AS ENUM (SELECT unnest(?::VARCHAR[]))", [[mode.name for mode in MODES]]
    )
    domains, workers = connection.execute(sql(__package__, "names"), {"most": MAX_LEVELS}).fetchall()[0]
    for statement, value in (
        ("SET VARIABLE cuts = ?::VARCHAR[]", list(CUTS)),
        ("SET VARIABLE domains = ?::VARCHAR[]", domains),
        ("SET VARIABLE workers = ?::VARCHAR[]", workers),
        ("SET VARIABLE script = ?::UTINYINT[]", truth.script),
        ("SET VARIABLE end_inclusive = ?::SMALLINT", int(rules.end_inclusive)),
        ("SET VARIABLE drop_missing = ?::BOOLEAN", rules.drop_missing),
        ("SET VARIABLE drop_degenerate = ?::BOOLEAN", rules.drop_degenerate),
        ("SET VARIABLE shortest = ?::SMALLINT", rules.shortest),
    ):
        connection.execute(statement, [value])
    connection.execute(sql(__package__, "facts"))
    return ClipFacts(truth, domains, workers)


def _sums(column: np.ndarray, can_be_unknown: bool = False) -> np.ndarray:
    """Return sums as float64: 0 for the sum over no clip, NULL in SQL, but NaN for what the world does not know."""
    if not isinstance(column, np.ma.MaskedArray):
        return np.asarray(column, float)
    return np.ma.filled(column.astype(float), np.nan if can_be_unknown and column.mask.all() else 0.0)
