"""Output without tables: the one function through which text goes to standard output and standard error.

Texts of files (labels, keys, device names, paths) reach the terminal escaped: it must not obey what others wrote. The
tables of `terminal/` escape by the same function.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import textwrap

import click

from harness.formatting import printable

WIDTH, NARROWEST, WIDEST = 80, 20, 1000
"""Columns where the environment names none; the fewest and the most that output is set for."""
NO_BREAK = "\0"
"""Stands for a space at which no line is broken; `printable` leaves none in a text."""
QUOTED = re.compile(r"`[^`]*`|(?<!\S)'[^']*'|(?<!\S)\"[^\"]*\"")
LOCATED = re.compile(r"(\s*(?:harness: )?)(.+?):")
"""Begins a message on a file; its second group is the path."""


def say(text: str = "", *, err: bool = False, nl: bool = True, coloured: bool = False) -> None:
    """Print a text with its control characters escaped, on standard error if `err`.

    `coloured`: the text is what a console of `terminal/` made, which has escaped it and then given it colours.
    """
    click.echo(text if coloured else printable(text), err=err, nl=nl)


def say_sentences(text: str, *, err: bool = False) -> None:
    """Print sentences, wrapped where a terminal shows them; elsewhere, a line that was long stays one."""
    stream = sys.stderr if err else sys.stdout
    say(wrapped(printable(text), columns(is_terminal=True)) if stream.isatty() else text, err=err)


def wrapped(text: str, width: int) -> str:
    """Return a message with its long lines broken between words, each part after the first one indented by two more.

    What people copy stays in one line, however long: a word, a quotation, and the file that a line begins with.
    """
    return "\n".join(_wrapped_line(line, width) for line in text.split("\n"))


def _wrapped_line(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    solid = QUOTED.sub(lambda found: found[0].replace(" ", NO_BREAK), line)
    start = LOCATED.match(line)
    if start:
        end = start.end() if os.path.lexists(start[2]) else start.end(1)
        solid = line[:end].replace(" ", NO_BREAK) + solid[end:]
    indent = line[: len(line) - len(line.lstrip())]
    later = f"{indent}  "
    lines = textwrap.wrap(solid, width, subsequent_indent=later, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(NO_BREAK, " ")


def columns(is_terminal: bool) -> int:
    """Return the columns to print for: those of COLUMNS where it is a usable number, else the terminal's, else 80."""
    named = os.environ.get("COLUMNS", "").strip()
    wanted = int(named) if named.isascii() and named.isdigit() and len(named) < 10 else 0
    if not wanted and is_terminal:
        wanted = _of_terminal()
    return min(max(wanted or WIDTH, NARROWEST), WIDEST)


def _of_terminal() -> int:
    """Return the columns of the terminal, 0 where it does not say."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            return os.get_terminal_size(stream.fileno()).columns
    return 0
