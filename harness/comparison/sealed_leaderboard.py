"""Public leaderboard of a sealed split: what may leave the split, and only when it means something.

Repeated scoring lets an entrant overfit the hidden truth, because every changed number says something about it. So the
board shows four rounded numbers of each entrant of `entrants.toml`, and a new file is shown only when it is clearly
better than the one that stands (harness/sealed/ladder.py). Putting an entry on the board is an attempt like that of
`harness score --as NAME`. The board also states how many files were scored, and how far the best of that many equally
good files leads by chance alone.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness import disclosure
from harness.comparison.leaderboard import score_folder
from harness.disclosure import PUBLIC_PARTS
from harness.errors import SubmissionError, UsageError
from harness.metrics_table import PUBLIC
from harness.scoring.request import Request
from harness.sealed.attempts import attempt, files_scored, luck, session_sums, standings
from harness.sealed.entrants import read_entrants
from harness.version import __version__
from reference.truth.catalog import locate

FORMAT = "warehouse-harness/sealed-leaderboard-2"
NOTE = (
    "a new file is shown only when it is better than the last of its entrant by more than two paired standard errors, "
    "and by more after many attempts"
)


def applies(request: Request) -> bool:
    """Return whether the split is sealed and the request is not its organiser's."""
    return not request.organiser and locate(request.world, request.home).seal is not None


def leaderboard(folder: Path, request: Request) -> dict[str, Any]:
    """Score every entry of a folder as an attempt of the entrant of its name, and return the public board.

    Entries of strangers, with too few answers, or beyond an entrant's attempts of the day are listed as broken.
    """
    seal = locate(request.world, request.home).seal
    assert seal is not None
    disclosure.check_rules(seal.name, request.rules, request.weights)  # sums of other weights are no ladder of these
    read_entrants(seal)  # without a list nobody is scored, which is no fault of an entry's
    inside = replace(request, organiser=True)
    entries, unranked = score_folder(folder, inside)
    for entry in sorted(entries, key=lambda entry: entry.name):
        score = entry.score
        try:
            if len(score.runs) > 1:
                raise SubmissionError("a method of several runs; on a sealed split an entry is one file")
            sums = session_sums(score.answers, request.weights)
            attempt(score.record, sums, score.request.reading(), entry.name, seal)
        except (SubmissionError, UsageError) as error:
            unranked.broken.append({"name": entry.name, "error": str(error)})
    kinds = {entry.name: entry.card.kind for entry in entries}
    rows = [_row(name, kinds.get(name, "model"), shown) for name, shown in standings(seal.log).items()]
    return {
        "format": FORMAT,
        "commitment": seal.commitment,
        **_facts(inside),
        "entries": sorted(rows, key=lambda row: (-row["metrics"]["score"]["value"], row["name"])),
        **vars(unranked),
        "files_scored": files_scored(seal.log),
        "luck": luck(seal.log),
        "note": NOTE,
    }


def _facts(request: Request) -> dict[str, Any]:
    """Return what is public about the split and how it is scored, also of a board without an entry."""
    with request.open() as truth:
        return {
            "world": truth.world,
            "split": truth.split,
            "n": truth.n,
            "sessions": truth.sessions,
            "rules": request.rules.name,
            "scheme": request.weights.scheme,
            "weights": asdict(request.weights),
            "version": __version__,
        }


def _row(name: str, kind: str, shown: dict[str, Any]) -> dict[str, Any]:
    metrics = {metric.key: {part: shown["metrics"][metric.key][part] for part in PUBLIC_PARTS} for metric in PUBLIC}
    return {
        "name": name,
        "kind": kind,
        "coverage": shown["coverage"],
        "metrics": metrics,
        "signature": shown["signature"],
    }
