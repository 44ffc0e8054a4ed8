"""`harness words` prints the glossary."""

from __future__ import annotations

import shutil
import textwrap

import click

from harness.commands import options
from harness.commands.printing import say
from harness.errors import UsageError
from harness.words import GLOSSARY, WORDS, plain

NARROWEST = 20
BY_NAME = {name.casefold(): word for name, word in WORDS.items()}


@click.command("words", cls=options.Command)
@click.argument("names", nargs=-1, metavar="[WORD]...")
def command(names: tuple[str, ...]) -> None:
    """Explain each WORD, or every word of the glossary: floor, prior, ceiling, skill, tier and others.

    Upper and lower case do not matter.

    \b
    Example:
      harness words
      harness words floor prior ceiling "AA@1 hidden"
    """
    width = max(shutil.get_terminal_size().columns, NARROWEST)
    unknown = [name for name in names if name.casefold() not in BY_NAME]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no word of the glossary: {', '.join(WORDS)}")
    words = [BY_NAME[name.casefold()] for name in names] or GLOSSARY
    for number, word in enumerate(words):
        say(("\n" if number else "") + word.name)
        say(textwrap.indent(textwrap.fill(plain(word.text), width - 2, break_on_hyphens=False), "  "))
