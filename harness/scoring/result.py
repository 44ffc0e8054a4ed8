"""Score: the result of scoring one submission, with its record, its headline metrics and its clips."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cards import PREDICTIONS
from harness.errors import UsageError
from harness.formatting import interval, number, plural
from harness.scoring.clip_facts import ClipFacts, make_clip_facts, restore_answers
from harness.scoring.record import to_bytes
from harness.scoring.request import Request
from reference.files import write_atomically
from reference.truth.store import Truth

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class MetricValue:
    """Value of one headline metric, all it is measured against, and its interval.

    None where a thing does not exist: no prior, no ceiling, too few sessions for an interval.
    """

    value: float | None
    low: float | None
    high: float | None
    floor: float | None
    prior: float | None
    state_prior: float | None
    prior_frames: float | None
    ceiling: float | None
    skill: float | None
    skill_low: float | None
    skill_high: float | None
    skill_state: float | None
    skill_state_low: float | None
    skill_state_high: float | None
    n: int
    sessions: int
    one_sided: bool
    note: str | None

    def __repr__(self) -> str:
        parts = asdict(self)
        measures = [
            f"{name} {number(parts[name])}"
            for name in ("floor", "prior", "state_prior", "ceiling", "skill", "skill_state")
            if parts[name] is not None
        ]
        size = "" if self.n is None else f"{plural(self.n, 'clip')} in {plural(self.sessions, 'session')}"
        return "; ".join(part for part in (_value(parts), ", ".join(measures), size) if part)


class Score:
    """Result of scoring one submission: the score record, and the checked answers in the score cache.

    `answers`: the path of the checked answers (Parquet, sql/answers.sql); `request`: the choices behind the record;
    `source`: the file's name.
    """

    def __init__(self, record: dict[str, Any], answers: Path, request: Request, source: str = ""):
        self.record, self.answers, self.request, self.source = record, answers, request, source

    def __repr__(self) -> str:
        record = self.record
        name = record.get("name") or _entry_name(self.source) or "a submission"
        metrics, redacted = record["metrics"], ", redacted" if self.sealed else ""
        values = [f"score {_value(metrics['score'])}"]
        if "aa1_hidden" in metrics:
            values.append(f"AA@1 hidden {number(metrics['aa1_hidden']['value'])}")
        place = f"{record['world']} / {record['split']}"
        return f"{name} on {place}: {', '.join(values)}; {plural(record['n'], 'clip')}{redacted}"

    @cached_property
    def metrics(self) -> dict[str, MetricValue]:
        """Return the headline metrics by key; of a sealed split only those that may be published."""
        names = [field.name for field in fields(MetricValue)]
        rows = self.record["metrics"].items()
        return {key: MetricValue(**{name: row.get(name) for name in names}) for key, row in rows}

    @property
    def signature(self) -> str:
        """Return the line that pins every number of the record."""
        return self.record["signature"]

    @property
    def sealed(self) -> bool:
        """Return True for a redacted record, which holds only what may leave a sealed split."""
        return "commitment" in self.record

    @cached_property
    def clips(self) -> pandas.DataFrame:
        """Return the clip facts with labels, a row a clip, in session and time order.

        Raises UsageError on a sealed split.
        """
        self.need_clips()
        with self.request.open(files=(self.answers,)) as truth:
            return self._facts(truth).clips()

    def write(self, folder: str | Path) -> None:
        """Write `score.json` and, unless the split is sealed, `clips.parquet`; each appears whole or not at all."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if not self.sealed:
            with (
                self.request.score_cache().scratch() as scratch,  # the database cannot write under every name
                self.request.open(files=(self.answers,), folders=(scratch,)) as truth,
            ):
                clips = scratch / "clips.parquet"
                self._facts(truth).write_clips(clips)
                write_atomically(folder / clips.name, partial(shutil.copyfile, clips))
        self.write_record(folder / "score.json")

    def write_record(self, path: str | Path) -> None:
        """Write the record alone, whole or not at all."""
        write_atomically(Path(path), lambda temporary: temporary.write_bytes(to_bytes(self.record)))

    def need_clips(self) -> None:
        """Raise UsageError where single clips must stay hidden."""
        if self.sealed:
            world = self.record["world"]
            raise UsageError(f"{world} is sealed and its single clips stay hidden; --organiser shows them")

    def _facts(self, truth: Truth) -> ClipFacts:
        restore_answers(truth, self.answers)
        return make_clip_facts(truth, self.request.rules)


def _value(row: dict[str, Any]) -> str:
    """Return a value with its interval, where it has one: "0.829 [0.811, 0.846]"."""
    return number(row["value"]) + (f" {interval(row)}" if row.get("low") is not None else "")


def _entry_name(source: str) -> str:
    """Return the file's name; of an entry's predictions its folder's."""
    path = Path(source)
    return path.parent.name if path.name == PREDICTIONS and path.parent.name else path.name
