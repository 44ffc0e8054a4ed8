"""Output for a person at a terminal: 80 columns, plain without colour or TTY. Prints records, computes nothing.

This module holds what all output shares; score.py, comparison.py, leaderboard.py and world.py print one record each.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import IO

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from harness.commands.printing import columns
from harness.formatting import printable

IN_SAMPLE = "in-sample: floors and prior were fitted on the one session they are quoted for"


def console(file: IO[str] | None = None) -> Console:
    """Return a console of 80 columns, or those of the terminal, with colours only on a TTY (never with NO_COLOR)."""
    file = file or sys.stdout
    width = columns(file.isatty())
    made = Console(file=file, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)
    made.push_render_hook(_Cleaner())
    return made


class _Cleaner(RenderHook):
    """Hook through which everything goes that is printed: control characters are escaped, ends of lines trimmed."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap everything that is about to be printed."""
        return [_Cleaned(renderable) for renderable in renderables]


class _Cleaned:
    """Content without what a terminal would obey, and without the spaces with which tables fill their lines."""

    def __init__(self, content: ConsoleRenderable):
        self.content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the content's segments. Read backwards, a line's end comes before the spaces that it ends with.

        Colours are added later, so that every control character here is one of the text itself.
        """
        cleaned: list[Segment] = []
        at_end = True
        for text, style, control in reversed(list(console.render(self.content, options))):
            kept = re.sub(r" +(?=\n)", "", printable(text))
            kept = kept.rstrip(" ") if at_end else kept
            at_end = kept.startswith("\n") or (at_end and not kept)
            cleaned.append(Segment(kept, style, control))
        return reversed(cleaned)


def capture(show: Callable[[Console], object]) -> str:
    """Return what `show` would print on standard output, as plain or coloured as there."""
    out = console()
    with out.capture() as text:
        show(out)
    return text.get()


class FittedTable(Table):
    """Table that leaves out columns from the right where the console is too narrow, and says which.

    Only texts (columns in `left`) and headings fold: a number is shown whole or not at all, the first text always.
    """

    FOLDED, NAME, HEADING, GAP = 16, 4, 12, 2
    """Width that a text is folded to before a column is left out, and after; that of a heading; spaces between two."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the segments of the table with the columns that fit, then what was left out."""
        natural = [_width(column.header, *column.cells) for column in self.columns]
        least = [self._least(place, most) for place, most in enumerate(natural)]
        kept, left_out = len(least), list[str]()
        name = next((place for place, column in enumerate(self.columns) if column.justify == "left"), 0)
        while kept > name + 1 and sum(least[:kept]) + self.GAP * (kept - 1) > options.max_width:
            kept -= 1
            left_out = [str(column.header) for column in self.columns[kept:] if str(column.header)]
        spare = options.max_width - sum(least[:kept]) - self.GAP * (kept - 1)
        del self.columns[kept:]
        for column, fewest, most in zip(self.columns, least, natural, strict=False):
            column.width = max(min(most, fewest + spare), self.NAME if column.justify == "left" else fewest)
            spare -= column.width - fewest
        yield from super().__rich_console__(console, options)
        if left_out:
            yield Text(f"left out at {options.max_width} columns: {', '.join(left_out)}", style="dim")

    def _least(self, place: int, most: int) -> int:
        column = self.columns[place]
        if column.justify == "left" and column.header:
            return min(most, self.FOLDED)
        return max(_width(*column.cells), min(most, self.HEADING))


def _width(*cells: object) -> int:
    return max((cell_len(printable(str(cell))) for cell in cells), default=0)


def table(*columns: str, left: Sequence[str] = ()) -> Table:
    """Return an empty table without frames; columns are right-aligned unless named in `left`."""
    made = FittedTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, justify="left" if column in left else "right", overflow="fold")
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
