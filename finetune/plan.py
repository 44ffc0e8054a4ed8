"""Plan a run before anything is loaded: `python -m finetune.plan [CONFIG] [--device t4]` prints memory and hours.

The plan itself is made in finetune/planning/: memory_plan.py adds up the parts of the peak.
"""

from __future__ import annotations

import gc
import logging
import sys
import textwrap
import warnings
from dataclasses import fields
from pathlib import Path

import click

from finetune import config as configs
from finetune import fail
from finetune.config import Config
from finetune.planning.devices import DEVICES
from harness.errors import HarnessError


@click.command()
@click.argument("config", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--device", type=click.Choice(list(DEVICES)), default="t4", show_default=True, help="Device to fit.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Override a value of the file.")
@click.option("--fields", "list_fields", is_flag=True, help="List all fields with their defaults and reasons.")
def main(config: Path | None, device: str, changes: tuple[str, ...], list_fields: bool) -> None:
    """Plan the run of CONFIG (the defaults if left out): memory and hours. Exit code 2 if it cannot fit.

    Example: python -m finetune.plan --device t4 --set batch=4
    """
    if list_fields:
        print("\n".join(field_lines()))
        return
    gc.set_threshold(50_000)  # what torch holds stays: looking for cycles in it took a tenth of a plan
    # Here, because torch and transformers take seconds, which --help and --fields do not need.
    import torch

    from finetune.planning.hours import LAUNCH_S, measure_launch_s
    from finetune.planning.memory_plan import plan_memory
    from finetune.planning.report import report

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    try:
        overrides = configs.parse_changes(changes)
        settings = configs.read(config, **overrides) if config else configs.override(Config(), **overrides)
        plan = plan_memory(settings, device)
        print(report(plan, measure_launch_s(settings) if torch.cuda.is_available() else LAUNCH_S))
    except HarnessError as error:
        fail(error)
    if not plan.fits:
        sys.exit(2)


def field_lines() -> list[str]:
    """Return every field with its default and reason."""
    lines = []
    for entry in fields(Config):
        lines.append(f"{entry.name} = {entry.default!r}")
        why = entry.metadata["why"]
        lines += textwrap.wrap(why, 80, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    return lines


if __name__ == "__main__":
    main()
