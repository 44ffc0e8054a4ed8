"""Differences of two leaderboards: entries that came or went, ranks, tiers, scores. For a pull request.

The earlier one, BASE, is a folder of submissions, or what `harness leaderboard --format json` wrote.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.comparison import leaderboard
from harness.errors import UsageError
from harness.formatting import markdown_cell, rank_range
from harness.ingestion.submission_file import shown_name
from harness.rules import COMPONENTS
from harness.scoring.request import Request
from reference import shapes
from reference.outside_files import read_json

SCORED_BY = ("world", "split", "truth_digest", "rules", "weights", "version")
BOARD_BYTES = 1 << 26
_ROW: dict[str, shapes.Shape] = {
    "name": shapes.text(),
    "metrics": shapes.table({"score": shapes.table({"value": shapes.number(0, 1)}, others=True)}, others=True),
    "flags": shapes.array(shapes.text()),
    "signature": shapes.text(10_000),
}
_RANKS = dict.fromkeys(("rank_low", "rank_high", "tier"), shapes.integer(1))
BOARD = shapes.table(
    {
        "format": shapes.one_of(leaderboard.FORMAT),
        "verdict": shapes.text(100_000),
        "entries": shapes.array(shapes.table(_ROW | _RANKS, others=True)),
        "references": shapes.array(shapes.table(_ROW, others=True)),
        "weights": shapes.table({name: shapes.number(0, 1) for name in COMPONENTS}),
        **{key: shapes.text() for key in SCORED_BY if key != "weights"},
    },
    others=True,
)
"""What `diff` reads of a board in a file; the rest of it is not looked at."""


@dataclass(frozen=True)
class Change:
    """Change of one entry. `what`: new, gone, moved or rescored; None where the entry is missing or not ranked."""

    name: str
    what: str
    rank_before: str | None
    rank_after: str | None
    tier_before: int | None
    tier_after: int | None
    score_before: float | None
    score_after: float | None
    flags: list[str]


@dataclass(frozen=True)
class Changes:
    """All changes from one leaderboard to another, and their verdict sentences."""

    verdict_before: str
    verdict_after: str
    entries: list[Change]
    unlike: list[str]  # SCORED_BY keys that differ: then scores cannot be compared

    def as_dict(self) -> dict[str, Any]:
        """Return the changes as JSON values."""
        return asdict(self)


def read_base(base: str, request: Request, baseline: str) -> dict[str, Any]:
    """Return the leaderboard of a folder, or the one that a file holds. Raises UsageError for any other file."""
    path = Path(base)
    if path.is_dir():
        return leaderboard.leaderboard(path, request=request, baseline=baseline)
    place = f"--diff {shown_name(base)}"
    board = read_json(path, UsageError, BOARD_BYTES, place)
    if not isinstance(board, dict) or board.get("format") != leaderboard.FORMAT:
        raise UsageError(f"{place}: expected what `harness leaderboard --format json` writes")
    return shapes.check(board, BOARD, place, UsageError)


def diff(before: dict[str, Any], after: dict[str, Any]) -> Changes:
    """Return what changes from one leaderboard to another, in the order of the later one, entries that went last."""
    old, new = ({row["name"]: row for row in board["entries"] + board["references"]} for board in (before, after))
    names = [*new, *(name for name in old if name not in new)]
    changes = [_change(name, old.get(name), new.get(name)) for name in names]
    return Changes(
        verdict_before=before["verdict"],
        verdict_after=after["verdict"],
        entries=[change for change in changes if change],
        unlike=[key for key in SCORED_BY if before[key] != after[key]],
    )


def _change(name: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> Change | None:
    before, after = (_standing(row) for row in (old, new))
    if before == after and old and new and old["signature"] == new["signature"]:
        return None
    (rank_before, tier_before, score_before), (rank_after, tier_after, score_after) = before, after
    moved = (rank_before, tier_before) != (rank_after, tier_after)
    return Change(
        name=name,
        what="new" if old is None else "gone" if new is None else "moved" if moved else "rescored",
        rank_before=rank_before,
        rank_after=rank_after,
        tier_before=tier_before,
        tier_after=tier_after,
        score_before=score_before,
        score_after=score_after,
        flags=new["flags"] if new else [],
    )


def _standing(row: dict[str, Any] | None) -> tuple[str | None, int | None, float | None]:
    """Return rank range, tier and score of a row."""
    if row is None:
        return None, None, None
    rank = rank_range(row) if "tier" in row else None
    return rank, row.get("tier"), row["metrics"]["score"]["value"]


def markdown(changes: Changes) -> str:
    """Return the changes as a pull-request comment."""
    lines = [f"**{markdown_cell(changes.verdict_after)}**", ""]
    if changes.unlike:
        lines += [f"The two boards differ in {', '.join(changes.unlike)}, so their scores cannot be compared.", ""]
    if not changes.entries:
        return "\n".join([*lines, "No entry changed."]) + "\n"
    if changes.verdict_before != changes.verdict_after:
        lines += [f"Before: {markdown_cell(changes.verdict_before)}", ""]
    lines += ["| entry | | rank | tier | score |", "|:---|:---|:---|:---|:---|"]
    lines += [f"| {' | '.join(_cells(change))} |" for change in changes.entries]
    return "\n".join(lines) + "\n"


def _cells(change: Change) -> list[str]:
    flags = f" (flags: {', '.join(change.flags)})" if change.flags else ""
    scores = [None if score is None else f"{score:.3f}" for score in (change.score_before, change.score_after)]
    return [
        markdown_cell(change.name + flags),
        change.what,
        _arrow(change.rank_before, change.rank_after),
        _arrow(change.tier_before, change.tier_after),
        _arrow(*scores),
    ]


def _arrow(before: Any, after: Any) -> str:
    shown = ["-" if value is None else str(value) for value in (before, after)]
    return shown[1] if shown[0] == shown[1] else " → ".join(shown)
