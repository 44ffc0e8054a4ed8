"""`harness world`: worlds, where the ground truth comes from."""

from __future__ import annotations

import click

from harness.commands.world import making, rendering, sealing, showing


class Group(click.Group):
    """Group that tells what each of its commands does in a whole sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with the whole first sentence of their help."""
        commands = {name: self.commands[name] for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, (command.help or "").partition("\n\n")[0]) for name, command in commands.items()]
            )


@click.group("world", cls=Group)
def command() -> None:
    """List, build, describe, render, import and export worlds (the ground truth).

    \b
    Example:
      harness world list
      harness world info warehouse-v2
    """


for _each in (
    showing.list_,
    showing.info,
    showing.preview,
    showing.card,
    making.build,
    making.import_,
    making.export,
    rendering.render,
    sealing.seal,
    sealing.reveal,
    sealing.check_reveal,
):
    command.add_command(_each)
