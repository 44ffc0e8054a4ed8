"""`harness words`: the glossary."""

from __future__ import annotations

import textwrap

import click

from harness.commands import options
from harness.errors import UsageError
from harness.words import GLOSSARY, WORDS, plain

WIDTH = 80


@click.command("words", cls=options.Command)
@click.argument("names", nargs=-1, metavar="[WORD]...")
def command(names: tuple[str, ...]) -> None:
    """Explain each WORD, or every word of the glossary: floor, prior, ceiling, skill, tier and others.

    \b
    Example:
      harness words
      harness words floor prior ceiling skill
    """
    unknown = [name for name in names if name not in WORDS]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no word of the glossary: {', '.join(WORDS)}")
    words = [WORDS[name] for name in names] or GLOSSARY
    for number, word in enumerate(words):
        click.echo(("\n" if number else "") + word.name)
        click.echo(textwrap.indent(textwrap.fill(plain(word.text), WIDTH - 2, break_on_hyphens=False), "  "))
