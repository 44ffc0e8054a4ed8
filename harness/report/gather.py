"""Submissions -> everyone who takes part in a page, scored, paired and clip by clip.

Three ways in, one result: a folder of entries, one file, or several operands (files or names of baselines). What no
page does without is added as a reference where it is not among them: the transition prior, and the oracle in a world
with a process. References are shown and never ranked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import disclosure
from harness.baselines.write import BASELINES
from harness.cards import Card
from harness.comparison import leaderboard
from harness.comparison.leaderboard import Entry, Field
from harness.comparison.paired import need_every_clip
from harness.comparison.pairwise import MARGIN, distinct, score_operand
from harness.errors import UsageError
from harness.ingestion.submission_file import shown_name
from harness.report.clips import Answers, Clips, load
from harness.scoring.request import Request
from harness.scoring.result import Score
from harness.scoring.score import score

FLOOR, PRIOR, ORACLE = "constant", "transition-prior", "oracle"


@dataclass(frozen=True)
class Gathered:
    """`kind`: leaderboard, report or compare. `commands` and `files`: by entry, in the order of `field.entries`."""

    kind: str
    title: str
    field: Field
    board: dict[str, Any]
    request: Request
    clips: Clips
    floor: Score
    constant: Answers  # the floor's, clip by clip
    commands: list[str]
    files: list[Path | None]
    margin: float = MARGIN
    named: str | None = None  # --name of a report
    asked: Sequence[Entry] = ()  # of a report or comparison: what it was made of, in the order it was asked for

    @property
    def entries(self) -> list[Entry]:
        """Return the entries of the page, ranked ones first, then references."""
        return self.field.entries


def gather_leaderboard(folder: Path, request: Request, baseline: str = FLOOR) -> Gathered:
    """All entries of a folder of submissions."""
    field = leaderboard.gather(folder, request=request, baseline=baseline)
    field = replace(field, broken=[row | {"error": row["error"].replace(f"{folder}/", "")} for row in field.broken])
    if not field.entries:
        raise UsageError(f"{shown_name(folder)}: no entry for {request.world} / {request.split} to show")
    return _gathered("leaderboard", f"{request.world} leaderboard", field, request, folder)


def gather_report(
    file: str | Path,
    request: Request,
    *,
    name: str | None = None,
    training: Path | None = None,
    shown: str | None = None,
) -> Gathered:
    """One file in depth. `shown`: what it is called where it has no `name`; by default as the file is."""
    _need(request)
    scored = score(file, request=request, name=name, training=training)
    shown = name or shown or called(file)
    entry = _operand(shown, scored, Path(file))
    field = leaderboard.line_up([entry], request, FLOOR)
    return replace(_gathered("report", shown, field, request, None), named=name, asked=[entry])


def gather_comparison(
    operands: Sequence[str | Path], request: Request, margin: float = MARGIN, names: Sequence[str] | None = None
) -> Gathered:
    """Two files or more, or names of baselines, side by side."""
    if len(operands) < 2:
        raise UsageError("compare needs at least two submissions")
    _need(request)
    names = names or distinct([shown_name(operand) for operand in operands])
    entries = [
        _operand(name, score_operand(operand, request), Path(operand))
        for name, operand in zip(names, operands, strict=True)
    ]
    field = leaderboard.line_up(entries, request, FLOOR)
    return replace(_gathered("compare", " and ".join(names), field, request, None, margin), asked=entries)


def _need(request: Request) -> None:
    disclosure.refuse(request.world, "a report clip by clip", organiser=request.organiser, home=request.home)
    need_every_clip(request.rules)


def called(file: str | Path) -> str:
    """A file named predictions.jsonl is called by its folder."""
    path = Path(shown_name(file))
    stem = path.name.split(".")[0] or path.name
    return path.parent.name if stem == "predictions" and path.parent.name else stem


def _operand(name: str, score: Score, path: Path) -> Entry:
    """References are ranked here: they were asked for."""
    known = BASELINES.get(str(path)) if not path.exists() else None
    kind, description = ("baseline", known.description) if known else ("model", "")
    return Entry(path, _card(name, kind, description, score.record), score, name)


def _card(name: str, kind: str, description: str, record: dict[str, Any]) -> Card:
    return Card(
        name,
        kind,
        description,
        record["world"],
        record["split"],
        record["truth_digest"],
        record["submission"]["sha256"],
        uses_truth=kind == "reference",
    )


def _gathered(
    kind: str, title: str, field: Field, request: Request, folder: Path | None, margin: float = MARGIN
) -> Gathered:
    entries = [*field.entries, *_added(field, request)]
    field = leaderboard.line_up(entries, request, field.baseline, field.broken, field.elsewhere)
    floor = _named(FLOOR, field.entries) or score_operand(FLOOR, request)
    split = load(request, [*(entry.score for entry in field.entries), floor])
    constant = split.answers.pop()
    return Gathered(
        kind,
        title,
        field,
        leaderboard.board(field),
        request,
        split,
        floor,
        constant,
        [_command(entry, folder) for entry in field.entries],
        [_file(entry) for entry in field.entries],
        margin,
    )


def _added(field: Field, request: Request) -> list[Entry]:
    """The references that every page shows."""
    has_process = field.entries[0].score.record["metrics"]["aa1"]["ceiling"] is not None
    wanted = [PRIOR, ORACLE] if has_process else [PRIOR]
    return [_reference(name, request) for name in wanted if _named(name, field.entries) is None]


def _reference(name: str, request: Request) -> Entry:
    score = score_operand(name, request)
    return Entry(Path(name), _card(name, "reference", BASELINES[name].description, score.record), score, name)


def _named(name: str, entries: Sequence[Entry]) -> Score | None:
    return next((entry.score for entry in entries if name in (entry.name, entry.card.name)), None)


def _command(entry: Entry, folder: Path | None) -> str:
    """How to get an entry's numbers in a terminal; names no folder above the one that was given."""
    if _file(entry) is None:
        return f"harness baseline {entry.name} -o {entry.name}.jsonl && harness score {entry.name}.jsonl"
    if folder is None:
        return f"harness score {shown_name(entry.folder.name)}"
    where = Path(folder.resolve().name, entry.folder.name, entry.card.predictions)
    return f"harness score {shown_name(where)}"


def _file(entry: Entry) -> Path | None:
    """Where the entry's lines are; None for a baseline that was made for the page."""
    path = entry.folder / entry.card.predictions if entry.folder.is_dir() else entry.folder
    return path if path.is_file() else None
