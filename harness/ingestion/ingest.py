"""Bytes -> checked predictions: the table `predictions` in the truth's connection, and a report on the file.

The fast path screens all lines in SQL and takes those that are plainly good; the strict checker decides about every
other line and words its problems. Other formats go to the strict checker object by object. A file with a problem is
refused with all its problems, or, with `lenient`, its bad lines count as wrong answers. Clips without a line are no
problem here: they are scored as wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.clip_map import ClipMap
from harness.disclosure import shortfall
from harness.errors import SubmissionError
from harness.formatting import plural
from harness.ingestion.clip_names import LookAlikes, difference
from harness.ingestion.contents import text_in
from harness.ingestion.diagnostics import Notes, Problem, problem_count, quote
from harness.ingestion.fast_path import USAGE_PATTERN, variables
from harness.ingestion.field_names import TARGETS, named_like
from harness.ingestion.formats import tools
from harness.ingestion.formats.clips import Clips
from harness.ingestion.formats.documents import line_item
from harness.ingestion.formats.other_answers import OtherAnswers
from harness.ingestion.formats.recognition import choose
from harness.ingestion.formats.records import Item, Options, Shape, Unshaped
from harness.ingestion.formats.registry import ADAPTERS, PLAIN
from harness.ingestion.lines.fields import ANSWERING_FIELDS
from harness.ingestion.lines.line_checker import check
from harness.ingestion.lines.model_text import find_answer
from harness.ingestion.lines.result import INVALID, Checked, Row
from harness.ingestion.problem_kinds import Kind, Problems, problem_lines
from harness.ingestion.strict_json import Fault
from harness.ingestion.submission_file import Limits, SubmissionFile, open_submission
from harness.ingestion.vocabulary import Vocabulary
from harness.usage.fields import NAMES, Usage
from harness.usage.table import UsageTable
from reference.resources import sql
from reference.truth.confusables import code_points
from reference.truth.store import Truth

__all__ = ["Ingestion", "Limits", "SubmissionFile", "ingest", "open_submission"]

BATCH, BATCH_CHARACTERS = 20_000, 1 << 24
"""Rows that are stored at once, and the characters of the clip ids in them, of which one may have a million."""
COLUMN_TYPES = {
    "line": np.int64,
    "latency_us": np.int64,
    "confidence_ppm": np.int32,
    "next_confidence_ppm": np.int32,
    "start_frame": np.int16,
    "end_frame": np.int16,
    "file_start": np.int16,
    "file_end": np.int16,
}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Choices of how to read a submission. A scoring Request has the same fields."""

    lenient: bool = False  # rejected lines count as wrong answers
    ignore_extra: bool = False  # lines for clips of no such split are counted and left out
    adapter: str | None = None  # the format of the file, instead of recognising it
    fps: float | None = None  # frame rate of the answers, converted to 25
    clip_frames: int | None = None  # frames of a clip in the answers, converted to 125
    clip_map: ClipMap | None = None  # clips by an id in the file, or in its order


@dataclass(frozen=True, kw_only=True)
class Ingestion:
    """Report on a submission. The rows are in `predictions`; `rows` clips of the split have one."""

    name: str
    sha256: str
    adapter: str
    lines: int  # not blank
    rows: int
    clips: int  # of the split
    rejected: int  # lines
    codes: dict[str, int]  # code -> problems; `problems` holds the first 100,000 of all
    problems: tuple[Problem, ...]
    kinds: tuple[Kind, ...]  # of all problems
    notes: list[str]
    counts: dict[str, int]
    answered: int | None = None  # clips of a sealed split with known labels and a segment
    shortfall: str = ""  # why a sealed split has no score for so few answers
    usage: dict[str, Any] | None = None  # what the answers cost, the section of a score record

    def __repr__(self) -> str:
        rejected = f" in {plural(self.rejected, 'rejected line')}" if self.rejected else ""
        return (
            f"{self.name}, read as {self.adapter}: {self.rows:,} of {plural(self.clips, 'clip')} answered, "
            f"{problem_count(self.codes)}{rejected}"
        )

    @property
    def coverage(self) -> float:
        """Return the share of the split's clips that have a row."""
        return self.rows / self.clips

    @property
    def total(self) -> int:
        """Return the number of problems."""
        return sum(self.codes.values())

    def refusal(self) -> SubmissionError:
        """Return the error of a file that is not scored."""
        first = f"{self.name}, read as {self.adapter}: {problem_count(self.codes)}, nothing was scored"
        lines = [first, *problem_lines(self.kinds)]
        return SubmissionError("\n".join(lines), self.problems, self.total)

    def diagnostics(self) -> dict[str, Any]:
        """Return the report as JSON values, free of the file's name and place."""
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


