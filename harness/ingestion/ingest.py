"""Bytes -> checked predictions: the table `predictions` in the truth's connection, and all there is to say of it.

SQL screens all lines at once and takes those that are plainly good; the strict checker decides about every other line
and words its problems. Other formats go to the strict checker object by object. A file with a problem is refused with
all its problems, or, with `lenient`, its bad lines count as wrong answers. Clips without a line are no problem here:
they are scored as wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import SubmissionError, UsageError
from harness.ingestion.confusables import code_points, skeleton
from harness.ingestion.diagnostics import Notes, Problem, Problems, problem_count, quoted, told
from harness.ingestion.fast_path import variables
from harness.ingestion.formats import registry
from harness.ingestion.formats.documents import line_item
from harness.ingestion.formats.records import Item, Options, Shape, Unshaped
from harness.ingestion.line_checker import INVALID, Checked, Row, check
from harness.ingestion.submission_file import Limits, SubmissionFile, open_submission
from harness.ingestion.vocabulary import Vocabulary
from reference.resources import sql

if TYPE_CHECKING:
    from reference.truth.store import Truth

__all__ = ["Ingestion", "Limits", "SubmissionFile", "ingest", "open_submission", "read_clip_map"]

BATCH = 20_000
COLUMN_TYPES = {
    "line": np.int64,
    "latency_us": np.int64,
    "confidence_ppm": np.int32,
    "next_confidence_ppm": np.int32,
    "start_frame": np.int16,
    "end_frame": np.int16,
}


@dataclass(frozen=True)
class Ingestion:
    """What was read. The rows are in `predictions`; `rows` clips of the split have one."""

    name: str
    sha256: str
    adapter: str
    lines: int  # not blank
    rows: int
    clips: int  # of the split
    rejected: int  # lines
    codes: dict[str, int]  # code -> problems; `problems` holds the first 100,000 of all
    problems: tuple[Problem, ...]
    notes: list[str]
    counts: dict[str, int]

    @property
    def coverage(self) -> float:
        """Share of the split's clips that have a row."""
        return self.rows / self.clips

    @property
    def total(self) -> int:
        """Problems."""
        return sum(self.codes.values())

    def refusal(self) -> SubmissionError:
        """The error of a file that is not scored."""
        lines = [f"{self.name}: {problem_count(self.codes)}, nothing was scored", *told(self.problems, self.codes)]
        return SubmissionError("\n".join(lines), self.problems, self.total)

    def diagnostics(self) -> dict[str, Any]:
        """JSON-able, and free of the file's name and place."""
        return {
            "adapter": self.adapter,
            "lines": self.lines,
            "answers": self.rows,
            "clips": self.clips,
            "rejected": self.rejected,
            "problems_total": self.total,
            **self.counts,
            "notes": self.notes,
            "problems": [problem.as_dict() for problem in self.problems],
        }


def ingest(
    truth: Truth,
    source: SubmissionFile,
    *,
    lenient: bool = False,
    ignore_extra: bool = False,
    adapter: str | None = None,
    fps: float | None = None,
    clip_frames: int | None = None,
    clip_map: Mapping[str, str] | None = None,
) -> Ingestion:
    """Read a submission into TEMP TABLE `predictions`. Raises SubmissionError unless lenient, and UsageError."""
    words = Vocabulary(truth.operations, fps, clip_frames)
    chosen, reads = registry.choose(source, adapter)
    work = _Ingest(truth, source, words, ignore_extra)
    try:
        if chosen is registry.PLAIN:
            work.check_all(_doubtful(truth, source) if work.screen() else ())
        else:
            options = Options(truth.connection, float(words.rate), clip_map or {})
            work.start_empty()
            work.check_all(reads(source, options), chosen.shape, options)
        source.settled()
    finally:
        source.discard()
    found = work.result(chosen.name)
    if found.total and not lenient:
        raise found.refusal()
    return found


def read_clip_map(path: str | Path) -> dict[str, str]:
    """The clips of an evaluation tool's document ids: a JSON object from doc_id to clip_id."""
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: not a readable clip map ({error})") from None
    if not isinstance(value, dict) or not all(isinstance(clip, str) for clip in value.values()):
        raise UsageError(f"{path}: a clip map is a JSON object from doc_id to clip_id")
    return value


def _doubtful(truth: Truth, source: SubmissionFile) -> Iterator[Item]:
    numbers = truth.connection.execute(sql(__package__, "doubtful")).fetchnumpy()["line"]
    if len(numbers):
        for number, line in source.lines(np.asarray(numbers)):
            yield line_item(number, line, source.limits.max_line_bytes)


