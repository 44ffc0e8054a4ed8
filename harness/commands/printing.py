"""Output without tables: the one function through which text goes to standard output and standard error.

Texts of files (labels, keys, device names, paths) reach the terminal escaped: it must not obey what others wrote. The
tables of `terminal/` escape by the same function.
"""

from __future__ import annotations

import contextlib
import os
import sys

import click

from harness.formatting import printable

WIDTH, NARROWEST, WIDEST = 80, 20, 1000
"""Columns where the environment names none; the fewest and the most that output is set for."""


def say(text: str = "", *, err: bool = False, nl: bool = True, coloured: bool = False) -> None:
    """Print a text with its control characters escaped, on standard error if `err`.

    `coloured`: the text is what a console of `terminal/` made, which has escaped it and then given it colours.
    """
    click.echo(text if coloured else printable(text), err=err, nl=nl)


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
