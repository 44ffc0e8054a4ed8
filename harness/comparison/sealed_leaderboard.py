"""The public leaderboard of a sealed split: what may leave it, and only when it means something (DEFINITIONS 21).

Whoever may score often climbs by luck, and learns of the truth by what moves. So the board shows four rounded numbers,
and an entry moves only when a new file is better than the one shown under the same name by more than one paired
standard error (the ladder of Blum and Hardt 2015). How many files were scored is said, and what the best of so many is
worth by luck: the expected largest of k standard normals times the standard error of the leader's score.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import disclosure
from harness.comparison.leaderboard import score_folder
from harness.comparison.paired import load
from harness.comparison.pairwise import paired_test
from harness.disclosure import PARTS, public_record
from harness.metrics_table import PUBLIC
from harness.scoring.request import Request
from harness.scoring.result import Score
from reference.files import write_text
from reference.truth.catalog import locate

FORMAT = "warehouse-harness/sealed-leaderboard-1"
NOTE = "an entry moves only when it is better than the same name's last by more than one paired standard error"
STEP = 1.0
"""Paired standard errors by which a new file must be better."""


def applies(request: Request) -> bool:
    """The split is sealed, and who asks is not its organiser."""
    return not request.organiser and locate(request.world, request.home).seal is not None


def leaderboard(folder: Path, request: Request) -> dict[str, Any]:
    """Score every entry of a folder, log the scorings, move who may move, and show the board."""
    seal = locate(request.world, request.home).seal
    assert seal is not None
    inside = replace(request, organiser=True)
    entries, broken, elsewhere = score_folder(folder, inside)
    held = Ladder(seal.log.with_suffix(".ladder.json"), seal.commitment, inside)
    for entry in sorted(entries, key=lambda entry: entry.name):
        disclosure.log(seal.log, public_record(entry.score.record | {"name": entry.name}, seal.commitment, entry.name))
        held.offer(entry.name, entry.card.kind, entry.score)
    held.save()
    return held.board(broken, elsewhere, files_scored(seal.log))


class Ladder:
    """The standing of each name: the record that is shown, and where its checked answers are."""

    def __init__(self, path: Path, commitment: str, request: Request):
        self._path, self._commitment, self._request = path, commitment, request
        self._held: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}

    def offer(self, name: str, kind: str, score: Score) -> None:
        """Move a name to a file that is surely better than the one it stands with."""
        standing = self._held.get(name)
        if standing is None or self._better(score, standing):
            shown = public_record(score.record | {"name": name}, self._commitment, name)
            self._held[name] = {"kind": kind, "shown": shown, "answers": str(score.answers), "record": score.record}

    def _better(self, score: Score, standing: dict[str, Any]) -> bool:
        if standing["shown"]["submission"]["sha256"] == score.record["submission"]["sha256"]:
            return False
        before = Score(standing["record"], Path(standing["answers"]), self._request)
        if not before.answers.exists():
            return score.record["metrics"]["score"]["value"] > standing["record"]["metrics"]["score"]["value"]
        test = paired_test(load([score, before], ["new", "shown"]), "score", 0, 1)
        return test["se"] is not None and test["difference"] > STEP * test["se"]

    def save(self) -> None:
        write_text(self._path, json.dumps(self._held, ensure_ascii=False))
        self._path.chmod(0o600)

    def board(self, broken: list[dict[str, str]], elsewhere: int, files: int) -> dict[str, Any]:
        rows = [_row(name, held) for name, held in self._held.items()]
        rows.sort(key=lambda row: (-row["metrics"]["score"]["value"], row["name"]))
        facts = next(iter(self._held.values()))["shown"] if self._held else {}
        return {
            "format": FORMAT,
            "commitment": self._commitment,
            **{key: facts.get(key) for key in disclosure.KEPT if key != "coverage"},
            "entries": rows,
            "broken": broken,
            "elsewhere": elsewhere,
            "files_scored": files,
            "luck": _luck(rows, files),
            "note": NOTE,
        }


def _row(name: str, held: dict[str, Any]) -> dict[str, Any]:
    shown = held["shown"]
    metrics = {metric.key: {part: shown["metrics"][metric.key][part] for part in PARTS} for metric in PUBLIC}
    return {
        "name": name,
        "kind": held["kind"],
        "coverage": shown["coverage"],
        "metrics": metrics,
        "signature": shown["signature"],
    }


def files_scored(log: Path) -> int:
    """Distinct files that were ever scored on the split."""
    if not log.exists():
        return 0
    return len({json.loads(line)["sha256"] for line in log.read_text(encoding="utf-8").splitlines() if line})


def _luck(rows: list[dict[str, Any]], files: int) -> float | None:
    """What the best of so many equal files is ahead by on average, in score; rounded as all that leaves."""
    if not rows or rows[0]["metrics"]["score"]["low"] is None:
        return None
    score = rows[0]["metrics"]["score"]
    return round((score["high"] - score["low"]) / 2 / 1.96 * expected_largest(files), disclosure.DIGITS)


def expected_largest(k: int) -> float:
    """Mean of the largest of k independent standard normals: the integral of x k phi(x) Phi(x)^(k-1)."""
    if k < 2:
        return 0.0
    step, total = 0.005, 0.0
    for place in range(-1600, 1601):
        x = place * step
        density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        total += x * k * density * (0.5 * math.erfc(-x / math.sqrt(2))) ** (k - 1) * step
    return total
