"""Page of a sealed split's public leaderboard: four rounded numbers for each entry, and how many files were scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from harness.comparison.board_text import sealed_note
from harness.metrics_table import PUBLIC
from harness.report.panels.measure import UNIT, measure
from harness.report.render import environment, policy, static
from harness.report.write import Written
from reference.files import write_atomically


def html(board: dict[str, Any]) -> str:
    """Return the text of the page."""
    style = static("style.css")
    rows = [row | {"measures": [measure(row["metrics"][metric.key]) for metric in PUBLIC]} for row in board["entries"]]
    return (
        environment()
        .get_template("public.html.j2")
        .render(
            board=board,
            rows=rows,
            axis=UNIT,
            note=sealed_note(board),
            verdict=verdict(board),
            style=Markup(style),
            policy=policy(style, ""),
        )
    )


def verdict(board: dict[str, Any]) -> str:
    """Return the sentence above the board: the highest score, and that no test leaves a sealed split."""
    if not board["entries"]:
        return "No entry yet."
    first = board["entries"][0]
    score = first["metrics"]["score"]
    ends = "" if score["low"] is None else f" (95% {score['low']:.3f} to {score['high']:.3f})"
    highest = f"{first['name']} has the highest score, {score['value']:.3f}{ends}"
    return f"{highest}; no pairwise test leaves a sealed split."


def write(board: dict[str, Any], path: Path) -> Written:
    """Write the page to `path`."""
    text = html(board).encode("utf-8", "replace")
    write_atomically(path, lambda temporary: temporary.write_bytes(text))
    return Written(path, len(text), 0, [verdict(board)])
