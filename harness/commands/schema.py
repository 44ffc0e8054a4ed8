"""`harness schema`: the JSON Schemas of the file formats."""

from __future__ import annotations

import click

from harness.commands import options
from harness.resources import SCHEMAS, schema


@click.command("schema", cls=options.Command)
@click.argument("name", type=click.Choice(SCHEMAS), default=SCHEMAS[0])
def command(name: str) -> None:
    """Print the JSON Schema of a file format, by default of a prediction line.

    The others are a score record, the card of a submission and a training record.

    \b
    Example:
      harness schema prediction
      harness schema card
    """
    options.print_json(schema(name))
