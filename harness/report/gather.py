"""Gather the entries of a page: scored, paired and clip by clip.

A page is made of a folder of entries, of one file, or of several operands (files or names of baselines). The transition
prior, and the oracle in a world with a process, are added as references where they are not among the entries.
References are shown and never ranked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import disclosure
from harness.baselines.write import BASELINES
from harness.cards import RUNS, Card, prediction_file
from harness.comparison import leaderboard
from harness.comparison.leaderboard import Entry, ScoredEntries
from harness.comparison.paired import need_every_clip
from harness.comparison.pairwise import MARGIN, distinct_names, score_operand, short_name
from harness.errors import UsageError
from harness.ingestion.submission_file import shown_name
from harness.report.clips import Answers, Clips, load
from harness.scoring.request import Request
from harness.scoring.result import Score
from harness.scoring.score import as_its_card_says, method_files, score
from reference.truth.sample import Sample

FLOOR, PRIOR, ORACLE = "constant", "transition-prior", "oracle"


@dataclass(frozen=True)
class Gathered:
    """All that a page is made of.

    `kind` is leaderboard, report or compare. `commands` and `files` are in the order of `field.entries`. `floor` and
    `constant` are score and answers of the constant submission. `name` is the --name of a report; `operands` are the
    entries that a report or comparison was requested for, in that order.
    """

    kind: str
    title: str
    field: ScoredEntries
    board: dict[str, Any]
    request: Request
    clips: Clips
    floor: Score
    constant: Answers
    commands: list[str]
    files: list[Path | None]
    margin: float = MARGIN
    name: str | None = None
    operands: Sequence[Entry] = ()

    @property
    def entries(self) -> list[Entry]:
        """Return the entries of the page, ranked ones first, then references."""
        return self.field.entries


def gather_leaderboard(folder: Path, request: Request, baseline: str = FLOOR) -> Gathered:
    """Gather all entries of a folder of submissions. Fails with a UsageError where none is for this world and split."""
    field = leaderboard.score_and_pair(folder, request=request, baseline=baseline)
    field = replace(
        field,
        unranked=replace(
            field.unranked,
            broken=[row | {"error": row["error"].replace(f"{folder}/", "")} for row in field.unranked.broken],
            skipped=[row | {"path": row["name"]} for row in field.unranked.skipped],
        ),
    )
    if not field.entries:
        raise UsageError(f"{shown_name(folder)}: no entry for {request.world} / {request.split} to show")
    return _assemble("leaderboard", f"{request.world} leaderboard", field, request, folder)


def gather_report(
    file: str | Path,
    request: Request,
    *,
    name: str | None = None,
    training: Path | None = None,
    shown: str | None = None,
) -> Gathered:
    """Gather one file. `shown` is the title of a file without a `name`; by default its display name."""
    runs = method_files(file)
    file = file if runs else prediction_file(file)
    request, _ = as_its_card_says(runs[0] if runs else file, request)
    request = replace(request, follow_card=False)  # it is followed; the page's command says the same in options
    _need(request)
    scored = score(file, request=request, name=name, training=training)
    shown = name or shown or display_name(file)
    entry = _operand(shown, scored, Path(file))
    field = leaderboard.pair_entries([entry], request, FLOOR)
    return replace(_assemble("report", shown, field, request, None), name=name, operands=[entry])


def gather_comparison(
    operands: Sequence[str | Path],
    request: Request,
    margin: float = MARGIN,
    names: Sequence[str] | None = None,
    training: str | None = None,
) -> Gathered:
    """Gather two or more files or baselines to compare."""
    if len(operands) < 2:
        raise UsageError("compare needs at least two submissions")
    _need(request)
    names = names or distinct_names([shown_name(operand) for operand in operands])
    entries = [
        _operand(name, score_operand(operand, request, training), Path(operand))
        for name, operand in zip(names, operands, strict=True)
    ]
    request = replace(request, sample=_sample_of(entries))
    field = leaderboard.pair_entries(entries, request, FLOOR)
    return replace(_assemble("compare", " and ".join(names), field, request, None, margin), operands=entries)


def _sample_of(entries: Sequence[Entry]) -> Sample | None:
    """Return the sample that all entries are about. Raises UsageError where they are about other sessions."""
    samples = {entry.score.request.sample for entry in entries}
    if len(samples) > 1:
        raise UsageError(
            "a page holds entries about the same sessions; without -o harness compare takes the common ones"
        )
    return samples.pop()


def _need(request: Request) -> None:
    disclosure.refuse(request.world, "a report clip by clip", organiser=request.organiser, home=request.home)
    need_every_clip(request.rules)


def display_name(file: str | Path) -> str:
    """Return a file's name without its known endings; of a predictions.jsonl the name of its folder."""
    return short_name(Path(shown_name(file)))


