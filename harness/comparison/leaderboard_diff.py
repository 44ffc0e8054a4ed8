"""What changed between two leaderboards: entries that came or went, ranks, tiers, scores. For a pull request.

BASE is a folder of submissions, or what `harness leaderboard --format json` wrote.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.comparison import leaderboard
from harness.errors import UsageError
from harness.formatting import markdown_cell, rank_range
from harness.ingestion.submission_file import shown_name
from harness.scoring.request import Request

JUDGED_BY = ("world", "split", "truth_digest", "rules", "weights", "version")


@dataclass(frozen=True)
class Change:
    """`before`, `after`: None where the entry is not there. `what`: new, gone, moved, rescored."""

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
    verdict_before: str
    verdict_after: str
    entries: list[Change]
    unlike: list[str]  # what differs in how the two were judged: then scores cannot be compared

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_base(base: str, request: Request, baseline: str) -> dict[str, Any]:
    """A leaderboard of a folder, or the one that a file holds."""
    path = Path(base)
    if path.is_dir():
        return leaderboard.leaderboard(path, request=request, baseline=baseline)
    try:
        board = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--diff {shown_name(base)}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise UsageError(f"--diff {shown_name(base)}: not JSON") from None
    if not isinstance(board, dict) or board.get("format") != leaderboard.FORMAT:
        raise UsageError(f"--diff {shown_name(base)}: expected what `harness leaderboard --format json` writes")
    return board


def changes(before: dict[str, Any], after: dict[str, Any]) -> Changes:
    old, new = ({row["name"]: row for row in board["entries"] + board["references"]} for board in (before, after))
    names = [*new, *(name for name in old if name not in new)]
    found = [_change(name, old.get(name), new.get(name)) for name in names]
    unlike = [key for key in JUDGED_BY if before[key] != after[key]]
    return Changes(before["verdict"], after["verdict"], [change for change in found if change], unlike)


def _change(name: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> Change | None:
    before, after = (_standing(row) for row in (old, new))
    if before == after and old and new and old["signature"] == new["signature"]:
        return None
    what = "new" if old is None else "gone" if new is None else "moved" if before[:2] != after[:2] else "rescored"
    flags = new["flags"] if new else []
    return Change(name, what, before[0], after[0], before[1], after[1], before[2], after[2], flags)


def _standing(row: dict[str, Any] | None) -> tuple[str | None, int | None, float | None]:
    if row is None:
        return None, None, None
    rank = rank_range(row) if "tier" in row else None
    return rank, row.get("tier"), row["metrics"]["score"]["value"]


def markdown(found: Changes) -> str:
    """A pull-request comment."""
    lines = [f"**{markdown_cell(found.verdict_after)}**", ""]
    if found.unlike:
        lines += [f"The two were not judged alike ({', '.join(found.unlike)} differ): scores cannot be compared.", ""]
    if not found.entries:
        return "\n".join([*lines, "No entry changed."]) + "\n"
    if found.verdict_before != found.verdict_after:
        lines += [f"Before: {markdown_cell(found.verdict_before)}", ""]
    lines += ["| entry | | rank | tier | score |", "|:---|:---|:---|:---|:---|"]
    lines += [f"| {' | '.join(_cells(change))} |" for change in found.entries]
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
