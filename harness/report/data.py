"""Panels of a page in reading order, as dataclasses: all its numbers and no HTML."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from harness.comparison.leaderboard import Entry
from harness.comparison.pairwise import ALPHA
from harness.report.gather import Gathered
from harness.report.panels.anticipation import Anticipation, anticipation
from harness.report.panels.certainty import Certainty, certainty
from harness.report.panels.confusion import Confusion, confusion
from harness.report.panels.costs import Costs, costs
from harness.report.panels.details import Details, details
from harness.report.panels.first import Look, first
from harness.report.panels.losses import Losses, losses
from harness.report.panels.pairs import Pair, pairs
from harness.report.panels.slices import Slices, slices
from harness.report.panels.standings import Chip, Notice, Standings, chips, notices, standings, verdict
from harness.report.panels.temporal import Temporal, temporal
from harness.scoring.record import clean

FORMAT = "warehouse-harness/page-2"


@dataclass(frozen=True)
class Model:
    """Panels of one entry; `place` is its number on the page."""

    place: int
    name: str
    kind: str
    description: str
    command: str
    signature: str
    losses: Losses
    anticipation: Anticipation
    temporal: Temporal
    slices: Slices
    confusion: Confusion
    details: Details
    first: list[Look]


@dataclass(frozen=True)
class Page:
    """All numbers of one page.

    `recipe` is what `harness verify` needs to make the page again, `focus` the place of the entry that is shown first.
    """

    kind: str
    title: str
    recipe: dict[str, Any]
    verdict: list[str]
    chips: list[Chip]
    notices: list[Notice]
    standings: Standings
    certainty: Certainty | None
    costs: Costs | None
    focus: int
    models: list[Model]
    pairs: list[Pair]
    alpha: float
    margin: float
    n: int
    sessions: int


def page(gathered: Gathered) -> Page:
    """Compute every panel of a page."""
    board = standings(gathered)
    facts = gathered.field.facts
    models = [_model(gathered, place, entry) for place, entry in enumerate(gathered.entries)]
    compared = pairs(gathered)
    return Page(
        kind=gathered.kind,
        title=gathered.title,
        recipe=_recipe(gathered),
        verdict=verdict(gathered, board),
        chips=chips(gathered),
        notices=notices(gathered, board),
        standings=board,
        certainty=certainty(gathered, compared),
        costs=costs(gathered),
        focus=_focus(gathered.entries),
        models=models,
        pairs=compared,
        alpha=ALPHA,
        margin=gathered.margin,
        n=facts["n"],
        sessions=facts["sessions"],
    )


def _recipe(gathered: Gathered) -> dict[str, Any]:
    request, facts = gathered.request, gathered.field.facts
    return {
        "format": FORMAT,
        "kind": gathered.kind,
        "title": gathered.title,
        "name": gathered.name,
        "world": facts["world"],
        "split": facts["split"],
        "sample": str(request.sample or ""),
        "truth_digest": facts["truth_digest"],
        "rules": facts["rules"],
        "weights": facts["weights"],
        "baseline": gathered.field.baseline,
        "margin": gathered.margin,
        "version": facts["version"],
        "reading": request.reading(),
        "entries": [
            {"name": entry.name, "kind": entry.card.kind, "command": command, "sha256": _sha256(entry)}
            for entry, command in zip(gathered.entries, gathered.commands, strict=True)
        ],
        "operands": [
            {"name": entry.name, "sha256": _sha256(entry)}
            | ({"runs": len(entry.score.runs)} if len(entry.score.runs) > 1 else {})
            for entry in gathered.operands
        ],
    }


def _sha256(entry: Entry) -> str:
    return entry.score.record["submission"]["sha256"]


def _focus(entries: list[Entry]) -> int:
    """Return the place of the best model; where there is none, of the best entry."""
    models = (place for place, entry in enumerate(entries) if entry.card.kind == "model")
    return next(models, 0)


def _model(gathered: Gathered, place: int, entry: Entry) -> Model:
    record, clips = entry.score.record, gathered.clips
    answers = clips.answers[place]
    weights = gathered.field.facts["weights"]
    return Model(
        place=place,
        name=entry.name,
        kind=entry.card.kind,
        description=entry.card.description,
        command=gathered.commands[place],
        signature=record["signature"],
        losses=losses(record),
        anticipation=anticipation(record, clips, answers),
        temporal=temporal(record, clips, answers, gathered.floor.record, gathered.constant),
        slices=slices(record),
        confusion=confusion(record),
        details=details(record),
        first=first(record, clips, answers, weights),
    )


def snapshot(page: Page) -> dict[str, Any]:
    """Return a page's data as JSON values, without a panel of costs that it has not; floats keep all their digits."""
    values = clean(asdict(page))
    return {name: value for name, value in values.items() if name != "costs" or value is not None}
