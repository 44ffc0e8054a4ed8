"""A gate on the page: title, what was simulated and what is demanded, tables, and whether the gate holds."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Gate(NamedTuple):
    title: str
    text: str
    tables: list[str]
    holds: bool

    def markdown(self) -> str:
        verdict = "**The gate holds.**" if self.holds else "**The gate does not hold.**"
        text = textwrap.fill(self.text, 120, break_on_hyphens=False)
        return "\n\n".join([f"## {self.title}", text, *self.tables, verdict])


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", "|" + "---:|" * len(header)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"
