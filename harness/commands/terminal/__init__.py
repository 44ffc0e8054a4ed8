"""Output for a person at a terminal: 80 columns, plain without colour or TTY. Prints records, computes nothing.

This module holds what all output shares; score.py, comparison.py, leaderboard.py and world.py print one record each.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import IO

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

IN_SAMPLE = "in-sample: floors and prior were fitted on the one session they are quoted for"


def console(file: IO[str] | None = None) -> Console:
    """Return a console of 80 columns, or those of the terminal, with colours only on a TTY (never with NO_COLOR)."""
    file = file or sys.stdout
    width = None if file.isatty() else int(os.environ.get("COLUMNS", "80"))
    made = Console(file=file, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)
    made.push_render_hook(_Trimmer())
    return made


class _Trimmer(RenderHook):
    """Hook that removes the spaces with which tables and paddings fill their lines, so that copied output is clean."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap everything that is about to be printed."""
        return [_Trimmed(renderable) for renderable in renderables]


class _Trimmed:
    """Content that is printed without spaces at the ends of its lines."""

    def __init__(self, content: ConsoleRenderable):
        self.content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the content's segments. Read backwards, a line's end comes before the spaces that it ends with."""
        trimmed: list[Segment] = []
        at_end = True
        for text, style, control in reversed(list(console.render(self.content, options))):
            kept = re.sub(r" +(?=\n)", "", text)
            kept = kept.rstrip(" ") if at_end else kept
            at_end = kept.startswith("\n") or (at_end and not kept)
            trimmed.append(Segment(kept, style, control))
        return reversed(trimmed)


def capture(show: Callable[[Console], object]) -> str:
    """Return what `show` would print on standard output, as plain or coloured as there."""
    out = console()
    with out.capture() as text:
        show(out)
    return text.get()


def table(*columns: str, left: Iterable[str] = ()) -> Table:
    """Return an empty table without frames; columns are right-aligned unless named in `left`."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        is_left = column in left
        least = 8 if is_left and column else None
        made.add_column(
            column, justify="left" if is_left else "right", no_wrap=not is_left, overflow="fold", min_width=least
        )
    return made


def heading(out: Console, text: str, aside: str = "") -> None:
    """Print an empty line and a heading, with a remark beside it."""
    out.print()
    out.print(Text(text, style="bold") + Text(f"  {aside}" if aside else "", style="dim"))


def warn(out: Console, text: str) -> None:
    """Print a line that a reader must not miss."""
    out.print(Text(text, style="yellow"))


def remark(out: Console, text: str) -> None:
    """Print a line that explains what stands above it."""
    out.print(Text(text, style="dim"))


def print_note(text: str, out: Console, style: str = "") -> None:
    """Print a note, every line of it indented."""
    out.print(Padding(Text(text, style=style), (0, 0, 0, 2)))


def print_lines(lines: Iterable[str], out: Console, style: str = "") -> None:
    """Print lines without wrapping them."""
    for line in lines:
        out.print(Text(line, style=style), soft_wrap=True)
