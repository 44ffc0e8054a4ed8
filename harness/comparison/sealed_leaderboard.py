"""Public leaderboard of a sealed split: what may leave the split, and only when it means something.

Repeated scoring lets an entrant overfit the hidden truth, because every changed number says something about it. So the
board shows four rounded numbers, and an entry moves only when a new file is better than the one shown under the same
name by more than one paired standard error (the ladder of Blum & Hardt 2015). The board also states how many files were
scored, and how far the best of that many equally good files leads by chance alone: the expected largest of k standard
normals times the standard error of the leader's score.
"""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness import disclosure
from harness.comparison.leaderboard import Unranked, score_folder
from harness.comparison.paired import pair_scores
from harness.comparison.pairwise import paired_test
from harness.disclosure import PUBLIC_PARTS, public_record
from harness.errors import SubmissionError, UsageError
from harness.metrics_table import PUBLIC
from harness.scoring.request import Request
from harness.scoring.result import Score
from harness.version import __version__
from reference.files import replacement
from reference.home import make_private_folder
from reference.truth.catalog import locate

FORMAT = "warehouse-harness/sealed-leaderboard-1"
NOTE = "an entry moves only when a new file is better than the last of its name by more than one paired standard error"
STEP = 1.0
"""Paired standard errors by which a new file must be better."""
NORMAL_975 = 1.96
"""Quantile of the standard normal that turns half a 95% interval into a standard error."""


def applies(request: Request) -> bool:
    """Return whether the split is sealed and the request is not its organiser's."""
    return not request.organiser and locate(request.world, request.home).seal is not None


def leaderboard(folder: Path, request: Request) -> dict[str, Any]:
    """Score every entry of a folder, log the scorings, move the entries that may move, and return the board."""
    seal = locate(request.world, request.home).seal
    assert seal is not None
    inside = replace(request, organiser=True)
    entries, unranked = score_folder(folder, inside)
    ladder = Ladder(seal.log.with_suffix(".ladder.json"), seal.commitment, inside)
    for entry in sorted(entries, key=lambda entry: entry.name):
        try:
            if len(entry.score.runs) > 1:
                raise SubmissionError("a method of several runs; on a sealed split an entry is one file")
            disclosure.check_answered(entry.score.record)
        except SubmissionError as error:
            unranked.broken.append({"name": entry.name, "error": str(error)})
            continue
        public = public_record(entry.score.record | {"name": entry.name}, seal.commitment, entry.name)
        disclosure.log_scoring(seal.log, public)
        ladder.offer(entry.name, entry.card.kind, entry.score)
    ladder.save()
    return ladder.board(_facts(inside), unranked, files_scored(seal.log))


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


class Ladder:
    """Standings of a sealed split by name: the public record on show, and the full one with its checked answers.

    They are kept in a file that only the organiser may read.
    """

    def __init__(self, path: Path, commitment: str, request: Request):
        self._path, self._commitment, self._request = path, commitment, request
        self._standings: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(FileNotFoundError):
            try:
                self._standings = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                raise UsageError(f"{path}: is damaged; remove it, and the standings begin anew") from None

    def offer(self, name: str, kind: str, score: Score) -> None:
        """Put a new file on show if its name has none, or if it is better by more than STEP standard errors."""
        standing = self._standings.get(name)
        if standing is None or self._is_better(score, standing):
            public = public_record(score.record | {"name": name}, self._commitment, name)
            answers = str(score.answers)
            self._standings[name] = {"kind": kind, "shown": public, "answers": answers, "record": score.record}

    def _is_better(self, score: Score, standing: dict[str, Any]) -> bool:
        if standing["shown"]["submission"]["sha256"] == score.record["submission"]["sha256"]:
            return False
        before = Score(standing["record"], Path(standing["answers"]), self._request)
        if not before.answers.exists():
            # The cache was emptied, so that no pair can be formed; the score alone must decide.
            return score.record["metrics"]["score"]["value"] > standing["record"]["metrics"]["score"]["value"]
        test = paired_test(pair_scores([score, before], ["new", "shown"]), "score", 0, 1)
        return test["se"] is not None and test["difference"] > STEP * test["se"]

    def save(self) -> None:
        """Write the standings, readable by their owner alone."""
        make_private_folder(self._path.parent)
        text = json.dumps(self._standings, ensure_ascii=False)
        with replacement(self._path, private=True) as temporary:
            temporary.write_bytes(text.encode("utf-8", "replace"))

    def board(self, split: dict[str, Any], unranked: Unranked, files: int) -> dict[str, Any]:
        """Return the public leaderboard as one JSON object.

        `split`: what is public about it; `files`: how many were ever scored on it.
        """
        rows = [_row(name, standing) for name, standing in self._standings.items()]
        rows.sort(key=lambda row: (-row["metrics"]["score"]["value"], row["name"]))
        facts = next(iter(self._standings.values()))["shown"] if self._standings else split
        return {
            "format": FORMAT,
            "commitment": self._commitment,
            **{key: facts[key] for key in disclosure.PUBLIC_KEYS if key != "coverage"},
            "entries": rows,
            **vars(unranked),
            "files_scored": files,
            "luck": _luck(rows, files),
            "note": NOTE,
        }


def _row(name: str, standing: dict[str, Any]) -> dict[str, Any]:
    public = standing["shown"]
    metrics = {metric.key: {part: public["metrics"][metric.key][part] for part in PUBLIC_PARTS} for metric in PUBLIC}
    return {
        "name": name,
        "kind": standing["kind"],
        "coverage": public["coverage"],
        "metrics": metrics,
        "signature": public["signature"],
    }


def files_scored(log: Path) -> int:
    """Count the distinct files that were ever scored on the split."""
    return len({row["sha256"] for row in disclosure.scorings(log)})


def _luck(rows: list[dict[str, Any]], files: int) -> float | None:
    """Return by how much the best of `files` equally good files leads on average, in score, rounded as metrics are."""
    if not rows or rows[0]["metrics"]["score"]["low"] is None:
        return None
    score = rows[0]["metrics"]["score"]
    # The error of one score, not of a difference: equally good files differ from their common value by one error each.
    # It is made from the rounded interval, so that the board says no more than its numbers do.
    standard_error = (score["high"] - score["low"]) / 2 / NORMAL_975
    return round(standard_error * expected_largest(files), disclosure.DIGITS)


def expected_largest(k: int) -> float:
    """Return the mean of the largest of k independent standard normals."""
    if k < 2:
        return 0.0
    # The integral of x k phi(x) Phi(x)^(k-1) as a sum over steps of 0.005 from -8 to 8 standard deviations.
    step, total = 0.005, 0.0
    for place in range(-1600, 1601):
        x = place * step
        density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        total += x * k * density * (0.5 * math.erfc(-x / math.sqrt(2))) ** (k - 1) * step
    return total
