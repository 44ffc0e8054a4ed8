"""Run the check: `python -m finetune.gpu_check WORK --results DIR`, which finetune/runs/gpu-check.sh calls."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from finetune import fail
from finetune.gpu_check.runner import Runner
from finetune.gpu_check.steps import AIMS, CAP_GIB, GROUPS, SECONDS, Step
from finetune.gpu_check.table import TABLE, Results
from harness.errors import HarnessError

SLOWER = 30
"""Limits of a rehearsal, as multiples of the true ones."""
QUERY = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")


def card() -> tuple[str, float]:
    """Return the name of the first GPU and its memory in GiB. Raises HarnessError if the machine has none."""
    try:
        found = subprocess.run(QUERY, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        raise HarnessError("nvidia-smi names no GPU here; --rehearse runs the check on a CPU") from None
    name, memory = found.rsplit(",", 1)
    return name, float(memory) / 1024


@click.command()
@click.argument("work", type=click.Path(path_type=Path, file_okay=False))
@click.option("--results", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of results.")
@click.option("--begun", type=float, help="When the check began, in seconds since 1970; by default now.")
@click.option("--rehearse", is_flag=True, help="All steps with a tiny model on the CPU: no number means anything.")
def main(work: Path, results: Path, begun: float | None, rehearse: bool) -> None:
    """Run all steps of the check with scratch files in WORK.

    Example: python -m finetune.gpu_check build/scratch --results build/results --rehearse
    """
    try:
        name, memory = ("a rehearsal on a CPU, whose numbers mean nothing", 0.0) if rehearse else card()
    except HarnessError as error:
        fail(error)
    spent = 0.0 if begun is None else time.time() - begun
    writer = Results(results, f"GPU check: {name}", AIMS)
    slower = SLOWER if rehearse else 1

    def command(step: Step) -> list[str]:
        more = [word for word in (step.argument, "--rehearse" if rehearse else "") if word]
        return [sys.executable, "-m", "finetune.gpu_check.step", step.function, str(work), *more]

    groups = [[step._replace(limit_s=step.limit_s * slower) for step in group] for group in GROUPS]
    runner = Runner(writer, command, time.monotonic() + SECONDS * slower - spent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the running steps are ended, too
    well = runner.run(groups, together=memory >= CAP_GIB * max(map(len, GROUPS)))
    click.echo((results / TABLE).read_text(encoding="utf-8"))
    click.echo(f"{results / TABLE}: {'all steps ended well' if well else 'not all steps ended well'}")
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