def _operand(name: str, score: Score, path: Path) -> Entry:
    """Make an entry of a file or baseline; one that uses the truth is ranked here, because it was requested."""
    known = BASELINES.get(str(path)) if not path.exists() else None
    kind, description = ("baseline", known.description) if known else ("model", "")
    return Entry(path, _card(name, kind, description, score.record), score, name)


def _card(name: str, kind: str, description: str, record: dict[str, Any]) -> Card:
    return Card(
        name=name,
        kind=kind,
        description=description,
        world=record["world"],
        split=record["split"],
        truth_digest=record["truth_digest"],
        predictions_sha256=record["submission"]["sha256"],
        uses_truth=kind == "reference",
    )


def _assemble(
    kind: str, title: str, field: ScoredEntries, request: Request, folder: Path | None, margin: float = MARGIN
) -> Gathered:
    entries = [*field.entries, *_missing_references(field, request)]
    field = leaderboard.pair_entries(entries, request, field.baseline, field.unranked, known=field.baseline_score)
    floor = field.baseline_score if field.baseline == FLOOR else _score_of(FLOOR, field.entries)
    floor = floor or score_operand(FLOOR, request)
    split = load(request, [*(entry.score for entry in field.entries), floor])
    constant = split.answers.pop()
    return Gathered(
        kind=kind,
        title=title,
        field=field,
        board=leaderboard.rank_entries(field),
        request=request,
        clips=split,
        floor=floor,
        constant=constant,
        commands=[_command(entry, folder) for entry in field.entries],
        files=[_file(entry) for entry in field.entries],
        margin=margin,
    )


def _missing_references(field: ScoredEntries, request: Request) -> list[Entry]:
    """Return the references that every page shows and that are not among the entries."""
    has_process = field.entries[0].score.record["metrics"]["aa1"]["ceiling"] is not None
    wanted = [PRIOR, ORACLE] if has_process else [PRIOR]
    return [_reference(name, request) for name in wanted if _score_of(name, field.entries) is None]


def _reference(name: str, request: Request) -> Entry:
    score = score_operand(name, request)
    return Entry(Path(name), _card(name, "reference", BASELINES[name].description, score.record), score, name)


def _score_of(name: str, entries: Sequence[Entry]) -> Score | None:
    return next((entry.score for entry in entries if entry.name == name), None)


def _command(entry: Entry, folder: Path | None) -> str:
    """Return the command that prints an entry's numbers; it names no folder above `folder`."""
    if _file(entry) is None:
        return f"harness baseline {entry.name} -o {entry.name}.jsonl && harness score {entry.name}.jsonl"
    if folder is None:
        return f"harness score {shown_name(entry.folder.name)}"
    where = Path(folder.resolve().name, entry.folder.name, "" if entry.card.runs_sha256 else entry.card.predictions)
    return f"harness score {shown_name(where)}"


def _file(entry: Entry) -> Path | None:
    """Return the file with the entry's lines, of a method run 1, None for a baseline that has no file."""
    path = entry.folder
    if len(entry.score.runs) > 1:
        path = entry.folder / RUNS / "1.jsonl"
    elif entry.folder.is_dir():
        path = entry.folder / entry.card.predictions
    return path if path.is_file() else None
