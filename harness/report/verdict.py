"""What a score record shows, in two or three sentences: above floor and prior or not, how far, and what to mend first.

The terminal and the page of one file begin with them. Nothing is claimed that the 95% interval of the score does not
carry: what it does not separate is "not shown to be above". The prior needs the interval of the skill as well, whose
replicates hold score and prior of the same sessions.
"""

from __future__ import annotations

from typing import Any

from harness.formatting import number, percent, plural
from harness.metrics_table import COMPOSITE

ABOVE, BELOW, OPEN = "above", "below", "not shown to be above"


def verdict(record: dict[str, Any], name: str) -> list[str]:
    """Return the sentences on a score record; `name` is the submission's. Of a sealed split only the first is known."""
    row = record["metrics"].get(COMPOSITE.key, {})
    if row.get("value") is None:
        return [f"{name} has no score: no clip is counted."]
    first = f"{name} scores {number(row['value'])}{_ends(row)}{_on_sample(record)}"
    against = _against(row)
    way = _way(row)
    return [
        f"{first}: {against}." if against else f"{first}.",
        *([way] if way else []),
        *_mend(record, row),
    ]


def relation(row: dict[str, Any], bound: str) -> str:
    """Return whether a metric's value is shown to be above or below its floor, prior or ceiling, or neither."""
    low, high, mark = row["low"], row["high"], row[bound]
    if low is None:
        return OPEN
    paired = row["skill_low"] if bound == "prior" else None
    if low > mark and (paired is None or paired > 0):
        return ABOVE
    return BELOW if high < mark else OPEN


def _on_sample(record: dict[str, Any]) -> str:
    """Return that the score is of a sample, if it is."""
    drawn = record.get("sample")
    return f" on a sample of {plural(drawn['sessions'], 'session')}, seed {drawn['seed']}" if drawn else ""


def _ends(row: dict[str, Any]) -> str:
    return "" if row["low"] is None else f" (95% {number(row['low'])} to {number(row['high'])})"


def _against(row: dict[str, Any]) -> str:
    """Return "above the floor (0.366) and the prior (0.687)", bounds of one relation together."""
    groups: dict[str, list[str]] = {}
    for bound in ("floor", "prior"):
        if row.get(bound) is not None:
            groups.setdefault(relation(row, bound), []).append(f"the {bound} ({number(row[bound])})")
    joined = {OPEN: " or ", ABOVE: " and ", BELOW: " and "}
    return ", ".join(f"{how} {joined[how].join(marks)}" for how, marks in groups.items())


def _way(row: dict[str, Any]) -> str:
    """Return how much of the way to the ceiling is covered; empty where there is no ceiling, or no way covered."""
    ceiling = row.get("ceiling")
    base = "floor" if row.get("prior") is None else "prior"
    if ceiling is None:
        return ""
    if relation(row, "ceiling") == ABOVE:
        return f"It is above the ceiling ({number(ceiling)}), more than the frames can tell: read the audit first."
    if row["skill"] is None or relation(row, base) != ABOVE:
        return ""
    ends = ""
    if row["skill_low"] is not None:
        ends = f" (95% {percent(row['skill_low'])} to {percent(row['skill_high'])})"
    return f"It covers {percent(row['skill'])}{ends} of the way from the {base} to the ceiling ({number(ceiling)})."


def _mend(record: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """Return the failure mode whose repair would bring most, where its gain is shown to be above 0.

    A score whose interval reaches the ceiling has none.
    """
    rows = [mode for mode in record.get("modes", ()) if mode["gain"] > 0]
    if not rows:
        return []
    if row.get("ceiling") is not None and row["high"] is not None and row["high"] >= row["ceiling"]:
        return [] if row["low"] > row["ceiling"] else ["Nothing is shown to be left to mend: it reaches the ceiling."]
    first = max(rows, key=lambda mode: mode["gain"])
    ends = ""
    if first["gain_low"] is not None:
        ends = f" (95% {number(first['gain_low'], sign=True)} to {number(first['gain_high'], sign=True)})"
    gain = number(first["gain"], sign=True)
    clips = plural(first["n"], "clip")
    if first["gain_low"] is not None and round(first["gain_low"], 3) <= 0:
        return [f"No failure mode stands out yet: {first['title']}, {clips}, has the largest gain, {gain}{ends}."]
    return [f"Mend first: {first['title']}, {clips}, worth {gain}{ends}."]


def context_words(low: float | None, high: float | None) -> str:
    """Return what a gain from context with this 95% interval shows about reading the order."""
    if low is None or high is None:
        return "too few sessions to say whether it reads the order"
    if low > 0:
        return "evidence that it reads the order or the motion"
    return "no evidence that it reads the order" if high >= 0 else "it knows less than operation and look tell"