def ingest(truth: Truth, source: SubmissionFile, **choices: Any) -> Ingestion:
    """Read a submission into TEMP TABLE `predictions`. `choices`: fields of a Reading, such as `fps=30`.

    Raises SubmissionError for a file with problems unless `lenient`, and UsageError.
    """
    reading = Reading(**choices)
    words = Vocabulary(truth.operations, reading.fps, reading.clip_frames)
    adapter, reads, voters = choose(source, reading.adapter)
    others = OtherAnswers(words, voters)
    intake = Intake(truth, source, words, others, ignore_extra=reading.ignore_extra)
    clips = Clips(intake.looks.clip_ids, reading.clip_map, voters, source.name)
    options = Options(truth.connection, float(words.rate))
    shaping = Shaping(adapter.shape, options, clips, foreign=adapter.foreign)
    try:
        if adapter is PLAIN and reading.clip_map is None:
            stated = any(not NAMES.isdisjoint(value) for value in voters)
            intake.check_all(_doubtful_lines(truth, source) if intake.screen(usage=stated) else (), shaping)
        else:
            if adapter.foreign:
                clips.require(adapter.name)
            intake.start_empty()
            intake.check_all(reads(source, options), shaping)
            clips.check_count(intake.lines)
            intake.check_order()
        source.check_unchanged()
    finally:
        source.discard()
    ingestion = intake.result(adapter.name, clips.notes())
    if ingestion.total and not reading.lenient:
        raise ingestion.refusal()
    return ingestion


def _doubtful_lines(truth: Truth, source: SubmissionFile) -> Iterator[Item]:
    """Yield the lines that the screen left to the strict checker."""
    numbers = truth.connection.execute(sql(__package__, "doubtful")).fetchnumpy()["line"]
    if len(numbers):
        for number, line in source.lines(np.asarray(numbers)):
            yield line_item(number, line, source.limits.max_line_bytes)


@dataclass(frozen=True)
class Shaping:
    """Way from an object of a format to a prediction: find its clip, then its answer."""

    shape: Shape
    options: Options
    clips: Clips
    foreign: bool

    def prediction(self, item: Item, number: int) -> tuple[Any, list[Fault]]:
        """Return the prediction and faults of the `number`-th object. Of a faulty one the clip is kept if readable."""
        if not isinstance(item.value, dict):
            return item.value, item.faults
        value = item.value
        try:
            value = self.clips.named(value, number, foreign=self.foreign)
            return self.shape(value, self.options), item.faults
        except Unshaped as unshaped:
            named = isinstance(value.get("clip_id"), str)
            return {"clip_id": value["clip_id"]} if named else value, item.faults or [unshaped.fault]


