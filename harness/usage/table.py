"""Table `usage` of one ingestion: what the lines say of their cost, and the sums over the clips of the split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.usage.fields import TOKENS, Usage
from reference.resources import sql

if TYPE_CHECKING:
    import duckdb

LONGEST_SHOWN = 100
"""Characters of a finish reason or model's name that a record holds."""


class UsageTable:
    """Table in the truth's connection; it is made where a line first says something."""

    def __init__(self, connection: duckdb.DuckDBPyConnection):
        self._connection = connection
        self.made = False

    def make(self) -> None:
        """Make the table, empty, unless it is there."""
        if not self.made:
            self._connection.execute(sql(__package__, "empty"))
            self.made = True

    def add(self, rows: Sequence[tuple[str, Usage]]) -> None:
        """Add what lines say, each with the id of its clip."""
        if not rows:
            return
        self.make()
        columns: dict[str, np.ndarray] = {"clip_id": np.array([clip_id for clip_id, _ in rows], object)}
        for name, values in zip(Usage._fields, zip(*(usage for _, usage in rows), strict=True), strict=True):
            masked = [value is None for value in values]
            if name in ("finish_reason", "served_model"):
                columns[name] = np.array(values, object)
            else:
                numbers = np.array([0 if value is None else value for value in values], np.int64)
                columns[name] = np.ma.masked_array(numbers, masked)
        self._connection.register("usage_batch", columns)
        self._connection.execute(sql(__package__, "add"))
        self._connection.unregister("usage_batch")

    def sums(self, answers: int) -> dict[str, Any] | None:
        """Return the section `usage` of a score record, and drop the table; None where no line says anything.

        `answers`: clips of the split that have a line. The table `predictions` must be settled: a clip counts whose
        line was not rejected.
        """
        if not self.made:
            return None
        relation = self._connection.execute(sql(__package__, "sums"))
        names = [column[0] for column in relation.description]
        row = dict(zip(names, relation.fetchone() or (), strict=True))
        reasons, models = (self._counts(name) for name in ("finish_reasons", "served_models"))
        self._connection.execute("DROP TABLE usage")
        self.made = False
        times = row["n_wait"] or row["n_ttft"] or row["n_model"]
        if not (row["n"] or row["n_attempts"] or times or reasons or models):
            return None
        section = empty_section()
        section |= {"n": row["n"], "share": row["n"] / answers if answers else None}
        section |= {name: _total(row[name], row[f"n_{name.removesuffix('_tokens')}"]) for name in TOKENS}
        section["attempts"] = _total(row["attempts"], row["n_attempts"])
        if section["attempts"]:
            section["attempts"]["repeated"] = row["repeated"]
        section["wait_ms"] = _total(row["wait_us"] / 1000, row["n_wait"])
        for name in ("ttft", "model"):
            if n := row[f"n_{name}"]:
                section[name] = {"n": n, "p50_ms": row[f"{name}_p50_ms"], "p95_ms": row[f"{name}_p95_ms"]}
        return section | {"finish_reasons": reasons, "served_models": models}

    def _counts(self, name: str) -> dict[str, int]:
        """Return clips by a text, the most frequent first; texts that are equal when cut are counted together."""
        found: dict[str, int] = {}
        for text, clips in self._connection.execute(sql(__package__, name)).fetchall():
            shown = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
            found[shown] = found.get(shown, 0) + clips
        return found


def empty_section() -> dict[str, Any]:
    """Return the section of an entry whose lines say nothing."""
    return {
        "n": 0,
        "share": None,
        **dict.fromkeys(TOKENS),
        "attempts": None,
        "wait_ms": None,
        "ttft": None,
        "model": None,
        "finish_reasons": {},
        "served_models": {},
        "unanswered": {},
        "price": None,
    }


def _total(total: float, n: int) -> dict[str, Any] | None:
    """Return a sum with its mean over the clips that state it, None where no clip does."""
    return {"n": n, "sum": total, "mean": total / n} if n else None
