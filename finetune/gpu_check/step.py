"""One step of the check: `python -m finetune.gpu_check.step MODULE:NAME WORK [ARGUMENT]` prints a line a number."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

import click
import torch

from finetune.gpu_check.setup import Setup
from finetune.gpu_check.steps import CAP_GIB
from finetune.planning.devices import GIB


@click.command()
@click.argument("function")
@click.argument("work", type=click.Path(path_type=Path, file_okay=False))
@click.argument("arguments", nargs=-1)
@click.option("--rehearse", is_flag=True)
def main(function: str, work: Path, arguments: tuple[str, ...], rehearse: bool) -> None:
    """Run a step and print its lines."""
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no line
    module, name = function.split(":")
    if rehearse:
        torch.set_num_threads(1)
    else:
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, CAP_GIB * GIB / whole))
    for line in getattr(import_module(f"finetune.gpu_check.{module}"), name)(Setup(work, rehearse), *arguments):
        print(json.dumps(line), file=lines, flush=True)
    lines.close()
    # Threads and workers that still read ahead have nothing more to say.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