class Intake:
    """Tables and tallies of one ingestion."""

    def __init__(
        self,
        truth: Truth,
        source: SubmissionFile,
        words: Vocabulary,
        others: OtherAnswers | None = None,
        *,
        ignore_extra: bool = False,
    ):
        self.truth, self.source, self.words, self.ignore_extra = truth, source, words, ignore_extra
        self.connection = truth.connection
        self.problems, self.notes = Problems(source.name), Notes()
        self.others = others or OtherAnswers(words)
        self.lines, self.bad_lines = 0, 0
        self.usage, self.usage_rows = UsageTable(self.connection), list[tuple[str, Usage]]()
        self.targets: dict[str, int] = {}  # of clips that a map in the file's order gave: operation of the target
        self.looks = LookAlikes(
            lambda: [known for (known,) in self.connection.execute(sql(__package__, "clip_ids")).fetchall()]
        )

    def screen(self, *, usage: bool = False) -> bool:
        """Screen all lines at once; return True if some line is left to the strict checker.

        `predictions` then holds the plainly good lines of clips of the split. `usage`: lines may say what their answer
        cost; without it such a line is left to the strict checker, and the others take less time.
        """
        for name, value in variables(self.words, self.source).items():  # the names are keys of a literal there
            self.connection.execute(f"SET VARIABLE {name} = ?", [value])
        self._drop_screen()
        if usage:
            self.connection.execute("SET VARIABLE usage_pattern = ?", [USAGE_PATTERN])
        for statement in ("lines_with_usage" if usage else "lines", "vocabulary", "screen", "predictions"):
            self.connection.execute(sql(__package__, statement))
        if usage:
            self.usage.make()
            for statement in ("usage_said", "usage_screened"):
                self.connection.execute(sql(__package__, statement))
        counts = self._row("screened")
        self.lines = counts["taken"]
        if counts["noted"]:
            noted = self._row("screened_notes")
            for kind in ("normalised", "anticipated"):
                if noted[kind]:
                    self.notes.add(kind, noted[f"{kind}_line"], count=noted[kind])
        # good lines that the join with the truth did not take name clips of no such split
        return counts["doubtful"] > 0 or counts["taken"] < counts["good"]

    def start_empty(self) -> None:
        """Make `predictions` without a row."""
        self._drop_screen()
        self.connection.execute(sql(__package__, "predictions_empty"))

    def check_all(self, items: Iterable[Item], shaping: Shaping) -> None:
        """Shape and check items in batches and add them to `predictions`."""
        batch: list[Row] = []  # no items are held: they may be of a megabyte
        held = 0
        for number, item in enumerate(items, start=self.lines):
            row = self._check(item, number, shaping)
            batch.append(row)
            held += len(row.clip_id or "")
            if len(batch) == BATCH or held > BATCH_CHARACTERS:
                self._store(batch)
                batch, held = [], 0
        if batch:
            self._store(batch)
        if not self.lines:
            raise SubmissionError(f"{self.source.name}: holds no prediction; expected one JSON object a line")

    def check_order(self) -> None:
        """Raise SubmissionError where the targets in the file are not those of the clips that a map in order gave.

        Half of them may differ: whoever trains on other labels may have other targets. A sealed split is not asked.
        """
        if not self.targets or self.truth.sealed:
            return
        columns = {"clip_id": np.array(list(self.targets), object), "operation": np.array(list(self.targets.values()))}
        self.connection.register("targets", columns)
        [(targets, agreeing)] = self.connection.execute(sql(__package__, "target_agreement")).fetchall()
        self.connection.unregister("targets")
        if 2 * agreeing < targets:
            raise SubmissionError(
                f"{self.source.name}: {agreeing:,} of {targets:,} targets beside the answers are those of the clips "
                "that the clip map gives: is it in the order of the file?"
            )

    def result(self, adapter: str, notes_on_clips: list[str]) -> Ingestion:
        """Settle the duplicates and return the report, `notes_on_clips` before the notes on lines."""
        self._drop_screen()
        self._settle_duplicates(ADAPTERS[adapter].repeated)
        truth = self.truth
        answered = self._row("answered")["answered"] if truth.sealed else None
        rows = self._row("row_count")["rows"]
        counts = {kind: self.notes.count(kind) for kind in ("normalised", "repaired", "unreadable")}
        notes = ["begins with a byte order mark, ignored"] if self.source.bom else []
        if adapter != PLAIN.name:
            notes.append(f"read as {adapter}: {ADAPTERS[adapter].description}")
        return Ingestion(
            name=self.source.name,
            sha256=self.source.sha256,
            adapter=adapter,
            lines=self.lines,
            rows=rows,
            clips=truth.n,
            rejected=self.bad_lines,
            codes=dict(self.problems.codes),
            problems=self.problems.in_order(),
            kinds=self.problems.kinds(),
            notes=notes + notes_on_clips + self.notes.sentences(),
            counts=counts | {"unknown_labels": self.notes.count("label"), "ignored_extra": self.notes.count("clip")},
            answered=answered,
            shortfall="" if answered is None else shortfall(truth.world, answered, truth.n),
            usage=self.usage.sums(rows),
        )

    def _drop_screen(self) -> None:
        self.connection.execute(sql(__package__, "screen_drop"))

    def _row(self, name: str) -> dict[str, Any]:
        """Return the single row of a statement by column."""
        relation = self.connection.execute(sql(__package__, name))
        names = [column[0] for column in relation.description]
        return dict(zip(names, relation.fetchone() or (), strict=True))

    def _check(self, item: Item, number: int, shaping: Shaping) -> Row:
        """Check the `number`-th item, tally its problems and notes, and return its row."""
        value, faults = shaping.prediction(item, number)
        if shaping.clips.in_order and isinstance(value, dict):
            self._keep_target(item.value, value.get("clip_id"))
        if isinstance(item.value, dict) and not faults and ANSWERING_FIELDS.isdisjoint(item.value):
            for kind, name in tools.remarks(item.value):
                self.notes.add(kind, item.line, name)
        checked = check(self.words, item.line, value, faults, item.text, item.column)
        checked = self.others.check(item, value, checked)
        if checked.names is not None:
            checked = self._check_named(checked, checked.names)
        self.problems.extend(checked.problems)
        self.bad_lines += bool(checked.problems)
        for note in checked.notes:
            self.notes.add(note.kind, item.line, note.name, more=note.more)
        if checked.usage is not None and checked.row.clip_id is not None and not checked.problems:
            self.usage_rows.append((checked.row.clip_id, checked.usage))
        hidden = any(problem.code == "CHARACTERS" and problem.field == "clip_id" for problem in checked.problems)
        return checked.row._replace(clip_id=None) if hidden else checked.row  # said already, so not unknown as well

    def _keep_target(self, value: dict[str, Any], clip_id: Any) -> None:
        """Keep the operation of a target beside the answer."""
        texts = [text_in(value[name]) for name in named_like(TARGETS, value)]
        targets = [found for text in texts if text and (found := find_answer(self.words, text).value)]
        labels = [self.words.label(target["dominant_operation"]) for target in targets[:1]]
        if isinstance(clip_id, str) and labels and labels[0].code is not None:
            self.targets[clip_id] = labels[0].code

    def _check_named(self, checked: Checked, name: str) -> Checked:
        """Reject a line whose text answers for another clip of the split, as in files whose replies are paired wrongly.

        An id that is not of the split, such as the example of a prompt, is no such claim.
        """
        clip_id, line = checked.row.clip_id, checked.row.line
        own, other = self.looks.clip(clip_id or ""), self.looks.clip(name)
        if own is None or other in (None, own):
            return checked
        problem = Problem(
            line=line,
            column=1,
            code="CONFLICT",
            field="clip_id",
            wrong=f"the answer in the text of {quote(clip_id)} names {quote(other)}, another clip of the split",
            expected="an answer to the line's own clip",
            suggestion="were clips and replies paired one off?",
        )
        return Checked(Row(clip_id, line, INVALID), [problem], [])

    def _store(self, rows: list[Row]) -> None:
        """Add rows to `predictions`; those of clips that are not of the split are noted or a problem."""
        self.lines += len(rows)
        self.connection.register("batch", _columns(rows))
        self.connection.execute(sql(__package__, "checked_add"))
        unknown = self.connection.execute(sql(__package__, "checked_unknown")).fetchall()
        self.connection.unregister("batch")
        self.usage.add(self.usage_rows)
        self.usage_rows.clear()
        for line, clip_id, outcome in unknown:
            if self.ignore_extra:
                self.notes.add("clip", line)
            else:
                self.problems.extend([self._unknown_clip(line, clip_id)])
                self.bad_lines += outcome != INVALID  # a rejected line is counted already

    def _unknown_clip(self, line: int, clip_id: str) -> Problem:
        near = self.looks.nearest(clip_id)
        odd = f" holds {code_points(clip_id)} and" if near is not None and not clip_id.isascii() else ""
        other = "does it belong to another --split? --clip-map translates ids, --ignore-extra leaves such lines out"
        return Problem(
            line=line,
            column=1,
            code="CLIP_UNKNOWN",
            field="clip_id",
            wrong=f"{quote(clip_id)}{odd} is not of the split",
            expected=f"a clip of {self.truth.world} / {self.truth.split}",
            suggestion=f"did you mean {quote(near)}? {difference(clip_id, near)}".rstrip() if near else other,
        )

    def _settle_duplicates(self, remedy: str) -> None:
        """Report the lines that name a clip again, and leave that clip one row without a valid answer.

        Which of several answers was meant nobody can say, so none is taken: neither the first nor the best.
        """
        # numpy counts the places in a third of the time that DuckDB groups them in, and most files have no duplicates
        places = self.connection.execute(sql(__package__, "places")).fetchnumpy()["place"]
        if len(places) == 0 or np.bincount(np.asarray(places)).max() == 1:
            return
        duplicates = self.connection.execute(sql(__package__, "duplicates")).fetchall()
        self.bad_lines += sum(outcome != INVALID for *_, outcome in duplicates)  # a rejected line is counted already
        self.problems.extend(
            Problem(
                line=line,
                column=1,
                code="CLIP_DUPLICATE",
                field="clip_id",
                wrong=f"{quote(clip_id)} stands {_where(first, line)}",
                expected="one line a clip",
                suggestion=remedy,
            )
            for line, clip_id, first, _ in duplicates
        )
        self.connection.execute(sql(__package__, "duplicates_invalid"))


def _where(first: int, line: int) -> str:
    return f"on lines {first} and {line}" if line != first else f"twice on line {line}"


def _columns(rows: list[Row]) -> dict[str, np.ndarray]:
    """Return rows as arrays that DuckDB reads; None is masked, and NULL there."""
    columns: dict[str, np.ndarray] = {}
    for name, values in zip(Row._fields, zip(*rows, strict=True), strict=True):
        if name == "clip_id":
            columns[name] = np.array(values, dtype=object)
        else:
            masked = [value is None for value in values]
            numbers = [0 if value is None else value for value in values]
            columns[name] = np.ma.masked_array(np.array(numbers, COLUMN_TYPES.get(name, np.uint8)), masked)
    return columns
