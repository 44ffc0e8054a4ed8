"""The result of scoring one submission: its record, its headline metrics, its clips."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.scoring.clip_facts import Facts, judge, restore_answers
from harness.scoring.record import to_bytes
from harness.scoring.request import Request
from reference.files import write_atomically
from reference.truth.store import Truth

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class MetricValue:
    """One headline metric. `None` where a thing does not exist: no prior, no ceiling, too few sessions."""

    value: float | None
    low: float | None
    high: float | None
    floor: float | None
    prior: float | None
    ceiling: float | None
    skill: float | None
    skill_low: float | None
    skill_high: float | None
    n: int
    sessions: int
    one_sided: bool
    note: str | None


class Score:
    """A score record, and where its checked answers are kept."""

    def __init__(self, record: dict[str, Any], answers: Path, request: Request):
        self.record, self.answers, self.request = record, answers, request

    @cached_property
    def metrics(self) -> dict[str, MetricValue]:
        """Headline metrics by key: oca, tiou50, aa1, score, aa1_hidden."""
        names = [field.name for field in fields(MetricValue)]
        rows = self.record["metrics"].items()
        return {key: MetricValue(**{name: row.get(name) for name in names}) for key, row in rows}

    @property
    def signature(self) -> str:
        """The line that pins every number of the record."""
        return self.record["signature"]

    @property
    def sealed(self) -> bool:
        """True where the record holds only what may leave a sealed split."""
        return "commitment" in self.record

    @cached_property
    def clips(self) -> pandas.DataFrame:
        """The per-clip facts with labels, in session and time order. Raises UsageError on a sealed split."""
        self.need_clips()
        with self.request.open(files=(self.answers,)) as truth:
            return self._judge(truth).clips()

    def write(self, folder: str | Path) -> None:
        """Write `score.json` and, but for a sealed split, `clips.parquet`; each appears whole or not at all."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if not self.sealed:
            with self.request.open(files=(self.answers,), folders=(folder,)) as truth:
                facts = self._judge(truth)
                write_atomically(folder / "clips.parquet", facts.write_clips)
        self.write_record(folder / "score.json")

    def write_record(self, path: str | Path) -> None:
        """Write the record alone."""
        write_atomically(Path(path), lambda temporary: temporary.write_bytes(to_bytes(self.record)))

    def need_clips(self) -> None:
        """Raise UsageError where nothing may be said about single clips."""
        if self.sealed:
            world = self.record["world"]
            raise UsageError(f"{world} is sealed, nothing is said about single clips; --organiser shows them")

    def _judge(self, truth: Truth) -> Facts:
        restore_answers(truth, self.answers)
        return judge(truth, self.request.rules)
