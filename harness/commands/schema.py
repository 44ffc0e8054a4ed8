"""`harness schema`: the published file formats."""

from __future__ import annotations

import click

from harness.commands import options
from harness.resources import SCHEMAS, schema


@click.command("schema")
@click.argument("name", type=click.Choice(SCHEMAS), default="prediction")
def command(name: str) -> None:
    """Print a JSON Schema: of a prediction line, a score record, a submission's card, or a training record.

    \b
    Example:
      harness schema prediction
      harness schema card
    """
    options.print_json(schema(name))