class _Ingest:
    """The tables and tallies of one ingestion."""

    def __init__(self, truth: Truth, source: SubmissionFile, words: Vocabulary, ignore_extra: bool):
        self.truth, self.source, self.words, self.ignore_extra = truth, source, words, ignore_extra
        self.connection = truth.connection
        self.problems, self.notes = Problems(source.name), Notes()
        self.lines, self.bad_lines = 0, 0
        self._folded: dict[str, str] | None = None

    def screen(self) -> bool:
        """All lines at once; `predictions` then holds the plainly good ones of clips of the split. True when some line
        is left to the strict checker."""
        for name, value in variables(self.words, self.source).items():
            self.connection.execute(f"SET VARIABLE {name} = ?", [value])
        self._drop()
        for statement in ("vocabulary", "screen", "predictions"):
            self.connection.execute(sql(__package__, statement))
        found = self._record("screened")
        self.lines = found["taken"]
        if found["noted"]:
            noted = self._record("screened_notes")
            for kind in ("normalised", "anticipated"):
                if noted[kind]:
                    self.notes.add(kind, noted[f"{kind}_line"], count=noted[kind])
        return found["doubtful"] > 0 or found["taken"] < found["good"]

    def start_empty(self) -> None:
        self._drop()
        self.connection.execute(sql(__package__, "predictions_empty"))

    def check_all(self, items: Iterable[Item], shape: Shape | None = None, options: Options | None = None) -> None:
        """Check items in batches and add them to `predictions`."""
        items = iter(items)
        while batch := list(islice(items, BATCH)):
            self.lines += len(batch)
            self._store([self._checked(item, shape, options) for item in batch])
        if not self.lines:
            raise SubmissionError(f"{self.source.name}: holds no prediction; expected one JSON object a line")

    def result(self, adapter: str) -> Ingestion:
        self._drop()
        self._settle_duplicates()
        (rows,) = self.connection.execute("SELECT count(*) FROM predictions").fetchone() or (0,)
        counts = {kind: self.notes.count(kind) for kind in ("normalised", "repaired", "unreadable")}
        notes = ["begins with a byte order mark, ignored"] if self.source.bom else []
        if adapter != registry.PLAIN.name:
            notes.append(f"read as {adapter}: {registry.ADAPTERS[adapter].description}")
        return Ingestion(
            self.source.name,
            self.source.sha256,
            adapter,
            self.lines,
            rows,
            self.truth.n,
            self.bad_lines,
            dict(self.problems.codes),
            self.problems.kept(),
            notes + self.notes.sentences(),
            counts | {"unknown_labels": self.notes.count("label"), "ignored_extra": self.notes.count("clip")},
        )

    def _drop(self) -> None:
        self.connection.execute(sql(__package__, "screen_drop"))

    def _record(self, name: str) -> dict[str, Any]:
        relation = self.connection.execute(sql(__package__, name))
        names = [column[0] for column in relation.description]
        return dict(zip(names, relation.fetchone() or (), strict=True))

    def _checked(self, item: Item, shape: Shape | None, options: Options | None) -> Row:
        value, faults = item.value, item.faults
        if shape is not None and options is not None and isinstance(value, dict) and not faults:
            try:
                value = shape(value, options)
            except Unshaped as unshaped:
                faults = [unshaped.fault]
        checked: Checked = check(self.words, item.line, value, faults, item.text, item.column)
        self.problems.extend(checked.problems)
        self.bad_lines += bool(checked.problems)
        for note in checked.notes:
            self.notes.add(note.kind, item.line, note.name, more=note.more)
        return checked.row

    def _store(self, rows: list[Row]) -> None:
        self.connection.register("batch", _columns(rows))
        self.connection.execute(sql(__package__, "checked_add"))
        unknown = self.connection.execute(sql(__package__, "checked_unknown")).fetchall()
        self.connection.unregister("batch")
        for line, clip_id, outcome in unknown:
            if self.ignore_extra:
                self.notes.add("clip", line)
            elif outcome != INVALID:
                self.problems.extend([self._unknown_clip(line, clip_id)])
                self.bad_lines += 1

    def _unknown_clip(self, line: int, clip_id: str) -> Problem:
        if self._folded is None:
            clips = self.connection.execute("SELECT clip_id FROM truth.clips ORDER BY clip_id DESC").fetchall()
            self._folded = {skeleton(known): known for (known,) in clips}
        near = self._folded.get(skeleton(clip_id))
        odd = f" holds {code_points(clip_id)} and" if near is not None and not clip_id.isascii() else ""
        where = f"a clip of {self.truth.world} / {self.truth.split}"
        other = "is it another --split's? --ignore-extra leaves other clips out"
        hint = f"did you mean {quoted(near)}?" if near is not None else other
        return Problem(line, 1, "CLIP_UNKNOWN", "clip_id", f"{quoted(clip_id)}{odd} is not of the split", where, hint)

    def _settle_duplicates(self) -> None:
        places = self.connection.execute("SELECT place FROM predictions").fetchnumpy()["place"]
        if len(places) == 0 or np.bincount(np.asarray(places)).max() == 1:
            return
        duplicates = self.connection.execute(sql(__package__, "duplicates")).fetchall()
        self.bad_lines += len(duplicates)
        self.problems.extend(
            Problem(
                line,
                1,
                "CLIP_DUPLICATE",
                "clip_id",
                f"{quoted(clip_id)} stands on lines {first} and {line}",
                "one line a clip",
                "remove all but one",
            )
            for line, clip_id, first in duplicates
        )
        self.connection.execute(sql(__package__, "duplicates_invalid"))


def _columns(rows: list[Row]) -> dict[str, np.ndarray]:
    """Rows as arrays that DuckDB reads; None is masked."""
    columns: dict[str, np.ndarray] = {}
    for name, values in zip(Row._fields, zip(*rows, strict=True), strict=True):
        if name == "clip_id":
            columns[name] = np.array(values, dtype=object)
        else:
            masked = [value is None for value in values]
            numbers = [0 if value is None else value for value in values]
            columns[name] = np.ma.masked_array(np.array(numbers, COLUMN_TYPES.get(name, np.uint8)), masked)
    return columns
